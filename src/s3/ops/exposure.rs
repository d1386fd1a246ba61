//! Who owns a bucket's objects, and what is kept from the public whatever is granted.

use crate::access::{Acl, Ownership, PublicAccessBlock};
use crate::feed::{Purge, Scope, Target};
use crate::guard::{OwnershipSetting, encode_block, encode_ownership};
use crate::names::AccountId;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::xml::access::{OwnershipControls, PublicAccessBlockConfiguration};
use crate::s3::xml::read::Bounds;
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service};
use crate::store::Position;
use crate::store::configuration::Kind;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html>
pub async fn put_public_access_block(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let document = Some(encode_block(given_block(request).await?));
    let position =
        cx.store.put_configuration(&request.bucket()?, Kind::PublicAccessBlock, document, request.cause()).await?;
    Ok(Answer::ok().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html>
pub fn get_public_access_block(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let judge = request.judge(cx)?;
    let missing = || {
        let name = judge.bucket.record.name.as_str();
        S3Error::new(Code::NoSuchPublicAccessBlockConfiguration).detail("BucketName", name)
    };
    let block = judge.rules.block.ok_or_else(missing)?;
    Ok(shown_block(block))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html>
pub async fn delete_public_access_block(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let position = cx.store.put_configuration(&bucket, Kind::PublicAccessBlock, None, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutPublicAccessBlock.html>
pub async fn put_account_public_access_block(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let block = given_block(request).await?;
    let position = set_account_block(cx, request, Some(block)).await?;
    Ok(Answer::ok().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html>
pub fn get_account_public_access_block(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let account = own_account(request)?;
    let missing = || S3Error::new(Code::NoSuchPublicAccessBlockConfiguration).detail("AccountId", account.as_str());
    Ok(shown_block(cx.identities.public_access_block(account).ok_or_else(missing)?))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_DeletePublicAccessBlock.html>
pub async fn delete_account_public_access_block(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let position = set_account_block(cx, request, None).await?;
    Ok(Answer::no_content().position(position))
}

/// Sets the block, and then has edges forget what they may have been given by other rules: no bucket's entry in the change log
/// speaks of an account.
async fn set_account_block(
    cx: &Service,
    request: &Request,
    block: Option<PublicAccessBlock>,
) -> Result<Position, S3Error> {
    let account = own_account(request)?;
    cx.identities.put_public_access_block(account, block).await?;
    let everything = [Purge { scope: Scope::Everything, target: Target::All, soft: false }];
    Ok(cx.edges.purge(Some(account.clone()), &everything, request.cause()).await?)
}

/// The caller's account: requests for others were refused at their head.
fn own_account(request: &Request) -> Result<&AccountId, S3Error> {
    request.caller.account().ok_or_else(|| S3Error::new(Code::AccessDenied))
}

async fn given_block(request: &mut Request) -> Result<PublicAccessBlock, S3Error> {
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let input = PublicAccessBlockConfiguration::from_body(&body)?;
    Ok(PublicAccessBlock {
        block_public_acls: input.block_public_acls,
        ignore_public_acls: input.ignore_public_acls,
        block_public_policy: input.block_public_policy,
        restrict_public_buckets: input.restrict_public_buckets,
    })
}

fn shown_block(block: PublicAccessBlock) -> Answer {
    let mut document = Writer::new("PublicAccessBlockConfiguration");
    document
        .flag("BlockPublicAcls", block.block_public_acls)
        .flag("IgnorePublicAcls", block.ignore_public_acls)
        .flag("BlockPublicPolicy", block.block_public_policy)
        .flag("RestrictPublicBuckets", block.restrict_public_buckets);
    Answer::xml(document)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html>
pub async fn put_bucket_ownership_controls(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let input = OwnershipControls::from_body(&body)?;
    let ownership = Ownership::parse(input.ownership()).ok_or(Code::MalformedXML)?;
    let judge = request.judge(cx)?;
    let private = Acl::private(judge.bucket.record.account.clone());
    let granted = judge.rules.acl.as_ref().is_some_and(|acl| *acl != private);
    if ownership == Ownership::BucketOwnerEnforced && granted {
        return Err(S3Error::new(Code::InvalidBucketAclWithObjectOwnership));
    }
    let document = Some(encode_ownership(OwnershipSetting::Set(ownership)));
    let position = cx.store.put_configuration(judge.bucket, Kind::OwnershipControls, document, request.cause()).await?;
    Ok(Answer::ok().position(position))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html>
pub fn get_bucket_ownership_controls(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let judge = request.judge(cx)?;
    let OwnershipSetting::Set(ownership) = judge.rules.ownership else {
        let name = judge.bucket.record.name.as_str();
        return Err(S3Error::new(Code::OwnershipControlsNotFoundError).detail("BucketName", name));
    };
    let mut document = Writer::new("OwnershipControls");
    document.nest("Rule", |rule| {
        rule.text("ObjectOwnership", ownership.name());
    });
    Ok(Answer::xml(document))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html>
pub async fn delete_bucket_ownership_controls(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let document = Some(encode_ownership(OwnershipSetting::Removed));
    let bucket = request.bucket()?;
    let position = cx.store.put_configuration(&bucket, Kind::OwnershipControls, document, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}
