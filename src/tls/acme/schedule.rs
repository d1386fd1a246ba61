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

/// The orders of one host that failed since the last that did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    failures: u32,
    /// When the last few failed, the oldest first.
    last: VecDeque<Timestamp>,
    /// Not before this time again.
    next: Option<Timestamp>,
}

/// The orders of the account.
#[derive(Debug, Default)]
pub struct Orders(VecDeque<Timestamp>);

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
    /// An order failed at `now`; the authority may have said how long to `wait`. `left` is how long the certificate before is
    /// still good for: of a short life no day is waited away. `chance`, from 0 to 1, spreads what failed together.
    pub fn failed(&mut self, now: Timestamp, wait: Option<Duration>, left: Option<Duration>, chance: f64) {
        self.failures = self.failures.saturating_add(1);
        self.last.push_back(now);
        if self.last.len() > MAX_FAILURES {
            self.last.pop_front();
        }
        let longest = left.map_or(LONGEST_WAIT, |left| (left / 4).clamp(FIRST_WAIT, LONGEST_WAIT));
        let doubled = FIRST_WAIT.saturating_mul(1_u32 << self.failures.saturating_sub(1).min(16)).min(longest);
        let spread = doubled.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0);
        self.next = Some(now.plus(spread.max(wait.unwrap_or_default())).max(self.allowed()));
    }

    /// As [`Self::failed`], where the authority said that it was asked too often.
    pub fn rate_limited(&mut self, now: Timestamp, wait: Option<Duration>, chance: f64) {
        self.failed(now, Some(wait.unwrap_or(RATE_LIMITED_WAIT)), None, chance);
    }

    /// An operator asks for another attempt: within a minute of the last, as long as the hour allows it.
    pub fn hurry(&mut self) {
        let soon = self.last.back().map(|last| last.plus(MINUTE).max(self.allowed()));
        self.next = self.next.min(soon);
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

    /// When the next order may be: a time in the past is now.
    pub fn allowed(&self) -> Timestamp {
        let full = self.0.len() >= MAX_ORDERS;
        self.0.front().filter(|_| full).map_or(Timestamp::from_millis(0), |first| first.plus(ORDER_WINDOW))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::certificate::tests::certificate_for;
    use super::*;

    const fn minutes(minutes: u64) -> Timestamp {
        Timestamp::from_seconds(minutes * 60)
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
            attempts.failed(now, None, None, 0.0);
            let next = attempts.next().unwrap();
            waits.push(next.since(now).as_secs() / 60);
            now = next;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]);
        attempts.failed(now, None, None, 1.0);
        assert_eq!(attempts.next().unwrap().since(now), Duration::from_secs(30 * 60 * 60));
    }

    #[test]
    fn what_is_left_of_a_short_life_is_not_waited_away() {
        let mut attempts = Attempts::default();
        for _ in 0..10 {
            attempts.failed(minutes(0), None, Some(2 * HOUR), 0.0);
        }
        // A quarter of it, were it not for the hour.
        assert_eq!(attempts.next(), Some(minutes(60)));
        let mut attempts = Attempts::default();
        for hour in 0..10 {
            attempts.failed(minutes(60 * hour), None, Some(8 * HOUR), 0.0);
        }
        assert_eq!(attempts.next(), Some(minutes(60 * 9 + 120)));
        attempts.failed(minutes(1200), None, Some(MINUTE), 0.0);
        assert_eq!(attempts.next(), Some(minutes(1205)));
    }

    #[test]
    fn an_authority_that_names_a_time_is_obeyed() {
        let mut attempts = Attempts::default();
        attempts.failed(minutes(0), Some(Duration::from_secs(7200)), None, 0.0);
        assert_eq!(attempts.next(), Some(minutes(120)));
        let mut attempts = Attempts::default();
        attempts.rate_limited(minutes(0), None, 0.0);
        assert_eq!(attempts.next(), Some(minutes(60)));
    }

    #[test]
    fn an_operator_in_a_hurry_is_held_to_the_hour() {
        let mut attempts = Attempts::default();
        attempts.hurry();
        assert_eq!(attempts.next(), None);
        for minute in [0, 1, 2] {
            attempts.failed(minutes(minute), None, None, 0.0);
            attempts.hurry();
            assert_eq!(attempts.next(), Some(minutes(minute + 1)));
        }
        attempts.failed(minutes(3), None, None, 0.0);
        attempts.hurry();
        assert_eq!(attempts.next(), Some(minutes(60)));
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
