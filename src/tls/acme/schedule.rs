//! When to order: renewal in time, waiting longer after each failure, and never more than an authority allows.
//!
//! The bounds are those of Let's Encrypt, the strictest of the large authorities:
//! <https://letsencrypt.org/docs/rate-limits/>.

use std::collections::VecDeque;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::tls::certificate::Certificate;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long to wait after the first failure; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(5 * 60);
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// The most failures of one host in an hour. Let's Encrypt allows five.
const MAX_FAILURES: usize = 4;
/// How long to wait where an authority says "too many" and not for how long.
const RATE_LIMITED_WAIT: Duration = HOUR;

/// The most orders within [`ORDER_WINDOW`]. Let's Encrypt allows 300 for an account.
const MAX_ORDERS: usize = 250;
const ORDER_WINDOW: Duration = Duration::from_secs(3 * 60 * 60);

/// How long the authority is left alone after it could not be asked for the first time; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = HOUR;

/// The orders of one host that failed since the last that did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    failures: u32,
    /// When the last few began, the oldest first.
    last: VecDeque<Timestamp>,
    /// Not before this time again.
    next: Option<Timestamp>,
    /// The authority asked for that: it is not hurried.
    #[serde(default)]
    asked: Option<Timestamp>,
}

/// The orders of the account: when the last ones began, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders(VecDeque<Timestamp>);

/// How long an authority is left alone that cannot be asked, whichever the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    failures: u32,
    until: Option<Timestamp>,
    /// The authority asked for it: it is not hurried.
    asked: bool,
}

/// What is known of a failure.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    pub now: Timestamp,
    /// How long the authority said to wait.
    pub wait: Option<Duration>,
    /// How long the certificate before is still good for: of a short life no day is waited away.
    pub left: Option<Duration>,
    /// From 0 to 1: spreads what failed together.
    pub chance: f64,
}

/// When to renew: a third of its life before a certificate ends, or up to a fiftieth earlier, so that certificates that were
/// got together are not renewed together. The same for the same certificate.
pub fn renewal(certificate: &Certificate) -> Timestamp {
    let (from, to) = (certificate.not_before.as_millis(), certificate.not_after.as_millis());
    let lifetime = to.saturating_sub(from);
    let hash = digest(&SHA256, certificate.leaf());
    let share = u64::from(hash.as_ref()[0]);
    Timestamp::from_millis(to.saturating_sub(lifetime / 3 + lifetime / 50 * share / 255))
}

impl Attempts {
    /// An order begins at `now`. It counts as one that failed until it is known what came of it, so that one that a restart
    /// cuts short is no free one.
    pub fn begin(&mut self, now: Timestamp) {
        self.last.push_back(now);
        if self.last.len() > MAX_FAILURES {
            self.last.pop_front();
        }
        self.next = Some(now.plus(MINUTE).max(self.allowed()));
    }

    /// The order that began last was never asked for: it does not count. The next may be at `until`.
    pub fn withdraw(&mut self, until: Timestamp) {
        self.last.pop_back();
        self.next = Some(until.max(self.allowed()));
    }

    /// The order that began last failed.
    pub fn failed(&mut self, failure: &Failure) {
        self.failures = self.failures.saturating_add(1);
        let longest = failure.left.map_or(LONGEST_WAIT, |left| (left / 4).clamp(FIRST_WAIT, LONGEST_WAIT));
        let waited = doubled(FIRST_WAIT, self.failures, longest, failure.chance);
        self.asked = failure.wait.map(|wait| failure.now.plus(wait));
        self.next = Some(failure.now.plus(waited).max(self.allowed())).max(self.asked);
    }

    /// As [`Self::failed`], where the authority said that it was asked too often.
    pub fn rate_limited(&mut self, failure: &Failure) {
        let wait = failure.wait.or(Some(RATE_LIMITED_WAIT));
        self.failed(&Failure { wait, left: None, ..*failure });
    }

    /// An operator asks for another attempt: within a minute of the last, as long as the hour and the authority allow it.
    pub fn hurry(&mut self) {
        let soon = self.last.back().map(|last| last.plus(MINUTE).max(self.allowed())).max(self.asked);
        self.next = self.next.min(soon);
    }

    /// Whether nothing of it counts at `now` any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.next.is_none_or(|next| next <= now) && self.last.back().is_none_or(|last| last.plus(HOUR) <= now)
    }

    /// Not before this time.
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// When a further failure is one too many no more.
    fn allowed(&self) -> Timestamp {
        let full = self.last.len() >= MAX_FAILURES;
        self.last.front().filter(|_| full).map_or(Timestamp::from_millis(0), |first| first.plus(HOUR))
    }
}

impl Orders {
    /// Notes an order at `now`.
    pub fn note(&mut self, now: Timestamp) {
        self.0.push_back(now);
        if self.0.len() > MAX_ORDERS {
            self.0.pop_front();
        }
    }

    /// Forgets the last order: the authority has none.
    pub fn withdraw(&mut self) {
        self.0.pop_back();
    }

    /// When the next order may be: a time in the past is now.
    pub fn allowed(&self) -> Timestamp {
        let full = self.0.len() >= MAX_ORDERS;
        self.0.front().filter(|_| full).map_or(Timestamp::from_millis(0), |first| first.plus(ORDER_WINDOW))
    }
}

impl Pause {
    /// The authority could not be asked, or takes nothing from this account. Gives until when it is left alone.
    pub fn begin(&mut self, failure: &Failure) -> Timestamp {
        self.failures = self.failures.saturating_add(1);
        let waited = doubled(FIRST_PAUSE, self.failures, LONGEST_PAUSE, failure.chance);
        self.asked = failure.wait.is_some();
        self.set(failure.now, waited.max(failure.wait.unwrap_or_default().min(LONGEST_WAIT)))
    }

    /// As [`Self::begin`], where the authority was asked too often, for the account or for the host alone: only its words
    /// tell. The wait that it names is the host's; the others try again sooner, less and less often.
    pub fn begin_short(&mut self, failure: &Failure) -> Timestamp {
        self.failures = self.failures.saturating_add(1);
        let waited = doubled(FIRST_PAUSE, self.failures, LONGEST_PAUSE, failure.chance);
        self.asked = true;
        self.set(failure.now, waited.min(failure.wait.unwrap_or(LONGEST_PAUSE)))
    }

    /// The authority took an order.
    pub fn end(&mut self) {
        *self = Self::default();
    }

    /// An operator asks for another attempt: now, unless the authority asked for the pause.
    pub fn hurry(&mut self) {
        if !self.asked {
            self.until = None;
        }
    }

    /// No order before this time: one in the past is now.
    pub fn until(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::from_millis(0))
    }

    fn set(&mut self, now: Timestamp, waited: Duration) -> Timestamp {
        let until = now.plus(waited);
        self.until = Some(until);
        until
    }
}

/// `first` after the first failure, twice as long after each further one up to `longest`, and up to a quarter more.
fn doubled(first: Duration, failures: u32, longest: Duration, chance: f64) -> Duration {
    let doubled = first.saturating_mul(1_u32 << failures.saturating_sub(1).min(16)).min(longest);
    doubled.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::super::super::certificate::tests::certificate_for;
    use super::*;

    const fn minutes(minutes: u64) -> Timestamp {
        Timestamp::from_seconds(minutes * 60)
    }

    fn failure(now: Timestamp, wait: Option<Duration>) -> Failure {
        Failure { now, wait, left: None, chance: 0.0 }
    }

    /// One order, from its beginning to its failure.
    fn fail(attempts: &mut Attempts, failure: Failure) {
        attempts.begin(failure.now);
        attempts.failed(&failure);
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
        let certificate = certificate_for(&["a.test"]);
        let lifetime = certificate.not_after.as_millis() - certificate.not_before.as_millis();
        let left = certificate.not_after.as_millis() - renewal(&certificate).as_millis();
        assert!((lifetime / 3..=lifetime / 3 + lifetime / 50).contains(&left));
        assert_eq!(renewal(&certificate), renewal(&certificate));
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_day() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.next(), None);
        let mut now = minutes(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            fail(&mut attempts, failure(now, None));
            let next = attempts.next().unwrap();
            waits.push(next.since(now).as_secs() / 60);
            now = next;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]);
        fail(&mut attempts, Failure { chance: 1.0, ..failure(now, None) });
        assert_eq!(attempts.next().unwrap().since(now), Duration::from_secs(30 * 60 * 60));
    }

    #[test]
    fn what_is_left_of_a_short_life_is_not_waited_away() {
        let mut attempts = Attempts::default();
        for _ in 0..10 {
            fail(&mut attempts, Failure { left: Some(2 * HOUR), ..failure(minutes(0), None) });
        }
        // A quarter of it, were it not for the hour.
        assert_eq!(attempts.next(), Some(minutes(60)));
        let mut attempts = Attempts::default();
        for hour in 0..10 {
            fail(&mut attempts, Failure { left: Some(8 * HOUR), ..failure(minutes(60 * hour), None) });
        }
        assert_eq!(attempts.next(), Some(minutes(60 * 9 + 120)));
        fail(&mut attempts, Failure { left: Some(MINUTE), ..failure(minutes(1200), None) });
        assert_eq!(attempts.next(), Some(minutes(1205)));
    }

    #[test]
    fn an_authority_that_names_a_time_is_obeyed() {
        let mut attempts = Attempts::default();
        fail(&mut attempts, failure(minutes(0), Some(2 * HOUR)));
        assert_eq!(attempts.next(), Some(minutes(120)));
        attempts.hurry();
        assert_eq!(attempts.next(), Some(minutes(120)));
        let mut attempts = Attempts::default();
        attempts.begin(minutes(0));
        attempts.rate_limited(&failure(minutes(0), None));
        attempts.hurry();
        assert_eq!(attempts.next(), Some(minutes(60)));
    }

    #[test]
    fn an_operator_in_a_hurry_is_held_to_the_hour() {
        let mut attempts = Attempts::default();
        attempts.hurry();
        assert_eq!(attempts.next(), None);
        for minute in [0, 1, 2] {
            fail(&mut attempts, failure(minutes(minute), None));
            attempts.hurry();
            assert_eq!(attempts.next(), Some(minutes(minute + 1)));
        }
        fail(&mut attempts, failure(minutes(3), None));
        attempts.hurry();
        assert_eq!(attempts.next(), Some(minutes(60)));
    }

    #[test]
    fn orders_that_are_cut_short_count_and_those_never_asked_for_do_not() {
        let mut attempts = Attempts::default();
        for minute in 0..4 {
            assert!(attempts.next() <= Some(minutes(minute)));
            attempts.begin(minutes(minute));
        }
        assert_eq!(attempts.next(), Some(minutes(60)));
        assert!(!attempts.is_over(minutes(62)));
        assert!(attempts.is_over(minutes(63)));
        attempts.withdraw(minutes(4));
        assert_eq!(attempts.next(), Some(minutes(4)));
    }

    #[test]
    fn an_authority_that_cannot_be_asked_is_left_alone_for_longer_each_time() {
        let mut pause = Pause::default();
        assert_eq!(pause.until(), minutes(0));
        let waits: Vec<_> = (0..9).map(|_| pause.begin(&failure(minutes(0), None)).as_seconds()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        pause.hurry();
        assert_eq!(pause.until(), minutes(0));
        assert_eq!(pause.begin(&failure(minutes(0), Some(2 * HOUR))), minutes(120));
        pause.hurry();
        assert_eq!(pause.until(), minutes(120));
        pause.end();
        assert_eq!(pause.begin_short(&failure(minutes(0), Some(2 * HOUR))).as_seconds(), 30);
        assert_eq!(pause.begin_short(&failure(minutes(0), Some(MINUTE / 4))).as_seconds(), 15);
        pause.hurry();
        assert_eq!(pause.until().as_seconds(), 15);
    }

    #[test]
    fn orders_are_spread_over_their_window() {
        let mut orders = Orders::default();
        for second in 0..MAX_ORDERS as u64 {
            assert_eq!(orders.allowed(), minutes(0));
            orders.note(Timestamp::from_seconds(second));
        }
        assert_eq!(orders.allowed(), minutes(180));
        orders.note(minutes(180));
        assert_eq!(orders.allowed(), minutes(180).plus(Duration::from_secs(1)));
    }
}
