//! Operations on the service and on buckets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as TOKEN;

use bytes::Bytes;

use super::tagging;
use crate::access::{Acl, Ownership};
use crate::guard::{OwnershipSetting, encode_ownership};
use crate::http::date;
use crate::names::{AccountId, BucketName};
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::tags::{self, Tagged, Tags};
use crate::s3::xml::input::CreateBucketConfiguration;
use crate::s3::xml::read::Bounds;
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, owner};
use crate::site::deploy::is_preview_shaped;
use crate::store;
use crate::store::bucket::{CreateBucket, ListBuckets};
use crate::store::configuration::Kind;

/// The most buckets of a page, and the number without `max-buckets`.
const MAX_BUCKETS: u32 = 10_000;
/// The region that S3 writes as an empty location.
const UNNAMED_REGION: &str = "us-east-1";

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
pub async fn list_buckets(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let query = &request.query;
    let after = match query.given("continuation-token") {
        Some(token) => Some(parse_token(token)?),
        None => None,
    };
    let prefix = query.get("prefix").unwrap_or_default().to_owned();
    let limit = query.number("max-buckets", 1..=MAX_BUCKETS)?.unwrap_or(MAX_BUCKETS) as usize;
    let region = query.given("bucket-region");
    let account = own_account(request)?;
    let mut page =
        cx.store.list_buckets(&ListBuckets { account: account.clone(), prefix: prefix.clone(), after, limit }).await?;
    let next = page.buckets.last().filter(|_| page.more).map(|last| TOKEN.encode(last.name.as_str()));
    page.buckets.retain(|bucket| region.is_none_or(|region| bucket.region == region));

    let mut document = Writer::new("ListAllMyBucketsResult");
    owner::write(&mut document, "Owner", &cx.identities.owner(&account));
    document.nest("Buckets", |buckets| {
        for bucket in &page.buckets {
            buckets.nest("Bucket", |entry| {
                entry
                    .text("Name", bucket.name.as_str())
                    .text("CreationDate", &date::format_iso8601(bucket.created))
                    .text("BucketRegion", &bucket.region);
            });
        }
    });
    if query.has("prefix") {
        document.text("Prefix", &prefix);
    }
    document.optional("ContinuationToken", next.as_deref());
    Ok(Answer::xml(document))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub async fn create_bucket(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let name = request.target.bucket_name()?;
    refuse_preview_name(&name)?;
    refuse_bucket_headers(request)?;
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let configuration = CreateBucketConfiguration::from_body(&body)?;
    let tags = tags::of_elements(configuration.tags, Tagged::Bucket)?;
    check_location(configuration.location_constraint.as_deref(), &cx.options.region)?;
    if !tags.is_empty() {
        request.permit_new_bucket(cx, "s3:TagResource")?;
    }
    let account = own_account(request)?;
    let create = CreateBucket {
        name: name.clone(),
        configuration: configured(cx, request, &account, &tags)?,
        account,
        region: cx.options.region.clone(),
        cause: request.cause(),
    };
    let answer = Answer::ok().header("location", format!("/{name}"));
    match cx.store.create_bucket(create).await {
        Ok((_, position)) => Ok(answer.position(position)),
        // The one region in which S3 lets an owner create its bucket again.
        Err(store::Error::BucketOwned(_)) if cx.options.region == UNNAMED_REGION => Ok(answer),
        Err(error) => Err(error.into()),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub fn head_bucket(request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    Ok(Answer::ok()
        .header("x-amz-bucket-region", bucket.record.region.as_str())
        .header("x-amz-access-point-alias", "false")
        .header("content-type", "application/xml"))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>
pub fn get_bucket_location(request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let mut document = Writer::new("LocationConstraint");
    if bucket.record.region != UNNAMED_REGION {
        document.content(&bucket.record.region);
    }
    Ok(Answer::xml(document))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html>
pub async fn delete_bucket(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let position = cx.store.delete_bucket(&bucket.record.name, request.cause()).await?;
    Ok(Answer::no_content().position(position))
}

/// A configuration that every bucket has and that says nothing.
pub fn unconfigured(request: &Request, root: &'static str) -> Result<Answer, S3Error> {
    request.bucket()?;
    Ok(Answer::xml(Writer::new(root)))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html>
pub fn get_bucket_request_payment(request: &Request) -> Result<Answer, S3Error> {
    request.bucket()?;
    let mut document = Writer::new("RequestPaymentConfiguration");
    document.text("Payer", "BucketOwner");
    Ok(Answer::xml(document))
}

/// The account whose buckets are asked for. Nobody has none.
fn own_account(request: &Request) -> Result<AccountId, S3Error> {
    request.caller.account().cloned().ok_or_else(|| S3Error::new(Code::AccessDenied))
}

/// A bucket of such a name would stand where the previews of another's deploys are served.
fn refuse_preview_name(name: &BucketName) -> Result<(), S3Error> {
    if !is_preview_shaped(name.as_str()) {
        return Ok(());
    }
    let message = "A bucket's name must not begin with ten letters a to z or digits 2 to 7 and two hyphens: so are the hosts named \
                   under which deploys are previewed.";
    Err(S3Error::with_message(Code::InvalidBucketName, message).detail("BucketName", name.as_str()))
}

fn refuse_bucket_headers(request: &Request) -> Result<(), S3Error> {
    let headers = &request.head.headers;
    let locked = headers.text("x-amz-bucket-object-lock-enabled")?;
    if locked.is_some_and(|value| !value.eq_ignore_ascii_case("false")) {
        return Err(S3Error::header_not_implemented("x-amz-bucket-object-lock-enabled"));
    }
    Ok(())
}

/// What a new bucket says of access to it: who owns its objects, and who else may do what.
fn configured(
    cx: &Service,
    request: &Request,
    account: &AccountId,
    tags: &Tags,
) -> Result<Vec<(Kind, Bytes)>, S3Error> {
    let headers = &request.head.headers;
    let mut rows = Vec::new();
    if !tags.is_empty() {
        rows.push(tagging::stored(tags)?);
    }
    let ownership = match headers.text("x-amz-object-ownership")? {
        Some(name) => {
            let invalid =
                || S3Error::invalid_argument("Invalid x-amz-object-ownership header", "x-amz-object-ownership", name);
            let ownership = Ownership::parse(name).ok_or_else(invalid)?;
            rows.push((Kind::OwnershipControls, encode_ownership(OwnershipSetting::Set(ownership))));
            ownership
        }
        None => Ownership::default(),
    };
    let acl = cx.acl_of_bucket(headers, account)?.filter(|acl| *acl != Acl::private(account.clone()));
    if let Some(acl) = acl {
        if ownership == Ownership::BucketOwnerEnforced {
            return Err(S3Error::new(Code::InvalidBucketAclWithObjectOwnership));
        }
        if cx.identities.public_access_block(account).is_some_and(|block| block.block_public_acls) && acl.is_public() {
            return Err(S3Error::new(Code::AccessDenied));
        }
        rows.push((Kind::Acl, Bytes::from(acl.encode())));
    }
    Ok(rows)
}

/// A client names the region of the endpoint, or none.
fn check_location(location: Option<&str>, region: &str) -> Result<(), S3Error> {
    match location.filter(|location| !location.is_empty()) {
        None => Ok(()),
        Some(location) if location == region => Ok(()),
        Some(location) => {
            let message = format!(
                "The {location} location constraint is incompatible for the region specific endpoint this request was sent to."
            );
            Err(S3Error::with_message(Code::IllegalLocationConstraintException, message))
        }
    }
}

fn parse_token(token: &str) -> Result<BucketName, S3Error> {
    let name = TOKEN.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let name = name.and_then(|name| BucketName::parse(&name).ok());
    name.ok_or_else(|| {
        S3Error::invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    })
}
