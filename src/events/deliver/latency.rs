//! How long receivers take.

use std::time::Duration;

use crate::events::operate::LATENCY_BOUNDS;

/// A histogram of how long answers took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many were in each of [`LATENCY_BOUNDS`], and in none of them; not summed up.
    pub classes: [u64; LATENCY_BOUNDS.len() + 1],
    /// All of them together, in microseconds.
    pub sum_micros: u64,
}

impl Latency {
    pub fn observe(&mut self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let class = LATENCY_BOUNDS.partition_point(|end| *end < millis);
        self.classes[class] += 1;
        self.sum_micros = self.sum_micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_in_one_class() {
        let mut latency = Latency::default();
        for millis in [0, 5, 6, 30_000, 30_001, 1 << 40] {
            latency.observe(Duration::from_millis(millis));
        }
        assert_eq!((latency.classes[0], latency.classes[1], latency.classes[9], latency.classes[10]), (2, 1, 1, 2));
        assert_eq!(latency.classes.iter().sum::<u64>(), 6);
    }
}
