//! What a bucket does as a website.

use std::sync::Arc;

use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::xml::read::Bounds;
use crate::s3::xml::website;
use crate::s3::{Request, Service};
use crate::site::configuration::Website;
use crate::store::configuration::Kind;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketWebsite.html>
pub async fn get_bucket_website(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let configuration = cx.store.configuration(&bucket).await?;
    let Some(document) = configuration.get(Kind::Website) else {
        let name = bucket.record.name.as_str();
        return Err(S3Error::new(Code::NoSuchWebsiteConfiguration).detail("BucketName", name));
    };
    Ok(Answer::xml(website::write(&Website::decode(document).map_err(S3Error::internal)?)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>
pub async fn put_bucket_website(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let document = Some(website::read(&body)?.encode());
    let position = cx.store.put_configuration(&bucket, Kind::Website, document, request.cause()).await?;
    Ok(Answer::ok().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketWebsite.html>
pub async fn delete_bucket_website(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    let position = cx.store.put_configuration(&request.bucket()?, Kind::Website, None, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}
