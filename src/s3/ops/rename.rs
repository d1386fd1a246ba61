//! RenameObject.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use super::copy::{ATTEMPTS, check_source};
use crate::access::Arn;
use crate::http::conditional::Conditions;
use crate::http::head::Headers;
use crate::http::percent;
use crate::names::ObjectKey;
use crate::s3::answer::{Answer, Body};
use crate::s3::error::{Code, S3Error};
use crate::s3::{Request, Service, precondition, target};
use crate::store;
use crate::store::bucket::Bucket;
use crate::store::record::ObjectRecord;
use crate::store::rename::{RenameObject, Token};
use crate::store::versions::ObjectRow;

/// The longest client token, in bytes.
const MAX_TOKEN_BYTES: usize = 64;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html>
pub async fn rename_object(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let (bucket, key) = request.object()?;
    request.refuse_version()?;
    let headers = &request.head.headers;
    let precondition = precondition::parse(headers)?;
    let conditions = Conditions::parse_source(&renamed_source_conditions(headers))?;
    let token = parse_token(headers, &key)?;
    let text = headers.text("x-amz-rename-source")?.unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let found = find_source(cx, &bucket, text).await;
        // Looked at after the source: whoever carried this request out took the source away in the same commit.
        if let Some(token) = &token
            && cx.store.was_renamed(&bucket, token).await?
        {
            return Ok(Answer::ok().body(Body::Bytes(Vec::new())));
        }
        let (source_key, source) = found?;
        if source_key == key {
            let message = "The source and the destination of a rename are the same.";
            return Err(S3Error::with_message(Code::InvalidRequest, message));
        }
        permit_source(cx, request, &source_key, &source.record)?;
        check_source(&conditions, &source.record)?;
        let rename = RenameObject {
            bucket: bucket.clone(),
            source_key,
            source,
            key: key.clone(),
            precondition: precondition.clone(),
            token: token.clone(),
            cause: request.cause(),
        };
        match cx.store.rename_object(rename).await {
            Err(store::Error::SourceChanged) => continue,
            result => return Ok(Answer::ok().position(result?.position).body(Body::Bytes(Vec::new()))),
        }
    }
    Err(S3Error::new(Code::SlowDown))
}

/// A rename reads its source and takes it away.
fn permit_source(cx: &Service, request: &Request, key: &ObjectKey, record: &ObjectRecord) -> Result<(), S3Error> {
    let judge = request.judge(cx)?;
    let resource = Arn::object(&judge.bucket.record.name, key.as_str());
    judge.permit_stored("s3:GetObject", &resource, record)?;
    judge.permit_stored("s3:DeleteObject", &resource, record)
}

/// The token, and what it stands for: the destination, the source and every condition.
fn parse_token(headers: &Headers, key: &ObjectKey) -> Result<Option<Token>, S3Error> {
    let Some(name) = headers.text("x-amz-client-token")? else { return Ok(None) };
    if !(1..=MAX_TOKEN_BYTES).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = "A client token has 1 to 64 printable ASCII characters";
        return Err(S3Error::invalid_argument(message, "x-amz-client-token", name));
    }
    let mut asked: Vec<_> =
        headers.iter().filter(|(name, _)| name.starts_with("x-amz-rename-source") || name.starts_with("if-")).collect();
    asked.sort();
    let mut hash = Context::new(&SHA256);
    let mut add = |text: &[u8]| {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(key.as_bytes());
    for (name, value) in asked {
        add(name.as_bytes());
        add(value);
    }
    let request = hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes");
    Ok(Some(Token { name: Bytes::copy_from_slice(name.as_bytes()), request }))
}

/// The conditions on the source, under the names that copies give them.
fn renamed_source_conditions(headers: &Headers) -> Headers {
    let renamed = headers.iter().filter_map(|(name, value)| {
        let condition = name.strip_prefix("x-amz-rename-source-if-")?;
        Some((format!("x-amz-copy-source-if-{condition}"), value))
    });
    renamed.collect()
}

/// The source is a key of the same bucket, URL-encoded; some clients write the bucket before it.
async fn find_source(cx: &Service, bucket: &Bucket, text: &str) -> Result<(ObjectKey, ObjectRow), S3Error> {
    let invalid = || S3Error::invalid_argument("The rename source is not a key", "x-amz-rename-source", text);
    let decoded = percent::decode(text).map_err(|_| invalid())?.into_owned();
    let bare = decoded.strip_prefix(b"/").unwrap_or(&decoded);
    if bare.is_empty() {
        return Err(invalid());
    }
    let key = target::parse_key(bare.to_vec())?;
    let with_bucket = format!("{}/", bucket.record.name);
    match (cx.store.object(bucket, &key).await, bare.strip_prefix(with_bucket.as_bytes())) {
        (Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }), Some(rest)) if !rest.is_empty() => {
            let key = target::parse_key(rest.to_vec())?;
            let row = cx.store.object(bucket, &key).await?;
            Ok((key, row))
        }
        (row, _) => Ok((key, row?)),
    }
}
