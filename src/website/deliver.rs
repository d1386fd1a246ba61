//! From a file to an answer: conditions, ranges, and the headers that go with it.

use std::ops::Range;

use actix_web::http::header;

use super::answer::{Answer, Body};
use super::failure::{Code, Failure};
use super::files::File;
use crate::http::conditional::{Conditions, IfRange, Names, Outcome, Validators};
use crate::http::head::Headers;
use crate::http::range::{self, Selection};
use crate::http::tag::EntityTag;
use crate::http::{date, rfc2047};
use crate::store::record::Metadata;

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
    let validators = Validators { etag: EntityTag::parse(&file.etag()).ok(), modified: file.modified() };
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
    match range::select(Some(wanted), file.size()) {
        Selection::Whole => Ok(Portion::Whole),
        Selection::Part(range) => Ok(Portion::Part(range)),
        Selection::Unsatisfiable => Err(Failure::new(Code::InvalidRange)
            .detail("RangeRequested", wanted)
            .detail("ActualObjectSize", file.size().to_string())
            .header("content-range", range::unsatisfied_content_range(file.size()))),
    }
}

/// The answer that gives this portion of a file: with its bytes, unless it was only looked at.
pub fn deliver(file: Box<File>, portion: Portion) -> Answer {
    let size = file.size();
    let (status, range) = match portion {
        Portion::NotModified => return not_modified(&file),
        Portion::Whole => (200, 0..size),
        Portion::Part(range) => (206, range),
    };
    let mut answer = describe(Answer::new(status), &file);
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
pub fn deliver_document(file: Box<File>, status: u16) -> Answer {
    let mut answer = deliver(file, Portion::Whole);
    answer.status = status;
    answer
}

fn describe(answer: Answer, file: &File) -> Answer {
    let mut answer = with_validators(answer, file).header(header::ACCEPT_RANGES, "bytes");
    if let Some(content_type) = file.content_type() {
        answer = answer.header(header::CONTENT_TYPE, content_type);
    }
    if let Some(coding) = file.coding {
        answer = answer.header(header::CONTENT_ENCODING, coding.name());
    }
    match file.metadata() {
        Some(metadata) => with_metadata(answer, metadata, file.coding.is_some()),
        None => answer,
    }
}

fn with_validators(answer: Answer, file: &File) -> Answer {
    let mut answer = answer.header(header::ETAG, file.etag());
    if let Some(modified) = file.modified() {
        answer = answer.header(header::LAST_MODIFIED, date::format_http(modified));
    }
    if file.varies {
        answer = answer.header(header::VARY, "Accept-Encoding");
    }
    answer
}

fn with_metadata(mut answer: Answer, metadata: &Metadata, is_encoded: bool) -> Answer {
    let coding = metadata.content_encoding.as_ref().filter(|_| !is_encoded);
    let system = [
        (header::CONTENT_ENCODING, coding),
        (header::CONTENT_LANGUAGE, metadata.content_language.as_ref()),
        (header::CONTENT_DISPOSITION, metadata.content_disposition.as_ref()),
        (header::CACHE_CONTROL, metadata.cache_control.as_ref()),
        (header::EXPIRES, metadata.expires.as_ref()),
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
fn not_modified(file: &File) -> Answer {
    let mut answer = with_validators(Answer::new(304), file);
    let Some(metadata) = file.metadata() else { return answer };
    for (name, value) in [(header::CACHE_CONTROL, &metadata.cache_control), (header::EXPIRES, &metadata.expires)] {
        if let Some(value) = value {
            answer = answer.header(name, value);
        }
    }
    answer
}
