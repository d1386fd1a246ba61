//! GetObjectAttributes.

use std::sync::Arc;

use super::get::validators;
use crate::http::conditional::{Conditions, Names, Outcome};
use crate::http::date;
use crate::s3::answer::Answer;
use crate::s3::error::S3Error;
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, checksum};
use crate::store::multipart::MAX_PART_NUMBER;
use crate::store::read::{ObjectPart, OpenObject};

/// The most parts of an answer.
const MAX_PARTS: u32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    ETag,
    Checksum,
    ObjectParts,
    StorageClass,
    ObjectSize,
}

impl Attribute {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ETag" => Self::ETag,
            "Checksum" => Self::Checksum,
            "ObjectParts" => Self::ObjectParts,
            "StorageClass" => Self::StorageClass,
            "ObjectSize" => Self::ObjectSize,
            _ => return None,
        })
    }
}

/// A page of an object's parts.
struct PartPage {
    marker: u16,
    limit: u32,
    parts: Vec<ObjectPart>,
    more: bool,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>
pub async fn get_object_attributes(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    let wanted = parse_attributes(request)?;
    let object = cx.store.open_version(&bucket, &key, request.version()?.as_ref()).await?;
    request.recheck(cx, &key, object.record())?;
    let record = object.record();
    match Conditions::parse(&request.head.headers, Names::Plain).evaluate(&validators(record)) {
        Outcome::Proceed => (),
        Outcome::NotModified => return Err(crate::s3::error::Code::NotModified.into()),
        Outcome::Failed(condition) => return Err(S3Error::precondition_failed(Names::Plain, condition)),
    }
    let parts = match (wanted.contains(&Attribute::ObjectParts), record.summary.etag.parts) {
        (true, Some(_)) => Some(read_parts(request, &object).await?),
        _ => None,
    };

    let mut document = Writer::new("GetObjectAttributesResponse");
    if wanted.contains(&Attribute::ETag) {
        document.text("ETag", &record.summary.etag.to_string());
    }
    if wanted.contains(&Attribute::Checksum) {
        let shown = record.shown_checksum();
        document.nest("Checksum", |element| {
            element
                .text(checksum::element(shown.algorithm), &checksum::show(&shown))
                .text("ChecksumType", shown.checksum_type().as_str());
        });
    }
    if let (Some(page), Some(count)) = (parts, record.summary.etag.parts) {
        write_parts(&mut document, &page, count);
    }
    if wanted.contains(&Attribute::StorageClass) {
        document.text("StorageClass", record.summary.storage_class.as_str());
    }
    if wanted.contains(&Attribute::ObjectSize) {
        document.number("ObjectSize", record.summary.size);
    }
    Ok(Answer::xml(document)
        .header("last-modified", date::format_http(record.summary.modified))
        .version(request.shown_version(record)))
}

fn parse_attributes(request: &Request) -> Result<Vec<Attribute>, S3Error> {
    const HEADER: &str = "x-amz-object-attributes";
    let mut wanted = Vec::new();
    for value in request.head.headers.all(HEADER) {
        for name in String::from_utf8_lossy(value).split(',').map(str::trim) {
            let attribute = Attribute::parse(name);
            wanted.push(
                attribute
                    .ok_or_else(|| S3Error::invalid_argument("Invalid attribute name specified.", HEADER, name))?,
            );
        }
    }
    if wanted.is_empty() {
        let message =
            "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
        return Err(S3Error::invalid_argument(message, HEADER, ""));
    }
    Ok(wanted)
}

async fn read_parts(request: &Request, object: &OpenObject) -> Result<PartPage, S3Error> {
    let limit = number_in_header(request, "x-amz-max-parts", i32::MAX as u32)?.unwrap_or(MAX_PARTS).min(MAX_PARTS);
    let marker = number_in_header(request, "x-amz-part-number-marker", u32::from(MAX_PART_NUMBER))?.unwrap_or(0) as u16;
    if limit == 0 {
        return Ok(PartPage { marker, limit, parts: Vec::new(), more: false });
    }
    let (parts, more) = object.parts(marker, limit as usize).await?;
    Ok(PartPage { marker, limit, parts, more })
}

fn number_in_header(request: &Request, name: &'static str, most: u32) -> Result<Option<u32>, S3Error> {
    let Some(text) = request.head.headers.text(name)? else { return Ok(None) };
    let number = text.parse().ok().filter(|number| *number <= most);
    number.map(Some).ok_or_else(|| S3Error::invalid_argument("This is not a number in range", name, text))
}

fn write_parts(document: &mut Writer, page: &PartPage, count: u16) {
    document.nest("ObjectParts", |element| {
        element.number("PartsCount", u64::from(count)).number("PartNumberMarker", u64::from(page.marker));
        if !page.parts.is_empty() {
            element.number("NextPartNumberMarker", u64::from(page.marker) + page.parts.len() as u64);
        }
        element.number("MaxParts", u64::from(page.limit)).flag("IsTruncated", page.more);
        for (part, position) in page.parts.iter().zip(u64::from(page.marker) + 1..) {
            element.nest("Part", |entry| {
                entry.number("PartNumber", position).number("Size", part.record.size);
                let shown = part.record.shown_checksum();
                entry.text(checksum::element(shown.algorithm), &checksum::show(&shown));
            });
        }
    });
}
