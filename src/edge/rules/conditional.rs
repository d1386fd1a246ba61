//! Conditions and ranges of a request, answered from a stored response (RFC 9111 section 4.3.2, RFC 9110 sections 13
//! and 14).

use std::ops::Range;
use std::time::Duration;

use http::header::{
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{Method, StatusCode};

use super::age;
use super::ranges::{self, Ranges};
use crate::clock::Timestamp;
use crate::http::conditional::{Conditions, IfRange, Names, Outcome, Validators};
use crate::http::date;
use crate::http::head::Headers;
use crate::http::tag::EntityTag;

/// Every field that can make the answer another one than the whole.
const CONDITIONS: [HeaderName; 6] = [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// What of a stored response conditions and ranges are about; read when it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub status: StatusCode,
    /// The `ETag` and `Last-Modified` of the response.
    pub validators: Validators,
    /// Its `Date`, or when it arrived.
    pub date: Timestamp,
    /// The bytes of its body; `None` where that is not known yet.
    pub length: Option<u64>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// The response as it is.
    Whole,
    /// 304, with the fields of RFC 9110 section 15.4.5.
    NotModified,
    /// 412 of what the origin just sent or confirmed. Of what was stored before, it is the origin that is to say so.
    PreconditionFailed,
    /// 206 with these bytes, never none.
    Part(Range<u64>),
    /// 206 as `multipart/byteranges`: at least two, ascending, that do not overlap.
    Parts(Vec<Range<u64>>),
    /// 416.
    NotSatisfiable,
}

impl Facts {
    /// Reads them off the fields that are stored, which arrived at `response_time`.
    pub fn of(status: StatusCode, headers: &HeaderMap, response_time: Timestamp, length: Option<u64>) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| std::str::from_utf8(value.as_bytes()).ok());
        let validators = Validators {
            etag: text(ETAG).and_then(|tag| EntityTag::parse(tag).ok()),
            modified: text(LAST_MODIFIED).and_then(date::parse_http),
        };
        Self { status, validators, date: age::date_of(headers).unwrap_or(response_time), length }
    }
}

/// Whether [`select`] could give anything but the whole.
pub fn has_conditions(request: &HeaderMap) -> bool {
    request.keys().any(|name| CONDITIONS.contains(name))
}

/// Whether [`select`] could give [`Selected::PreconditionFailed`].
pub fn has_preconditions(request: &HeaderMap) -> bool {
    request.contains_key(IF_MATCH) || request.contains_key(IF_UNMODIFIED_SINCE)
}

/// Decides what a GET or HEAD gets of a stored response. Conditions and ranges count for a stored 200 alone (RFC 9110
/// section 13.2.1), and ranges for GET alone (section 14.2).
pub fn select(method: &Method, request: &HeaderMap, stored: &Facts) -> Selected {
    if stored.status != StatusCode::OK || !has_conditions(request) {
        return Selected::Whole;
    }
    let headers = conditions_of(request);
    // RFC 9111 section 4.3.2: without Last-Modified, Date stands in for it in conditions on dates.
    let modified = stored.validators.modified.or(Some(stored.date));
    let conditional = Validators { etag: stored.validators.etag.clone(), modified };
    match Conditions::parse(&headers, Names::Plain).evaluate(&conditional) {
        Outcome::NotModified => return Selected::NotModified,
        Outcome::Failed(_) => return Selected::PreconditionFailed,
        Outcome::Proceed => {}
    }
    let Some(length) = stored.length.filter(|_| method == Method::GET && range_counts(&headers, stored)) else {
        return Selected::Whole;
    };
    match headers.text("range").map(|range| range.map(|range| ranges::select(range, length))) {
        Ok(Some(Ranges::Part(part))) => Selected::Part(part),
        Ok(Some(Ranges::Parts(parts))) => Selected::Parts(parts),
        Ok(Some(Ranges::Unsatisfiable)) => Selected::NotSatisfiable,
        // Given twice, or no text: ignored, as any malformed range is.
        Ok(Some(Ranges::Whole) | None) | Err(_) => Selected::Whole,
    }
}

/// Takes the conditions and the range out of a request that is to fill the cache: the origin is to send the whole.
pub fn remove_conditions(request: &mut HeaderMap) {
    for name in &CONDITIONS {
        request.remove(name);
    }
}

fn conditions_of(request: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in request.iter().filter(|(name, _)| CONDITIONS.contains(name)) {
        headers.push(name.as_str(), value.as_bytes());
    }
    headers
}

/// Whether `If-Range` lets the range count (RFC 9110 section 13.1.5). A date does where it is a strong validator: where
/// the response was made a second or more after its last modification (section 8.8.2.2).
fn range_counts(headers: &Headers, stored: &Facts) -> bool {
    match IfRange::parse(headers) {
        None => true,
        Some(condition @ IfRange::Tag(_)) => condition.holds(&stored.validators),
        Some(condition @ IfRange::Date(_)) => {
            let settled = stored.validators.modified.is_some_and(|at| at.plus(Duration::from_secs(1)) <= stored.date);
            settled && condition.holds(&stored.validators)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::{AT_NOW, HOUR_AFTER, HOUR_BEFORE, NOW, headers};

    /// Ten bytes, modified an hour before they were sent.
    fn facts() -> Facts {
        let fields = headers(&[("etag", "\"a\""), ("last-modified", HOUR_BEFORE), ("date", AT_NOW)]);
        Facts::of(StatusCode::OK, &fields, NOW.plus(Duration::from_secs(9)), Some(10))
    }

    fn get(fields: &[(&str, &str)], stored: &Facts) -> Selected {
        select(&Method::GET, &headers(fields), stored)
    }

    #[test]
    fn conditions_are_answered_from_the_store() {
        for (name, value, expected) in [
            ("if-none-match", "\"a\"", Selected::NotModified),
            ("if-none-match", "W/\"a\"", Selected::NotModified),
            ("if-none-match", "\"b\", \"a\"", Selected::NotModified),
            ("if-none-match", "*", Selected::NotModified),
            ("if-none-match", "\"b\"", Selected::Whole),
            ("if-modified-since", HOUR_BEFORE, Selected::NotModified),
            ("if-modified-since", AT_NOW, Selected::NotModified),
            ("if-modified-since", "Sun, 06 Nov 1994 07:49:36 GMT", Selected::Whole),
            ("if-modified-since", "nonsense", Selected::Whole),
            ("if-match", "\"a\"", Selected::Whole),
            ("if-match", "\"b\"", Selected::PreconditionFailed),
            ("if-match", "W/\"a\"", Selected::PreconditionFailed),
            ("if-unmodified-since", HOUR_BEFORE, Selected::Whole),
            ("if-unmodified-since", "Sun, 06 Nov 1994 07:49:36 GMT", Selected::PreconditionFailed),
            ("x-unknown", "\"a\"", Selected::Whole),
        ] {
            assert_eq!(get(&[(name, value)], &facts()), expected, "{name}: {value}");
            assert_eq!(select(&Method::HEAD, &headers(&[(name, value)]), &facts()), expected, "HEAD {name}: {value}");
        }
        let both = [("if-none-match", "\"b\""), ("if-modified-since", AT_NOW)];
        assert_eq!(get(&both, &facts()), Selected::Whole, "a tag goes before a date");
    }

    #[test]
    fn facts_are_read_off_the_fields() {
        let arrival = NOW.plus(Duration::from_secs(9));
        let facts = |fields| Facts::of(StatusCode::OK, &headers(fields), arrival, None);
        assert_eq!(facts(&[("date", AT_NOW)]).date, NOW);
        assert_eq!(facts(&[]).date, arrival);
        let marked = facts(&[("etag", "\"é\""), ("last-modified", "x")]);
        assert_eq!(marked.validators, Validators { etag: EntityTag::parse("\"é\"").ok(), modified: None });
        assert_eq!(get(&[("if-none-match", "\"é\"")], &marked), Selected::NotModified);
    }

    #[test]
    fn without_last_modified_the_date_stands_in() {
        let undated = Facts { validators: Validators { etag: None, modified: None }, ..facts() };
        assert_eq!(get(&[("if-modified-since", AT_NOW)], &undated), Selected::NotModified);
        assert_eq!(get(&[("if-modified-since", HOUR_BEFORE)], &undated), Selected::Whole);
        let by_date = [("range", "bytes=0-1"), ("if-range", AT_NOW)];
        assert_eq!(get(&by_date, &undated), Selected::Whole, "a date of sending is no validator");
    }

    #[test]
    fn only_a_stored_200_has_conditions_and_ranges() {
        for status in [StatusCode::NOT_FOUND, StatusCode::PARTIAL_CONTENT, StatusCode::MOVED_PERMANENTLY] {
            let stored = Facts { status, ..facts() };
            for fields in [("if-none-match", "*"), ("if-match", "\"b\""), ("range", "bytes=0-1")] {
                assert_eq!(get(&[fields], &stored), Selected::Whole, "{status} {fields:?}");
            }
        }
    }

    #[test]
    fn ranges_are_for_get_of_a_known_length() {
        let range = [("range", "bytes=2-4")];
        assert_eq!(get(&range, &facts()), Selected::Part(2..5));
        assert_eq!(select(&Method::HEAD, &headers(&range), &facts()), Selected::Whole);
        assert_eq!(get(&range, &Facts { length: None, ..facts() }), Selected::Whole);
        assert_eq!(get(&[("range", "bytes=10-")], &facts()), Selected::NotSatisfiable);
        assert_eq!(get(&[("range", "bytes=0-1,4-4")], &facts()), Selected::Parts(vec![0..2, 4..5]));
        assert_eq!(get(&[("range", "bytes=2-4"), ("range", "bytes=5-6")], &facts()), Selected::Whole);
        let unmodified = [("range", "bytes=2-4"), ("if-none-match", "\"a\"")];
        assert_eq!(get(&unmodified, &facts()), Selected::NotModified, "conditions go before ranges");
    }

    #[test]
    fn if_range_takes_strong_validators_alone() {
        for (value, expected) in [
            ("\"a\"", Selected::Part(2..5)),
            ("\"b\"", Selected::Whole),
            ("W/\"a\"", Selected::Whole),
            (HOUR_BEFORE, Selected::Part(2..5)),
            (AT_NOW, Selected::Whole),
            (HOUR_AFTER, Selected::Whole),
            ("nonsense", Selected::Whole),
        ] {
            assert_eq!(get(&[("range", "bytes=2-4"), ("if-range", value)], &facts()), expected, "{value}");
        }
        let unsettled = Facts { date: NOW, validators: Validators { etag: None, modified: Some(NOW) }, ..facts() };
        assert_eq!(get(&[("range", "bytes=2-4"), ("if-range", AT_NOW)], &unsettled), Selected::Whole);
        assert_eq!(get(&[("if-range", "\"b\"")], &facts()), Selected::Whole);
    }

    #[test]
    fn requests_that_fill_the_cache_ask_for_the_whole() {
        let mut request = headers(&[
            ("if-match", "1"),
            ("if-none-match", "1"),
            ("if-modified-since", "1"),
            ("if-unmodified-since", "1"),
            ("if-range", "1"),
            ("range", "1"),
            ("accept", "1"),
        ]);
        assert!(has_conditions(&request));
        remove_conditions(&mut request);
        assert_eq!(request, headers(&[("accept", "1")]));
        assert!(!has_conditions(&request));
    }
}
