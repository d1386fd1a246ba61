//! How old a response is (RFC 9111 sections 4.2.3 and 5.1).

use std::time::Duration;

use http::header::{AGE, DATE, HeaderMap, HeaderValue};

use super::directives::delta_seconds;
use super::list;
use crate::clock::Timestamp;
use crate::http::date;

/// Gives the age that a response had when it arrived, to be kept beside it: `corrected_initial_age` of RFC 9111 section
/// 4.2.3. Counts the caches before this one, by their `Age`, and the way here.
pub fn initial(headers: &HeaderMap, request_time: Timestamp, response_time: Timestamp) -> Duration {
    let apparent = date_of(headers).map(|date| response_time.since(date)).unwrap_or_default();
    let corrected = upstream(headers).saturating_add(response_time.since(request_time));
    apparent.max(corrected)
}

/// Gives the age of a stored response at `now`.
pub fn current(initial: Duration, response_time: Timestamp, now: Timestamp) -> Duration {
    initial.saturating_add(now.since(response_time))
}

/// Formats an age as the `Age` of an answer: whole seconds.
pub fn header(age: Duration) -> HeaderValue {
    HeaderValue::from(age.as_secs())
}

/// The `Date` of a response, where it is one.
pub fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(date::parse_http)
}

/// The `Age` of a response. Of a list the first member counts, and what is no number is ignored (RFC 9111 section 5.1).
fn upstream(headers: &HeaderMap) -> Duration {
    list::field(headers, &AGE).next().and_then(delta_seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::{AT_NOW, HOUR_AFTER, HOUR_BEFORE, NOW, headers};

    /// The age of a response that took two seconds to come.
    fn arrived(fields: &[(&str, &str)]) -> u64 {
        initial(&headers(fields), NOW, NOW.plus(Duration::from_secs(2))).as_secs()
    }

    #[test]
    fn the_age_of_caches_before_and_the_way_here_count() {
        for (fields, seconds) in [
            ([].as_slice(), 2),
            (&[("date", AT_NOW)], 2),
            (&[("date", HOUR_AFTER)], 2),
            (&[("date", HOUR_BEFORE)], 3602),
            (&[("date", "yesterday")], 2),
            (&[("age", "30")], 32),
            (&[("age", "30"), ("date", HOUR_BEFORE)], 3602),
            (&[("age", "7200"), ("date", HOUR_BEFORE)], 7202),
        ] {
            assert_eq!(arrived(fields), seconds, "{fields:?}");
        }
    }

    #[test]
    fn a_malformed_age_is_ignored_and_of_a_list_the_first_counts() {
        for (values, seconds) in [
            (["abc"].as_slice(), 0),
            (&["-7200"], 0),
            (&["7200.0"], 0),
            (&["7200;x"], 0),
            (&[""], 0),
            (&["7200, 0"], 7200),
            (&["0, 7200"], 0),
            (&["0", "7200"], 0),
            (&["7200", "abc"], 7200),
            (&["99999999999999999999"], 1 << 31),
        ] {
            let fields: Vec<_> = values.iter().map(|value| ("age", *value)).collect();
            assert_eq!(arrived(&fields), seconds + 2, "{values:?}");
        }
    }

    #[test]
    fn time_in_the_store_counts() {
        let age = current(Duration::from_secs(5), NOW, NOW.plus(Duration::from_millis(2_700)));
        assert_eq!(header(age), "7");
        assert_eq!(current(Duration::from_secs(5), NOW, Timestamp::from_millis(0)), Duration::from_secs(5));
        assert_eq!(current(Duration::MAX, NOW, NOW.plus(Duration::from_secs(9))), Duration::MAX);
    }
}
