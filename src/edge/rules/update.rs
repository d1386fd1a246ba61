//! Which fields of a response are stored (RFC 9111 section 3.1), and how a 304 renews them (sections 3.2 and 4.3.4).

use http::header::{
    AGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::store::SetCookies;
use super::{age, list, target};
use crate::clock::Timestamp;
use crate::http::date;
use crate::http::tag::EntityTag;

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

/// Fields that belong to the stored content, which a 304 does not bring anew. Servers are known to send them there with
/// what would be right for an empty answer.
const OF_CONTENT: [HeaderName; 7] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    HeaderName::from_static("content-md5"),
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
];

/// Takes out what must not go beyond one connection: the fixed fields, and those that `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> =
            list::field(headers, &CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Gives the fields of a response that are stored, and sent with every answer from the store. `fed` says that the
/// response came from a server that feeds us: what it says to edges alone is then taken out.
///
/// `Age` is taken out, for [`age::initial`] counts it, and `Date` is added where there is none that can be read (RFC 9110
/// section 6.6.1).
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
    let tag = |headers: &HeaderMap| headers.get(ETAG).and_then(|value| EntityTag::parse(value.to_str().ok()?).ok());
    match (tag(stored), tag(not_modified)) {
        (Some(stored), Some(new)) if new.weak || stored.weak => stored.matches_weakly(&new),
        (Some(stored), Some(new)) => stored.matches_strongly(&new),
        (None, Some(_)) => false,
        (_, None) => match (stored.get(LAST_MODIFIED), not_modified.get(LAST_MODIFIED)) {
            (Some(stored), Some(new)) => stored == new,
            _ => true,
        },
    }
}

/// Gives the fields of the stored response as a 304 renews them (RFC 9111 section 3.2): what the 304 names replaces what
/// is stored, but for fields of the content and those that are not stored. Whether the outcome may still be used, and for
/// how long, is to be asked of [`super::store::storable`] with these fields. The body stays.
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
