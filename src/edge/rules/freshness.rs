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

/// The lifetime that `Expires` gives (RFC 9111 section 4.2.1). One that is no date lies in the past (section 5.3);
/// without a `Date`, the response was made when it arrived.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::store::{NotStored, storable};
    use crate::edge::rules::testing::{AT_NOW, HOUR_AFTER, HOUR_BEFORE, Heads};
    use crate::edge::rules::ttl::{ErrorTtls, TtlPolicy};

    const HEADERS_ALONE: TtlPolicy = TtlPolicy::headers_alone();

    fn given(
        policy: &TtlPolicy,
        errors: &ErrorTtls,
        status: u16,
        fields: &[(&str, &str)],
    ) -> Result<Freshness, NotStored> {
        storable(&Exchange { policy, errors, ..Heads::of(&[], fields).exchange(status) })
    }

    /// Seconds of freshness; `None` where the response is not stored.
    fn fresh(policy: &TtlPolicy, status: u16, fields: &[(&str, &str)]) -> Option<u64> {
        given(policy, &ErrorTtls::default(), status, fields).ok().map(|freshness| freshness.fresh.as_secs())
    }

    #[test]
    fn s_maxage_goes_before_max_age_and_max_age_before_expires() {
        for (fields, seconds) in [
            ([("cache-control", "max-age=60, s-maxage=30"), ("expires", HOUR_AFTER)], Some(30)),
            ([("cache-control", "max-age=60"), ("expires", HOUR_AFTER)], Some(60)),
            ([("cache-control", "max-age=60"), ("expires", "0")], Some(60)),
            ([("cache-control", "x"), ("expires", HOUR_AFTER)], Some(3600)),
            ([("date", HOUR_BEFORE), ("expires", HOUR_AFTER)], Some(7200)),
            ([("date", "nonsense"), ("expires", HOUR_AFTER)], Some(3600)),
            ([("cdn-cache-control", "max-age=5"), ("expires", HOUR_AFTER)], Some(5)),
            ([("cdn-cache-control", "x"), ("expires", HOUR_AFTER)], None),
            ([("cdn-cache-control", "x=\""), ("expires", HOUR_AFTER)], Some(3600)),
        ] {
            assert_eq!(fresh(&HEADERS_ALONE, 200, &fields), seconds, "{fields:?}");
        }
    }

    #[test]
    fn an_expires_that_is_no_date_lies_in_the_past() {
        for (value, seconds) in [
            ("0", 0),
            ("-1", 0),
            ("", 0),
            (AT_NOW, 0),
            (HOUR_BEFORE, 0),
            ("Sunday, 06-Nov-94 09:49:37 GMT", 3600),
            ("Sun Nov  6 09:49:37 1994", 3600),
            ("Sun, 06 Nov 1994 09:49:37 UTC", 0),
            ("Sun, 06 Nov 94 09:49:37 GMT", 0),
            ("Sun 06 Nov 1994 09:49:37 GMT", 0),
            ("Sun, 06-Nov-1994 09:49:37 GMT", 0),
            ("Sun, 06 Nov 1994 9:49:37 GMT", 0),
            ("1994-11-06T09:49:37Z", 0),
        ] {
            let fields = [("expires", value), ("etag", "\"a\"")];
            assert_eq!(fresh(&HEADERS_ALONE, 200, &fields), Some(seconds), "{value}");
        }
    }

    #[test]
    fn the_last_modification_alone_allows_a_guess_and_only_for_some_statuses() {
        let modified = ("last-modified", HOUR_BEFORE);
        for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
            assert_eq!(fresh(&HEADERS_ALONE, status, &[modified]), Some(360), "{status}");
        }
        for status in [201, 202, 302, 303, 307, 400, 403, 500, 503, 599] {
            assert_eq!(fresh(&HEADERS_ALONE, status, &[modified]), None, "{status}");
            assert_eq!(fresh(&HEADERS_ALONE, status, &[modified, ("cache-control", "public")]), Some(360), "{status}");
        }
        let old = ("last-modified", "Sat, 06 Nov 1993 08:49:37 GMT");
        assert_eq!(fresh(&HEADERS_ALONE, 200, &[old]), Some(MAX_HEURISTIC.as_secs()));
        assert_eq!(fresh(&HEADERS_ALONE, 200, &[("last-modified", HOUR_AFTER)]), Some(0));
        assert_eq!(fresh(&HEADERS_ALONE, 200, &[modified, ("cache-control", "max-age=5")]), Some(5));
    }

    #[test]
    fn a_policy_bounds_what_the_origin_says_and_speaks_where_it_is_silent() {
        let seconds = |min, default, max| TtlPolicy {
            min: Duration::from_secs(min),
            default: Some(Duration::from_secs(default)),
            max: Duration::from_secs(max),
            ..HEADERS_ALONE
        };
        for (policy, value, expected) in [
            (seconds(10, 50, 100), "max-age=5", Some(10)),
            (seconds(10, 50, 100), "max-age=70", Some(70)),
            (seconds(10, 50, 100), "max-age=500", Some(100)),
            (seconds(10, 50, 100), "x", Some(50)),
            (seconds(60, 50, 100), "x", Some(60)),
            (seconds(10, 50, 20), "x", Some(20)),
            (seconds(10, 50, 100), "no-store", Some(10)),
            (seconds(10, 50, 100), "private, max-age=70", Some(10)),
            (seconds(10, 50, 100), "no-cache", Some(10)),
            (seconds(0, 50, 100), "no-store", None),
            (seconds(0, 50, 100), "private", None),
            (seconds(0, 50, 100), "no-cache", None),
            (seconds(0, 50, 100), "max-age=0", None),
            (seconds(0, 0, 100), "x", None),
            (seconds(10, 50, 100), "no-store, must-understand, max-age=70", Some(70)),
        ] {
            assert_eq!(fresh(&policy, 200, &[("cache-control", value)]), expected, "{policy:?} {value}");
        }
    }

    #[test]
    fn what_a_policy_grants_begins_with_the_arrival_of_a_response() {
        let policy = TtlPolicy {
            min: Duration::from_secs(10),
            default: Some(Duration::from_secs(50)),
            max: Duration::from_secs(100),
            ..HEADERS_ALONE
        };
        for (value, expected) in [("max-age=5", 310), ("max-age=330", 330), ("max-age=900", 400), ("x", 350)] {
            assert_eq!(fresh(&policy, 200, &[("cache-control", value), ("age", "300")]), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_minimum_never_makes_errors_cacheable_but_their_own_does() {
        let policy =
            TtlPolicy { min: Duration::from_secs(10), default: Some(Duration::from_secs(50)), ..HEADERS_ALONE };
        let cloudfront = ErrorTtls::cloudfront(Duration::from_secs(7));
        let none = ErrorTtls::default();
        for (errors, status, value, expected) in [
            (&none, 404, "x", None),
            (&none, 404, "max-age=3", Some(3)),
            (&none, 404, "no-store", None),
            (&cloudfront, 404, "x", Some(7)),
            (&cloudfront, 404, "max-age=3", Some(7)),
            (&cloudfront, 404, "max-age=30", Some(30)),
            (&cloudfront, 503, "x", Some(7)),
            (&cloudfront, 403, "x", None),
            (&cloudfront, 403, "max-age=3", Some(7)),
            (&cloudfront, 404, "no-store", None),
            (&cloudfront, 404, "private", None),
            (&cloudfront, 418, "x", None),
        ] {
            let outcome = given(&policy, errors, status, &[("cache-control", value)]);
            assert_eq!(outcome.ok().map(|freshness| freshness.fresh.as_secs()), expected, "{status} {value}");
        }
    }

    #[test]
    fn origin_and_policy_say_how_long_a_response_may_be_stale() {
        let policy = TtlPolicy {
            stale_while_revalidate: Duration::from_secs(3),
            stale_if_error: Duration::from_secs(4),
            ..HEADERS_ALONE
        };
        for (value, swr, sie, may) in [
            ("max-age=60", 3, 4, true),
            ("max-age=60, stale-while-revalidate=7", 7, 4, true),
            ("max-age=60, stale-if-error=8", 3, 8, true),
            ("max-age=60, stale-if-error=0, stale-while-revalidate=0", 0, 0, true),
            ("max-age=60, stale-if-error=8, must-revalidate", 0, 0, false),
            ("max-age=60, stale-if-error=8, proxy-revalidate", 0, 0, false),
            ("s-maxage=60, stale-while-revalidate=7", 0, 0, false),
            ("no-cache, stale-if-error=8", 0, 0, false),
            // Never called fit to share: the policy's windows do not apply, the origin's do.
            ("max-age=0", 0, 0, true),
            ("max-age=0, public", 3, 4, true),
            ("max-age=0, stale-if-error=8", 0, 8, true),
        ] {
            let freshness =
                given(&policy, &ErrorTtls::default(), 200, &[("cache-control", value), ("etag", "\"a\"")]).unwrap();
            let windows = (freshness.stale_while_revalidate.as_secs(), freshness.stale_if_error.as_secs());
            assert_eq!((windows, freshness.may_serve_stale), ((swr, sie), may), "{value}");
            assert_eq!(freshness.validate_always, value.contains("no-cache"), "{value}");
        }
    }
}
