//! Whether a response is stored, and for how long it is then fresh (RFC 9111 sections 3, 4.2.1 and 4.2.2).

use std::time::Duration;

use http::header::{
    AUTHORIZATION, ETAG, EXPIRES, HeaderMap, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, SET_COOKIE,
    TRANSFER_ENCODING,
};
use http::{Method, StatusCode};

use super::directives::{MAX_SECONDS, RequestDirectives, ResponseDirectives, Scope};
use super::ttl::{ErrorTtls, Freshness, TtlPolicy};
use super::vary::Vary;
use super::{age, target};
use crate::clock::Timestamp;
use crate::http::date;

/// Heuristic freshness is this fraction of the time since the last modification (RFC 9111 section 4.2.2).
const HEURISTIC_FRACTION: u32 = 10;

/// The longest heuristic freshness.
const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// What a cache may keep without being told for how long (RFC 9110 section 15.1).
const HEURISTIC: [u16; 12] = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501];

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
    let initial = age::initial(exchange.response_headers, exchange.request_time, exchange.response_time);
    let explicit = explicit_lifetime(exchange, &directives, expires_counts);
    let fresh = lifetime(exchange, &directives, explicit, initial);
    let freshness = assemble(exchange, &directives, explicit, fresh);
    check_use(exchange, &directives, fresh, initial, &freshness)?;
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
    if !forced(exchange) {
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
    let sets_cookies = exchange.response_headers.contains_key(SET_COOKIE);
    if sets_cookies && exchange.set_cookies == SetCookies::WhereShared && !shared {
        return Err(NotStored::SetCookie);
    }
    Ok(())
}

/// Whether a minimum time to live overrules what the origin says, as it does at CloudFront for all but errors.
fn forced(exchange: &Exchange<'_>) -> bool {
    exchange.policy.min > Duration::ZERO && !is_error(exchange.status)
}

fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// The lifetime that the origin gives (RFC 9111 section 4.2.1). An `Expires` that is no date lies in the past (section
/// 5.3); without a `Date`, the response was made when it arrived.
fn explicit_lifetime(
    exchange: &Exchange<'_>,
    directives: &ResponseDirectives,
    expires_counts: bool,
) -> Option<Duration> {
    if let Some(lifetime) = directives.lifetime() {
        return Some(lifetime);
    }
    let expires = exchange.response_headers.get(EXPIRES).filter(|_| expires_counts)?;
    let made = age::date_of(exchange.response_headers).unwrap_or(exchange.response_time);
    let expires = expires.to_str().ok().and_then(date::parse_http);
    Some(expires.map(|expires| expires.since(made).min(Duration::from_secs(MAX_SECONDS))).unwrap_or_default())
}

/// The lifetime that counts, to be compared with ages. `None` where nobody grants one.
fn lifetime(
    exchange: &Exchange<'_>,
    directives: &ResponseDirectives,
    explicit: Option<Duration>,
    initial: Duration,
) -> Option<Duration> {
    let policy = exchange.policy;
    let said = explicit.or_else(|| heuristic(exchange, directives).filter(|_| policy.default.is_none()));
    if is_error(exchange.status) {
        let said = said.map(|lifetime| lifetime.min(from_arrival(policy.max, initial)));
        let minimum = exchange.errors.minimum(exchange.status, explicit.is_some());
        return minimum.map(|minimum| from_arrival(minimum, initial)).max(said);
    }
    let wished = if is_forbidden(directives) {
        Some(Duration::ZERO)
    } else {
        said.or(policy.default.map(|default| from_arrival(default, initial)))
    };
    let least = (!policy.min.is_zero()).then(|| from_arrival(policy.min, initial));
    wished.map(|lifetime| lifetime.min(from_arrival(policy.max, initial))).max(least)
}

/// What a policy grants begins when the response arrives, with the age `initial`.
fn from_arrival(ttl: Duration, initial: Duration) -> Duration {
    if ttl.is_zero() { ttl } else { ttl.saturating_add(initial) }
}

/// Whether the origin wants no cache to use the response: it is kept for the policy's minimum at most.
fn is_forbidden(directives: &ResponseDirectives) -> bool {
    let unstored = directives.no_store && !directives.must_understand;
    unstored || directives.private == Scope::Everything || directives.no_cache == Scope::Everything
}

/// A guess from how long the response has not changed (RFC 9111 section 4.2.2), for statuses that allow one.
fn heuristic(exchange: &Exchange<'_>, directives: &ResponseDirectives) -> Option<Duration> {
    if !HEURISTIC.contains(&exchange.status.as_u16()) && !directives.public {
        return None;
    }
    let modified = exchange.response_headers.get(LAST_MODIFIED)?.to_str().ok().and_then(date::parse_http)?;
    let made = age::date_of(exchange.response_headers).unwrap_or(exchange.response_time);
    Some((made.since(modified) / HEURISTIC_FRACTION).min(MAX_HEURISTIC))
}

fn assemble(
    exchange: &Exchange<'_>,
    directives: &ResponseDirectives,
    explicit: Option<Duration>,
    fresh: Option<Duration>,
) -> Freshness {
    let fresh = fresh.unwrap_or_default();
    let validate_always = directives.no_cache == Scope::Everything && !forced(exchange);
    let may_serve_stale = directives.may_be_stale();
    // What the origin never called fit to share is not handed to others when it fails, unless it says so.
    let shared = !fresh.is_zero() || (directives.public && explicit.is_some());
    let window = |said: Option<Duration>, default: Duration| {
        let default = if shared { default } else { Duration::ZERO };
        if may_serve_stale { said.unwrap_or(default) } else { Duration::ZERO }
    };
    Freshness {
        fresh,
        stale_while_revalidate: window(directives.stale_while_revalidate, exchange.policy.stale_while_revalidate),
        stale_if_error: window(directives.stale_if_error, exchange.policy.stale_if_error),
        may_serve_stale,
        validate_always,
        by_feed: exchange.fed,
    }
}

/// Whether there is any use in what would be stored.
fn check_use(
    exchange: &Exchange<'_>,
    directives: &ResponseDirectives,
    fresh: Option<Duration>,
    initial: Duration,
    freshness: &Freshness,
) -> Result<(), NotStored> {
    let has_validator = has_validator(exchange.response_headers);
    let named = directives.public || directives.no_cache == Scope::Everything;
    if fresh.is_none() && !(named && has_validator) {
        return Err(NotStored::NoFreshness);
    }
    let usable = freshness.fresh > initial && !freshness.validate_always;
    let stale = freshness.stale_while_revalidate.max(freshness.stale_if_error);
    let usable_stale = freshness.fresh.saturating_add(stale) > initial && !stale.is_zero();
    if usable || usable_stale || has_validator { Ok(()) } else { Err(NotStored::Stale) }
}

/// Whether the origin can be asked if the response still holds.
pub fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED)
}
