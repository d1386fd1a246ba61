//! From a file to an answer: conditions, ranges, and the headers that go with it.

use std::ops::Range;

use actix_web::http::header;

use super::answer::{Answer, Body};
use super::failure::{Code, Failure};
use super::files::File;
use crate::http::conditional::{Conditions, IfRange, Names, Outcome, Validators};
use crate::http::head::Headers;
use crate::http::range::{self, Selection};
use crate::http::{date, rfc2047};
use crate::store::record::{Metadata, ObjectRecord};

/// How much of a file is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Portion {
    Whole,
    Part(Range<u64>),
    /// Nothing: the client has it.
    NotModified,
}

/// What a request's conditions and its range ask for (RFC 9110 section 13.2.2).
pub fn portion(headers: &Headers, file: &File) -> Result<Portion, Failure> {
    let record = file.record();
    let validators = Validators::new(&record.summary.etag.quoted(), record.summary.modified);
    match Conditions::parse(headers, Names::Plain).evaluate(&validators) {
        Outcome::Proceed => {}
        Outcome::NotModified => return Ok(Portion::NotModified),
        Outcome::Failed(condition) => {
            return Err(Failure::new(Code::PreconditionFailed).detail("Condition", Names::Plain.shown(condition)));
        }
    }
    let Ok(Some(wanted)) = headers.text("range") else { return Ok(Portion::Whole) };
    if IfRange::parse(headers).is_some_and(|condition| !condition.holds(&validators)) {
        return Ok(Portion::Whole);
    }
    let size = record.summary.size;
    match range::select(Some(wanted), size) {
        Selection::Whole => Ok(Portion::Whole),
        Selection::Part(range) => Ok(Portion::Part(range)),
        Selection::Unsatisfiable => Err(Failure::new(Code::InvalidRange)
            .detail("RangeRequested", wanted)
            .detail("ActualObjectSize", size.to_string())
            .header("content-range", range::unsatisfied_content_range(size))),
    }
}

/// The answer that gives this portion of a file; its bytes, unless the file was only described.
pub fn deliver(file: File, portion: Portion) -> Answer {
    let record = file.record();
    let size = record.summary.size;
    let (status, range) = match portion {
        Portion::NotModified => return not_modified(record),
        Portion::Whole => (200, 0..size),
        Portion::Part(range) => (206, range),
    };
    let mut answer = describe(Answer::new(status), record);
    if status == 206 {
        answer = answer.header(header::CONTENT_RANGE, range::content_range(&range, size));
    }
    let length = range.end - range.start;
    let body = match file.open() {
        Some(_) if length == 0 => Body::Empty,
        Some(object) => Body::File(Box::new(object.read(range)), length),
        None => Body::Head(length),
    };
    answer.body(body)
}

/// The whole of a page that a site has for a failure, with the failure's status.
pub fn deliver_document(file: File, status: u16) -> Answer {
    let mut answer = deliver(file, Portion::Whole);
    answer.status = status;
    answer
}

fn describe(answer: Answer, record: &ObjectRecord) -> Answer {
    let answer = answer
        .header(header::ETAG, record.summary.etag.quoted())
        .header(header::LAST_MODIFIED, date::format_http(record.summary.modified))
        .header(header::ACCEPT_RANGES, "bytes");
    with_metadata(answer, &record.metadata)
}

fn with_metadata(mut answer: Answer, metadata: &Metadata) -> Answer {
    let system = [
        (header::CONTENT_TYPE, &metadata.content_type),
        (header::CONTENT_ENCODING, &metadata.content_encoding),
        (header::CONTENT_LANGUAGE, &metadata.content_language),
        (header::CONTENT_DISPOSITION, &metadata.content_disposition),
        (header::CACHE_CONTROL, &metadata.cache_control),
        (header::EXPIRES, &metadata.expires),
    ];
    for (name, value) in system {
        if let Some(value) = value {
            answer = answer.header(name, value);
        }
    }
    for (name, value) in &metadata.user {
        answer = answer.named(&format!("x-amz-meta-{name}"), rfc2047::encode(value).as_ref());
    }
    answer
}

/// What a 200 would have had for caches (RFC 9110 section 15.4.5).
fn not_modified(record: &ObjectRecord) -> Answer {
    let mut answer = Answer::new(304)
        .header(header::ETAG, record.summary.etag.quoted())
        .header(header::LAST_MODIFIED, date::format_http(record.summary.modified));
    let kept = [(header::CACHE_CONTROL, &record.metadata.cache_control), (header::EXPIRES, &record.metadata.expires)];
    for (name, value) in kept {
        if let Some(value) = value {
            answer = answer.header(name, value);
        }
    }
    answer
}
