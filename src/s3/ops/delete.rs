//! DeleteObject and DeleteObjects.

use std::sync::Arc;

use futures_util::{StreamExt, stream};

use crate::clock::Timestamp;
use crate::guard::versioned;
use crate::http::date;
use crate::http::tag::TagList;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::permission::{Judge, names_tag};
use crate::s3::xml::input::{Delete, ObjectIdentifier};
use crate::s3::xml::read::Bounds;
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, precondition, target, version};
use crate::store::bucket::Bucket;
use crate::store::change::Cause;
use crate::store::delete::{DeleteObject, DeletePrecondition, Deleted};
use crate::store::put::Precondition;

/// How many of a request's objects are deleted at a time.
const AT_A_TIME: usize = 64;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
pub async fn delete_object(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    let version = request.version()?;
    let headers = &request.head.headers;
    let precondition = DeletePrecondition {
        object: precondition::parse(headers)?,
        modified: headers.text("x-amz-if-match-last-modified-time")?.map(parse_time).transpose()?,
        size: headers.text("x-amz-if-match-size")?.map(parse_size).transpose()?,
    };
    let delete = DeleteObject { bucket, key, version, precondition, cause: request.cause() };
    let deleted = cx.store.delete_object(delete).await?;
    let answer =
        Answer::no_content().version(deleted.version).optional("x-amz-delete-marker", deleted.marker.then_some("true"));
    Ok(match deleted.position {
        Some(position) => answer.position(position),
        None => answer,
    })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
pub async fn delete_objects(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    if !request.body.is_protected() {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(S3Error::with_message(Code::InvalidRequest, message));
    }
    let body = request.body.read(Bounds::LIST.bytes).await?;
    // A long list takes longer to parse than a worker may be held up.
    let parsed = tokio::task::spawn_blocking(move || Delete::from_body(&body)).await.map_err(S3Error::internal)?;
    let Delete { objects, quiet } = parsed?;
    let cause = request.cause();
    let judge = request.judge(cx)?;
    let deletions = objects.into_iter().map(|object| delete_one(cx, &judge, &bucket, object, cause.clone()));
    let results: Vec<_> = stream::iter(deletions).buffered(AT_A_TIME).collect().await;

    let mut document = Writer::new("DeleteResult");
    for (object, result) in results {
        match result {
            Ok(_) if quiet => (),
            Ok(done) => {
                document.nest("Deleted", |deleted| {
                    deleted.text("Key", &object.key).optional("VersionId", object.version_id.as_deref());
                    if let (true, Some(marker)) = (done.marker, done.version) {
                        deleted.flag("DeleteMarker", true).text("DeleteMarkerVersionId", &marker.to_string());
                    }
                });
            }
            Err(error) => {
                document.nest("Error", |failed| {
                    failed
                        .text("Key", &object.key)
                        .optional("VersionId", object.version_id.as_deref())
                        .text("Code", error.code.as_str())
                        .text("Message", &error.message);
                });
            }
        }
    }
    Ok(Answer::xml(document))
}

async fn delete_one(
    cx: &Service,
    judge: &Judge<'_>,
    bucket: &Bucket,
    object: ObjectIdentifier,
    cause: Cause,
) -> (ObjectIdentifier, Result<Deleted, S3Error>) {
    let deletion = async {
        let delete = parse_one(bucket.clone(), &object, cause)?;
        permit_one(judge, &object, &delete).await?;
        Ok(cx.store.delete_object(delete).await?)
    };
    let result: Result<Deleted, S3Error> = deletion.await;
    if let Err(error) = &result
        && error.status() >= 500
    {
        tracing::error!(%error, cause = ?error.source, "an object of a list was not deleted");
    }
    (object, result)
}

/// Every object of a list is judged by itself.
async fn permit_one(judge: &Judge<'_>, object: &ObjectIdentifier, delete: &DeleteObject) -> Result<(), S3Error> {
    let version = object.version_id.as_deref();
    let mut actions = vec![versioned("s3:DeleteObject", version)];
    if object.etag.as_deref().is_some_and(names_tag) {
        actions.push(versioned("s3:GetObject", version));
    }
    judge.of_version(version).permit_key(&delete.key, delete.version.as_ref(), &actions).await
}

fn parse_one(bucket: Bucket, object: &ObjectIdentifier, cause: Cause) -> Result<DeleteObject, S3Error> {
    let version = object.version_id.as_deref().map(|text| version::parse(text, "VersionId")).transpose()?;
    let key = target::parse_key(object.key.clone().into_bytes())?;
    let precondition = DeletePrecondition {
        object: match &object.etag {
            Some(etag) => parse_etag(etag)?,
            None => Precondition::None,
        },
        modified: object.last_modified_time.as_deref().map(parse_time).transpose()?,
        size: object.size,
    };
    Ok(DeleteObject { bucket, key, version, precondition, cause })
}

fn parse_etag(text: &str) -> Result<Precondition, S3Error> {
    let tags = TagList::parse(std::iter::once(text.as_bytes()));
    let tags = tags.map_err(|_| S3Error::invalid_argument("This is not an entity tag", "ETag", text))?;
    Ok(precondition::matching(&tags))
}

fn parse_time(text: &str) -> Result<Timestamp, S3Error> {
    let time = date::parse_http(text).or_else(|| date::parse_iso8601(text));
    time.ok_or_else(|| S3Error::invalid_argument("This is not a date", "x-amz-if-match-last-modified-time", text))
}

fn parse_size(text: &str) -> Result<u64, S3Error> {
    text.parse().map_err(|_| S3Error::invalid_argument("This is not a size", "x-amz-if-match-size", text))
}
