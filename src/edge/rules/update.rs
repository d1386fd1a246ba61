//! Which fields of a response are stored (RFC 9111 section 3.1), and how a 304 renews them (sections 3.2 and 4.3.4).

use http::header::{
    AGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use super::store::SetCookies;
use super::{age, list, target};
use crate::clock::Timestamp;
use crate::http::date;

/// What the server tells an edge about a response, and nobody else.
pub const BRIM_DEPENDS: HeaderName = HeaderName::from_static("brim-depends");

/// Fields about one connection or one proxy, beside those that `Connection` names (RFC 9110 section 7.6.1, RFC 9111
/// section 3.1).
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// Fields of the content as it is stored, which a 304 does not replace: the body stays, and what says how to read it
/// does.
const OF_CONTENT: [HeaderName; 6] = [
    HeaderName::from_static("content-digest"),
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    CONTENT_RANGE,
    ETAG,
];

/// Takes out what must not go beyond one connection: the fixed fields, and those that `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove_connection_named(headers);
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Takes out the fields that `Connection` names, and leaves `Connection` and `Upgrade`. From a request before its key is
/// made: the origin is not shown these fields, so they must not choose what is stored under them for others.
pub fn remove_connection_named(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> =
        list::field(headers, &CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
    for name in named.iter().filter(|name| ![CONNECTION, UPGRADE].contains(name)) {
        headers.remove(name);
    }
}

/// Gives the fields of a response that are stored, and sent with every answer from the store. `fed` says that the
/// response came from a server that feeds us: what it says to edges alone is then taken out.
///
/// `Age` is taken out, for [`age::initial`] counts it, and `Date` is added where there is none that can be read (RFC
/// 9110 section 6.6.1).
pub fn stored_headers(response: &HeaderMap, set_cookies: SetCookies, fed: bool, response_time: Timestamp) -> HeaderMap {
    let mut headers = response.clone();
    remove_hop_by_hop(&mut headers);
    remove_named(&mut headers);
    headers.remove(AGE);
    if set_cookies == SetCookies::Strip {
        headers.remove(SET_COOKIE);
    }
    if fed {
        headers.remove(BRIM_DEPENDS);
        headers.remove(target::CDN_CACHE_CONTROL);
    }
    if age::date_of(&headers).is_none() {
        let now = HeaderValue::try_from(date::format_http(response_time)).expect("a formatted date is visible ASCII");
        headers.insert(DATE, now);
    }
    headers
}

/// What [`stored_headers`] leaves out because `private="..."` or `no-cache="..."` names it: for the client whose request was
/// answered, and for no other.
pub fn named_headers(response: &HeaderMap) -> HeaderMap {
    let (directives, _) = target::effective(response);
    let mut named = HeaderMap::new();
    for name in directives.private.fields().iter().chain(directives.no_cache.fields()) {
        if HOP_BY_HOP.contains(name) || named.contains_key(name) {
            continue;
        }
        for value in response.get_all(name) {
            named.append(name.clone(), value.clone());
        }
    }
    named
}

/// Takes out what `private="..."` and `no-cache="..."` name (RFC 9111 sections 5.2.2.4 and 5.2.2.7).
fn remove_named(headers: &mut HeaderMap) {
    let (directives, _) = target::effective(headers);
    for name in directives.private.fields().iter().chain(directives.no_cache.fields()) {
        headers.remove(name);
    }
}

/// Whether a 304 speaks of the stored response (RFC 9111 section 4.3.4): a validator that it names must be the stored
/// one. Where it does not, the stored response is of no use, and the origin is to be asked without conditions.
pub fn confirms(stored: &HeaderMap, not_modified: &HeaderMap) -> bool {
    match (stored.get(ETAG), not_modified.get(ETAG)) {
        (Some(stored), Some(new)) => opaque(stored) == opaque(new),
        (None, Some(_)) => false,
        (_, None) => match (stored.get(LAST_MODIFIED), not_modified.get(LAST_MODIFIED)) {
            (Some(stored), Some(new)) => stored == new,
            _ => true,
        },
    }
}

/// Gives the fields of the stored response as a 304 renews them (RFC 9111 section 3.2): what the 304 names replaces
/// what is stored, but for fields of the content and those that are not stored. Whether the outcome may still be used,
/// and for how long, is to be asked of [`super::store::storable`] with these fields. The body stays.
pub fn freshened(
    stored: &HeaderMap,
    not_modified: &HeaderMap,
    set_cookies: SetCookies,
    fed: bool,
    response_time: Timestamp,
) -> HeaderMap {
    let new = stored_headers(not_modified, set_cookies, fed, response_time);
    let mut headers = stored.clone();
    for name in new.keys().filter(|name| !OF_CONTENT.contains(name)) {
        headers.remove(name);
        for value in new.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    remove_named(&mut headers);
    headers
}

/// A tag without its mark of weakness: weak comparison (RFC 9110 section 8.8.3.2), which is what we asked by.
fn opaque(tag: &HeaderValue) -> &[u8] {
    tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes())
}

/// Whether the answer to a HEAD still describes the stored response, whose body has `length` bytes (RFC 9111 section
/// 4.3.5). If it does, [`freshened`] may renew what is stored with it; if not, that is outdated.
pub fn describes(stored: &HeaderMap, length: u64, head: &HeaderMap) -> bool {
    let agrees = |name: HeaderName| head.get(&name).is_none_or(|new| stored.get(&name) == Some(new));
    let said = head.get(CONTENT_LENGTH).map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    agrees(ETAG) && agrees(LAST_MODIFIED) && said.is_none_or(|said| said == Some(length))
}

/// Makes a request one that asks whether the stored response still holds (RFC 9111 section 4.3.1). Conditions that the
/// client sent must be gone. Gives whether the stored response has a validator at all.
pub fn ask_to_validate(stored: &HeaderMap, request: &mut HeaderMap) -> bool {
    let validators = [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)];
    let mut asked = false;
    for (validator, condition) in validators {
        if let Some(value) = stored.get(validator) {
            request.insert(condition, value.clone());
            asked = true;
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::{AT_NOW, HOUR_AFTER, HOUR_BEFORE, NOW, headers};

    fn stored(fields: &[(&str, &str)]) -> HeaderMap {
        stored_headers(&headers(fields), SetCookies::Store, false, NOW)
    }

    #[test]
    fn fields_of_one_connection_are_not_stored() {
        let stored = stored(&[
            ("connection", "a, B ,, close"),
            ("connection", "c"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "x"),
            ("proxy-authentication-info", "x"),
            ("proxy-authorization", "x"),
            ("proxy-connection", "x"),
            ("te", "x"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "x"),
            ("age", "5"),
            ("date", HOUR_BEFORE),
            ("www-authenticate", "kept"),
            ("x-unknown", "kept"),
        ]);
        assert_eq!(stored, headers(&[("date", HOUR_BEFORE), ("www-authenticate", "kept"), ("x-unknown", "kept")]));
    }

    #[test]
    fn named_fields_and_cookies_are_left_out_where_that_is_wanted() {
        let fields = [
            ("cache-control", "max-age=1, private=\"set-cookie, a\", no-cache=b"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("set-cookie", "x"),
            ("date", AT_NOW),
        ];
        assert_eq!(stored(&fields), headers(&[fields[0], ("c", "3"), ("date", AT_NOW)]));
        let cookies = headers(&[("set-cookie", "x"), ("date", AT_NOW)]);
        assert_eq!(stored_headers(&cookies, SetCookies::Store, false, NOW), cookies);
        assert_eq!(stored_headers(&cookies, SetCookies::Strip, false, NOW), headers(&[("date", AT_NOW)]));
    }

    #[test]
    fn a_date_is_added_where_there_is_none_to_read() {
        for fields in [[].as_slice(), &[("date", "yesterday")]] {
            assert_eq!(stored(fields), headers(&[("date", AT_NOW)]));
        }
    }

    #[test]
    fn what_a_server_tells_its_edges_stays_with_them() {
        let fields = headers(&[("brim-depends", "x"), ("cdn-cache-control", "max-age=1"), ("date", AT_NOW)]);
        assert_eq!(stored_headers(&fields, SetCookies::Store, true, NOW), headers(&[("date", AT_NOW)]));
        assert_eq!(stored_headers(&fields, SetCookies::Store, false, NOW), fields, "another's fields are not ours");
    }

    #[test]
    fn a_304_speaks_of_the_response_whose_validator_it_names() {
        for (stored, new, expected) in [
            (("etag", "\"a\""), ("etag", "\"a\""), true),
            (("etag", "\"a\""), ("etag", "\"b\""), false),
            (("etag", "\"a\""), ("etag", "W/\"a\""), true),
            (("etag", "W/\"a\""), ("etag", "W/\"b\""), false),
            (("etag", "W/\"a\""), ("etag", "\"a\""), true),
            (("etag", "\"é\""), ("etag", "\"é\""), true),
            (("etag", "\"é\""), ("etag", "\"è\""), false),
            (("etag", "\"a\""), ("x", ""), true),
            (("x", ""), ("etag", "\"a\""), false),
            (("last-modified", AT_NOW), ("last-modified", AT_NOW), true),
            (("last-modified", AT_NOW), ("last-modified", HOUR_AFTER), false),
            (("last-modified", AT_NOW), ("x", ""), true),
        ] {
            assert_eq!(confirms(&headers(&[stored]), &headers(&[new])), expected, "{stored:?} {new:?}");
        }
    }

    #[test]
    fn an_answer_to_head_describes_what_is_stored_or_outdates_it() {
        let stored = headers(&[("etag", "\"a\""), ("last-modified", AT_NOW)]);
        for (fields, expected) in [
            ([].as_slice(), true),
            (&[("etag", "\"a\""), ("content-length", "10")], true),
            (&[("etag", "\"b\"")], false),
            (&[("last-modified", HOUR_AFTER)], false),
            (&[("content-length", "11")], false),
            (&[("content-length", "x")], false),
        ] {
            assert_eq!(describes(&stored, 10, &headers(fields)), expected, "{fields:?}");
        }
        assert!(!describes(&headers(&[]), 10, &stored), "what is stored had no validator");
    }

    #[test]
    fn a_304_renews_what_it_names_but_not_the_content() {
        let stored = headers(&[
            ("cache-control", "max-age=1"),
            ("content-type", "text/plain"),
            ("content-length", "5"),
            ("etag", "\"a\""),
            ("x-a", "1"),
            ("x-a", "2"),
            ("x-kept", "k"),
            ("date", HOUR_BEFORE),
        ]);
        let new = headers(&[
            ("cache-control", "max-age=2, no-cache=\"x-kept\""),
            ("connection", "x-b"),
            ("content-type", "text/html"),
            ("content-location", "/b"),
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("content-md5", "x"),
            ("etag", "W/\"a\""),
            ("x-a", "3"),
            ("x-b", "4"),
            ("x-new", "5"),
            ("x-new", "6"),
            ("date", AT_NOW),
        ]);
        let expected = headers(&[
            ("cache-control", "max-age=2, no-cache=\"x-kept\""),
            ("content-type", "text/html"),
            ("content-location", "/b"),
            ("content-length", "5"),
            ("etag", "\"a\""),
            ("x-a", "3"),
            ("x-new", "5"),
            ("x-new", "6"),
            ("date", AT_NOW),
        ]);
        assert_eq!(freshened(&stored, &new, SetCookies::Store, false, NOW), expected);
    }

    #[test]
    fn a_stored_response_is_validated_by_all_it_has() {
        for (stored, expected) in [
            (
                [("etag", "\"a\""), ("last-modified", AT_NOW)].as_slice(),
                vec![("if-none-match", "\"a\""), ("if-modified-since", AT_NOW)],
            ),
            (&[("etag", "W/\"a\"")], vec![("if-none-match", "W/\"a\"")]),
            (&[("last-modified", AT_NOW)], vec![("if-modified-since", AT_NOW)]),
            (&[("x", "")], vec![]),
        ] {
            let mut request = HeaderMap::new();
            assert_eq!(ask_to_validate(&headers(stored), &mut request), !expected.is_empty());
            assert_eq!(request, headers(&expected));
        }
    }
}
