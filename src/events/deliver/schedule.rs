//! When a message that failed is tried again, and when it is given up. Pure.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::events::endpoint::RetryPolicy;
use crate::http::date;

/// The longest wait that a receiver can ask for by `Retry-After`.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A wait is at most this part of itself longer than the schedule has it, so that what failed at one moment does not come
/// back at one moment.
const JITTER_PART: u32 = 5;

/// What is known of a message whose attempt failed.
#[derive(Debug, Clone, Copy)]
pub struct Failed {
    /// How many attempts were made, with this one.
    pub attempts: u32,
    /// From when on its age counts.
    pub since: Timestamp,
    /// What the receiver asked for, and when the answer came.
    pub retry_after: Option<Duration>,
    pub now: Timestamp,
    /// Tells messages apart: from it comes how much longer than the schedule has it this one waits.
    pub salt: u64,
}

/// When the next attempt is due; `None` where the message is given up: the schedule is over, or it would be too old by then.
pub fn next_attempt(policy: &RetryPolicy, failed: &Failed) -> Option<Timestamp> {
    let index = usize::try_from(failed.attempts.checked_sub(1)?).ok()?;
    let delay = *policy.schedule.get(index)?;
    let delay = (delay + jitter(delay, failed)).max(failed.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER));
    let due = failed.now.plus(delay);
    (due.since(failed.since) <= policy.max_age).then_some(due)
}

/// Up to a [`JITTER_PART`]th of the delay: another one for every message and attempt, and always the same one for both.
fn jitter(delay: Duration, failed: &Failed) -> Duration {
    let mixed = (failed.salt ^ u64::from(failed.attempts).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    // The upper bits, which depend on all of the lower ones.
    let share = (mixed >> 40) as u32;
    (delay / JITTER_PART).mul_f64(f64::from(share) / f64::from(1u32 << 24))
}

/// Reads `Retry-After`: a number of seconds or a date. RFC 9110 section 10.2.3. At most [`LONGEST_RETRY_AFTER`]; what is neither
/// is `None`.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let asked = match !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are many seconds.
        true => Duration::from_secs(value.parse().unwrap_or(u64::MAX)),
        false => date::parse_http(value)?.since(now),
    };
    Some(asked.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    fn failed(attempts: u32, now: Timestamp) -> Failed {
        Failed { attempts, since: Timestamp::from_seconds(1_000), retry_after: None, now, salt: 7 }
    }

    #[test]
    fn the_schedule_is_that_of_the_specification_with_up_to_a_fifth_more() {
        let policy = RetryPolicy::default();
        let clock = Clock::fixed(Timestamp::from_seconds(1_000));
        let hours = |hours: u64| hours * 3600;
        let standard = [5, 300, 1800, hours(2), hours(5), hours(10), hours(14), hours(20), hours(24)];
        for (attempts, seconds) in (1..).zip(standard) {
            let due = next_attempt(&policy, &failed(attempts, clock.now())).unwrap();
            let wait = due.since(clock.now());
            assert!(wait >= Duration::from_secs(seconds), "attempt {attempts}");
            assert!(wait <= Duration::from_secs(seconds) * 6 / 5, "attempt {attempts}");
            clock.advance(wait);
        }
        assert_eq!(next_attempt(&policy, &failed(10, clock.now())), None, "the tenth attempt is the last");
    }

    #[test]
    fn a_message_that_would_be_too_old_is_given_up() {
        let policy = RetryPolicy { schedule: vec![Duration::from_secs(10)], max_age: Duration::from_secs(15) };
        assert!(next_attempt(&policy, &failed(1, Timestamp::from_seconds(1_001))).is_some());
        assert_eq!(next_attempt(&policy, &failed(1, Timestamp::from_seconds(1_006))), None);
        assert_eq!(next_attempt(&policy, &failed(0, Timestamp::from_seconds(1_001))), None, "nothing was tried");
    }

    #[test]
    fn what_the_receiver_asks_for_lengthens_a_wait_and_never_shortens_it() {
        let policy = RetryPolicy { schedule: vec![Duration::from_secs(10)], max_age: Duration::from_secs(1 << 20) };
        let now = Timestamp::from_seconds(1_000);
        let asked = |seconds| Failed { retry_after: Some(Duration::from_secs(seconds)), ..failed(1, now) };
        assert_eq!(next_attempt(&policy, &asked(60)), Some(Timestamp::from_seconds(1_060)));
        assert!(next_attempt(&policy, &asked(1)).unwrap() >= Timestamp::from_seconds(1_010));
        assert_eq!(next_attempt(&policy, &asked(u64::MAX)), Some(now.plus(LONGEST_RETRY_AFTER)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = date::parse_http("Fri, 31 Dec 1999 23:59:00 GMT").unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT", now), Some(Duration::from_secs(59)));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:00:00 GMT", now), Some(Duration::ZERO), "a date that is past");
        for endless in ["99999999999999999999999", "Thu, 31 Dec 2099 23:59:59 GMT"] {
            assert_eq!(retry_after(endless, now), Some(LONGEST_RETRY_AFTER), "{endless}");
        }
        for neither in ["", "-1", "1.5", "soon", "+5"] {
            assert_eq!(retry_after(neither, now), None, "{neither}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(value in ".{0,40}", now in any::<u32>()) {
            let read = retry_after(&value, Timestamp::from_seconds(u64::from(now)));
            prop_assert!(read.is_none_or(|wait| wait <= LONGEST_RETRY_AFTER));
        }

        #[test]
        fn every_wait_is_within_a_fifth_of_the_schedule(salt in any::<u64>(), millis in 0u64..10_000_000, attempts in 1u32..4) {
            let delay = Duration::from_millis(millis);
            let policy = RetryPolicy { schedule: vec![delay; 3], max_age: Duration::from_secs(1 << 30) };
            let now = Timestamp::from_seconds(2_000);
            let due = next_attempt(&policy, &Failed { salt, ..failed(attempts, now) }).unwrap();
            prop_assert!(due >= now.plus(delay) && due <= now.plus(delay * 6 / 5));
        }
    }
}
