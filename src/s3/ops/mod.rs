//! The operations, a file a family. Each is parse, run, answer.

mod acl;
mod attributes;
mod bucket;
mod copy;
mod cors;
mod delete;
mod exposure;
#[cfg(test)]
mod fuzz;
mod get;
mod list;
mod listen;
mod multipart;
mod notification;
mod part;
mod policy;
mod post;
mod put;
mod rename;
mod tagging;
mod versions;
mod website;

use std::sync::Arc;

use super::answer::Answer;
use super::error::{Code, S3Error};
use super::operation::{Operation, Support};
use super::{Request, Service};

/// Runs an operation.
pub async fn run(cx: &Arc<Service>, operation: Operation, request: &mut Request) -> Result<Answer, S3Error> {
    use Operation as O;
    match operation {
        O::ListenNotification | O::ListenBucketNotification => listen::listen(cx, request).await,
        O::ListBuckets => bucket::list_buckets(cx, request).await,
        O::CreateBucket => bucket::create_bucket(cx, request).await,
        O::HeadBucket => bucket::head_bucket(request),
        O::DeleteBucket => bucket::delete_bucket(cx, request).await,
        O::GetBucketLocation => bucket::get_bucket_location(request),
        O::GetBucketVersioning => versions::get_bucket_versioning(request),
        O::PutBucketVersioning => versions::put_bucket_versioning(cx, request).await,
        O::GetBucketLogging => bucket::unconfigured(request, "BucketLoggingStatus"),
        O::GetBucketNotificationConfiguration => notification::get_bucket_notification_configuration(cx, request),
        O::PutBucketNotificationConfiguration => notification::put_bucket_notification_configuration(cx, request).await,
        O::GetBucketAccelerateConfiguration => bucket::unconfigured(request, "AccelerateConfiguration"),
        O::GetBucketRequestPayment => bucket::get_bucket_request_payment(request),
        O::GetBucketAcl => acl::get_bucket_acl(cx, request),
        O::PutBucketAcl => acl::put_bucket_acl(cx, request).await,
        O::GetBucketPolicy => policy::get_bucket_policy(cx, request).await,
        O::PutBucketPolicy => policy::put_bucket_policy(cx, request).await,
        O::DeleteBucketPolicy => policy::delete_bucket_policy(cx, request).await,
        O::GetBucketPolicyStatus => policy::get_bucket_policy_status(cx, request),
        O::GetAccountPublicAccessBlock => exposure::get_account_public_access_block(cx, request),
        O::PutAccountPublicAccessBlock => exposure::put_account_public_access_block(cx, request).await,
        O::DeleteAccountPublicAccessBlock => exposure::delete_account_public_access_block(cx, request).await,
        O::GetPublicAccessBlock => exposure::get_public_access_block(cx, request),
        O::PutPublicAccessBlock => exposure::put_public_access_block(cx, request).await,
        O::DeletePublicAccessBlock => exposure::delete_public_access_block(cx, request).await,
        O::GetBucketOwnershipControls => exposure::get_bucket_ownership_controls(cx, request),
        O::PutBucketOwnershipControls => exposure::put_bucket_ownership_controls(cx, request).await,
        O::DeleteBucketOwnershipControls => exposure::delete_bucket_ownership_controls(cx, request).await,
        O::GetBucketCors => cors::get_bucket_cors(cx, request).await,
        O::PutBucketCors => cors::put_bucket_cors(cx, request).await,
        O::DeleteBucketCors => cors::delete_bucket_cors(cx, request).await,
        O::GetBucketWebsite => website::get_bucket_website(cx, request).await,
        O::PutBucketWebsite => website::put_bucket_website(cx, request).await,
        O::DeleteBucketWebsite => website::delete_bucket_website(cx, request).await,
        O::GetBucketTagging => tagging::get_bucket_tagging(cx, request).await,
        O::PutBucketTagging => tagging::put_bucket_tagging(cx, request).await,
        O::DeleteBucketTagging => tagging::delete_bucket_tagging(cx, request).await,
        O::ListObjects => list::list_objects(cx, request).await,
        O::ListObjectsV2 => list::list_objects_v2(cx, request).await,
        O::ListObjectVersions => versions::list_object_versions(cx, request).await,
        O::ListMultipartUploads => multipart::list_multipart_uploads(cx, request).await,
        O::DeleteObjects => delete::delete_objects(cx, request).await,
        O::GetObject => get::get_object(cx, request).await,
        O::HeadObject => get::head_object(cx, request).await,
        O::GetObjectAttributes => attributes::get_object_attributes(cx, request).await,
        O::GetObjectAcl => acl::get_object_acl(cx, request).await,
        O::PutObjectAcl => acl::put_object_acl(cx, request).await,
        O::GetObjectTagging => tagging::get_object_tagging(cx, request).await,
        O::PutObjectTagging => tagging::put_object_tagging(cx, request).await,
        O::DeleteObjectTagging => tagging::delete_object_tagging(cx, request).await,
        O::PostObject => post::post_object(cx, request).await,
        O::PutObject => put::put_object(cx, request).await,
        O::CopyObject => copy::copy_object(cx, request).await,
        O::RenameObject => rename::rename_object(cx, request).await,
        O::DeleteObject => delete::delete_object(cx, request).await,
        O::CreateMultipartUpload => multipart::create_multipart_upload(cx, request).await,
        O::CompleteMultipartUpload => multipart::complete_multipart_upload(cx, request).await,
        O::AbortMultipartUpload => multipart::abort_multipart_upload(cx, request).await,
        O::ListParts => part::list_parts(cx, request).await,
        O::UploadPart => part::upload_part(cx, request).await,
        O::UploadPartCopy => part::upload_part_copy(cx, request).await,
        O::GetBucketLifecycleConfiguration
        | O::GetBucketEncryption
        | O::GetObjectLockConfiguration
        | O::GetBucketReplication
        | O::Preflight
        | O::Unknown => absent(operation, request),
    }
}

/// Answers for what cannot be configured.
fn absent(operation: Operation, request: &Request) -> Result<Answer, S3Error> {
    match operation.support() {
        Support::Absent(code) => {
            let bucket = request.bucket()?;
            Err(S3Error::new(code).detail("BucketName", bucket.record.name.as_str()))
        }
        Support::Full | Support::NotImplemented => Err(S3Error::new(Code::NotImplemented)),
    }
}
