//! The value of `Location`: visible ASCII whatever it is made of, so that no key and no rule can end the header or begin
//! another, and never a path that browsers take for a host.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What cannot stand in a URI at all (RFC 3986 section 2). A text that its author wrote as a URI keeps the rest, its
/// own escapes too.
const FORBIDDEN: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// What would mean something in a path, and what cannot stand in one: all but `pchar` and the slash (RFC 3986 section 3.3).
const NOT_IN_PATH: &AsciiSet = &FORBIDDEN.add(b'?').add(b'#').add(b'%').add(b'[').add(b']');

/// What would mean something in the value of a header besides: the ends of a directive, of one of several values, and of
/// a keyword of a `Content-Security-Policy`.
const NOT_IN_VALUE: &AsciiSet = &NOT_IN_PATH.add(b';').add(b',').add(b'\'');

/// All but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The longest location that is sent, in bytes.
pub const MAX_LOCATION_BYTES: usize = 8 * 1024;

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// A status of the class 3xx.
    pub status: u16,
    /// The value of `Location`: visible ASCII.
    pub location: String,
}

/// A text as its author wrote it, with what no URI can hold escaped.
pub(super) fn written(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, FORBIDDEN).into()
}

/// A decoded text as part of a path. Slashes stay.
pub(super) fn in_path(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, NOT_IN_PATH).into()
}

/// A decoded text as part of an address in the value of a header.
pub(super) fn in_value(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, NOT_IN_VALUE).into()
}

/// A decoded text as part of a query or a fragment.
pub(super) fn in_query(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, RESERVED).into()
}

/// The path of a key on the same site, with the query, still encoded, if there is one. A key that begins with a slash
/// does not become the name of a host (RFC 3986 section 4.2).
pub fn on_same_site(key: &str, query: &str) -> String {
    let mut location = String::with_capacity(key.len() + query.len() + 2);
    location.push('/');
    location.push_str(&in_path(key));
    keep_on_site(&mut location);
    push_query(&mut location, query);
    location
}

/// Escapes the second slash of a path that begins with two.
pub(super) fn keep_on_site(location: &mut String) {
    if location.starts_with("//") {
        location.replace_range(1..2, "%2F");
    }
}

/// Adds the query of a request, where there is one and the location has none of its own.
pub(super) fn push_query(location: &mut String, query: &str) {
    let end = location.find('#').unwrap_or(location.len());
    if query.is_empty() || location[..end].contains('?') {
        return;
    }
    // What a server passes on has no `#`, but this is for everything that may call.
    let query = written(query).replace('#', "%23");
    location.insert_str(end, &format!("?{query}"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_location_on_the_same_site_names_no_host() {
        for (key, query, location) in [
            ("", "", "/"),
            ("a/b c", "", "/a/b%20c"),
            ("a?b#c%d", "x=1&y", "/a%3Fb%23c%25d?x=1&y"),
            ("/evil.example", "", "/%2Fevil.example"),
            ("//evil.example", "", "/%2F/evil.example"),
            ("\\evil.example", "", "/%5Cevil.example"),
            ("caf\u{e9}", "", "/caf%C3%A9"),
            ("a\r\nset-cookie: x", "b\r\nc", "/a%0D%0Aset-cookie:%20x?b%0D%0Ac"),
        ] {
            assert_eq!(on_same_site(key, query), location, "{key:?}");
        }
    }

    #[test]
    fn a_request_s_query_is_added_where_there_is_none() {
        for (location, query, expected) in [
            ("/a", "b=c", "/a?b=c"),
            ("/a?d", "b=c", "/a?d"),
            ("/a?", "b=c", "/a?"),
            ("/a#f?", "b=c", "/a?b=c#f?"),
            ("/a#f", "", "/a#f"),
            ("/a", "b#c", "/a?b%23c"),
        ] {
            let mut location = location.to_owned();
            push_query(&mut location, query);
            assert_eq!(location, expected);
        }
    }

    proptest! {
        #[test]
        fn no_key_and_no_query_end_the_header(key: String, query: String) {
            let location = on_same_site(&key, &query);
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!location.starts_with("//") && !location.contains('\\') && !location.contains('#'));
        }
    }
}
