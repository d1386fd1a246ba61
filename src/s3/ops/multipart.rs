//! Creating, completing, aborting and listing multipart uploads.

use std::sync::Arc;

use super::list::Encoding;
use crate::http::date;
use crate::identity::Account;
use crate::names::{ETag, UploadId};
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::query::Query;
use crate::s3::slow::{self, Late};
use crate::s3::xml::input::{CompleteMultipartUpload, CompletedPart};
use crate::s3::xml::read::Bounds;
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, checksum, metadata, owner, precondition};
use crate::store::checksum::{Algorithm, Checksum, ChecksumType};
use crate::store::multipart::{
    CompleteUpload, Completed, CreateUpload, ListUploads, ListedPart, ListedUpload, Upload, UploadMarker,
};

/// The most uploads of a page, and the number without `max-uploads`.
const MAX_UPLOADS: u32 = 1000;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
pub async fn create_multipart_upload(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    request.refuse_version()?;
    let (bucket, key) = request.object()?;
    let headers = &request.head.headers;
    let checksum = checksum::wanted(headers)?;
    let written = request.written(cx)?;
    let create = CreateUpload {
        metadata: metadata::parse(headers, &key)?,
        storage_class: metadata::storage_class(headers)?.unwrap_or_default(),
        checksum,
        acl: written.acl(),
        owner: written.owner,
        bucket: bucket.clone(),
        key: key.clone(),
    };
    let id = cx.store.create_upload(create).await?;
    let mut document = Writer::new("InitiateMultipartUploadResult");
    document.text("Bucket", bucket.record.name.as_str()).text("Key", key.as_str()).text("UploadId", &id.to_string());
    let answer = Answer::xml(document);
    Ok(match checksum {
        Some((algorithm, checksum_type)) => answer
            .header("x-amz-checksum-algorithm", algorithm.as_str())
            .header("x-amz-checksum-type", checksum_type.as_str()),
        None => answer,
    })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
pub async fn complete_multipart_upload(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    request.refuse_version()?;
    let (bucket, key) = request.object()?;
    let id = upload_id(&request.query)?;
    let headers = &request.head.headers;
    let precondition = precondition::parse(headers)?;
    let announced = checksum::in_headers(headers)?;
    let checksum_type = checksum::checksum_type(headers)?;
    let size = match headers.text("x-amz-mp-object-size")? {
        Some(text) => Some(parse_size(text)?),
        None => None,
    };
    let body = request.body.read(Bounds::LIST.bytes).await?;
    let parsed = tokio::task::spawn_blocking(move || CompleteMultipartUpload::from_body(&body)).await;
    let parts = parsed.map_err(S3Error::internal)??.parts;
    let complete = CompleteUpload {
        parts: parts.into_iter().map(listed_part).collect::<Result<_, _>>()?,
        bucket: bucket.clone(),
        key: key.clone(),
        id,
        precondition,
        checksum: announced,
        checksum_type,
        size,
        cause: request.cause(),
    };
    let location = format!("http://{}{}", headers.text("host")?.unwrap_or_default(), request.head.path);
    let store = cx.store.clone();
    let work = async move {
        let completed = store.complete_upload(complete).await?;
        Ok(completed_answer(&completed, &location, bucket.record.name.as_str(), key.as_str()))
    };
    slow::answer(Late::of(request, cx), work).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
pub async fn abort_multipart_upload(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let upload = upload(cx, request).await?;
    cx.store.abort_upload(&upload).await?;
    Ok(Answer::no_content())
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
pub async fn list_multipart_uploads(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let query = &request.query;
    let encoding = Encoding::parse(query)?;
    let list = ListUploads {
        prefix: query.get("prefix").unwrap_or_default().to_owned(),
        delimiter: query.given("delimiter").map(str::to_owned),
        after: marker(query)?,
        limit: query.number("max-uploads", 0..=i32::MAX as u32)?.unwrap_or(MAX_UPLOADS).min(MAX_UPLOADS) as usize,
    };
    let page = cx.store.list_uploads(bucket.record.id, &list).await?;

    let mut document = Writer::new("ListMultipartUploadsResult");
    document
        .text("Bucket", bucket.record.name.as_str())
        .text("KeyMarker", &encoding.name(query.get("key-marker").unwrap_or_default()))
        .text("UploadIdMarker", query.get("upload-id-marker").unwrap_or_default());
    match &page.next {
        Some(UploadMarker::Upload(key, id)) => {
            document.text("NextKeyMarker", &encoding.name(key)).text("NextUploadIdMarker", &id.to_string());
        }
        Some(UploadMarker::Key(key)) => {
            document.text("NextKeyMarker", &encoding.name(key)).text("NextUploadIdMarker", "");
        }
        Some(UploadMarker::Start) | None => (),
    }
    document.text("Prefix", &encoding.name(&list.prefix));
    document.optional("Delimiter", list.delimiter.as_deref().map(|delimiter| encoding.name(delimiter)).as_deref());
    encoding.write(&mut document);
    document.number("MaxUploads", list.limit as u64).flag("IsTruncated", page.next.is_some());
    for listed in &page.uploads {
        document
            .nest("Upload", |entry| write_upload(entry, listed, encoding, &cx.identities.owner(&listed.record.owner)));
    }
    for prefix in &page.common_prefixes {
        document.nest("CommonPrefixes", |entry| {
            entry.text("Prefix", &encoding.name(prefix));
        });
    }
    Ok(Answer::xml(document))
}

/// The open upload that the request names.
pub async fn upload(cx: &Service, request: &Request) -> Result<Upload, S3Error> {
    let (bucket, key) = request.object()?;
    Ok(cx.store.upload(&bucket, &key, upload_id(&request.query)?).await?)
}

/// Parses the upload id; what cannot be one is one that does not exist.
fn upload_id(query: &Query) -> Result<UploadId, S3Error> {
    let text = query.get("uploadId").unwrap_or_default();
    text.parse().map_err(|_| S3Error::new(Code::NoSuchUpload).detail("UploadId", text))
}

pub(super) fn listed_part(part: CompletedPart) -> Result<ListedPart, S3Error> {
    let invalid = || S3Error::new(Code::InvalidPart).detail("PartNumber", part.part_number.to_string());
    let etag: ETag = part.etag.parse().map_err(|_| invalid())?;
    let mut found: Option<Checksum> = None;
    for (algorithm, text) in [
        (Algorithm::Crc32, &part.checksum_crc32),
        (Algorithm::Crc32c, &part.checksum_crc32c),
        (Algorithm::Crc64Nvme, &part.checksum_crc64nvme),
        (Algorithm::Sha1, &part.checksum_sha1),
        (Algorithm::Sha256, &part.checksum_sha256),
    ] {
        if let Some(text) = text {
            found = Some(checksum::parse(algorithm, text).ok_or_else(invalid)?);
        }
    }
    Ok(ListedPart { number: part.part_number, etag, checksum: found })
}

fn parse_size(text: &str) -> Result<u64, S3Error> {
    let invalid = || S3Error::with_message(Code::InvalidRequest, "Value for x-amz-mp-object-size header is invalid.");
    text.parse().map_err(|_| invalid())
}

fn completed_answer(completed: &Completed, location: &str, bucket: &str, key: &str) -> Answer {
    let mut document = Writer::new("CompleteMultipartUploadResult");
    document
        .text("Location", location)
        .text("Bucket", bucket)
        .text("Key", key)
        .text("ETag", &completed.etag.quoted())
        .text(checksum::element(completed.checksum.algorithm), &checksum::show(&completed.checksum))
        .text("ChecksumType", completed.checksum.checksum_type().as_str());
    let answer = Answer::xml(document).version(completed.version);
    match completed.position {
        Some(position) => answer.position(position),
        None => answer,
    }
}

/// An upload id without its key is ignored, as S3 says.
pub(super) fn marker(query: &Query) -> Result<UploadMarker, S3Error> {
    let Some(key) = query.given("key-marker") else { return Ok(UploadMarker::Start) };
    match query.given("upload-id-marker") {
        None => Ok(UploadMarker::Key(key.to_owned())),
        Some(text) => {
            let invalid = |_| S3Error::invalid_argument("Invalid uploadId marker", "upload-id-marker", text);
            Ok(UploadMarker::Upload(key.to_owned(), text.parse().map_err(invalid)?))
        }
    }
}

fn write_upload(entry: &mut Writer, listed: &ListedUpload, encoding: Encoding, owner: &Account) {
    let record = &listed.record;
    entry.text("Key", &encoding.name(listed.key.as_str())).text("UploadId", &listed.id.to_string());
    owner::write(entry, "Initiator", owner);
    owner::write(entry, "Owner", owner);
    entry
        .text("StorageClass", record.storage_class.as_str())
        .text("Initiated", &date::format_iso8601(record.initiated));
    write_checksum(entry, record.checksum);
}

/// The checksum that an upload's object will have.
pub fn write_checksum(entry: &mut Writer, asked: Option<(Algorithm, ChecksumType)>) {
    let (algorithm, checksum_type) = asked.unwrap_or((Algorithm::Crc64Nvme, ChecksumType::FullObject));
    entry.text("ChecksumAlgorithm", algorithm.as_str()).text("ChecksumType", checksum_type.as_str());
}
