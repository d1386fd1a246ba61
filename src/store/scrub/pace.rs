//! Keeping to a rate, so that a scrub leaves the disk to others.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// How far the reading may fall behind and catch up later: after a pause it does not rush.
const MAX_CREDIT: Duration = Duration::from_millis(500);
/// Waits shorter than this are saved up.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// A rate to keep to.
pub struct Pace {
    rate: Option<NonZeroU64>,
    /// When all bytes so far may have been read.
    due: Instant,
}

impl Pace {
    pub fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, due: Instant::now() }
    }

    /// Gives how long to wait after `bytes` more were read.
    pub fn wait_after(&mut self, bytes: u64) -> Option<Duration> {
        self.wait_after_at(bytes, Instant::now())
    }

    fn wait_after_at(&mut self, bytes: u64, now: Instant) -> Option<Duration> {
        let rate = self.rate?;
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
        let oldest = now.checked_sub(MAX_CREDIT).unwrap_or(now);
        self.due = self.due.max(oldest) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Some(self.due.saturating_duration_since(now)).filter(|wait| *wait >= SHORTEST_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_time() {
        let mut pace = Pace::new(NonZeroU64::new(1_000_000));
        let mut now = Instant::now();
        let began = now;
        for _ in 0..100 {
            now += pace.wait_after_at(100_000, now).unwrap_or_default();
        }
        let seconds = (now - began).as_secs_f64();
        assert!((9.4..10.1).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_pause_is_no_credit_for_a_rush_and_no_rate_is_no_wait() {
        let mut pace = Pace::new(NonZeroU64::new(1_000_000));
        let later = Instant::now() + Duration::from_secs(3600);
        assert_eq!(pace.wait_after_at(1_500_000, later), Some(Duration::from_secs(1)));
        assert_eq!(Pace::new(None).wait_after(u64::MAX), None);
    }
}
