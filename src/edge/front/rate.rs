//! How many requests a client may make: a bucket of tokens for each, kept as the time at which it is full again.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::site::Rate;
use crate::clock::Timestamp;

/// The most clients that are remembered for one behaviour. Whoever is forgotten begins with a full bucket.
const MAX_CLIENTS: u64 = 100_000;

/// The buckets of one behaviour. A client is an IPv4 address, or an IPv6 network of 64 bits, which is one customer's.
pub struct Limiter {
    /// One token takes this long, in microseconds.
    interval: u64,
    /// As far as this, in microseconds, a bucket may be from being full: all tokens but one at once.
    tolerance: u64,
    /// When each client's bucket is full again, in microseconds since the epoch.
    full_at: moka::sync::Cache<IpAddr, Arc<AtomicU64>>,
}

impl Limiter {
    pub fn new(rate: Rate) -> Self {
        let interval = (rate.per.as_micros() as u64 / u64::from(rate.requests.max(1))).max(1);
        let tolerance = interval.saturating_mul(u64::from(rate.burst.max(1) - 1));
        // A bucket that is full by itself need not be kept.
        let kept = Duration::from_micros(tolerance.saturating_add(interval)).max(Duration::from_secs(1));
        let full_at = moka::sync::Cache::builder().max_capacity(MAX_CLIENTS).time_to_idle(kept).build();
        Self { interval, tolerance, full_at }
    }

    /// Takes a token of the client's; where there is none, gives the time until there is.
    pub fn take(&self, client: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let now = now.as_millis().saturating_mul(1000);
        let full_at = self.full_at.get_with(customer(client), || Arc::new(AtomicU64::new(0)));
        let mut seen = full_at.load(Ordering::Relaxed);
        loop {
            // Generic cell rate algorithm: ITU-T I.371.
            let begin = seen.max(now);
            if begin - now > self.tolerance {
                return Err(Duration::from_micros(begin - now - self.tolerance));
            }
            let next = begin.saturating_add(self.interval);
            match full_at.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }
}

fn customer(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(requests: u32, burst: u32) -> Limiter {
        Limiter::new(Rate { requests, per: Duration::from_secs(1), burst })
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_steady_rate() {
        let (limiter, client) = (limiter(10, 5), "192.0.2.1".parse().unwrap());
        assert!((0..5).all(|_| limiter.take(client, at(0)).is_ok()));
        assert_eq!(limiter.take(client, at(0)), Err(Duration::from_millis(100)));
        assert_eq!(limiter.take(client, at(60)), Err(Duration::from_millis(40)));
        assert!(limiter.take(client, at(100)).is_ok());
        assert!(limiter.take(client, at(100)).is_err());
        assert!((0..5).all(|_| limiter.take(client, at(5_000)).is_ok()), "the bucket filled up again");
        assert!(limiter.take(client, at(5_000)).is_err(), "but not above its size");
    }

    #[test]
    fn clients_are_apart_but_a_network_of_version_6_is_one() {
        let limiter = limiter(1, 1);
        let take = |client: &str| limiter.take(client.parse().unwrap(), at(0)).is_ok();
        assert!(take("192.0.2.1") && take("192.0.2.2") && !take("192.0.2.1"));
        assert!(!take("::ffff:192.0.2.1"));
        assert!(take("2001:db8::1") && !take("2001:db8::2") && take("2001:db8:0:1::1"));
    }
}
