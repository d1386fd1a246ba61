//! The primary key: which requests a stored response may answer, apart from its `Vary` (RFC 9111 section 2).
//!
//! Two requests that an origin could tell apart never share a key, unless the policy says that the difference does not
//! matter; then the origin must not be shown it either, or one client could fill the cache for another. That is what
//! [`forwarded_query`] and [`forwarded_cookies`] are for.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, COOKIE, HeaderMap, HeaderName, HeaderValue};

use super::{list, vary};
use crate::http::percent;

/// What a request asks for, by the edge's own reading of its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'r> {
    /// Over TLS.
    pub secure: bool,
    /// In lower case, without a default port.
    pub host: &'r str,
    /// As sent, with its leading slash.
    pub path: &'r str,
    /// As sent, without the question mark.
    pub query: Option<&'r str>,
}

/// Which parameters of a query, or which cookies, count. Names are compared after percent-decoding, case matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selection {
    #[default]
    None,
    All,
    Listed(Vec<String>),
    AllBut(Vec<String>),
}

/// What of a request makes the key, beside scheme, host and path.
///
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/controlling-the-cache-key.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPolicy {
    pub query: Selection,
    /// Parameters count whatever their order is, but for those of the same name.
    pub sort_query: bool,
    /// `Accept-Encoding` counts in its normal form.
    pub headers: Vec<HeaderName>,
    pub cookies: Selection,
}

/// The text under which responses are stored. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrimaryKey(Arc<str>);

impl KeyPolicy {
    /// The key of a generic origin: the whole query as it was sent, no header and no cookie.
    pub fn verbatim() -> Self {
        Self { query: Selection::All, ..Self::default() }
    }
}

impl PrimaryKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name for files, which others may share: whoever reads such a file compares the key that is in it.
    pub fn disk_name(&self) -> u128 {
        xxhash_rust::xxh3::xxh3_128(self.0.as_bytes())
    }

    /// Takes a key back that [`Self::as_str`] gave.
    pub fn from_stored(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for PrimaryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Selection {
    /// Whether what has this name, percent-encoded, counts.
    fn has(&self, name: &str) -> bool {
        let among = |names: &[String]| {
            let name = percent::decode_lenient(name);
            names.iter().any(|listed| listed.as_bytes() == name.as_ref())
        };
        match self {
            Self::None => false,
            Self::All => true,
            Self::Listed(names) => among(names),
            Self::AllBut(names) => !among(names),
        }
    }
}

/// Gives the key of a request. The parameters of a signed URL are to be taken out of the query before.
///
/// Its form: the URL; then for each header of the policy a line `name=value`, or `name` where the request has none; then
/// for each cookie a line `;name=value`. No part can hold a line break, so no two requests have one key by accident.
pub fn primary(policy: &KeyPolicy, target: &Target<'_>, headers: &HeaderMap) -> PrimaryKey {
    let mut key = String::with_capacity(16 + target.host.len() + target.path.len() + target.query.map_or(0, str::len));
    key.push_str(if target.secure { "https://" } else { "http://" });
    push(&mut key, target.host);
    push(&mut key, target.path);
    if let Some(query) = forwarded_query(policy, target.query) {
        key.push('?');
        push(&mut key, &query);
    }
    for name in &policy.headers {
        push_header(&mut key, name, headers);
    }
    if policy.cookies != Selection::None {
        for cookie in selected_cookies(&policy.cookies, headers) {
            key.push_str("\n;");
            push_bytes(&mut key, cookie);
        }
    }
    PrimaryKey(Arc::from(key))
}

/// Gives the query that an origin is to be shown: the parameters that are in the key, as they are there.
pub fn forwarded_query<'q>(policy: &KeyPolicy, query: Option<&'q str>) -> Option<Cow<'q, str>> {
    let query = query?;
    match (&policy.query, policy.sort_query) {
        (Selection::None, _) => return None,
        (Selection::All, false) => return Some(Cow::Borrowed(query)),
        _ => {}
    }
    let mut parts: Vec<&str> =
        query.split('&').filter(|part| !part.is_empty() && policy.query.has(name_of(part))).collect();
    if policy.sort_query {
        // Stable: those of one name may be a list, whose order means something.
        parts.sort_by_key(|part| name_of(part));
    }
    let all = parts.join("&");
    (!all.is_empty()).then_some(Cow::Owned(all))
}

/// Gives the `Cookie` that an origin is to be shown where the key has selected cookies; `None` for none.
pub fn forwarded_cookies(policy: &KeyPolicy, headers: &HeaderMap) -> Option<HeaderValue> {
    let cookies = selected_cookies(&policy.cookies, headers).collect::<Vec<_>>().join(b"; ".as_slice());
    if cookies.is_empty() { None } else { HeaderValue::from_bytes(&cookies).ok() }
}

fn name_of(part: &str) -> &str {
    part.split_once('=').map_or(part, |(name, _)| name)
}

fn selected_cookies<'h>(selection: &Selection, headers: &'h HeaderMap) -> impl Iterator<Item = &'h [u8]> {
    let pairs = headers.get_all(COOKIE).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(move |pair| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii_end();
        let selected = match selection {
            Selection::None => false,
            Selection::All => true,
            Selection::Listed(names) => names.iter().any(|listed| listed.as_bytes() == name),
            Selection::AllBut(names) => !names.iter().any(|listed| listed.as_bytes() == name),
        };
        selected && !pair.is_empty()
    })
}

fn push_header(key: &mut String, name: &HeaderName, headers: &HeaderMap) {
    key.push('\n');
    key.push_str(name.as_str());
    if name == ACCEPT_ENCODING {
        key.push('=');
        key.push_str(vary::normal_accept_encoding(headers));
        return;
    }
    for (at, member) in list::field(headers, name).enumerate() {
        key.push(if at == 0 { '=' } else { ',' });
        push_bytes(key, member);
    }
}

/// Adds what a URL's parser let through, which is no control character.
fn push(key: &mut String, text: &str) {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        push_bytes(key, text.as_bytes());
    } else {
        key.push_str(text);
    }
}

/// Adds bytes as text: those outside of visible ASCII and the space, and the `%`, as escapes.
fn push_bytes(key: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            key.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(key, "%{byte:02X}");
        }
    }
}

/// Brings a path (with its query, if that is keyed) to the form in which purges are compared: escapes of unreserved
/// characters are decoded, other escapes have upper-case digits (RFC 3986 sections 6.2.2.1 and 6.2.2.2). What is no
/// escape stays.
pub fn purge_path(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        normal.push_str(&rest[..at]);
        rest = &rest[at..];
        match escaped(rest.as_bytes()) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => normal.push(char::from(byte)),
            Some(_) => normal.push_str(&rest[..3].to_ascii_uppercase()),
            None => normal.push('%'),
        }
        rest = &rest[if escaped(rest.as_bytes()).is_some() { 3 } else { 1 }..];
    }
    normal.push_str(rest);
    Cow::Owned(normal)
}

/// The byte that an escape at the start of `text` stands for.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (high, low) = (digit(*text.get(1)?)?, digit(*text.get(2)?)?);
    u8::try_from(high * 16 + low).ok()
}
