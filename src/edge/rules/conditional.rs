//! Conditions and ranges of a request, answered from a stored response (RFC 9111 section 4.3.2, RFC 9110 sections 13 and
//! 14).

use std::ops::Range;
use std::time::Duration;

use http::header::{
    HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{Method, StatusCode};

use super::ranges::{self, Ranges};
use crate::clock::Timestamp;
use crate::http::conditional::{Conditions, IfRange, Names, Outcome, Validators};
use crate::http::head::Headers;

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
    /// 412. An origin may know of a newer response; from here the client learns that ours is not the one it means.
    PreconditionFailed,
    /// 206 with these bytes, never none.
    Part(Range<u64>),
    /// 206 as `multipart/byteranges`: at least two, ascending, that do not overlap.
    Parts(Vec<Range<u64>>),
    /// 416.
    NotSatisfiable,
}

/// Whether [`select`] could give anything but the whole.
pub fn has_conditions(request: &HeaderMap) -> bool {
    request.keys().any(|name| CONDITIONS.contains(name))
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
