//! CopyObject.

use std::sync::Arc;

use super::get::validators;
use crate::http::conditional::{Conditions, Names, Outcome};
use crate::http::{date, percent};
use crate::names::{BucketName, ObjectKey, VersionId};
use crate::s3::acl::Written;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::permission::SourceJudge;
use crate::s3::slow::{self, Late};
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, checksum, metadata, precondition, target, version};
use crate::store;
use crate::store::bucket::Bucket;
use crate::store::checksum::{Algorithm, Checksum, Hasher};
use crate::store::copy::CopyObject;
use crate::store::put::{Precondition, Stored};
use crate::store::read::OpenObject;
use crate::store::record::{Metadata, ObjectRecord, StorageClass};

/// How often a copy or rename starts over because its source changed under it.
pub(super) const ATTEMPTS: usize = 16;

/// The object that a copy reads from.
pub struct Source {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub version: Option<VersionId>,
}

/// What the headers of a CopyObject say.
struct Copy {
    source_bucket: Bucket,
    source_key: ObjectKey,
    source_version: Option<VersionId>,
    conditions: Conditions,
    bucket: Bucket,
    key: ObjectKey,
    /// New metadata, instead of the source's.
    replaced: Option<Metadata>,
    /// A redirect is the key's, not the content's: it is never the source's.
    redirect: Option<String>,
    replaced_tags: Option<Vec<(String, String)>>,
    storage_class: Option<StorageClass>,
    algorithm: Option<Algorithm>,
    precondition: Precondition,
    judge: SourceJudge,
    /// Judges what the destination gets.
    destination: SourceJudge,
    written: Written,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
pub async fn copy_object(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let copy = parse_copy(cx, request).await?;
    let cause = request.cause();
    let service = cx.clone();
    // A checksum that the source does not have is computed from its bytes, which takes as long as reading them.
    let work = async move {
        for _ in 0..ATTEMPTS {
            match run_copy(&service, &copy, cause.clone()).await {
                Err(error) if error.code == Code::ConditionalRequestConflict => continue,
                result => return result,
            }
        }
        Err(S3Error::new(Code::SlowDown))
    };
    slow::answer(Late::of(request, cx), work).await
}

async fn run_copy(cx: &Arc<Service>, copy: &Copy, cause: store::change::Cause) -> Result<Answer, S3Error> {
    let source = open_source(cx, &copy.source_bucket, &copy.source_key, copy.source_version.as_ref()).await;
    let source = source.map_err(|error| copy.judge.veil(cx, error))?;
    copy.judge.permit(cx, &copy.source_key, source.record(), copy.replaced_tags.is_none())?;
    if copy.replaced_tags.is_none() {
        copy.destination.permit_tags(cx, &copy.key, &source.record().metadata.tags)?;
    }
    check_source(&copy.conditions, source.record())?;
    let row = source.row.clone();
    let copied_version = copy.source_bucket.shown_version(row.record.version);
    let checksum = chosen_checksum(source, copy.algorithm).await?;
    let mut kept = copy.replaced.clone().unwrap_or_else(|| row.record.metadata.clone());
    kept.website_redirect_location.clone_from(&copy.redirect);
    kept.tags = copy.replaced_tags.clone().unwrap_or_else(|| row.record.metadata.tags.clone());
    let copy = CopyObject {
        source: row,
        bucket: copy.bucket.clone(),
        key: copy.key.clone(),
        metadata: kept,
        storage_class: copy.storage_class.unwrap_or_default(),
        checksum,
        owner: copy.written.owner.clone(),
        acl: copy.written.acl(),
        precondition: copy.precondition.clone(),
        cause,
    };
    let stored = cx.store.copy_object(copy).await?;
    Ok(copied(&stored).copied_version(copied_version))
}

/// Opens the object, or the version, that a copy reads. A delete marker is none, and S3 says so in its own words.
pub async fn open_source(
    cx: &Arc<Service>,
    bucket: &Bucket,
    key: &ObjectKey,
    version: Option<&VersionId>,
) -> Result<OpenObject, S3Error> {
    match cx.store.open_version(bucket, key, version).await {
        Err(store::Error::DeleteMarker { named: true, .. }) => {
            let message = "The source of a copy request may not specifically refer to a delete marker by version id.";
            Err(S3Error::with_message(Code::InvalidRequest, message))
        }
        opened => Ok(opened?),
    }
}

async fn parse_copy(cx: &Service, request: &Request) -> Result<Copy, S3Error> {
    request.refuse_version()?;
    let (bucket, key) = request.object()?;
    let headers = &request.head.headers;
    let source = parse_source(headers.text("x-amz-copy-source")?.unwrap_or_default())?;
    let replace = directive(request, "x-amz-metadata-directive")?;
    let replace_tags = directive(request, "x-amz-tagging-directive")?;
    let storage_class = metadata::storage_class(headers)?;
    let redirect = headers.contains("x-amz-website-redirect-location");
    // A version copied onto its key becomes the current one again.
    let same = source.bucket == bucket.record.name && source.key == key && source.version.is_none();
    if same && !replace && !replace_tags && storage_class.is_none() && !redirect {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the \
                       object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(S3Error::with_message(Code::InvalidRequest, message));
    }
    let source_bucket = source_bucket(cx, request, &source).await?;
    let parsed = metadata::parse(headers, &key)?;
    let judge = SourceJudge::of(cx, request, source_bucket.clone(), source.version.as_ref()).await?;
    Ok(Copy {
        destination: SourceJudge::of(cx, request, bucket.clone(), None).await?,
        written: request.written(cx)?,
        judge,
        source_bucket,
        source_key: source.key,
        source_version: source.version,
        conditions: Conditions::parse_source(headers)?,
        bucket,
        key,
        replaced_tags: replace_tags.then(|| parsed.tags.clone()),
        redirect: parsed.website_redirect_location.clone(),
        replaced: replace.then_some(parsed),
        storage_class,
        algorithm: checksum::wanted(headers)?.map(|(algorithm, _)| algorithm),
        precondition: precondition::parse(headers)?,
    })
}

/// The bucket that a copy reads from. Whether the caller may read there is judged with the object at hand.
pub async fn source_bucket(cx: &Service, request: &Request, source: &Source) -> Result<Bucket, S3Error> {
    let bucket = cx.store.bucket(&source.bucket).await?;
    crate::s3::expect_owner(&request.head, "x-amz-source-expected-bucket-owner", &bucket.record.account)?;
    Ok(bucket)
}

/// Parses `bucket/key`, URL-encoded, with or without a leading slash and a `versionId`.
pub fn parse_source(text: &str) -> Result<Source, S3Error> {
    let invalid = || {
        let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
        S3Error::invalid_argument(message, "x-amz-copy-source", text)
    };
    let (path, version) = match text.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (text, None),
    };
    let version = version.map(|version| version::parse(version, "x-amz-copy-source")).transpose()?;
    let decoded = percent::decode(path).map_err(|_| invalid())?.into_owned();
    let decoded = decoded.strip_prefix(b"/").unwrap_or(&decoded);
    let slash = decoded.iter().position(|&byte| byte == b'/').ok_or_else(invalid)?;
    let bucket = std::str::from_utf8(&decoded[..slash]).map_err(|_| invalid())?;
    let key = &decoded[slash + 1..];
    if key.is_empty() {
        return Err(invalid());
    }
    Ok(Source { bucket: target::parse_bucket(bucket)?, key: target::parse_key(key.to_vec())?, version })
}

/// Fails with PreconditionFailed unless the source is as the conditions want it.
pub fn check_source(conditions: &Conditions, source: &ObjectRecord) -> Result<(), S3Error> {
    match conditions.evaluate_copy(&validators(source)) {
        Outcome::Failed(condition) => Err(S3Error::precondition_failed(Names::CopySource, condition)),
        Outcome::Proceed | Outcome::NotModified => Ok(()),
    }
}

fn directive(request: &Request, name: &'static str) -> Result<bool, S3Error> {
    match request.head.headers.text(name)? {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(S3Error::invalid_argument("Unknown directive.", name, other)),
    }
}

/// The source's checksum, or the wanted one computed from its bytes.
async fn chosen_checksum(source: OpenObject, wanted: Option<Algorithm>) -> Result<Option<Checksum>, S3Error> {
    let record = source.record();
    let Some(algorithm) = wanted else { return Ok(record.checksum.clone()) };
    if let Some(kept) = record.checksum.as_ref().filter(|kept| kept.algorithm == algorithm) {
        return Ok(Some(kept.clone()));
    }
    if algorithm == Algorithm::Crc64Nvme {
        return Ok(None);
    }
    let size = record.summary.size;
    let mut reader = source.read(0..size);
    let mut hasher = Hasher::new(algorithm);
    while let Some(bytes) = reader.next().await? {
        // Not on a worker: bytes that are in memory already would keep it from everything else until the object's end.
        let hashing = tokio::task::spawn_blocking(move || {
            hasher.update(&bytes);
            hasher
        });
        hasher = hashing.await.map_err(S3Error::internal)?;
    }
    Ok(Some(hasher.finish()))
}

fn copied(stored: &Stored) -> Answer {
    let record: &ObjectRecord = &stored.record;
    let shown = record.shown_checksum();
    let mut document = Writer::new("CopyObjectResult");
    document
        .text("ETag", &record.summary.etag.quoted())
        .text("LastModified", &date::format_iso8601(record.summary.modified))
        .text("ChecksumType", shown.checksum_type().as_str())
        .text(checksum::element(shown.algorithm), &checksum::show(&shown));
    Answer::xml(document).version(stored.version).position(stored.position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_bucket_and_key_with_or_without_a_slash_before() {
        for text in ["/bucket/a%20b/c", "bucket/a%20b/c", "bucket/a b/c?versionId=null"] {
            let source = parse_source(text).unwrap();
            assert_eq!((source.bucket.as_str(), source.key.as_str()), ("bucket", "a b/c"));
        }
        for text in ["", "/", "bucket", "bucket/", "bucket/%zz", "b/key", "bucket/key?versionId=7"] {
            assert!(parse_source(text).is_err(), "{text}");
        }
    }
}
