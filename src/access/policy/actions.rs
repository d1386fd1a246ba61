//! The actions of S3, and what each is done to.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use super::error::Problem;
use crate::access::glob::is_like;

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What is a whole account's, so that no bucket's policy can name it.
    Account,
    Bucket,
    Object,
}

/// Actions on accounts, without their prefix `s3:`.
const ACCOUNT: [&str; 4] =
    ["GetAccountPublicAccessBlock", "ListAllMyBuckets", "ListenNotification", "PutAccountPublicAccessBlock"];

/// Actions on buckets, without their prefix `s3:`. `ListenBucketNotification` is MinIO's.
const BUCKET: [&str; 60] = [
    "CreateBucket",
    "CreateBucketMetadataTableConfiguration",
    "DeleteBucket",
    "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketOwnershipControls",
    "DeleteBucketPolicy",
    "DeleteBucketPublicAccessBlock",
    "DeleteBucketWebsite",
    "GetAccelerateConfiguration",
    "GetAnalyticsConfiguration",
    "GetBucketAcl",
    "GetBucketCORS",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketMetadataTableConfiguration",
    "GetBucketNotification",
    "GetBucketObjectLockConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketPublicAccessBlock",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetEncryptionConfiguration",
    "GetIntelligentTieringConfiguration",
    "GetInventoryConfiguration",
    "GetLifecycleConfiguration",
    "GetMetricsConfiguration",
    "GetReplicationConfiguration",
    "ListBucket",
    "ListBucketMultipartUploads",
    "ListBucketVersions",
    "ListTagsForResource",
    "ListenBucketNotification",
    "PutAccelerateConfiguration",
    "PutAnalyticsConfiguration",
    "PutBucketAcl",
    "PutBucketCORS",
    "PutBucketLogging",
    "PutBucketNotification",
    "PutBucketObjectLockConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketRequestPayment",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutBucketWebsite",
    "PutEncryptionConfiguration",
    "PutIntelligentTieringConfiguration",
    "PutInventoryConfiguration",
    "PutLifecycleConfiguration",
    "PutMetricsConfiguration",
    "PutReplicationConfiguration",
    "TagResource",
    "UntagResource",
    "UpdateBucketMetadataInventoryTableConfiguration",
    "UpdateBucketMetadataJournalTableConfiguration",
];

/// Actions on objects, without their prefix `s3:`.
const OBJECT: [&str; 35] = [
    "AbortMultipartUpload",
    "BypassGovernanceRetention",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjectVersion",
    "DeleteObjectVersionTagging",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "GetObjectTorrent",
    "GetObjectVersion",
    "GetObjectVersionAcl",
    "GetObjectVersionAttributes",
    "GetObjectVersionForReplication",
    "GetObjectVersionTagging",
    "GetObjectVersionTorrent",
    "InitiateReplication",
    "ListMultipartUploadParts",
    "ObjectOwnerOverrideToBucketOwner",
    "PutObject",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectTagging",
    "PutObjectVersionAcl",
    "PutObjectVersionTagging",
    "RenameObject",
    "ReplicateDelete",
    "ReplicateObject",
    "ReplicateTags",
    "RestoreObject",
    "UpdateObjectEncryption",
];

/// Every action of S3 that a bucket's policy can name, without its prefix, with what it is done to.
pub fn all() -> impl Iterator<Item = (&'static str, Level)> {
    let buckets = BUCKET.iter().map(|name| (*name, Level::Bucket));
    buckets.chain(OBJECT.iter().map(|name| (*name, Level::Object)))
}

/// The action of S3 with this name, `s3:` before it and in any case: in its own spelling, with what it is done to.
pub fn action_of(text: &str) -> Option<(String, Level)> {
    let (vendor, name) = text.split_once(':')?;
    let accounts = ACCOUNT.iter().map(|name| (*name, Level::Account));
    let (name, level) = accounts.chain(all()).find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    vendor.eq_ignore_ascii_case("s3").then(|| (format!("s3:{name}"), level))
}

/// What the resources of a statement are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Levels {
    pub bucket: bool,
    pub object: bool,
}

/// Keys of conditions that only listings have.
const OF_LISTINGS: [&str; 3] = ["s3:delimiter", "s3:max-keys", "s3:prefix"];

const LISTINGS: [&str; 3] = ["ListBucket", "ListBucketMultipartUploads", "ListBucketVersions"];

/// The condition keys of S3, in lower case. Those that end in `/` or `-` are followed by a name.
const CONDITION_KEYS: [&str; 41] = [
    "s3:accessgrantsinstancearn",
    "s3:accesspointnetworkorigin",
    "s3:accesspointtag/",
    "s3:authtype",
    "s3:buckettag/",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:delimiter",
    "s3:destinationregion",
    "s3:existingjoboperation",
    "s3:existingobjecttag/",
    "s3:if-match",
    "s3:if-none-match",
    "s3:inventoryaccessibleoptionalfields",
    "s3:locationconstraint",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:objectcreationoperation",
    "s3:prefix",
    "s3:requestobjecttag/",
    "s3:requestobjecttagkeys",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-object-ownership",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
    "s3:x-amz-tagging-directive",
    "s3:x-amz-website-redirect-location",
];

/// Whether a pattern `s3:...` names at least one action of S3.
pub fn is_known(text: &str) -> bool {
    matching(text).next().is_some()
}

/// Whether a bucket's policy may ask for this key: a global one, or one of S3's.
pub fn is_condition_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let named = |known: &str| match known.ends_with(['/', '-']) {
        true => key.strip_prefix(known).is_some_and(|name| !name.is_empty()),
        false => key == known,
    };
    key.starts_with("aws:") || CONDITION_KEYS.into_iter().any(named)
}

/// Whether the text is an action of any service: `iam:GetUser`, `s3:*`.
pub fn has_vendor(text: &str) -> bool {
    let Some((vendor, name)) = text.split_once(':') else { return false };
    let vendor_valid = vendor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let name_valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*?".contains(&byte));
    !vendor.is_empty() && !name.is_empty() && vendor_valid && name_valid
}

/// Whether a trust policy may name the action.
pub fn is_assumption(text: &str) -> bool {
    const ACTIONS: [&str; 3] = ["AssumeRole", "SetSourceIdentity", "TagSession"];
    let name = text.split_once(':').filter(|(vendor, _)| vendor.eq_ignore_ascii_case("sts")).map(|(_, name)| name);
    name.is_some_and(|name| ACTIONS.into_iter().any(|action| is_like(action, name)))
}

/// Whether each action can be done to one of the resources, and each key of a listing goes with a listing.
pub fn apply(texts: &[String], levels: Levels, keys: &[String]) -> Result<(), Problem> {
    let included = |level| match level {
        Level::Account => false,
        Level::Bucket => levels.bucket,
        Level::Object => levels.object,
    };
    for text in texts {
        if !matching(text).any(|(_, level)| included(level)) {
            return Err(Problem::ActionWithoutResource(text.clone()));
        }
    }
    let of_listing = |key: &&String| OF_LISTINGS.into_iter().any(|known| key.eq_ignore_ascii_case(known));
    let lists = || texts.iter().flat_map(|text| matching(text)).any(|(name, _)| LISTINGS.contains(&name));
    match keys.iter().find(of_listing) {
        Some(key) if !lists() => Err(Problem::ConditionWithoutAction(key.clone())),
        _ => Ok(()),
    }
}

/// The actions of S3 that a pattern names.
fn matching(text: &str) -> impl Iterator<Item = (&'static str, Level)> {
    let name = match text.split_once(':') {
        Some((vendor, name)) if vendor.eq_ignore_ascii_case("s3") => Some(name),
        None if text == "*" => Some("*"),
        _ => None,
    };
    all().filter(move |(action, _)| name.is_some_and(|pattern| is_like(action, pattern)))
}
