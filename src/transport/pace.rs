//! How slow an upload may be. How slow a download may be is judged where the socket is, by what the client acknowledged.

use std::time::{Duration, Instant};

/// How long a client may take to get up to the minimum rate.
const START: Duration = Duration::from_secs(30);

/// Watches one body. Only the time spent waiting for the client counts, not the time that it is held back.
#[derive(Debug)]
pub struct Pace {
    idle: Duration,
    min_rate: u64,
    waiting: Instant,
    waited: Duration,
    total: u64,
}

/// The client moves fewer bytes a second than it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

impl Pace {
    /// `idle` is the longest wait for the next bytes, `min_rate` the least bytes a second on average; 0 is no bound.
    pub fn new(idle: Duration, min_rate: u64) -> Self {
        Self { idle, min_rate, waiting: Instant::now(), waited: Duration::ZERO, total: 0 }
    }

    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// The client's turn begins.
    pub fn wait(&mut self) {
        self.waiting = Instant::now();
    }

    /// The client's turn ended with `bytes` more.
    pub fn moved(&mut self, bytes: u64) -> Result<(), TooSlow> {
        self.waited += self.waiting.elapsed();
        self.total += bytes;
        self.judge()
    }

    fn judge(&self) -> Result<(), TooSlow> {
        let due = self.min_rate.saturating_mul(self.waited.as_secs());
        if self.waited > START && self.total < due { Err(TooSlow) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64, total: u64, min_rate: u64) -> Result<(), TooSlow> {
        let waited = Duration::from_secs(seconds);
        Pace { idle: START, min_rate, waiting: Instant::now(), waited, total }.judge()
    }

    #[test]
    fn slow_clients_have_a_start_and_then_a_rate() {
        assert_eq!(after(30, 0, 1024), Ok(()));
        assert_eq!(after(31, 31 * 1024 - 1, 1024), Err(TooSlow));
        assert_eq!(after(31, 31 * 1024, 1024), Ok(()));
        assert_eq!(after(3600, 1, 0), Ok(()));
    }
}
