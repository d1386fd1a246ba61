//! Tags of objects and buckets.

use std::sync::Arc;

use bytes::Bytes;

use crate::access::Arn;
use crate::guard::versioned;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::tags::{self, Tagged, Tags};
use crate::s3::xml::read::Bounds;
use crate::s3::{Request, Service};
use crate::store::annotate::{Annotate, Annotation};
use crate::store::configuration::Kind;
use crate::store::record::ObjectRecord;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>
pub async fn get_object_tagging(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    let object = cx.store.object_version(&bucket, &key, request.version()?.as_ref()).await?;
    request.recheck(cx, &key, &object.record)?;
    let document = tags::document(&object.record.metadata.tags);
    Ok(Answer::xml(document).version(request.shown_version(&object.record)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>
pub async fn put_object_tagging(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let tags = tags::in_document(&body, Tagged::Object)?;
    let judged = permit_tags(cx, request, &tags).await?;
    set_object_tags(cx, request, Annotation::Tags(tags), judged, Answer::ok()).await
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>
pub async fn delete_object_tagging(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    let judged = request.judged().cloned();
    set_object_tags(cx, request, Annotation::NoTags, judged, Answer::no_content()).await
}

/// Judges by the tags that are given as well, which the head does not tell. Gives the object if it had a say.
async fn permit_tags(cx: &Service, request: &Request, tags: &Tags) -> Result<Option<ObjectRecord>, S3Error> {
    let (bucket, key) = request.object()?;
    let judge = request.judge(cx)?;
    let row = cx.store.object_version(&bucket, &key, request.version()?.as_ref()).await?;
    let action = versioned("s3:PutObjectTagging", request.query.get("versionId"));
    judge.permit_stored_with_tags(action, &Arn::object(&bucket.record.name, key.as_str()), &row.record, tags)?;
    Ok(request.judged_record(&row.record).cloned())
}

async fn set_object_tags(
    cx: &Arc<Service>,
    request: &Request,
    annotation: Annotation,
    judged: Option<ObjectRecord>,
    answer: Answer,
) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    let version = request.version()?;
    let annotate = Annotate { bucket, key, version, judged, annotation, cause: request.cause() };
    let stored = cx.store.annotate_object(annotate).await?;
    Ok(answer.version(stored.version).position(stored.position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html>
pub async fn get_bucket_tagging(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let configuration = cx.store.configuration(&bucket).await?;
    let Some(document) = configuration.get(Kind::Tagging) else {
        return Err(S3Error::new(Code::NoSuchTagSet).detail("BucketName", bucket.record.name.as_str()));
    };
    let tags: Tags = serde_json::from_slice(document).map_err(S3Error::internal)?;
    Ok(Answer::xml(tags::document(&tags)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>
pub async fn put_bucket_tagging(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let (kind, document) = stored(&tags::in_document(&body, Tagged::Bucket)?)?;
    let position = cx.store.put_configuration(&bucket, kind, Some(document), request.cause()).await?;
    Ok(Answer::no_content().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html>
pub async fn delete_bucket_tagging(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    let position = cx.store.put_configuration(&request.bucket()?, Kind::Tagging, None, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}

/// A bucket's tags as they are stored: JSON, which later versions can add to.
pub fn stored(tags: &Tags) -> Result<(Kind, Bytes), S3Error> {
    let document = serde_json::to_vec(tags).map_err(S3Error::internal)?;
    Ok((Kind::Tagging, Bytes::from(document)))
}
