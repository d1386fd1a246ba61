//! For how long responses may be kept: what a behaviour configures, and what came of it for a response.
//!
//! CloudFront's rules: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html> and
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html>

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// For how long a stale response can still be validated, where it has a validator and nothing else asks for more.
const VALIDATED_FOR: Duration = DAY;

/// The statuses that CloudFront caches whatever the origin says.
const ALWAYS: [u16; 7] = [404, 414, 500, 501, 502, 503, 504];

/// The statuses that CloudFront caches where the origin says for how long.
const WHERE_EXPLICIT: [u16; 5] = [400, 403, 405, 412, 415];

/// For how long a behaviour lets responses be fresh and stale. All times count from a response's arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtlPolicy {
    /// Responses are fresh for at least this long. Above zero it overrules `no-store`, `no-cache` and `private`.
    pub min: Duration,
    /// How long what says nothing is fresh; `None` for RFC 9111's own rule, which goes by `Last-Modified` alone.
    pub default: Option<Duration>,
    /// Responses are fresh for at most this long.
    pub max: Duration,
    /// How long a stale response may be sent while it is renewed, where the origin does not say.
    pub stale_while_revalidate: Duration,
    /// How long a stale response may be sent while the origin fails, where the origin does not say.
    pub stale_if_error: Duration,
}

/// For how long errors are kept at least. The default keeps none but by their own headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorTtls {
    always: BTreeMap<u16, Duration>,
    where_explicit: BTreeMap<u16, Duration>,
}

/// For how long a stored response may be used, and how. Times count against its age, which it may have arrived with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Fresh while its age is below this.
    pub fresh: Duration,
    /// How long after that it may be sent while it is renewed (RFC 5861 section 3).
    pub stale_while_revalidate: Duration,
    /// How long after that it may be sent where the origin fails (RFC 5861 section 4).
    pub stale_if_error: Duration,
    /// False where the origin forbids to send it stale, whoever asks (RFC 9111 section 4.2.4).
    pub may_serve_stale: bool,
    /// `no-cache`: never sent unless the origin just confirmed it.
    pub validate_always: bool,
    /// What the change feed drops: fresh only while the feed is live.
    pub by_feed: bool,
}

impl TtlPolicy {
    /// What applies where nothing is configured: the origin's headers alone, as RFC 9111 reads them. A stale response
    /// may stand in for a failing origin for a day.
    pub const fn headers_alone() -> Self {
        let none = Duration::ZERO;
        Self { min: none, default: None, max: Duration::MAX, stale_while_revalidate: none, stale_if_error: DAY }
    }

    /// CloudFront's managed policy `CachingOptimized`: between a second and a year, by default a day.
    pub const fn caching_optimized() -> Self {
        let min = Duration::from_secs(1);
        Self { min, default: Some(DAY), max: YEAR, stale_while_revalidate: Duration::ZERO, stale_if_error: DAY }
    }

    /// Brings a time to live within the bounds. `min` counts where the two contradict each other.
    pub fn clip(&self, ttl: Duration) -> Duration {
        ttl.min(self.max).max(self.min)
    }
}

impl Default for TtlPolicy {
    fn default() -> Self {
        Self::headers_alone()
    }
}

impl ErrorTtls {
    /// Keeps no error but by its own headers.
    pub const fn none() -> Self {
        Self { always: BTreeMap::new(), where_explicit: BTreeMap::new() }
    }

    /// CloudFront's lists, each with this minimum (10 seconds is CloudFront's default).
    pub fn cloudfront(minimum: Duration) -> Self {
        let each = |statuses: &[u16]| statuses.iter().map(|status| (*status, minimum)).collect();
        Self { always: each(&ALWAYS), where_explicit: each(&WHERE_EXPLICIT) }
    }

    /// Keeps answers of this status for at least `minimum`, whatever the origin says of their lifetime.
    #[must_use]
    pub fn with(mut self, status: StatusCode, minimum: Duration) -> Self {
        self.where_explicit.remove(&status.as_u16());
        self.always.insert(status.as_u16(), minimum);
        self
    }

    /// The least time that an answer of this status is kept for; `None` where its headers alone decide. `explicit` says
    /// whether they name a lifetime.
    pub fn minimum(&self, status: StatusCode, explicit: bool) -> Option<Duration> {
        let status = status.as_u16();
        let where_explicit = if explicit { self.where_explicit.get(&status) } else { None };
        self.always.get(&status).or(where_explicit).copied()
    }
}

impl Freshness {
    /// For how long after its arrival, with the age `initial`, a response is worth keeping: while it may be sent, and
    /// where it can be validated for a while longer.
    pub fn retention(&self, initial: Duration, has_validator: bool) -> Duration {
        let validated = if has_validator { VALIDATED_FOR } else { Duration::ZERO };
        let stale = self.stale_while_revalidate.max(self.stale_if_error).max(validated);
        self.fresh.saturating_sub(initial).saturating_add(stale)
    }

    /// Seconds for which it stays fresh, less than zero where it is stale: the `ttl` of `Cache-Status`.
    pub fn ttl(&self, age: Duration) -> i64 {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        seconds(self.fresh).saturating_sub(seconds(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn errors_have_minimums_where_they_are_configured() {
        let minimum =
            |errors: &ErrorTtls, status, explicit| errors.minimum(StatusCode::from_u16(status).unwrap(), explicit);
        let cloudfront = ErrorTtls::cloudfront(TEN).with(StatusCode::FORBIDDEN, TEN * 2);
        for (status, said, unsaid) in [
            (404, Some(TEN), Some(TEN)),
            (503, Some(TEN), Some(TEN)),
            (405, Some(TEN), None),
            (403, Some(TEN * 2), Some(TEN * 2)),
            (416, None, None),
            (200, None, None),
        ] {
            assert_eq!(minimum(&cloudfront, status, true), said, "{status}");
            assert_eq!(minimum(&cloudfront, status, false), unsaid, "{status}");
            assert_eq!(minimum(&ErrorTtls::default(), status, true), None, "{status}");
        }
    }

    #[test]
    fn responses_are_kept_while_they_can_be_of_use() {
        let mut freshness = Freshness {
            fresh: TEN,
            stale_while_revalidate: TEN * 3,
            stale_if_error: TEN * 2,
            may_serve_stale: true,
            validate_always: false,
            by_feed: false,
        };
        assert_eq!(freshness.retention(Duration::ZERO, false), TEN * 4);
        assert_eq!(freshness.retention(TEN / 2, false), TEN * 3 + TEN / 2);
        assert_eq!(freshness.retention(TEN * 9, false), TEN * 3);
        assert_eq!(freshness.retention(Duration::ZERO, true), TEN + VALIDATED_FOR);
        freshness.fresh = Duration::MAX;
        assert_eq!(freshness.retention(Duration::ZERO, true), Duration::MAX);
    }

    #[test]
    fn the_time_left_may_be_less_than_none() {
        let freshness = Freshness {
            fresh: TEN,
            stale_while_revalidate: TEN,
            stale_if_error: TEN,
            may_serve_stale: true,
            validate_always: false,
            by_feed: false,
        };
        assert_eq!(freshness.ttl(Duration::from_secs(3)), 7);
        assert_eq!(freshness.ttl(Duration::from_secs(13)), -3);
        assert_eq!(Freshness { fresh: Duration::MAX, ..freshness }.ttl(TEN), i64::MAX - 10);
    }
}
