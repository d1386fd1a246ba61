//! For how long a response is fresh: by what the origin says, and within what the behaviour's policy allows (RFC 9111
//! sections 4.2.1 and 4.2.2).

use std::time::Duration;

use http::StatusCode;
use http::header::{EXPIRES, LAST_MODIFIED};

use super::age;
use super::directives::{MAX_SECONDS, ResponseDirectives, Scope};
use super::store::Exchange;
use super::ttl::Freshness;
use crate::clock::Timestamp;
use crate::http::date;

/// Heuristic freshness is this fraction of the time since the last modification (RFC 9111 section 4.2.2).
const HEURISTIC_FRACTION: u32 = 10;

/// The longest heuristic freshness.
const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// What a cache may keep without being told for how long (RFC 9110 section 15.1).
const HEURISTIC: [u16; 12] = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501];

/// The two lifetimes of a response, to be compared with its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// What the origin gives it in so many words.
    pub explicit: Option<Duration>,
    /// What it has here; `None` where neither origin nor policy gives it any.
    pub granted: Option<Duration>,
}

impl Lifetime {
    /// `expires_counts` is what [`super::target::effective`] says.
    pub fn of(exchange: &Exchange<'_>, directives: &ResponseDirectives, expires_counts: bool) -> Self {
        let explicit = directives.lifetime().or_else(|| expires(exchange).filter(|_| expires_counts));
        Self { explicit, granted: granted(exchange, directives, explicit) }
    }
}

/// Gives how the response may be used.
pub fn of(exchange: &Exchange<'_>, directives: &ResponseDirectives, lifetime: &Lifetime) -> Freshness {
    let may_serve_stale = directives.may_be_stale();
    let fresh = lifetime.granted.unwrap_or_default();
    // What the origin never called fit to share is not handed to others when it fails, unless it says so.
    let shared = !fresh.is_zero() || (directives.public && lifetime.explicit.is_some());
    let window = |said: Option<Duration>, default: Duration| {
        let default = if shared { default } else { Duration::ZERO };
        if may_serve_stale { said.unwrap_or(default) } else { Duration::ZERO }
    };
    Freshness {
        fresh,
        stale_while_revalidate: window(directives.stale_while_revalidate, exchange.policy.stale_while_revalidate),
        stale_if_error: window(directives.stale_if_error, exchange.policy.stale_if_error),
        may_serve_stale,
        validate_always: directives.no_cache == Scope::Everything && !is_forced(exchange),
        by_feed: exchange.fed,
    }
}

/// Whether a minimum time to live overrules what the origin says, as it does at CloudFront for all but errors.
pub(super) fn is_forced(exchange: &Exchange<'_>) -> bool {
    exchange.policy.min > Duration::ZERO && !is_error(exchange.status)
}

fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// The lifetime that `Expires` gives (RFC 9111 section 4.2.1). One that is no date lies in the past (section 5.3); without
/// a `Date`, the response was made when it arrived.
fn expires(exchange: &Exchange<'_>) -> Option<Duration> {
    let text = exchange.response_headers.get(EXPIRES)?;
    let expires = text.to_str().ok().and_then(date::parse_http);
    Some(expires.map(|expires| expires.since(made(exchange)).min(Duration::from_secs(MAX_SECONDS))).unwrap_or_default())
}

fn made(exchange: &Exchange<'_>) -> Timestamp {
    age::date_of(exchange.response_headers).unwrap_or(exchange.response_time)
}

/// The lifetime that counts, to be compared with ages. `None` where nobody grants one.
fn granted(exchange: &Exchange<'_>, directives: &ResponseDirectives, explicit: Option<Duration>) -> Option<Duration> {
    let policy = exchange.policy;
    let initial = age::initial(exchange.response_headers, exchange.request_time, exchange.response_time);
    let said = explicit.or_else(|| heuristic(exchange, directives).filter(|_| policy.default.is_none()));
    if is_error(exchange.status) {
        let minimum = exchange.errors.minimum(exchange.status, explicit.is_some());
        let said = said.map(|lifetime| lifetime.min(from_arrival(policy.max, initial)));
        return minimum.map(|minimum| from_arrival(minimum, initial)).max(said);
    }
    let wished = match policy.default {
        _ if is_forbidden(directives) => Some(Duration::ZERO),
        Some(default) => said.or(Some(from_arrival(default, initial))),
        None => said,
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
    Some((made(exchange).since(modified) / HEURISTIC_FRACTION).min(MAX_HEURISTIC))
}
