//! PutObject.

use std::sync::Arc;

use crate::s3::answer::Answer;
use crate::s3::error::S3Error;
use crate::s3::{Request, Service, metadata, precondition};
use crate::store::put::PutObject;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
pub async fn put_object(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    request.refuse_version()?;
    let (bucket, key) = request.object()?;
    let headers = &request.head.headers;
    let written = request.written(cx)?;
    let put = PutObject {
        metadata: metadata::parse(headers, &key)?,
        storage_class: metadata::storage_class(headers)?.unwrap_or_default(),
        acl: written.acl(),
        owner: written.owner,
        precondition: precondition::parse(headers)?,
        by_form: false,
        cause: request.cause(),
        bucket,
        key,
    };
    let staged = request.body.stage(&cx.store, cx.put_limit(), None).await?;
    let stored = cx.store.put_object(put, staged).await?;
    Ok(Answer::ok()
        .etag(&stored.record.summary.etag)
        .checksum(&stored.record.shown_checksum())
        .version(stored.version)
        .position(stored.position))
}
