//! The access control lists of buckets and objects.

use bytes::Bytes;

use crate::access::{Acl, Ownership};
use crate::guard;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::xml::read::Bounds;
use crate::s3::{Request, Service};
use crate::store::annotate::{Annotate, Annotation};
use crate::store::configuration::Kind;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html>
pub fn get_bucket_acl(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let judge = request.judge(cx)?;
    let private = || Acl::private(judge.bucket.record.account.clone());
    let acl = match judge.rules.ownership.effective() {
        Ownership::BucketOwnerEnforced => private(),
        _ => judge.rules.acl.clone().unwrap_or_else(private),
    };
    Ok(Answer::xml(cx.acl_document(&acl)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html>
pub async fn put_bucket_acl(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let judge = request.judge(cx)?;
    let owner = &judge.bucket.record.account;
    let acl = cx.acl_of_request(&request.head.headers, &body, owner, None)?;
    if judge.rules.ownership.effective() == Ownership::BucketOwnerEnforced {
        return match acl == Acl::private(owner.clone()) {
            true => Ok(Answer::ok()),
            false => Err(S3Error::new(Code::AccessControlListNotSupported)),
        };
    }
    cx.refuse_public(&acl, judge.bucket, judge.rules)?;
    let document = Some(Bytes::from(acl.encode()));
    let position = cx.store.put_configuration(judge.bucket, Kind::Acl, document, request.cause()).await?;
    Ok(Answer::ok().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>
pub async fn get_object_acl(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    let version = request.version()?;
    let row = cx.store.object_version(&bucket, &key, version.as_ref()).await?;
    request.recheck(cx, &key, &row.record)?;
    let judge = request.judge(cx)?;
    let acl = match judge.rules.ownership.effective() {
        Ownership::BucketOwnerEnforced => Acl::private(bucket.record.account.clone()),
        _ => guard::acl_of(&row.record)?.unwrap_or_else(|| Acl::private(row.record.summary.owner.clone())),
    };
    Ok(Answer::xml(cx.acl_document(&acl)).version(request.shown_version(&row.record)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>
pub async fn put_object_acl(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let (bucket, key) = request.object()?;
    let version = request.version()?;
    let row = cx.store.object_version(&bucket, &key, version.as_ref()).await?;
    request.recheck(cx, &key, &row.record)?;
    let judge = request.judge(cx)?;
    let bucket_owner = &bucket.record.account;
    let disabled = judge.rules.ownership.effective() == Ownership::BucketOwnerEnforced;
    let owner = if disabled { bucket_owner } else { &row.record.summary.owner };
    let acl = cx.acl_of_request(&request.head.headers, &body, owner, Some(bucket_owner))?;
    if disabled {
        // What is the case anyway is taken: s3cmd puts the source's list on every copy.
        return match acl == Acl::private(bucket_owner.clone()) {
            true => Ok(Answer::ok().version(request.shown_version(&row.record))),
            false => Err(S3Error::new(Code::AccessControlListNotSupported)),
        };
    }
    cx.refuse_public(&acl, &bucket, judge.rules)?;
    let annotation = Annotation::Acl(acl.encode());
    let judged = request.judged_record(&row.record).cloned();
    let annotate = Annotate { bucket, key, version, judged, annotation, cause: request.cause() };
    let annotated = cx.store.annotate_object(annotate).await?;
    Ok(Answer::ok().version(request.shown_version(&annotated.record)).position(annotated.position))
}
