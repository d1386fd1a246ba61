//! The operation table: one row declares an operation. Routing, permissions, metric labels, log names and
//! `docs/operations.md` come from here.

use super::error::Code;
use super::query::Query;
use super::target::Level;
use crate::http::head::Headers;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub operation: Operation,
    pub method: &'static str,
    pub level: Level,
    /// Query parameters that must be there; others must not be sub-resources of S3.
    pub query: &'static [&'static str],
    /// Headers that must be there.
    pub headers: &'static [&'static str],
    /// The permission it needs, in IAM's words.
    pub action: &'static str,
    /// What the documentation says besides the name.
    pub note: &'static str,
}

/// How an operation is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    Full,
    /// Always this code: nothing of the kind can be configured, so nothing is.
    Absent(Code),
    NotImplemented,
}

macro_rules! operations {
    ($($operation:ident $method:ident $level:ident [$($query:literal),*] $({ $header:literal })? $action:literal $support:expr, $note:literal;)*) => {
        /// The operations of S3 that Brim tells apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operation { $($operation,)* }

        impl Operation {
            /// The operation's name in S3's API reference.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$operation => stringify!($operation),)* }
            }

            pub const fn support(self) -> Support {
                match self { $(Self::$operation => $support,)* }
            }
        }

        /// Every operation; of the rows that match a request, the first counts.
        pub const ROWS: &[Row] = &[$(Row {
            operation: Operation::$operation,
            method: stringify!($method),
            level: Level::$level,
            query: &[$($query),*],
            headers: &[$($header)?],
            action: $action,
            note: $note,
        },)*];
    };
}

use Support::{Absent, Full, NotImplemented};

operations! {
    ListenNotification GET Service ["events"] "s3:ListenNotification" Full, "MinIO's: a stream of events of every bucket that the caller may hear of; see [the event stream](event-stream.md)";
    ListBuckets GET Service [] "s3:ListAllMyBuckets" Full, "paged by `max-buckets` and `continuation-token`, `prefix`";

    GetAccountPublicAccessBlock GET Account [] "s3:GetAccountPublicAccessBlock" Full, "S3 control's GetPublicAccessBlock, of the caller's own account";
    PutAccountPublicAccessBlock PUT Account [] "s3:PutAccountPublicAccessBlock" Full, "counts for every bucket of the account, together with the bucket's own";
    DeleteAccountPublicAccessBlock DELETE Account [] "s3:PutAccountPublicAccessBlock" Full, "";

    ListenBucketNotification GET Bucket ["events"] "s3:ListenBucketNotification" Full, "MinIO's: a stream of events, filtered by `prefix` and `suffix`; not with signatures of version 2";
    GetBucketLocation GET Bucket ["location"] "s3:GetBucketLocation" Full, "";
    ListMultipartUploads GET Bucket ["uploads"] "s3:ListBucketMultipartUploads" Full, "";
    ListObjectsV2 GET Bucket ["list-type"] "s3:ListBucket" Full, "";
    GetBucketVersioning GET Bucket ["versioning"] "s3:GetBucketVersioning" Full, "";
    ListObjectVersions GET Bucket ["versions"] "s3:ListBucketVersions" Full, "versions and delete markers, the newest of a key first";
    GetBucketAcl GET Bucket ["acl"] "s3:GetBucketAcl" Full, "the owner's full control, where access control lists are disabled";
    PutBucketAcl PUT Bucket ["acl"] "s3:PutBucketAcl" Full, "canned, grants in headers or a body";
    GetBucketLogging GET Bucket ["logging"] "s3:GetBucketLogging" Full, "answers that logging is off";
    GetBucketNotificationConfiguration GET Bucket ["notification"] "s3:GetBucketNotification" Full, "";
    PutBucketNotificationConfiguration PUT Bucket ["notification"] "s3:PutBucketNotification" Full, "up to 100 rules; `PutBucketNotification`, no longer used, is the same request; see [notifications](notifications.md)";
    GetBucketAccelerateConfiguration GET Bucket ["accelerate"] "s3:GetAccelerateConfiguration" Full, "answers that there is none";
    GetBucketRequestPayment GET Bucket ["requestPayment"] "s3:GetBucketRequestPayment" Full, "the bucket's owner pays";
    GetBucketPolicy GET Bucket ["policy"] "s3:GetBucketPolicy" Full, "as it was put";
    PutBucketPolicy PUT Bucket ["policy"] "s3:PutBucketPolicy" Full, "up to 20 KiB, validated; see [access](access.md)";
    DeleteBucketPolicy DELETE Bucket ["policy"] "s3:DeleteBucketPolicy" Full, "";
    GetBucketPolicyStatus GET Bucket ["policyStatus"] "s3:GetBucketPolicyStatus" Full, "";
    GetBucketCors GET Bucket ["cors"] "s3:GetBucketCORS" Full, "";
    PutBucketCors PUT Bucket ["cors"] "s3:PutBucketCORS" Full, "up to 100 rules; see [browsers](browsers.md)";
    DeleteBucketCors DELETE Bucket ["cors"] "s3:PutBucketCORS" Full, "";
    GetBucketLifecycleConfiguration GET Bucket ["lifecycle"] "s3:GetLifecycleConfiguration" Absent(Code::NoSuchLifecycleConfiguration), "";
    GetBucketTagging GET Bucket ["tagging"] "s3:GetBucketTagging" Full, "";
    PutBucketTagging PUT Bucket ["tagging"] "s3:PutBucketTagging" Full, "up to 50 tags";
    DeleteBucketTagging DELETE Bucket ["tagging"] "s3:PutBucketTagging" Full, "";
    GetBucketEncryption GET Bucket ["encryption"] "s3:GetEncryptionConfiguration" Absent(Code::ServerSideEncryptionConfigurationNotFoundError), "";
    GetObjectLockConfiguration GET Bucket ["object-lock"] "s3:GetBucketObjectLockConfiguration" Absent(Code::ObjectLockConfigurationNotFoundError), "";
    GetPublicAccessBlock GET Bucket ["publicAccessBlock"] "s3:GetBucketPublicAccessBlock" Full, "a new bucket has none";
    PutPublicAccessBlock PUT Bucket ["publicAccessBlock"] "s3:PutBucketPublicAccessBlock" Full, "";
    DeletePublicAccessBlock DELETE Bucket ["publicAccessBlock"] "s3:PutBucketPublicAccessBlock" Full, "";
    GetBucketOwnershipControls GET Bucket ["ownershipControls"] "s3:GetBucketOwnershipControls" Full, "a new bucket has `BucketOwnerEnforced`";
    PutBucketOwnershipControls PUT Bucket ["ownershipControls"] "s3:PutBucketOwnershipControls" Full, "";
    DeleteBucketOwnershipControls DELETE Bucket ["ownershipControls"] "s3:PutBucketOwnershipControls" Full, "leaves `ObjectWriter`, as at S3";
    GetBucketReplication GET Bucket ["replication"] "s3:GetReplicationConfiguration" Absent(Code::ReplicationConfigurationNotFoundError), "";
    GetBucketWebsite GET Bucket ["website"] "s3:GetBucketWebsite" Full, "";
    PutBucketWebsite PUT Bucket ["website"] "s3:PutBucketWebsite" Full, "up to 50 routing rules; see [websites](websites.md)";
    DeleteBucketWebsite DELETE Bucket ["website"] "s3:DeleteBucketWebsite" Full, "";
    ListObjects GET Bucket [] "s3:ListBucket" Full, "";
    HeadBucket HEAD Bucket [] "s3:ListBucket" Full, "";
    CreateBucket PUT Bucket [] "s3:CreateBucket" Full, "names that look like previews of deploys are refused; see [deploying](deploying.md)";
    PutBucketVersioning PUT Bucket ["versioning"] "s3:PutBucketVersioning" Full, "enabled or suspended; no MFA delete";
    DeleteBucket DELETE Bucket [] "s3:DeleteBucket" Full, "without objects, versions and delete markers; uploads left in the bucket are aborted";
    DeleteObjects POST Bucket ["delete"] "s3:DeleteObject" Full, "up to 1,000 keys or versions, each with its own condition";
    PostObject POST Bucket [] "s3:PutObject" Full, "forms with a policy, or none; see [browsers](browsers.md)";

    ListParts GET Object ["uploadId"] "s3:ListMultipartUploadParts" Full, "";
    GetObjectAttributes GET Object ["attributes"] "s3:GetObjectAttributes" Full, "";
    GetObjectAcl GET Object ["acl"] "s3:GetObjectAcl" Full, "the owner's full control, where access control lists are disabled";
    PutObjectAcl PUT Object ["acl"] "s3:PutObjectAcl" Full, "canned, grants in headers or a body";
    GetObjectTagging GET Object ["tagging"] "s3:GetObjectTagging" Full, "";
    PutObjectTagging PUT Object ["tagging"] "s3:PutObjectTagging" Full, "up to 10 tags";
    DeleteObjectTagging DELETE Object ["tagging"] "s3:DeleteObjectTagging" Full, "";
    GetObject GET Object [] "s3:GetObject" Full, "ranges, `partNumber`, conditions, `response-*`, `versionId`";
    HeadObject HEAD Object [] "s3:GetObject" Full, "as GetObject";
    UploadPartCopy PUT Object ["uploadId", "partNumber"] { "x-amz-copy-source" } "s3:PutObject" Full, "ranges and conditions on the source";
    UploadPart PUT Object ["uploadId", "partNumber"] "s3:PutObject" Full, "";
    RenameObject PUT Object ["renameObject"] "s3:PutObject" Full, "in every bucket, atomic; `x-amz-client-token` is known for 24 hours; where there are versions, the source gets a delete marker";
    CopyObject PUT Object [] { "x-amz-copy-source" } "s3:PutObject" Full, "moves no bytes; the copy of a multipart object keeps its ETag; a `versionId` of the source";
    PutObject PUT Object [] "s3:PutObject" Full, "conditional writes, all checksums, all streaming modes";
    CreateMultipartUpload POST Object ["uploads"] "s3:PutObject" Full, "";
    CompleteMultipartUpload POST Object ["uploadId"] "s3:PutObject" Full, "conditional; a retry with the same list gets the same answer for 24 hours";
    AbortMultipartUpload DELETE Object ["uploadId"] "s3:AbortMultipartUpload" Full, "";
    DeleteObject DELETE Object [] "s3:DeleteObject" Full, "conditional; `versionId` removes a version for good";

    Preflight OPTIONS Object [] "" Full, "and `/bucket`: what a browser asks before it sends; not signed";

    // What is left is S3's, or nobody's.
    Unknown ANY Service [] "" NotImplemented, "every other operation of S3";
}

/// Query parameters that make a request another operation. One that the chosen row does not name means that the
/// request is for something that Brim does not have.
const SUB_RESOURCES: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "events",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
];

impl Operation {
    /// Finds the operation that a request asks for.
    pub fn find(method: &str, level: Level, query: &Query, headers: &Headers) -> Self {
        let wanted = |row: &&Row| {
            row.method == method
                && row.level == level
                && row.query.iter().all(|name| query.has(name))
                && row.headers.iter().all(|name| headers.contains(name))
                && query.names().all(|name| row.query.contains(&name) || row.allows(name))
        };
        ROWS.iter().find(wanted).map_or(Self::Unknown, |row| row.operation)
    }

    /// The operation's place in the table, for metrics.
    pub fn index(self) -> usize {
        ROWS.iter().position(|row| row.operation == self).unwrap_or_default()
    }

    pub fn names() -> Vec<&'static str> {
        ROWS.iter().map(|row| row.operation.name()).collect()
    }
}

impl Row {
    /// Whether a parameter that the row does not name leaves the operation what it is.
    fn allows(&self, parameter: &str) -> bool {
        let reads_parts = matches!(self.operation, Operation::GetObject | Operation::HeadObject);
        !SUB_RESOURCES.contains(&parameter) || (reads_parts && parameter == "partNumber")
    }
}

/// The table as documentation.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Operations\n\n\
         Made from the operation table in `src/s3/operation.rs`; `BLESS=1 cargo test --release --lib operation` writes it\n\
         anew. Whatever is not listed is answered with `501 NotImplemented`, and so are headers that ask for what would not\n\
         happen: `x-amz-server-side-encryption...`, `x-amz-object-lock-...`, `x-amz-write-offset-bytes`. The permission is the\n\
         action in IAM's words; headers for access control lists and tags, versions and the sources of copies need further ones,\n\
         as at S3. [access.md](access.md) says how they are decided.\n\n\
         | operation | request | permission | notes |\n| --- | --- | --- | --- |\n",
    );
    for row in ROWS {
        let path = match row.level {
            Level::Service => "/",
            Level::Account => "/v20180820/configuration/publicAccessBlock",
            Level::Bucket => "/bucket",
            Level::Object => "/bucket/key",
        };
        let query = if row.query.is_empty() { String::new() } else { format!("?{}", row.query.join("&")) };
        let header: String = row.headers.iter().map(|name| format!(" with `{name}`")).collect();
        let note = match row.operation.support() {
            Full => row.note.to_owned(),
            Absent(code) => format!("always `{}`: it cannot be configured yet", code.as_str()),
            NotImplemented => continue,
        };
        let (name, method) = (row.operation.name(), row.method);
        let action = if row.action.is_empty() { "none".to_owned() } else { format!("`{}`", row.action) };
        page.push_str(&format!("| {name} | `{method} {path}{query}`{header} | {action} | {note} |\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, level: Level, query: &str, header: Option<&str>) -> Operation {
        let headers = header.into_iter().map(|name| (name, "value")).collect();
        Operation::find(method, level, &Query::parse(query).unwrap(), &headers)
    }

    #[test]
    fn parameters_and_headers_choose_the_operation() {
        for (method, level, query, header, expected) in [
            ("GET", Level::Service, "x-id=ListBuckets", None, Operation::ListBuckets),
            ("DELETE", Level::Account, "", None, Operation::DeleteAccountPublicAccessBlock),
            ("GET", Level::Service, "events=s3%3AObjectCreated%3A*&ping=10", None, Operation::ListenNotification),
            ("GET", Level::Bucket, "events=&prefix=&suffix=", None, Operation::ListenBucketNotification),
            ("GET", Level::Bucket, "", None, Operation::ListObjects),
            ("GET", Level::Bucket, "prefix=a&max-keys=3", None, Operation::ListObjects),
            ("GET", Level::Bucket, "list-type=2", None, Operation::ListObjectsV2),
            ("GET", Level::Bucket, "location", None, Operation::GetBucketLocation),
            ("GET", Level::Bucket, "versions&prefix=a", None, Operation::ListObjectVersions),
            ("PUT", Level::Bucket, "versioning", None, Operation::PutBucketVersioning),
            ("POST", Level::Bucket, "delete=", None, Operation::DeleteObjects),
            ("PUT", Level::Object, "x-id=PutObject", None, Operation::PutObject),
            ("PUT", Level::Object, "", Some("x-amz-copy-source"), Operation::CopyObject),
            ("PUT", Level::Object, "partNumber=1&uploadId=x", None, Operation::UploadPart),
            ("PUT", Level::Object, "partNumber=1&uploadId=x", Some("x-amz-copy-source"), Operation::UploadPartCopy),
            ("GET", Level::Object, "partNumber=2", None, Operation::GetObject),
            ("GET", Level::Object, "uploadId=x", None, Operation::ListParts),
            ("POST", Level::Object, "uploads", None, Operation::CreateMultipartUpload),
            ("POST", Level::Bucket, "", None, Operation::PostObject),
            ("PUT", Level::Object, "tagging", None, Operation::PutObjectTagging),
        ] {
            assert_eq!(find(method, level, query, header), expected, "{method} {query}");
        }
    }

    #[test]
    fn what_brim_does_not_have_is_never_taken_for_something_else() {
        for (method, level, query) in [
            ("PUT", Level::Object, "retention"),
            ("PUT", Level::Object, "uploadId=x"),
            ("GET", Level::Bucket, "list-type=2&versions"),
            ("DELETE", Level::Bucket, "encryption"),
            ("GET", Level::Bucket, "events=&list-type=2"),
            ("GET", Level::Object, "events="),
            ("POST", Level::Bucket, "versioning"),
            ("POST", Level::Object, "select&select-type=2"),
            ("POST", Level::Bucket, "tagging"),
            ("PATCH", Level::Object, ""),
            ("POST", Level::Account, ""),
        ] {
            assert_eq!(find(method, level, query, None), Operation::Unknown, "{method} {query}");
        }
    }

    #[test]
    fn signatures_of_version_2_cover_what_chooses_an_operation() {
        // Version 2 never covered `list-type`, where both listings need the same permission, and never `events`, with which
        // it is refused.
        for name in ROWS.iter().flat_map(|row| row.query).filter(|name| !["events", "list-type"].contains(name)) {
            assert!(crate::auth::is_signed_by_v2(name), "{name}");
        }
    }

    #[test]
    fn the_documentation_is_that_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            markdown(),
            "docs/operations.md is stale: run `BLESS=1 cargo test --release --lib operation`"
        );
    }
}
