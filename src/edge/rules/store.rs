//! Whether a response is stored (RFC 9111 section 3).

use http::header::{
    AUTHORIZATION, ETAG, HeaderMap, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{Method, StatusCode};

use super::directives::{RequestDirectives, ResponseDirectives, Scope};
use super::freshness::{self, Lifetime};
use super::ttl::{ErrorTtls, Freshness, TtlPolicy};
use super::vary::Vary;
use super::{age, target};
use crate::clock::Timestamp;

/// The statuses whose rules this cache knows, for `must-understand` (RFC 9111 section 5.2.2.3).
const UNDERSTOOD: [u16; 27] = [
    200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 414, 415, 421,
    451, 500, 501, 503,
];

/// What to do with a response that sets cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SetCookies {
    /// Store it only where the origin says `public` or `s-maxage`.
    #[default]
    WhereShared,
    /// Store it with its cookies, as RFC 9111 allows.
    Store,
    /// Store it without its cookies; nobody gets them.
    Strip,
}

/// A request and its response, as the origin sent it.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'r> {
    pub method: &'r Method,
    /// As they were sent to the origin, but for what the edge itself added by signing.
    pub request_headers: &'r HeaderMap,
    /// What the client says to caches; nothing where the behaviour ignores that.
    pub request: &'r RequestDirectives,
    pub status: StatusCode,
    pub response_headers: &'r HeaderMap,
    /// When the request was sent and the response's head arrived.
    pub request_time: Timestamp,
    pub response_time: Timestamp,
    pub policy: &'r TtlPolicy,
    pub errors: &'r ErrorTtls,
    pub set_cookies: SetCookies,
    /// The edge signed the request: its `Authorization` is not the client's, whose was dropped.
    pub signed: bool,
    /// The change feed drops the response when what it depends on changes.
    pub fed: bool,
    /// Whoever stores it keeps a 206 as a part, never as the whole.
    pub keeps_parts: bool,
}

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    #[error("method")]
    Method,
    #[error("status")]
    Status,
    #[error("partial")]
    Partial,
    #[error("precondition")]
    Precondition,
    #[error("transfer-encoding")]
    TransferEncoding,
    #[error("vary")]
    Vary,
    #[error("no-store")]
    NoStore,
    #[error("request-no-store")]
    RequestNoStore,
    #[error("private")]
    Private,
    #[error("must-understand")]
    NotUnderstood,
    #[error("authorization")]
    Authorization,
    #[error("set-cookie")]
    SetCookie,
    /// Nothing says that it may be used again.
    #[error("no-freshness")]
    NoFreshness,
    /// It is stale already and cannot be validated.
    #[error("stale")]
    Stale,
}

impl NotStored {
    /// A word for `Cache-Status` and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::Partial => "partial",
            Self::Precondition => "precondition",
            Self::TransferEncoding => "transfer-encoding",
            Self::Vary => "vary",
            Self::NoStore => "no-store",
            Self::RequestNoStore => "request-no-store",
            Self::Private => "private",
            Self::NotUnderstood => "must-understand",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::NoFreshness => "no-freshness",
            Self::Stale => "stale",
        }
    }
}

/// Decides whether the response is stored (RFC 9111 section 3).
pub fn storable(exchange: &Exchange<'_>) -> Result<Freshness, NotStored> {
    check_kind(exchange)?;
    let (directives, expires_counts) = target::effective(exchange.response_headers);
    check_directives(exchange, &directives)?;
    let lifetime = Lifetime::of(exchange, &directives, expires_counts);
    let freshness = freshness::of(exchange, &directives, &lifetime);
    check_use(exchange, &directives, &lifetime, &freshness)?;
    Ok(freshness)
}

/// What can be said from the kind of the message alone.
fn check_kind(exchange: &Exchange<'_>) -> Result<(), NotStored> {
    if exchange.method != Method::GET {
        return Err(NotStored::Method);
    }
    let conditional = [IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| exchange.request_headers.contains_key(name));
    match exchange.status.as_u16() {
        // RFC 9111 section 3.3: a part is never kept as the whole; a 416 is the answer to one range.
        206 if !exchange.keeps_parts => return Err(NotStored::Partial),
        416 => return Err(NotStored::Partial),
        412 if conditional => return Err(NotStored::Precondition),
        // Not final, or only about a response that is stored already.
        100..=199 | 304 => return Err(NotStored::Status),
        _ => {}
    }
    let mut codings = exchange.response_headers.get_all(TRANSFER_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")) {
        return Err(NotStored::TransferEncoding);
    }
    if Vary::parse(exchange.response_headers).is_any() {
        return Err(NotStored::Vary);
    }
    Ok(())
}

fn check_directives(exchange: &Exchange<'_>, directives: &ResponseDirectives) -> Result<(), NotStored> {
    let understood = UNDERSTOOD.contains(&exchange.status.as_u16());
    if directives.must_understand && !understood {
        return Err(NotStored::NotUnderstood);
    }
    if !freshness::is_forced(exchange) {
        // RFC 9111 section 5.2.2.3: no-store beside must-understand is for caches that do not understand.
        if directives.no_store && !directives.must_understand {
            return Err(NotStored::NoStore);
        }
        if directives.private == Scope::Everything {
            return Err(NotStored::Private);
        }
    }
    if exchange.request.no_store {
        return Err(NotStored::RequestNoStore);
    }
    let authorized = exchange.request_headers.contains_key(AUTHORIZATION) && !exchange.signed;
    if authorized && !directives.covers_authorized() {
        return Err(NotStored::Authorization);
    }
    let shared = directives.public || directives.s_maxage.is_some();
    // Where the origin names the field, the rest is stored without it.
    let left_out =
        directives.private.fields().iter().chain(directives.no_cache.fields()).any(|name| name == SET_COOKIE);
    let sets_cookies = exchange.response_headers.contains_key(SET_COOKIE) && !left_out;
    if sets_cookies && exchange.set_cookies == SetCookies::WhereShared && !shared {
        return Err(NotStored::SetCookie);
    }
    Ok(())
}

/// Whether there is any use in what would be stored. What nobody calls fresh is kept to be validated where the origin
/// says that it may be kept (`public`) or how it may be used (`no-cache`), and not otherwise: it may be for one client
/// alone.
fn check_use(
    exchange: &Exchange<'_>,
    directives: &ResponseDirectives,
    lifetime: &Lifetime,
    freshness: &Freshness,
) -> Result<(), NotStored> {
    let has_validator = has_validator(exchange.response_headers);
    let named = directives.public || directives.no_cache == Scope::Everything;
    if lifetime.granted.is_none() && !(named && has_validator) {
        return Err(NotStored::NoFreshness);
    }
    let age = age::initial(exchange.response_headers, exchange.request_time, exchange.response_time);
    let usable = freshness.fresh > age && !freshness.validate_always;
    let stale = freshness.stale_while_revalidate.max(freshness.stale_if_error);
    let usable_stale = !stale.is_zero() && freshness.fresh.saturating_add(stale) > age;
    if usable || usable_stale || has_validator { Ok(()) } else { Err(NotStored::Stale) }
}

/// Whether the origin can be asked if the response still holds.
pub fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::{HOUR_AFTER, Heads};

    fn decide(request: &[(&str, &str)], status: u16, response: &[(&str, &str)]) -> Result<Freshness, NotStored> {
        storable(&Heads::of(request, response).exchange(status))
    }

    #[test]
    fn any_final_status_is_stored_where_it_says_for_how_long() {
        for status in [200, 201, 204, 299, 302, 307, 399, 400, 403, 404, 410, 412, 499, 500, 503, 599, 999] {
            assert!(decide(&[], status, &[("cache-control", "max-age=60")]).is_ok(), "{status}");
            assert!(decide(&[], status, &[("expires", HOUR_AFTER)]).is_ok(), "{status}");
        }
        for (status, reason) in [
            (100, NotStored::Status),
            (103, NotStored::Status),
            (304, NotStored::Status),
            (206, NotStored::Partial),
            (416, NotStored::Partial),
        ] {
            assert_eq!(decide(&[], status, &[("cache-control", "max-age=60")]), Err(reason), "{status}");
        }
        let heads = Heads::of(&[], &[("cache-control", "max-age=60")]);
        assert!(storable(&Exchange { keeps_parts: true, ..heads.exchange(206) }).is_ok());
        let conditional = decide(&[("if-match", "\"a\"")], 412, &[("cache-control", "max-age=60")]);
        assert_eq!(conditional, Err(NotStored::Precondition));
    }

    #[test]
    fn only_answers_to_get_are_stored() {
        for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "FOO"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let heads = Heads::of(&[], &[("cache-control", "max-age=60, public")]);
            let outcome = storable(&Exchange { method: &method, ..heads.exchange(200) });
            assert_eq!(outcome, Err(NotStored::Method), "{method}");
        }
    }

    #[test]
    fn directives_and_fields_forbid_storing() {
        for (fields, outcome) in [
            ([("cache-control", "max-age=60, no-store"), ("x", "")], Err(NotStored::NoStore)),
            ([("cache-control", "max-age=60, private"), ("x", "")], Err(NotStored::Private)),
            ([("cache-control", "max-age=60, private=\"x\""), ("x", "")], Ok(())),
            ([("cache-control", "max-age=60"), ("vary", "accept, *")], Err(NotStored::Vary)),
            ([("cache-control", "max-age=60"), ("vary", "accept")], Ok(())),
            ([("cache-control", "max-age=60"), ("transfer-encoding", "chunked")], Ok(())),
            ([("cache-control", "max-age=60"), ("transfer-encoding", "Chunked ")], Ok(())),
            ([("cache-control", "max-age=60"), ("transfer-encoding", "chunky")], Err(NotStored::TransferEncoding)),
            (
                [("cache-control", "max-age=60"), ("transfer-encoding", "gzip, chunked")],
                Err(NotStored::TransferEncoding),
            ),
            ([("cache-control", "max-age=60"), ("set-cookie", "a=b")], Err(NotStored::SetCookie)),
            ([("cache-control", "max-age=60, public"), ("set-cookie", "a=b")], Ok(())),
            ([("cache-control", "s-maxage=60"), ("set-cookie", "a=b")], Ok(())),
            ([("cache-control", "max-age=60, no-cache=\"Set-Cookie\""), ("set-cookie", "a=b")], Ok(())),
            ([("cache-control", "max-age=60, private=set-cookie"), ("set-cookie", "a=b")], Ok(())),
            ([("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")], Ok(())),
            ([("cache-control", "max-age=60"), ("cdn-cache-control", "no-store")], Err(NotStored::NoStore)),
            ([("cache-control", "no-store"), ("cdn-cache-control", "max-age=\"60\"")], Err(NotStored::NoStore)),
            ([("cache-control", "max-age=60, unknown, x=\"y\""), ("pragma", "no-cache")], Ok(())),
        ] {
            assert_eq!(decide(&[], 200, &fields).map(drop), outcome, "{fields:?}");
        }
        for set_cookies in [SetCookies::Store, SetCookies::Strip] {
            let fields = [("cache-control", "max-age=60"), ("set-cookie", "a=b")];
            let heads = Heads::of(&[], &fields);
            assert!(storable(&Exchange { set_cookies, ..heads.exchange(200) }).is_ok());
        }
    }

    #[test]
    fn must_understand_lets_store_what_is_understood() {
        for (status, value, outcome) in [
            (200, "max-age=60, must-understand, no-store", Ok(())),
            (200, "max-age=60, must-understand", Ok(())),
            (599, "max-age=60, must-understand, no-store", Err(NotStored::NotUnderstood)),
            (299, "max-age=60, must-understand", Err(NotStored::NotUnderstood)),
        ] {
            assert_eq!(decide(&[], status, &[("cache-control", value)]).map(drop), outcome, "{status} {value}");
        }
    }

    #[test]
    fn requests_may_forbid_storing() {
        let cacheable = [("cache-control", "max-age=60")];
        assert_eq!(decide(&[("cache-control", "no-store")], 200, &cacheable), Err(NotStored::RequestNoStore));
        for (value, outcome) in [
            ("max-age=60", Err(NotStored::Authorization)),
            ("max-age=60, proxy-revalidate", Err(NotStored::Authorization)),
            ("max-age=60, public", Ok(())),
            ("s-maxage=60", Ok(())),
            ("max-age=60, must-revalidate", Ok(())),
        ] {
            let authorized = [("authorization", "Basic x")];
            assert_eq!(decide(&authorized, 200, &[("cache-control", value)]).map(drop), outcome, "{value}");
            let heads = Heads::of(&authorized, &[("cache-control", value)]);
            assert!(storable(&Exchange { signed: true, ..heads.exchange(200) }).is_ok(), "{value}");
        }
    }

    #[test]
    fn what_nobody_can_use_again_is_not_stored() {
        for (fields, outcome) in [
            ([("x", ""), ("y", "")], Err(NotStored::NoFreshness)),
            ([("etag", "\"a\""), ("y", "")], Err(NotStored::NoFreshness)),
            ([("etag", "\"a\""), ("cache-control", "no-cache")], Ok(())),
            ([("etag", "\"a\""), ("cache-control", "public")], Ok(())),
            ([("etag", "\"a\""), ("cache-control", "max-age=0")], Ok(())),
            ([("x", ""), ("cache-control", "no-cache")], Err(NotStored::Stale)),
            ([("x", ""), ("cache-control", "max-age=0")], Err(NotStored::Stale)),
            ([("x", ""), ("cache-control", "max-age=0, stale-if-error=5")], Ok(())),
            ([("x", ""), ("cache-control", "max-age=0, stale-while-revalidate=5")], Ok(())),
            ([("age", "9"), ("cache-control", "max-age=9, must-revalidate")], Err(NotStored::Stale)),
            ([("age", "8"), ("cache-control", "max-age=9, must-revalidate")], Ok(())),
            ([("x", ""), ("expires", "0")], Err(NotStored::Stale)),
        ] {
            assert_eq!(decide(&[], 200, &fields).map(drop), outcome, "{fields:?}");
        }
    }
}
