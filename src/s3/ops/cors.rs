//! The rules of a bucket for requests from other origins.

use std::sync::Arc;

use bytes::Bytes;

use crate::s3::answer::Answer;
use crate::s3::cors::Rules;
use crate::s3::error::{Code, S3Error};
use crate::s3::xml::read::Bounds;
use crate::s3::{Request, Service};
use crate::store::configuration::Kind;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html>
pub async fn get_bucket_cors(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let configuration = cx.store.configuration(&bucket).await?;
    let Some(document) = configuration.get(Kind::Cors) else {
        let name = bucket.record.name.as_str();
        return Err(S3Error::new(Code::NoSuchCORSConfiguration).detail("BucketName", name));
    };
    Ok(Answer::xml(Rules::decode(document).map_err(S3Error::internal)?.to_xml()))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>
pub async fn put_bucket_cors(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let document = Rules::from_xml(&body)?.encode().map_err(S3Error::internal)?;
    let document = Some(Bytes::from(document));
    let position = cx.store.put_configuration(&bucket, Kind::Cors, document, request.cause()).await?;
    Ok(Answer::ok().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html>
pub async fn delete_bucket_cors(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    let position = cx.store.put_configuration(&request.bucket()?, Kind::Cors, None, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}
