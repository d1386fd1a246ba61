//! A circuit breaker: an origin that cannot be reached again and again is left alone for a moment.
//!
//! Only connections count. Otherwise whoever finds one request that has an origin hang or hang up, could have everybody
//! else refused by sending it a few times.

use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;

/// Counts failures in a row. After enough of them nobody passes until a pause is over; then one request does, and decides.
pub(super) struct Breaker {
    /// Zero: it never opens.
    failures: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Since when nobody passes.
    opened: Option<Timestamp>,
    /// Whether a request is under way that decides.
    probing: bool,
}

/// A request that passed. Dropped without a verdict, as by a viewer who left, it says nothing of the origin.
pub(super) struct Pass<'b> {
    breaker: &'b Breaker,
    probe: bool,
}

impl Breaker {
    pub fn new(failures: u32, pause: Duration) -> Self {
        Self { failures, pause, state: Mutex::default() }
    }

    /// Lets a request pass, or says that the origin is to be left alone.
    pub fn admit(&self, now: Timestamp) -> Option<Pass<'_>> {
        let mut state = self.state.lock();
        let Some(opened) = state.opened else {
            return Some(Pass { breaker: self, probe: false });
        };
        if state.probing || now.since(opened) < self.pause {
            return None;
        }
        state.probing = true;
        Some(Pass { breaker: self, probe: true })
    }

    /// Whether requests are kept away.
    pub fn is_open(&self) -> bool {
        self.state.lock().opened.is_some()
    }
}

impl Pass<'_> {
    /// The origin was reached.
    pub fn succeeded(self) {
        let mut state = self.breaker.state.lock();
        // An answer to a request from before is no sign that it works again, but no harm either: it did answer.
        state.failures = 0;
        state.opened = None;
    }

    /// It did not.
    pub fn failed(self, now: Timestamp) {
        let mut state = self.breaker.state.lock();
        state.failures = state.failures.saturating_add(1);
        let enough = self.breaker.failures > 0 && state.failures >= self.breaker.failures;
        if self.probe || (enough && state.opened.is_none()) {
            state.opened = Some(now);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn broken() -> Breaker {
        let breaker = Breaker::new(3, PAUSE);
        for _ in 0..3 {
            breaker.admit(at(10)).unwrap().failed(at(10));
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_answer_closes_it() {
        let breaker = Breaker::new(3, PAUSE);
        for _ in 0..10 {
            breaker.admit(at(10)).unwrap().failed(at(10));
            breaker.admit(at(10)).unwrap().failed(at(10));
            breaker.admit(at(10)).unwrap().succeeded();
        }
        assert!(!breaker.is_open());
        let breaker = broken();
        assert!(breaker.is_open() && breaker.admit(at(14)).is_none());
        breaker.admit(at(15)).unwrap().succeeded();
        assert!(!breaker.is_open() && breaker.admit(at(15)).is_some());
    }

    #[test]
    fn after_the_pause_one_request_decides() {
        let breaker = broken();
        let probe = breaker.admit(at(15)).unwrap();
        assert!(breaker.admit(at(15)).is_none(), "one at a time");
        probe.failed(at(16));
        assert!(breaker.admit(at(20)).is_none(), "the pause begins anew");
        let probe = breaker.admit(at(21)).unwrap();
        drop(probe);
        assert!(breaker.admit(at(21)).is_some(), "a probe without a verdict gives its place up");
    }

    #[test]
    fn late_failures_do_not_lengthen_the_pause_and_late_answers_end_it() {
        let breaker = Breaker::new(3, PAUSE);
        let mut early: Vec<_> = (0..5).map(|_| breaker.admit(at(9)).unwrap()).collect();
        let last = early.pop().unwrap();
        for pass in early {
            pass.failed(at(10));
        }
        assert!(breaker.admit(at(14)).is_none());
        assert!(breaker.admit(at(15)).is_some());
        last.succeeded();
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_breaker_that_is_off_never_opens() {
        let breaker = Breaker::new(0, PAUSE);
        for _ in 0..100 {
            breaker.admit(at(10)).unwrap().failed(at(10));
        }
        assert!(!breaker.is_open());
    }
}
