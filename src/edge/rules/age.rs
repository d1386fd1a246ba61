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
