//! `Vary` and secondary keys (RFC 9111 section 4.1).

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, VARY};

use super::list;
use crate::http::encoding::{AcceptEncoding, Coding};

/// The most names in a `Vary`; a longer one counts as `*`.
const MAX_NAMES: usize = 32;

/// Which headers of a request the response was chosen by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Vary(Names);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Names {
    /// Sorted, each once.
    Listed(Vec<HeaderName>),
    /// `*`, or a list that nobody can compare by.
    Never,
}

/// The values of the varied headers in one request, in a form that is the same for requests that match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecondaryKey(Box<[u8]>);

impl Default for Names {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl Vary {
    /// Reads every `Vary` of a response. `*` counts wherever it stands; a member that is no name of a header counts as `*`.
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for member in list::field(headers, &VARY) {
            match HeaderName::from_bytes(member) {
                Ok(name) if member != b"*" && names.len() < MAX_NAMES => names.push(name),
                _ => return Self(Names::Never),
            }
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        Self(Names::Listed(names))
    }

    /// Whether no request ever matches.
    pub fn is_any(&self) -> bool {
        self.0 == Names::Never
    }

    /// Whether every request matches.
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    /// The headers, sorted by name; none for `*`.
    pub fn names(&self) -> &[HeaderName] {
        match &self.0 {
            Names::Listed(names) => names,
            Names::Never => &[],
        }
    }
}

impl SecondaryKey {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes a key back that [`Self::as_bytes`] gave.
    pub fn from_stored(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// Gives the key that a request has among the variants of a response with this `vary`, which must not be `*`. Blanks
/// around members of lists and empty members make no difference, nor whether a list is on one line or on several.
/// `Accept-Encoding` counts in its normal form if `normalise` says so; then it must be forwarded in that form too.
pub fn secondary(vary: &Vary, headers: &HeaderMap, normalise: bool) -> SecondaryKey {
    let mut key = Vec::new();
    for name in vary.names() {
        if normalise && name == ACCEPT_ENCODING {
            key.extend_from_slice(normal_accept_encoding(headers).as_bytes());
        } else if headers.contains_key(name) {
            // An empty header is another request than none.
            key.push(b'=');
            for member in list::field(headers, name) {
                key.extend_from_slice(member);
                key.push(b',');
            }
        }
        // No value of a header holds a line break.
        key.push(b'\n');
    }
    SecondaryKey(key.into())
}

/// Gives the codings that a client takes, of those that we know, in one order: the value of `Accept-Encoding` that stands
/// for all that mean the same to us. Empty where it takes none.
pub fn normal_accept_encoding(headers: &HeaderMap) -> &'static str {
    if !headers.contains_key(ACCEPT_ENCODING) {
        return "";
    }
    let accepted = AcceptEncoding::parse(headers.get_all(ACCEPT_ENCODING).iter().map(|value| value.as_bytes()));
    let (mut brotli, mut zstd, mut gzip) = (false, false, false);
    for coding in accepted.preferred() {
        match coding {
            Coding::Brotli => brotli = true,
            Coding::Zstd => zstd = true,
            Coding::Gzip => gzip = true,
        }
    }
    match (brotli, zstd, gzip) {
        (true, true, true) => "br,zstd,gzip",
        (true, true, false) => "br,zstd",
        (true, false, true) => "br,gzip",
        (true, false, false) => "br",
        (false, true, true) => "zstd,gzip",
        (false, true, false) => "zstd",
        (false, false, true) => "gzip",
        (false, false, false) => "",
    }
}
