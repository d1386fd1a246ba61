//! Whether a stored response answers a request, and how (RFC 9111 section 4, RFC 5861).

use std::time::Duration;

use http::StatusCode;

use super::directives::RequestDirectives;
use super::ttl::Freshness;

/// What to do with a stored response that was selected for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Send it.
    Fresh,
    /// Send it, and renew it meanwhile.
    StaleWhileRevalidate,
    /// Send it although it is stale: the client said that it does not mind (`max-stale`).
    StaleAsAsked,
    /// Ask the origin first. Where that fails, [`may_serve_on_error`] says whether to send it after all.
    Revalidate,
    /// Answer 504: the origin would have to be asked, which the client does not want (`only-if-cached`).
    GatewayTimeout,
}

/// How a stored response stands at the moment of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub age: Duration,
    /// A soft purge made it stale, whatever its age.
    pub soft_purged: bool,
    /// The lease of the change feed runs.
    pub feed_live: bool,
}

/// How an origin failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There was no answer, or none that could be understood.
    Unreachable,
    /// It answered with this status.
    Status(StatusCode),
}

/// Decides on a stored response. `request` is what the client says, or nothing where the behaviour ignores that.
pub fn reuse(freshness: &Freshness, standing: Standing, request: &RequestDirectives) -> Reuse {
    match without_origin(freshness, standing, request) {
        Some(reuse) => reuse,
        None if request.only_if_cached => Reuse::GatewayTimeout,
        None => Reuse::Revalidate,
    }
}

/// The ways to answer without asking the origin first.
fn without_origin(freshness: &Freshness, standing: Standing, request: &RequestDirectives) -> Option<Reuse> {
    if freshness.validate_always || request.no_cache || is_unwatched(freshness, standing) {
        return None;
    }
    let staleness = staleness(freshness, standing);
    // RFC 9111 sections 5.2.1.1 and 5.2.1.3.
    let left = freshness.fresh.saturating_sub(standing.age);
    let too_old = request.max_age.is_some_and(|most| standing.age > most);
    let too_short = request.min_fresh.is_some_and(|least| left < least);
    match staleness {
        None if !too_old && !too_short => return Some(Reuse::Fresh),
        Some(_) if !freshness.may_serve_stale => return None,
        Some(staleness) if !too_old && !too_short && staleness < freshness.stale_while_revalidate => {
            return Some(Reuse::StaleWhileRevalidate);
        }
        _ => {}
    }
    // Section 5.2.1.2: counted from where the response became stale, or older than the client wants.
    let limit = freshness.fresh.min(request.max_age.unwrap_or(Duration::MAX));
    let borne = request.max_stale.is_some_and(|most| standing.age.saturating_sub(limit) <= most);
    (borne && !too_short && !standing.soft_purged).then_some(Reuse::StaleAsAsked)
}

/// Whether a response that should be revalidated may be sent after all, since the origin failed (RFC 9111 section
/// 4.2.4, RFC 5861 section 4).
pub fn may_serve_on_error(
    freshness: &Freshness,
    standing: Standing,
    request: &RequestDirectives,
    failure: Failure,
) -> bool {
    let failed = match failure {
        Failure::Unreachable => true,
        Failure::Status(status) => matches!(status.as_u16(), 500 | 502 | 503 | 504),
    };
    let asked_anew = freshness.validate_always || request.no_cache;
    if !failed || asked_anew || !freshness.may_serve_stale {
        return false;
    }
    let window = request.stale_if_error.unwrap_or_default().max(freshness.stale_if_error);
    window > Duration::ZERO && staleness(freshness, standing).unwrap_or_default() <= window
}

/// Whether nobody would tell if the response had changed, though its lifetime relies on that.
fn is_unwatched(freshness: &Freshness, standing: Standing) -> bool {
    freshness.by_feed && !standing.feed_live
}

/// For how long the response has been stale; `None` while it is fresh (RFC 9111 section 4.2).
fn staleness(freshness: &Freshness, standing: Standing) -> Option<Duration> {
    let fresh = freshness.fresh > standing.age && !standing.soft_purged;
    (!fresh).then(|| standing.age.saturating_sub(freshness.fresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Freshness = Freshness {
        fresh: Duration::from_secs(100),
        stale_while_revalidate: Duration::from_secs(10),
        stale_if_error: Duration::from_secs(50),
        may_serve_stale: true,
        validate_always: false,
        by_feed: false,
    };

    const NO_STALE: Freshness = Freshness {
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        may_serve_stale: false,
        ..FRESH
    };

    fn at(seconds: u64) -> Standing {
        Standing { age: Duration::from_secs(seconds), soft_purged: false, feed_live: true }
    }

    fn seconds(count: u64) -> Option<Duration> {
        Some(Duration::from_secs(count))
    }

    #[test]
    fn a_response_goes_from_fresh_over_stale_to_useless() {
        for (age, expected) in [
            (0, Reuse::Fresh),
            (99, Reuse::Fresh),
            (100, Reuse::StaleWhileRevalidate),
            (109, Reuse::StaleWhileRevalidate),
            (110, Reuse::Revalidate),
            (100_000, Reuse::Revalidate),
        ] {
            assert_eq!(reuse(&FRESH, at(age), &RequestDirectives::default()), expected, "{age}");
        }
        assert_eq!(reuse(&NO_STALE, at(100), &RequestDirectives::default()), Reuse::Revalidate);
    }

    #[test]
    fn what_always_is_validated_and_what_nobody_watches_is_asked_about() {
        let nothing = RequestDirectives::default();
        let fed = Freshness { by_feed: true, ..FRESH };
        assert_eq!(reuse(&Freshness { validate_always: true, ..FRESH }, at(0), &nothing), Reuse::Revalidate);
        assert_eq!(reuse(&fed, at(0), &nothing), Reuse::Fresh);
        assert_eq!(reuse(&fed, Standing { feed_live: false, ..at(0) }, &nothing), Reuse::Revalidate);
        assert_eq!(reuse(&FRESH, Standing { feed_live: false, ..at(0) }, &nothing), Reuse::Fresh);
    }

    #[test]
    fn a_soft_purge_makes_a_response_stale_at_once() {
        let nothing = RequestDirectives::default();
        let purged = Standing { soft_purged: true, ..at(5) };
        assert_eq!(reuse(&FRESH, purged, &nothing), Reuse::StaleWhileRevalidate);
        assert_eq!(reuse(&NO_STALE, purged, &nothing), Reuse::Revalidate);
        let tolerant = RequestDirectives { max_stale: Some(Duration::MAX), ..nothing };
        let no_window = Freshness { stale_while_revalidate: Duration::ZERO, ..FRESH };
        assert_eq!(reuse(&no_window, purged, &tolerant), Reuse::Revalidate);
        assert!(may_serve_on_error(&FRESH, purged, &nothing, Failure::Unreachable));
    }

    #[test]
    fn requests_narrow_and_widen_what_they_take() {
        let none = RequestDirectives::default();
        for (age, request, expected) in [
            (10, RequestDirectives { no_cache: true, ..none }, Reuse::Revalidate),
            (10, RequestDirectives { max_age: seconds(10), ..none }, Reuse::Fresh),
            (11, RequestDirectives { max_age: seconds(10), ..none }, Reuse::Revalidate),
            (11, RequestDirectives { max_age: seconds(10), max_stale: seconds(1), ..none }, Reuse::StaleAsAsked),
            (12, RequestDirectives { max_age: seconds(10), max_stale: seconds(1), ..none }, Reuse::Revalidate),
            (101, RequestDirectives { max_age: seconds(10), ..none }, Reuse::Revalidate),
            (90, RequestDirectives { min_fresh: seconds(10), ..none }, Reuse::Fresh),
            (91, RequestDirectives { min_fresh: seconds(10), ..none }, Reuse::Revalidate),
            (101, RequestDirectives { min_fresh: seconds(1), ..none }, Reuse::Revalidate),
            (101, RequestDirectives { min_fresh: seconds(1), max_stale: seconds(9), ..none }, Reuse::Revalidate),
            (120, RequestDirectives { max_stale: seconds(20), ..none }, Reuse::StaleAsAsked),
            (121, RequestDirectives { max_stale: seconds(20), ..none }, Reuse::Revalidate),
            (9_999, RequestDirectives { max_stale: Some(Duration::MAX), ..none }, Reuse::StaleAsAsked),
            (10, RequestDirectives { only_if_cached: true, ..none }, Reuse::Fresh),
            (105, RequestDirectives { only_if_cached: true, ..none }, Reuse::StaleWhileRevalidate),
            (110, RequestDirectives { only_if_cached: true, ..none }, Reuse::GatewayTimeout),
        ] {
            assert_eq!(reuse(&FRESH, at(age), &request), expected, "{age} {request:?}");
        }
        let tolerant = RequestDirectives { max_stale: Some(Duration::MAX), ..none };
        assert_eq!(reuse(&NO_STALE, at(100), &tolerant), Reuse::Revalidate);
    }

    #[test]
    fn a_stale_response_stands_in_for_a_failing_origin_within_its_window() {
        let none = RequestDirectives::default();
        let failed = |status| Failure::Status(StatusCode::from_u16(status).unwrap());
        for (freshness, age, failure, expected) in [
            (FRESH, 150, Failure::Unreachable, true),
            (FRESH, 150, failed(500), true),
            (FRESH, 150, failed(503), true),
            (FRESH, 150, failed(501), false),
            (FRESH, 150, failed(404), false),
            (FRESH, 151, Failure::Unreachable, false),
            (FRESH, 50, Failure::Unreachable, true),
            (NO_STALE, 101, Failure::Unreachable, false),
            (Freshness { may_serve_stale: false, ..FRESH }, 101, Failure::Unreachable, false),
            (Freshness { validate_always: true, ..FRESH }, 50, Failure::Unreachable, false),
            (Freshness { stale_if_error: Duration::ZERO, ..FRESH }, 100, Failure::Unreachable, false),
        ] {
            assert_eq!(
                may_serve_on_error(&freshness, at(age), &none, failure),
                expected,
                "{freshness:?} {age} {failure:?}"
            );
        }
        let asked = RequestDirectives { stale_if_error: seconds(60), ..none };
        assert!(may_serve_on_error(&FRESH, at(160), &asked, Failure::Unreachable));
        let anew = RequestDirectives { no_cache: true, ..none };
        assert!(!may_serve_on_error(&FRESH, at(101), &anew, Failure::Unreachable));
    }
}
