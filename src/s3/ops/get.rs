//! GetObject and HeadObject.

use std::ops::Range;
use std::sync::Arc;

use crate::http::conditional::{Conditions, IfRange, Names, Outcome, Validators};
use crate::http::date;
use crate::http::range::{self, Selection};
use crate::s3::answer::{Answer, Body};
use crate::s3::error::{Code, S3Error};
use crate::s3::metadata::{self, Overrides};
use crate::s3::{Request, Service};
use crate::store::multipart::MAX_PART_NUMBER;
use crate::store::read::OpenObject;
use crate::store::record::ObjectRecord;

/// Which bytes are asked for.
struct Wanted {
    range: Range<u64>,
    partial: bool,
    /// The number of parts, where one part was asked for.
    parts: Option<u16>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub async fn get_object(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    let object = cx.store.open_version(&bucket, &key, request.version()?.as_ref()).await?;
    request.recheck(cx, &key, object.record())?;
    let part = match part_number(request)? {
        Some(number) => Some(find_part(&object, number).await?),
        None => None,
    };
    let (answer, wanted) = describe(request, object.record(), part)?;
    let length = wanted.range.end - wanted.range.start;
    if length == 0 {
        return Ok(answer.body(Body::Bytes(Vec::new())));
    }
    Ok(answer.body(Body::Object(Box::new(object.read(wanted.range)), length)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
pub async fn head_object(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    let version = request.version()?;
    let (answer, wanted) = match part_number(request)? {
        // Only where a part is wanted does the answer need more than the record.
        Some(number) => {
            let object = cx.store.open_version(&bucket, &key, version.as_ref()).await?;
            request.recheck(cx, &key, object.record())?;
            let part = find_part(&object, number).await?;
            describe(request, object.record(), Some(part))?
        }
        None => {
            let row = cx.store.object_version(&bucket, &key, version.as_ref()).await?;
            request.recheck(cx, &key, &row.record)?;
            describe(request, &row.record, None)?
        }
    };
    Ok(answer.body(Body::Head(wanted.range.end - wanted.range.start)))
}

/// Everything of the answer but the body, after conditions and range were decided. `part` is where the wanted part is.
fn describe(request: &Request, record: &ObjectRecord, part: Option<Range<u64>>) -> Result<(Answer, Wanted), S3Error> {
    let validators = validators(record);
    judge(request, record, &validators)?;
    let overrides = Overrides::parse(&request.query)?;
    if !overrides.is_empty() && request.caller.access_key_id.is_none() {
        let message = "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(S3Error::with_message(Code::InvalidRequest, message));
    }
    let wanted = want(request, record, &validators, part)?;
    let size = record.summary.size;
    let mut answer = Answer::new(if wanted.partial { 206 } else { 200 })
        .etag(&record.summary.etag)
        .header("last-modified", date::format_http(record.summary.modified))
        .header("accept-ranges", "bytes")
        .version(request.shown_version(record));
    if wanted.partial {
        answer = answer.header("content-range", range::content_range(&wanted.range, size));
    }
    answer = answer.optional("x-amz-mp-parts-count", wanted.parts.map(|parts| parts.to_string()));
    answer = metadata::answer(&record.metadata, record.summary.storage_class, &overrides, answer);
    let enabled = request.head.headers.text("x-amz-checksum-mode")?.is_some_and(|m| m.eq_ignore_ascii_case("enabled"));
    // The checksum is that of the whole: with a range clients would take it for the range's.
    if enabled && !wanted.partial {
        answer = answer.checksum(&record.shown_checksum());
    }
    Ok((answer, wanted))
}

/// What conditions are evaluated against.
pub fn validators(record: &ObjectRecord) -> Validators {
    Validators::new(&record.summary.etag.quoted(), record.summary.modified)
}

fn judge(request: &Request, record: &ObjectRecord, validators: &Validators) -> Result<(), S3Error> {
    match Conditions::parse(&request.head.headers, Names::Plain).evaluate(validators) {
        Outcome::Proceed => Ok(()),
        Outcome::Failed(condition) => Err(S3Error::precondition_failed(Names::Plain, condition)),
        Outcome::NotModified => {
            let mut error = S3Error::new(Code::NotModified)
                .header("etag", record.summary.etag.quoted())
                .header("last-modified", date::format_http(record.summary.modified));
            // RFC 9110 section 15.4.5: what the 200 would have had for caches.
            let kept = [("cache-control", &record.metadata.cache_control), ("expires", &record.metadata.expires)];
            for (name, value) in kept {
                if let Some(value) = value {
                    error = error.header(name, value.as_str());
                }
            }
            Err(error)
        }
    }
}

fn want(
    request: &Request,
    record: &ObjectRecord,
    validators: &Validators,
    part: Option<Range<u64>>,
) -> Result<Wanted, S3Error> {
    let size = record.summary.size;
    let headers = &request.head.headers;
    let range = headers.text("range")?;
    if let Some(part) = part {
        if range.is_some() {
            let message = "Cannot specify both Range header and partNumber query parameter";
            return Err(S3Error::with_message(Code::InvalidRequest, message));
        }
        // An empty part has no bytes that a Content-Range could name.
        let partial = !part.is_empty();
        return Ok(Wanted { range: part, partial, parts: record.summary.etag.parts });
    }
    let honoured = IfRange::parse(headers).is_none_or(|condition| condition.holds(validators));
    match range::select(range.filter(|_| honoured), size) {
        Selection::Whole => Ok(Wanted { range: 0..size, partial: false, parts: None }),
        Selection::Part(range) => Ok(Wanted { range, partial: true, parts: None }),
        Selection::Unsatisfiable => Err(S3Error::new(Code::InvalidRange)
            .detail("RangeRequested", range.unwrap_or_default())
            .detail("ActualObjectSize", size.to_string())
            .header("content-range", range::unsatisfied_content_range(size))),
    }
}

fn part_number(request: &Request) -> Result<Option<u16>, S3Error> {
    let number = request.query.number("partNumber", 1..=u32::from(MAX_PART_NUMBER))?;
    Ok(number.and_then(|number| u16::try_from(number).ok()))
}

async fn find_part(object: &OpenObject, number: u16) -> Result<Range<u64>, S3Error> {
    let parts = object.record().summary.etag.parts;
    object.part(number).await?.ok_or_else(|| {
        S3Error::new(Code::InvalidPartNumber)
            .detail("PartNumberRequested", number.to_string())
            .detail("ActualPartCount", parts.unwrap_or(1).to_string())
    })
}
