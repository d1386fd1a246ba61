//! The primary key: which requests a stored response may answer, apart from its `Vary` (RFC 9111 section 2).
//!
//! Two requests that an origin could tell apart never share a key, unless the policy says that the difference does not
//! matter; then the origin must not be shown it either, or one client could fill the cache for another. That is what
//! [`forwarded_query`] and [`forwarded_cookies`] are for.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, COOKIE, HeaderMap, HeaderName, HeaderValue};

use super::vary;
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
/// Its form: the URL; then for each header of the policy a line `name=,value,value`, or `name` where the request has
/// none; then for each cookie a line `;name=value`. No part can hold a line break, so no two requests have one key by
/// accident.
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
            push_bytes(&mut key, cookie, b"%");
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
    if headers.contains_key(name) {
        // An empty header is another request than none.
        key.push('=');
    }
    // As the origin is shown it: what is blank or empty in one list means something in another field.
    for line in headers.get_all(name) {
        key.push(',');
        // A comma within a value must not look like one between lines.
        push_bytes(key, line.as_bytes(), b",%");
    }
}

/// Adds what a URL's parser let through, which is no control character.
fn push(key: &mut String, text: &str) {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        push_bytes(key, text.as_bytes(), b"");
    } else {
        key.push_str(text);
    }
}

/// Adds bytes as text: those outside of visible ASCII and the space, and those of `escaped`, as escapes.
fn push_bytes(key: &mut String, bytes: &[u8], escaped: &[u8]) {
    for &byte in bytes {
        if matches!(byte, b' '..=b'~') && !escaped.contains(&byte) {
            key.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(key, "%{byte:02X}");
        }
    }
}

/// Brings a path (with its query, if that is keyed) to the form in which purges are compared: escapes of unreserved
/// characters are decoded, other escapes have upper-case digits (RFC 3986 sections 6.2.2.1 and 6.2.2.2), and what no URL holds
/// as it is, a `%` that begins no escape too, is escaped. The normal form of a normal form is itself.
pub fn purge_path(path: &str) -> Cow<'_, str> {
    if path.bytes().all(|byte| byte != b'%' && is_of_urls(byte)) {
        return Cow::Borrowed(path);
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let encoded = if first == b'%' { escaped(rest) } else { None };
        rest = if encoded.is_some() { &rest[3..] } else { behind };
        match encoded {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => normal.push(char::from(byte)),
            None if first != b'%' && is_of_urls(first) => normal.push(char::from(first)),
            // Writing to a string cannot fail.
            _ => _ = write!(normal, "%{:02X}", encoded.unwrap_or(first)),
        }
    }
    Cow::Owned(normal)
}

/// Whether a byte may stand in a path or query as it is (RFC 3986 appendix A). `[` and `]`, which some send so, count too.
fn is_of_urls(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// The byte that an escape at the start of `text` stands for.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (high, low) = (digit(*text.get(1)?)?, digit(*text.get(2)?)?);
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::edge::rules::testing::headers;

    const TARGET: Target<'_> = Target { secure: true, host: "example.com", path: "/a", query: None };

    fn listed(names: &[&str]) -> Selection {
        Selection::Listed(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn all_but(names: &[&str]) -> Selection {
        Selection::AllBut(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn by_query(query: Selection, sort_query: bool) -> KeyPolicy {
        KeyPolicy { query, sort_query, ..KeyPolicy::default() }
    }

    #[test]
    fn scheme_host_path_and_query_are_in_the_key_verbatim() {
        let key = |target: Target<'_>| primary(&KeyPolicy::verbatim(), &target, &HeaderMap::new()).to_string();
        assert_eq!(key(TARGET), "https://example.com/a");
        assert_eq!(key(Target { secure: false, ..TARGET }), "http://example.com/a");
        assert_eq!(key(Target { query: Some(""), ..TARGET }), "https://example.com/a?");
        assert_eq!(
            key(Target { path: "/%7Eb", query: Some("x=%20&&y"), ..TARGET }),
            "https://example.com/%7Eb?x=%20&&y"
        );
        assert_eq!(key(Target { path: "/a\nb", ..TARGET }), "https://example.com/a%0Ab");
        assert_eq!(PrimaryKey::from_stored("k").disk_name(), PrimaryKey::from_stored("k").disk_name());
        assert_ne!(PrimaryKey::from_stored("k").disk_name(), PrimaryKey::from_stored("l").disk_name());
    }

    #[test]
    fn parameters_are_selected_as_they_stand_and_sorted_by_name_alone() {
        for (policy, query, forwarded) in [
            (by_query(Selection::None, false), Some("a=1"), None),
            (by_query(Selection::All, false), None, None),
            (by_query(Selection::All, false), Some("b&&a=1&"), Some("b&&a=1&")),
            (by_query(Selection::All, true), Some("b=1&a=2&b=0&&a=1"), Some("a=2&a=1&b=1&b=0")),
            (by_query(listed(&["a", "c d"]), false), Some("b=1&a=2&c%20d=3&A=4"), Some("a=2&c%20d=3")),
            (by_query(listed(&["a"]), false), Some("%61=1&a"), Some("%61=1&a")),
            (by_query(listed(&["a"]), false), Some("b=1"), None),
            (by_query(all_but(&["a"]), false), Some("b=1&%61=2&a=3&a"), Some("b=1")),
            (by_query(all_but(&["a"]), true), Some("c=1&a=3&b=2"), Some("b=2&c=1")),
        ] {
            assert_eq!(forwarded_query(&policy, query).as_deref(), forwarded, "{policy:?} {query:?}");
            let key = primary(&policy, &Target { query, ..TARGET }, &HeaderMap::new());
            let expected = forwarded.map_or(String::new(), |query| format!("?{query}"));
            assert_eq!(key.as_str(), format!("https://example.com/a{expected}"));
        }
    }

    #[test]
    fn listed_headers_are_in_the_key_and_a_missing_one_is_not_an_empty_one() {
        let policy =
            KeyPolicy { headers: vec![HeaderName::from_static("x-a"), ACCEPT_ENCODING], ..KeyPolicy::default() };
        for (fields, expected) in [
            ([].as_slice(), "\nx-a\naccept-encoding="),
            (&[("x-a", "1, 2"), ("accept-encoding", "gzip, br")], "\nx-a=,1%2C 2\naccept-encoding=br,gzip"),
            (&[("x-a", "1"), ("x-a", "2"), ("x-b", "3")], "\nx-a=,1,2\naccept-encoding="),
            (&[("x-a", "é%")], "\nx-a=,%C3%A9%25\naccept-encoding="),
        ] {
            let key = primary(&policy, &TARGET, &headers(fields));
            assert_eq!(key.as_str(), format!("https://example.com/a{expected}"), "{fields:?}");
        }
        let key = |fields: &[(&str, &str)]| primary(&policy, &TARGET, &headers(fields));
        assert_ne!(key(&[("x-a", "\"1,2\"")]), key(&[("x-a", "\"1"), ("x-a", "2\"")]));
        // The origin could take each for another request.
        let similar = ["1,2", "1, 2", "1,,2", "1,2,", "\"1,2\""].map(|value| key(&[("x-a", value)]));
        assert!(similar.iter().enumerate().all(|(at, key)| !similar[..at].contains(key)));
        let empty = key(&[("x-a", "")]);
        assert_ne!(empty, primary(&policy, &TARGET, &HeaderMap::new()));
    }

    #[test]
    fn selected_cookies_are_in_the_key_and_alone_go_on() {
        let sent = headers(&[("cookie", "b=2; a=1;c=3;  ;a=4"), ("cookie", "d")]);
        for (cookies, key, forwarded) in [
            (Selection::None, "", None),
            (Selection::All, "\n;b=2\n;a=1\n;c=3\n;a=4\n;d", Some("b=2; a=1; c=3; a=4; d")),
            (listed(&["a", "d"]), "\n;a=1\n;a=4\n;d", Some("a=1; a=4; d")),
            (all_but(&["a", "b"]), "\n;c=3\n;d", Some("c=3; d")),
            (listed(&["x"]), "", None),
        ] {
            let policy = KeyPolicy { cookies, ..KeyPolicy::default() };
            assert_eq!(primary(&policy, &TARGET, &sent).as_str(), format!("https://example.com/a{key}"));
            let value = forwarded_cookies(&policy, &sent);
            assert_eq!(value.as_ref().and_then(|value| value.to_str().ok()), forwarded);
        }
    }

    #[test]
    fn paths_for_purges_have_one_form() {
        for (path, normal) in [
            ("/a/b", "/a/b"),
            ("/%61%7e%2D", "/a~-"),
            ("/a%2fb%20c%c3%A9", "/a%2Fb%20c%C3%A9"),
            ("/100%", "/100%25"),
            ("/%zz%4", "/%25zz%254"),
            ("/%%41", "/%25A"),
            ("/%%341", "/%2541"),
            ("/%é41", "/%25%C3%A941"),
            ("/é \"{|}", "/%C3%A9%20%22%7B%7C%7D"),
            ("/[a]%5B", "/[a]%5B"),
            ("/%2541", "/%2541"),
            ("/a?x=%61", "/a?x=a"),
        ] {
            assert_eq!(purge_path(path), normal, "{path}");
            assert_eq!(purge_path(normal), normal, "{path} again");
        }
    }

    proptest! {
        /// Requests that an origin could tell apart by what is in the key have different keys.
        #[test]
        fn different_requests_never_share_a_key(
            requests in proptest::collection::vec(("/[a;=,%:/]{0,3}", proptest::option::of("[a;&=,%?]{0,4}"), "[a;=, %]{0,3}", "[a=; ]{0,4}"), 2..40)
        ) {
            let policy = KeyPolicy {
                query: Selection::All,
                headers: vec![HeaderName::from_static("x-a")],
                cookies: Selection::All,
                ..KeyPolicy::default()
            };
            let mut seen = HashMap::new();
            for (path, query, header, cookie) in requests {
                let target = Target { path: &path, query: query.as_deref(), ..TARGET };
                let fields = headers(&[("x-a", &header), ("cookie", &cookie)]);
                let cookies = forwarded_cookies(&policy, &fields);
                let told = (path.clone(), query.clone(), header.trim().to_owned(), cookies);
                let key = primary(&policy, &target, &fields);
                prop_assert_eq!(seen.entry(key).or_insert(told.clone()), &told);
            }
        }

        #[test]
        fn normal_paths_stay_and_mean_the_same(path in "/[aA~%2fF7eE1é/]{0,12}") {
            let normal = purge_path(&path);
            prop_assert_eq!(percent::decode_lenient(&normal), percent::decode_lenient(&path));
            prop_assert_eq!(&purge_path(&normal), &normal);
        }
    }
}
