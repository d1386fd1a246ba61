//! How an endpoint does.

use std::time::Duration;

use serde::Serialize;

use super::rows::{Counts, Gap};
use crate::clock::Timestamp;

/// The upper ends of the classes of [`Latency`], in milliseconds; the last class has no end.
pub const LATENCY_CLASSES: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// What an endpoint has done and has before it. A picture that is at most about a second old.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    pub counts: Counts,
    /// Everything in the log up to here is settled.
    pub position: u64,
    /// Entries of the log behind `position`, whether or not the endpoint will hear of them.
    pub backlog: u64,
    /// Messages that wait for another attempt.
    pub deferred: usize,
    pub in_flight: usize,
    /// How old the oldest entry or message is that is not settled, in milliseconds; 0 where there is none.
    pub oldest_age_millis: u64,
    pub breaker: BreakerState,
    pub gap: Option<Gap>,
    /// Of the attempts of this run that were answered.
    pub latency: Latency,
    /// Why the last attempt that failed did.
    pub last_failure: Option<String>,
    /// Replays that are not at their end.
    pub replays: usize,
}

/// Whether an endpoint is left alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    #[default]
    Closed,
    /// Until this time.
    Open(Timestamp),
    /// One message decides.
    HalfOpen,
}

/// A histogram of how long answers took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many were in each of [`LATENCY_CLASSES`], and in none of them; not summed up.
    pub classes: [u64; LATENCY_CLASSES.len() + 1],
    pub sum_micros: u64,
}

impl Latency {
    pub fn observe(&mut self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let class = LATENCY_CLASSES.partition_point(|end| *end < millis);
        self.classes[class] += 1;
        self.sum_micros = self.sum_micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_in_one_class() {
        let mut latency = Latency::default();
        for millis in [0, 5, 6, 10_000, 10_001, 1 << 40] {
            latency.observe(Duration::from_millis(millis));
        }
        assert_eq!((latency.classes[0], latency.classes[1], latency.classes[10], latency.classes[11]), (2, 1, 1, 2));
        assert_eq!(latency.count(), 6);
    }
}
