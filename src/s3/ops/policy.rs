//! Bucket policies.

use bytes::Bytes;

use crate::access::{MAX_POLICY_BYTES, Policy, PolicyError, PolicyKind, Problem};
use crate::s3::answer::{Answer, Body};
use crate::s3::error::{Code, S3Error};
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service};
use crate::store::configuration::Kind;

/// How many bytes of a policy are read, so that one that is too long is told so in a policy's words.
const READ_BYTES: usize = 1 << 20;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
pub async fn put_bucket_policy(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let text = request.body.read(READ_BYTES).await?;
    let judge = request.judge(cx)?;
    refuse_strangers(request)?;
    if text.len() > MAX_POLICY_BYTES {
        let message =
            format!("Normalized policy document exceeds the maximum allowed size of {MAX_POLICY_BYTES} bytes.");
        return Err(S3Error::with_message(Code::MalformedPolicy, message));
    }
    let kind = PolicyKind::Bucket { bucket: &judge.bucket.record.name };
    let policy = Policy::parse(&text, kind).map_err(malformed)?;
    refuse_unknown(cx, &policy).await?;
    let block = cx.guard.block_of(&judge.bucket.record.account, judge.rules);
    if block.block_public_policy && policy.is_public() {
        let message =
            "Access Denied: public policies are blocked by the BlockPublicPolicy setting of the bucket or its account";
        return Err(S3Error::with_message(Code::AccessDenied, message));
    }
    let text = Some(Bytes::from(text.to_vec()));
    let position = cx.store.put_configuration(judge.bucket, Kind::Policy, text, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html>
pub async fn get_bucket_policy(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    refuse_strangers(request)?;
    let bucket = request.bucket()?;
    let configuration = cx.store.configuration(&bucket).await?;
    let text = configuration.get(Kind::Policy).ok_or_else(|| missing(request))?;
    Ok(Answer::ok().header("content-type", "application/json").body(Body::Bytes(text.to_vec())))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html>
pub async fn delete_bucket_policy(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    refuse_strangers(request)?;
    let bucket = request.bucket()?;
    let position = cx.store.put_configuration(&bucket, Kind::Policy, None, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>
pub fn get_bucket_policy_status(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let judge = request.judge(cx)?;
    let policy = judge.rules.policy.as_ref().ok_or_else(|| missing(request))?;
    let mut document = Writer::new("PolicyStatus");
    document.flag("IsPublic", policy.is_public());
    Ok(Answer::xml(document))
}

/// Whom a policy names must be there, so that a slip of the pen neither lets in nor keeps out somebody else, now or later.
async fn refuse_unknown(cx: &Service, policy: &Policy) -> Result<(), S3Error> {
    for statement in policy.statements() {
        for named in statement.named() {
            if !cx.identities.knows(named).await? {
                let problem = Problem::Principal(format!("\"{}\":\"{named}\"", named.kind()));
                return Err(malformed(PolicyError { problem, statement: Some(statement.number) }));
            }
        }
    }
    Ok(())
}

/// Policies are for identities of the bucket's own account alone, whatever a policy allows.
fn refuse_strangers(request: &Request) -> Result<(), S3Error> {
    let owner = request.bucket()?.record.account;
    match request.caller.account() == Some(&owner) {
        true => Ok(()),
        false => Err(S3Error::new(Code::MethodNotAllowed)),
    }
}

fn missing(request: &Request) -> S3Error {
    let name = request.target.bucket.clone().unwrap_or_default();
    S3Error::new(Code::NoSuchBucketPolicy).detail("BucketName", name)
}

fn malformed(error: PolicyError) -> S3Error {
    S3Error::with_message(Code::MalformedPolicy, error.to_string())
}
