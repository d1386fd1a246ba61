//! `Vary` and secondary keys (RFC 9111 section 4.1).

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, HeaderMap, HeaderName, VARY};

use super::hygiene::X_FORWARDED_FOR;
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
    /// Reads every `Vary` of a response. `*` counts wherever it stands; a member that is no name of a header counts as
    /// `*`.
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for member in list::field(headers, &VARY) {
            match HeaderName::from_bytes(member) {
                Ok(name) if member != b"*" && name != X_FORWARDED_FOR && names.len() < MAX_NAMES => names.push(name),
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
/// around members of lists and empty members make no difference, nor whether a list is on one line or on several, nor
/// the case of languages (RFC 4647 section 2). `Accept-Encoding` counts in its normal form if `normalise` says so; then
/// it must be forwarded in that form too.
pub fn secondary(vary: &Vary, headers: &HeaderMap, normalise: bool) -> SecondaryKey {
    let mut key = Vec::new();
    for name in vary.names() {
        if normalise && name == ACCEPT_ENCODING {
            key.extend_from_slice(normal_accept_encoding(headers).as_bytes());
        } else if headers.contains_key(name) {
            // An empty header is another request than none.
            key.push(b'=');
            let start = key.len();
            for member in list::field(headers, name) {
                key.extend_from_slice(member);
                // As no value holds a zero, a comma within quotes does not look like one between members.
                key.push(0);
            }
            if name == ACCEPT_LANGUAGE {
                key[start..].make_ascii_lowercase();
            }
        }
        // No value of a header holds a line break.
        key.push(b'\n');
    }
    SecondaryKey(key.into())
}

/// Gives the codings that a client takes, of those that we know, in one order: the value of `Accept-Encoding` that
/// stands for all that mean the same to us. Empty where it takes none.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    fn vary(values: &[&str]) -> Vary {
        Vary::parse(&headers(&values.iter().map(|value| ("vary", *value)).collect::<Vec<_>>()))
    }

    #[test]
    fn a_star_anywhere_and_what_is_no_name_never_match() {
        for values in [
            ["*"].as_slice(),
            &["*, *"],
            &["*", "*"],
            &[", *"],
            &["", "*"],
            &["*, foo"],
            &["foo, *"],
            &["foo", "*"],
            &["foo bar"],
            &["\"foo\""],
            &["accept, X-Forwarded-For"],
        ] {
            assert!(vary(values).is_any(), "{values:?}");
        }
        assert!(vary(&[&"a,".repeat(MAX_NAMES + 1)]).is_any());
    }

    #[test]
    fn names_are_sorted_and_in_lower_case() {
        assert_eq!(vary(&["Foo, accept", "FOO,,"]).names(), ["accept", "foo"]);
        assert_eq!(vary(&["foo, Accept"]), vary(&["accept", "foo"]));
        assert!(vary(&[]).is_empty() && vary(&[" , "]).is_empty());
    }

    #[test]
    fn requests_match_where_their_lists_are_the_same() {
        let vary = vary(&["foo, bar"]);
        let key = |fields: &[(&str, &str)]| secondary(&vary, &headers(fields), true);
        for (one, other, same) in [
            ([("foo", "1, 2"), ("x", "")], [("foo", "1,2"), ("y", "z")], true),
            ([("foo", " 1 ,, 2"), ("x", "")], [("foo", "1"), ("foo", "2")], true),
            ([("foo", "1"), ("x", "")], [("foo", "2"), ("x", "")], false),
            ([("foo", "1, 2"), ("x", "")], [("foo", "2, 1"), ("x", "")], false),
            ([("foo", "a"), ("x", "")], [("foo", "A"), ("x", "")], false),
            ([("foo", ""), ("x", "")], [("x", ""), ("x", "")], false),
            ([("foo", "\"1,2\""), ("x", "")], [("foo", "\"1, 2\""), ("x", "")], false),
            ([("foo", "a"), ("x", "")], [("bar", "a"), ("x", "")], false),
            ([("foo", "\"1,2\""), ("x", "")], [("foo", "\"1"), ("foo", "2\"")], false),
        ] {
            assert_eq!(key(&one) == key(&other), same, "{one:?} {other:?}");
        }
        let stored = key(&[("foo", "1")]);
        assert_eq!(SecondaryKey::from_stored(stored.as_bytes()), stored);
    }

    #[test]
    fn languages_are_the_same_in_every_case_but_not_in_every_order() {
        let by_language = vary(&["accept-language"]);
        let key = |value| secondary(&by_language, &headers(&[("accept-language", value)]), true);
        assert_eq!(key("en-GB, de;q=0.5"), key("EN-gb,de;Q=0.5"));
        assert_ne!(key("en, de"), key("de, en"), "servers take the order for a preference");
    }

    #[test]
    fn codings_count_in_one_order_or_verbatim() {
        for (value, normal) in [
            ("gzip, deflate, br, zstd", "br,zstd,gzip"),
            ("gzip;q=0.1, br", "br,gzip"),
            ("br;q=0, gzip", "gzip"),
            ("zstd", "zstd"),
            ("zstd, br", "br,zstd"),
            ("x-gzip, zstd", "zstd,gzip"),
            ("identity", ""),
            ("*;q=0", ""),
            ("*", "br,zstd,gzip"),
            ("", ""),
        ] {
            assert_eq!(normal_accept_encoding(&headers(&[("accept-encoding", value)])), normal, "{value}");
        }
        let by_coding = vary(&["accept-encoding"]);
        let key = |value, normalise| secondary(&by_coding, &headers(&[("accept-encoding", value)]), normalise);
        assert_eq!(key("gzip, br", true), key("br;q=0.5,gzip", true));
        assert_ne!(key("gzip, br", false), key("br, gzip", false));
        assert_eq!(secondary(&by_coding, &headers(&[]), true), key("identity", true));
    }
}
