//! UploadPart, UploadPartCopy and ListParts.

use std::ops::Range;
use std::sync::Arc;

use super::copy::{Source, check_source, open_source, parse_source, source_bucket};
use super::multipart::{upload, write_checksum};
use crate::http::conditional::Conditions;
use crate::http::date;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::permission::SourceJudge;
use crate::s3::slow::{self, Late};
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, checksum, owner};
use crate::store::bucket::Bucket;
use crate::store::checksum::Algorithm;
use crate::store::digest::{Announced, DigestPlan};
use crate::store::multipart::{ListParts, MAX_PART_BYTES, MAX_PART_NUMBER, Upload, UploadPart};
use crate::store::record::PartRecord;
use crate::store::staging::Incoming;

/// The most parts of a page, and the number without `max-parts`.
const MAX_PARTS: u32 = 1000;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
pub async fn upload_part(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let number = part_number(request)?;
    let upload = upload(cx, request).await?;
    let wanted = upload.row.record.checksum.map(|(algorithm, _)| algorithm);
    check_algorithm(wanted, request.body.claimed_algorithm())?;
    let staged = request.body.stage(&cx.store, cx.put_limit(), wanted).await?;
    let part = cx.store.upload_part(UploadPart { upload, number }, staged).await?;
    Ok(Answer::ok().header("etag", etag(&part)).checksum(&part.shown_checksum()))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
pub async fn upload_part_copy(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let number = part_number(request)?;
    let upload = upload(cx, request).await?;
    let headers = &request.head.headers;
    let source = parse_source(headers.text("x-amz-copy-source")?.unwrap_or_default())?;
    let bucket = source_bucket(cx, request, &source).await?;
    let copy = PartCopy {
        judge: SourceJudge::of(cx, request, bucket.clone(), source.version.as_ref()).await?,
        bucket,
        source,
        conditions: Conditions::parse_source(headers)?,
        range: headers.text("x-amz-copy-source-range")?.map(parse_range).transpose()?,
        upload,
        number,
    };
    let service = cx.clone();
    let work = async move { copy.run(&service).await };
    slow::answer(Late::of(request, cx), work).await
}

struct PartCopy {
    bucket: Bucket,
    judge: SourceJudge,
    source: Source,
    conditions: Conditions,
    /// The bytes of the source, both inclusive as in the header.
    range: Option<(u64, u64)>,
    upload: Upload,
    number: u16,
}

impl PartCopy {
    /// Reads the bytes and stores them as the part: its entity tag is the MD5 of just these bytes.
    async fn run(self, cx: &Arc<Service>) -> Result<Answer, S3Error> {
        let object = open_source(cx, &self.bucket, &self.source.key, self.source.version.as_ref()).await;
        let object = object.map_err(|error| self.judge.veil(cx, error))?;
        self.judge.permit(cx, &self.source.key, object.record(), false)?;
        let copied_version = self.bucket.shown_version(object.record().version);
        check_source(&self.conditions, object.record())?;
        let range = self.within(object.record().summary.size)?;
        let incoming = Incoming {
            length: Some(range.end - range.start),
            digests: DigestPlan {
                sha256: false,
                checksum: self.upload.row.record.checksum.map(|(algorithm, _)| algorithm),
            },
        };
        let mut writer = cx.store.stage(incoming, MAX_PART_BYTES).await?;
        let mut reader = object.read(range);
        while let Some(bytes) = reader.next().await? {
            writer.write(bytes).await?;
        }
        let staged = writer.finish(&Announced::default()).await?;
        let part = cx.store.upload_part(UploadPart { upload: self.upload, number: self.number }, staged).await?;
        Ok(copied(&part).copied_version(copied_version))
    }

    fn within(&self, size: u64) -> Result<Range<u64>, S3Error> {
        match self.range {
            None => Ok(0..size),
            Some((first, last)) if last < size => Ok(first..last + 1),
            Some((first, last)) => {
                let message = format!("Range specified is not valid for source object of size: {size}");
                Err(S3Error::invalid_argument(message, "x-amz-copy-source-range", &format!("bytes={first}-{last}")))
            }
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>
pub async fn list_parts(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let upload = upload(cx, request).await?;
    let query = &request.query;
    let list = ListParts {
        after: query.number("part-number-marker", 0..=i32::MAX as u32)?.unwrap_or(0).min(u32::from(u16::MAX)) as u16,
        limit: query.number("max-parts", 0..=i32::MAX as u32)?.unwrap_or(MAX_PARTS).min(MAX_PARTS) as usize,
    };
    let page = cx.store.list_parts(&upload, &list).await?;
    let record = &upload.row.record;
    let mut document = Writer::new("ListPartsResult");
    document
        .text("Bucket", upload.bucket.record.name.as_str())
        .text("Key", upload.key.as_str())
        .text("UploadId", &upload.id.to_string())
        .number("PartNumberMarker", u64::from(list.after));
    if let Some((last, _)) = page.parts.last() {
        document.number("NextPartNumberMarker", u64::from(*last));
    }
    document.number("MaxParts", list.limit as u64).flag("IsTruncated", page.more);
    for (number, part) in &page.parts {
        document.nest("Part", |entry| {
            let shown = part.shown_checksum();
            entry
                .number("PartNumber", u64::from(*number))
                .text("LastModified", &date::format_iso8601(part.modified))
                .text("ETag", &etag(part))
                .number("Size", part.size)
                .text(checksum::element(shown.algorithm), &checksum::show(&shown));
        });
    }
    let owner = cx.identities.owner(&record.owner);
    owner::write(&mut document, "Initiator", &owner);
    owner::write(&mut document, "Owner", &owner);
    document.text("StorageClass", record.storage_class.as_str());
    write_checksum(&mut document, record.checksum);
    Ok(Answer::xml(document))
}

fn part_number(request: &Request) -> Result<u16, S3Error> {
    let invalid = |text: &str| {
        let message = format!("Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive");
        S3Error::invalid_argument(message, "partNumber", text)
    };
    let text = request.query.get("partNumber").unwrap_or_default();
    let number = text.parse().map_err(|_| invalid(text))?;
    if (1..=MAX_PART_NUMBER).contains(&number) { Ok(number) } else { Err(invalid(text)) }
}

/// A part's checksum is of the algorithm that the upload was created with, if it was created with one.
fn check_algorithm(wanted: Option<Algorithm>, claimed: Option<Algorithm>) -> Result<(), S3Error> {
    match (wanted, claimed) {
        (Some(wanted), Some(claimed)) if wanted != claimed => {
            let message = format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                wanted.as_str().to_ascii_lowercase(),
                claimed.as_str().to_ascii_lowercase()
            );
            Err(S3Error::with_message(Code::InvalidRequest, message))
        }
        _ => Ok(()),
    }
}

/// Parses `bytes=first-last`: both must be there.
pub(super) fn parse_range(text: &str) -> Result<(u64, u64), S3Error> {
    let bounds = text.strip_prefix("bytes=").and_then(|bounds| bounds.split_once('-'));
    let bounds = bounds.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    bounds.filter(|(first, last): &(u64, u64)| first <= last && *last < u64::MAX).ok_or_else(|| {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
                       the zero-based offsets of the first and last bytes to copy";
        S3Error::invalid_argument(message, "x-amz-copy-source-range", text)
    })
}

fn etag(part: &PartRecord) -> String {
    crate::names::ETag::single(part.md5).quoted()
}

fn copied(part: &PartRecord) -> Answer {
    let shown = part.shown_checksum();
    let mut document = Writer::new("CopyPartResult");
    document
        .text("ETag", &etag(part))
        .text("LastModified", &date::format_iso8601(part.modified))
        .text(checksum::element(shown.algorithm), &checksum::show(&shown));
    Answer::xml(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copied_ranges_have_both_ends() {
        assert_eq!(parse_range("bytes=0-9").unwrap(), (0, 9));
        for text in ["", "bytes=", "bytes=5-4", "bytes=-4", "bytes=4-", "bytes=0-18446744073709551615", "0-9"] {
            assert!(parse_range(text).is_err(), "{text}");
        }
    }
}
