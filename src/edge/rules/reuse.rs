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

fn without_origin(freshness: &Freshness, standing: Standing, request: &RequestDirectives) -> Option<Reuse> {
    if freshness.validate_always || request.no_cache || unwatched(freshness, standing) {
        return None;
    }
    let staleness = staleness(freshness, standing);
    if let Some(staleness) = staleness {
        // RFC 9111 section 5.2.1.2; and a client that asks for a young response gets no stale one.
        let too_old = request.max_age.is_some_and(|most| standing.age > most) || request.min_fresh.is_some();
        if !freshness.may_serve_stale || too_old {
            return None;
        }
        if staleness < freshness.stale_while_revalidate {
            return Some(Reuse::StaleWhileRevalidate);
        }
        let asked = request.max_stale.is_some_and(|most| staleness <= most) && !standing.soft_purged;
        return asked.then_some(Reuse::StaleAsAsked);
    }
    let old = request.max_age.is_some_and(|most| standing.age > most);
    let soon_stale = request.min_fresh.is_some_and(|least| freshness.fresh - standing.age < least);
    (!old && !soon_stale).then_some(Reuse::Fresh)
}

/// Whether a response that should be revalidated may be sent after all, since the origin failed (RFC 9111 section 4.2.4,
/// RFC 5861 section 4).
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
fn unwatched(freshness: &Freshness, standing: Standing) -> bool {
    freshness.by_feed && !standing.feed_live
}

/// For how long the response has been stale; `None` while it is fresh (RFC 9111 section 4.2).
fn staleness(freshness: &Freshness, standing: Standing) -> Option<Duration> {
    let fresh = freshness.fresh > standing.age && !standing.soft_purged;
    (!fresh).then(|| standing.age.saturating_sub(freshness.fresh))
}
