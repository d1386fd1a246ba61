//! A circuit breaker, and the pace that a receiver takes. Pure.
//!
//! An endpoint that fails again and again is left alone: its reader stands still in the log, which keeps what comes. After a
//! pause one message is tried. A receiver that says it is asked too much is asked less.

use std::time::Duration;

use crate::clock::Timestamp;

/// How many attempts must fail in a row.
pub const FAILURES_TO_OPEN: u32 = 5;
/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The longest that a receiver can hold everything up by `Retry-After`.
const LONGEST_HOLD: Duration = Duration::from_secs(3600);

/// Whether messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// All of them.
    Open,
    /// One, which decides.
    Probe,
    /// None before this time; `None`: before the probe that is under way has ended.
    Shut(Option<Timestamp>),
}

/// Counts failures in a row. "Open" is said of the gate: the breaker is tripped when it is shut.
#[derive(Debug, Clone)]
pub struct Breaker {
    first_pause: Duration,
    longest_pause: Duration,
    failures: u32,
    tripped: Option<Tripped>,
}

#[derive(Debug, Clone, Copy)]
struct Tripped {
    until: Timestamp,
    pause: Duration,
    probing: bool,
}

impl Breaker {
    /// The first pause is `first_pause`; each one after a failed probe is twice as long, up to `longest_pause`, and to five
    /// minutes in any case.
    pub fn new(first_pause: Duration, longest_pause: Duration) -> Self {
        let first_pause = first_pause.clamp(Duration::from_millis(1), LONGEST_PAUSE);
        Self { first_pause, longest_pause: longest_pause.clamp(first_pause, LONGEST_PAUSE), failures: 0, tripped: None }
    }

    pub fn gate(&self, now: Timestamp) -> Gate {
        match self.tripped {
            None => Gate::Open,
            Some(Tripped { probing: true, .. }) => Gate::Shut(None),
            Some(Tripped { until, .. }) if now < until => Gate::Shut(Some(until)),
            Some(_) => Gate::Probe,
        }
    }

    pub fn is_tripped(&self) -> bool {
        self.tripped.is_some()
    }

    /// The probe that the gate asked for is under way.
    pub fn probe(&mut self) {
        if let Some(tripped) = &mut self.tripped {
            tripped.probing = true;
        }
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.tripped = None;
    }

    /// `probe`: whether it was the message that decides. Of those that were under way already nothing more is learned.
    pub fn failed(&mut self, probe: bool, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.tripped = match self.tripped {
            None if self.failures >= FAILURES_TO_OPEN => Some(self.pause(self.first_pause, now)),
            Some(tripped) if probe => Some(self.pause((tripped.pause * 2).min(self.longest_pause), now)),
            unchanged => unchanged,
        };
    }

    /// The probe ended without a verdict.
    pub fn undecided(&mut self) {
        if let Some(tripped) = &mut self.tripped {
            tripped.probing = false;
        }
    }

    fn pause(&self, pause: Duration, now: Timestamp) -> Tripped {
        Tripped { until: now.plus(pause), pause, probing: false }
    }
}

/// How many messages may be under way: half as many whenever the receiver says that it is too much, one more whenever as many
/// as are allowed were taken.
#[derive(Debug, Clone)]
pub struct Pace {
    most: usize,
    allowed: usize,
    taken: usize,
    held_until: Option<Timestamp>,
}

impl Pace {
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), allowed: most.max(1), taken: 0, held_until: None }
    }

    /// How many may be under way now.
    pub fn allowed(&self, now: Timestamp) -> usize {
        if self.held_until.is_some_and(|until| now < until) { 0 } else { self.allowed }
    }

    /// Until when nothing is sent.
    pub fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.held_until.filter(|until| now < *until)
    }

    pub fn taken(&mut self) {
        self.taken += 1;
        if self.taken >= self.allowed {
            self.taken = 0;
            self.allowed = (self.allowed + 1).min(self.most);
        }
    }

    /// The receiver asked for less, and perhaps for nothing during a time.
    pub fn slow_down(&mut self, retry_after: Option<Duration>, now: Timestamp) {
        self.taken = 0;
        self.allowed = (self.allowed / 2).max(1);
        if let Some(wait) = retry_after {
            let until = now.plus(wait.min(LONGEST_HOLD));
            self.held_until = Some(self.held_until.map_or(until, |before| before.max(until)));
        }
    }

    /// The endpoint was changed.
    pub fn set_most(&mut self, most: usize) {
        *self = Self { held_until: self.held_until, ..Self::new(most) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const PAUSE: Duration = Duration::from_secs(5);

    fn tripped(clock: &Clock) -> Breaker {
        let mut breaker = Breaker::new(PAUSE, LONGEST_PAUSE);
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(breaker.gate(clock.now()), Gate::Open);
            breaker.failed(false, clock.now());
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_shut_the_gate_and_one_success_opens_it() {
        let clock = Clock::fixed(Timestamp::from_seconds(100));
        let mut breaker = Breaker::new(PAUSE, LONGEST_PAUSE);
        for _ in 0..FAILURES_TO_OPEN * 2 {
            breaker.failed(false, clock.now());
            breaker.failed(false, clock.now());
            breaker.succeeded();
        }
        assert!(!breaker.is_tripped());
        let mut breaker = tripped(&clock);
        assert_eq!(breaker.gate(clock.now()), Gate::Shut(Some(Timestamp::from_seconds(105))));
        breaker.succeeded();
        assert_eq!(breaker.gate(clock.now()), Gate::Open, "what was under way may succeed");
    }

    #[test]
    fn after_the_pause_one_message_decides_and_pauses_grow() {
        let clock = Clock::fixed(Timestamp::from_seconds(100));
        let mut breaker = tripped(&clock);
        let mut pause = PAUSE;
        for _ in 0..12 {
            clock.advance(pause);
            assert_eq!(breaker.gate(clock.now()), Gate::Probe);
            breaker.probe();
            assert_eq!(breaker.gate(clock.now()), Gate::Shut(None), "one at a time");
            breaker.failed(false, clock.now());
            assert_eq!(
                breaker.gate(clock.now()),
                Gate::Shut(None),
                "a late failure of another message decides nothing"
            );
            breaker.failed(true, clock.now());
            pause = (pause * 2).min(LONGEST_PAUSE);
            assert_eq!(breaker.gate(clock.now()), Gate::Shut(Some(clock.now().plus(pause))));
        }
        clock.advance(pause);
        breaker.probe();
        breaker.undecided();
        assert_eq!(breaker.gate(clock.now()), Gate::Probe, "a probe that came to nothing gives its place up");
        breaker.succeeded();
        assert_eq!(breaker.gate(clock.now()), Gate::Open);
        breaker.failed(false, clock.now());
        assert_eq!(breaker.gate(clock.now()), Gate::Open, "it counts anew");
    }

    #[test]
    fn a_receiver_that_is_asked_too_much_is_asked_half_as_much_and_slowly_more_again() {
        let now = Timestamp::from_seconds(100);
        let mut pace = Pace::new(8);
        pace.slow_down(None, now);
        assert_eq!(pace.allowed(now), 4);
        for _ in 0..4 {
            pace.taken();
        }
        assert_eq!(pace.allowed(now), 5);
        for _ in 0..10 {
            pace.slow_down(None, now);
        }
        assert_eq!(pace.allowed(now), 1, "never none");
        for _ in 0..100 {
            pace.taken();
        }
        assert_eq!(pace.allowed(now), 8, "never more than it was given");
    }

    #[test]
    fn retry_after_holds_everything_up_for_an_hour_at_most() {
        let now = Timestamp::from_seconds(100);
        let mut pace = Pace::new(8);
        pace.slow_down(Some(Duration::from_secs(30)), now);
        pace.slow_down(Some(Duration::from_secs(10)), now);
        assert_eq!((pace.allowed(now), pace.held_until(now)), (0, Some(Timestamp::from_seconds(130))));
        assert_eq!(pace.allowed(Timestamp::from_seconds(130)), 2);
        pace.slow_down(Some(Duration::from_secs(1 << 40)), now);
        assert_eq!(pace.held_until(now), Some(Timestamp::from_seconds(100 + 3600)));
    }
}
