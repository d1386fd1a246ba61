//! What is remembered of orders, over restarts too: by host, of the account, and how long the authority is left alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Error;
use super::schedule::{Attempts, Failure, Orders, Pause};
use crate::clock::Timestamp;
use crate::names::HostName;

/// The attempts of all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    hosts: BTreeMap<HostName, Attempts>,
    orders: Orders,
    pause: Pause,
}

/// How far an order came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Not even the account.
    #[default]
    Nothing,
    Account,
    /// The authority took the order.
    Order,
}

impl Ledger {
    /// No order of `host` before this time; `None` where nothing failed.
    pub fn next(&self, host: &HostName) -> Option<Timestamp> {
        self.hosts.get(host).and_then(Attempts::next)
    }

    /// No order of any host before this time: one in the past is now.
    pub fn allowed(&self) -> Timestamp {
        self.orders.allowed().max(self.pause.until())
    }

    /// How many orders of `host` failed since the last that did not.
    pub fn failures(&self, host: &HostName) -> u32 {
        self.hosts.get(host).map_or(0, Attempts::failures)
    }

    /// How many of `hosts` wait for another attempt.
    pub fn failing(&self, hosts: &BTreeSet<HostName>) -> u64 {
        hosts.iter().filter(|host| self.hosts.contains_key(host)).count() as u64
    }

    /// An order is to be asked for. To be written down before it is.
    pub fn begin(&mut self, host: &HostName, now: Timestamp) {
        self.orders.note(now);
        self.hosts.entry(host.clone()).or_default().begin(now);
    }

    /// The order of `host` ended with a certificate.
    pub fn issued(&mut self, host: &HostName) {
        self.hosts.remove(host);
        self.pause.end();
    }

    /// The order of `host` that began last failed with `error`. What is no fault of the host puts all hosts off instead.
    pub fn failed(&mut self, host: &HostName, reached: Reached, error: &Error, failure: &Failure) {
        if reached < Reached::Order {
            self.orders.withdraw();
        }
        let attempts = self.hosts.entry(host.clone()).or_default();
        match error {
            Error::RateLimited(_) if reached > Reached::Nothing => {
                attempts.rate_limited(failure);
                self.pause.begin_short(failure);
            }
            _ if reached == Reached::Nothing || (reached == Reached::Account && error.is_general()) => {
                attempts.withdraw(self.pause.begin(failure));
            }
            _ => {
                attempts.failed(failure);
                if error.is_general() {
                    self.pause.begin(failure);
                } else {
                    self.pause.end();
                }
            }
        }
    }

    /// An operator asks for another attempt at what failed.
    pub fn hurry(&mut self) {
        self.hosts.values_mut().for_each(Attempts::hurry);
        self.pause.hurry();
    }

    /// Forgets the hosts that are not `wanted`, once nothing of them counts: who comes and goes does not start over.
    pub fn forget(&mut self, wanted: &BTreeSet<HostName>, now: Timestamp) {
        self.hosts.retain(|host, attempts| wanted.contains(host) || !attempts.is_over(now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use instant_acme::Problem;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
    const FAILURE: Failure = Failure { now: NOW, wait: None, left: None, chance: 0.0 };

    fn host(name: &str) -> HostName {
        HostName::parse(name).unwrap()
    }

    fn rate_limited() -> Error {
        Error::RateLimited(Problem { r#type: None, detail: None, status: None, subproblems: Vec::new() })
    }

    fn failed(reached: Reached, error: &Error, failure: &Failure) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.begin(&host("a.test"), NOW);
        ledger.failed(&host("a.test"), reached, error, failure);
        ledger
    }

    fn seconds(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn an_authority_that_is_not_reached_puts_all_off_and_counts_for_none() {
        let exchange = Error::Exchange(instant_acme::Error::Str("no network"));
        for reached in [Reached::Nothing, Reached::Account] {
            let ledger = failed(reached, &exchange, &FAILURE);
            assert_eq!(ledger.allowed(), seconds(30));
            assert_eq!(ledger.next(&host("a.test")), Some(seconds(30)));
            assert_eq!((ledger.failures(&host("a.test")), &ledger.orders), (0, &Orders::default()));
        }
        let ledger = failed(Reached::Order, &exchange, &FAILURE);
        assert_eq!(ledger.allowed(), seconds(30));
        assert_eq!(ledger.next(&host("a.test")), Some(seconds(300)));
        assert_ne!(ledger.orders, Orders::default());
    }

    #[test]
    fn who_is_asked_too_often_is_obeyed_for_the_host_and_for_all() {
        let failure = Failure { wait: Some(Duration::from_secs(7200)), ..FAILURE };
        let ledger = failed(Reached::Account, &rate_limited(), &failure);
        assert_eq!(ledger.next(&host("a.test")), Some(seconds(7200)));
        assert_eq!(ledger.allowed(), seconds(30));
        assert_eq!(ledger.orders, Orders::default());
        // No account at all: that is for every host.
        assert_eq!(failed(Reached::Nothing, &rate_limited(), &failure).allowed(), seconds(7200));
    }

    #[test]
    fn a_host_that_cannot_be_proved_holds_up_no_other() {
        let ledger = failed(Reached::Order, &Error::Invalid("connection refused".to_owned()), &FAILURE);
        assert!(ledger.allowed() <= NOW);
        assert_eq!(ledger.next(&host("a.test")), Some(seconds(300)));
        assert_eq!(ledger.failing(&BTreeSet::from([host("a.test"), host("b.test")])), 1);
    }

    #[test]
    fn a_host_that_comes_and_goes_does_not_start_over() {
        let mut ledger = failed(Reached::Order, &Error::TimedOut, &FAILURE);
        let nobody = BTreeSet::new();
        ledger.forget(&nobody, seconds(3599));
        assert_eq!(ledger.failures(&host("a.test")), 1);
        assert_eq!(ledger.failing(&nobody), 0);
        ledger.forget(&BTreeSet::from([host("a.test")]), seconds(3600));
        assert_eq!(ledger.failures(&host("a.test")), 1);
        ledger.forget(&nobody, seconds(3600));
        assert_eq!(ledger.failures(&host("a.test")), 0);
    }
}
