//! Every family of operations, for everyone, in buckets that are open and closed in five ways.

use serde_json::json;

use super::*;

/// A bucket of the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bucket {
    /// As it was made.
    Private,
    /// Bucket and objects are `public-read`.
    PublicRead,
    /// The policy allows everything to everyone.
    Allow,
    /// The policy denies everything to everyone.
    Deny,
    /// The policy allows everything to everyone, and the public access block forbids all that is public.
    Blocked,
}

const BUCKETS: [(Bucket, &str); 5] = [
    (Bucket::Private, "private"),
    (Bucket::PublicRead, "public-read"),
    (Bucket::Allow, "allow"),
    (Bucket::Deny, "deny"),
    (Bucket::Blocked, "blocked"),
];

/// What an operation does, as far as `public-read` lists tell operations apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Reads what `READ` on a bucket or an object gives.
    Read,
    /// Anything else.
    Other,
    /// Reads the bucket's policy, which is for its own account alone.
    Policy,
}

/// `{c}` stands for the caller's place among the callers: what is deleted or completed is everyone's own.
/// `{b}` stands for the bucket, `{u}` for one upload, `{v}` for another and `{e}` for the entity tag of its part.
struct Operation {
    name: &'static str,
    kind: Kind,
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

macro_rules! operations {
    ($($name:literal $kind:ident $method:ident $target:literal $({ $($header:literal: $value:literal),* })? $($body:literal)?;)*) => {
        const OPERATIONS: &[Operation] = &[$(Operation {
            name: $name,
            kind: Kind::$kind,
            method: stringify!($method),
            target: $target,
            headers: &[$($(($header, $value)),*)?],
            body: concat!($($body)?),
        }),*];
    };
}

operations! {
    "ListObjects" Read GET "/{b}";
    "ListObjectsV2" Read GET "/{b}?list-type=2";
    "HeadBucket" Read HEAD "/{b}";
    "ListObjectVersions" Read GET "/{b}?versions";
    "ListMultipartUploads" Read GET "/{b}?uploads";
    "GetObject" Read GET "/{b}/key";
    "HeadObject" Read HEAD "/{b}/key";
    "GetObject of a version" Read GET "/{b}/key?versionId=null";
    "GetObjectAttributes" Other GET "/{b}/key?attributes" { "x-amz-object-attributes": "ETag" };
    "PutObject" Other PUT "/{b}/new-{c}" "x";
    "PutObject over another" Other PUT "/{b}/over-{c}" "x";
    "DeleteObject" Other DELETE "/{b}/deleted-{c}";
    "DeleteObject of a version" Other DELETE "/{b}/version-{c}?versionId=null";
    "CreateMultipartUpload" Other POST "/{b}/parts-{c}?uploads";
    "UploadPart" Other PUT "/{b}/upload-{c}?partNumber=2&uploadId={u}" "x";
    "UploadPartCopy" Other PUT "/{b}/upload-{c}?partNumber=3&uploadId={u}" { "x-amz-copy-source": "{b}/key" };
    "ListParts" Other GET "/{b}/upload-{c}?uploadId={u}";
    "AbortMultipartUpload" Other DELETE "/{b}/upload-{c}?uploadId={u}";
    "CompleteMultipartUpload" Other POST "/{b}/complete-{c}?uploadId={v}"
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{e}</ETag></Part></CompleteMultipartUpload>";
    "CopyObject to it" Other PUT "/{b}/copy-{c}" { "x-amz-copy-source": "sink/source" };
    "CopyObject from it" Read PUT "/sink/copy-{b}-{c}" { "x-amz-copy-source": "{b}/key" };
    "GetObjectTagging" Other GET "/{b}/key?tagging";
    "PutObjectTagging" Other PUT "/{b}/tagged-{c}?tagging" "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    "DeleteObjectTagging" Other DELETE "/{b}/tagged-{c}?tagging";
    "GetObjectAcl" Other GET "/{b}/key?acl";
    "PutObjectAcl" Other PUT "/{b}/tagged-{c}?acl" { "x-amz-acl": "private" };
    "GetBucketAcl" Other GET "/{b}?acl";
    "GetBucketLocation" Other GET "/{b}?location";
    "GetBucketVersioning" Other GET "/{b}?versioning";
    "GetBucketTagging" Other GET "/{b}?tagging";
    "PutBucketTagging" Other PUT "/{b}?tagging" "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    "GetBucketCors" Other GET "/{b}?cors";
    "DeleteBucketCors" Other DELETE "/{b}?cors";
    "GetBucketWebsite" Other GET "/{b}?website";
    "PutBucketWebsite" Other PUT "/{b}?website" "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>";
    "DeleteBucketWebsite" Other DELETE "/{b}?website";
    "GetPublicAccessBlock" Other GET "/{b}?publicAccessBlock";
    "GetBucketOwnershipControls" Other GET "/{b}?ownershipControls";
    "GetBucketPolicyStatus" Other GET "/{b}?policyStatus";
    "GetBucketPolicy" Policy GET "/{b}?policy";
    "DeleteBucket" Other DELETE "/{b}";
}

/// What operations that were allowed answer besides success, in buckets where there is nothing, or still something.
const HARMLESS: [&str; 6] = [
    "AccessControlListNotSupported",
    "BucketNotEmpty",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchWebsiteConfiguration",
];

/// Who the callers are, as far as the rules tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anonymous,
    OwnRoot,
    /// May do everything by policies of his own.
    OwnUserWithPolicy,
    OwnUserWithout,
    /// Of another account: its root, or a user with policies.
    Stranger,
    /// Of another account, whose own account allows him nothing.
    StrangerWithout,
}

/// The oracle: allowed or not, by the rules of the page "How Amazon S3 authorizes a request".
fn allowed(who: Who, bucket: Bucket, kind: Kind) -> bool {
    let owns = matches!(who, Who::OwnRoot | Who::OwnUserWithPolicy);
    let is_of_account = owns || who == Who::OwnUserWithout;
    match (bucket, who) {
        // A denial beats everything, but for the root's hold on the policy.
        (Bucket::Deny, _) => who == Who::OwnRoot && kind == Kind::Policy,
        // Across accounts both sides must allow.
        (_, Who::StrangerWithout) => false,
        (Bucket::Private, _) => owns,
        (Bucket::PublicRead, _) => owns || kind == Kind::Read,
        (Bucket::Allow, _) => true,
        (Bucket::Blocked, _) => is_of_account,
    }
}

/// What each caller has of his own in a bucket.
#[derive(Default)]
struct Prepared {
    upload: String,
    completed: String,
    etag: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_may_do_what_the_rules_give_him_and_nothing_else() {
    let world = World::start();
    world.bucket("sink", &[]).await;
    world.object("/sink/source").await;
    world.policy("sink", &[statement("Allow", json!("*"), "sink", &["s3:GetObject", "s3:PutObject"])]).await;
    let callers = [
        (Who::Anonymous, &world.anonymous),
        (Who::OwnRoot, &world.owner),
        (Who::OwnUserWithPolicy, &world.full),
        (Who::OwnUserWithout, &world.plain),
        (Who::Stranger, &world.other),
        (Who::Stranger, &world.other_full),
        (Who::StrangerWithout, &world.other_plain),
        (Who::Stranger, &world.server_root),
    ];
    let of_bucket = async |bucket, name| {
        let prepared = prepare(&world, bucket, name, callers.len()).await;
        let mut wrong = Vec::new();
        for (number, ((who, caller), own)) in callers.iter().zip(&prepared).enumerate() {
            for operation in OPERATIONS {
                wrong.extend(check(operation, bucket, name, (*who, caller), number, own).await);
            }
        }
        wrong
    };
    let mut wrong = Vec::new();
    for results in futures_util::future::join_all(BUCKETS.map(|(bucket, name)| of_bucket(bucket, name))).await {
        wrong.extend(results);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs one operation; gives what is wrong about its answer.
async fn check(
    operation: &Operation,
    bucket: Bucket,
    name: &str,
    (who, caller): (Who, &Caller),
    number: usize,
    own: &Prepared,
) -> Option<String> {
    let fill = |text: &str| {
        let text = text.replace("{b}", name).replace("{c}", &number.to_string()).replace("{u}", &own.upload);
        text.replace("{v}", &own.completed).replace("{e}", &own.etag)
    };
    let headers: Vec<_> = operation.headers.iter().map(|(name, value)| (*name, fill(value))).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = caller.send(operation.method, &fill(operation.target), &headers, fill(operation.body)).await;
    let (status, code) = answer.error();
    let may = allowed(who, bucket, operation.kind);
    let outsider = !matches!(who, Who::OwnRoot | Who::OwnUserWithPolicy | Who::OwnUserWithout);
    let right = match may {
        // "If you have the correct permissions, but you're not using an identity that belongs to the bucket owner's
        // account, Amazon S3 returns a 405 Method Not Allowed error": API_GetBucketPolicy.
        true if operation.kind == Kind::Policy && outsider => (status, code.as_str()) == (405, "MethodNotAllowed"),
        true => (200..300).contains(&status) || HARMLESS.contains(&code.as_str()),
        false => status == 403 && (code == "AccessDenied" || operation.method == "HEAD"),
    };
    let expected = if may { "allowed" } else { "refused" };
    (!right).then(|| format!("{}: {} in {name}: {expected}, but {}", caller.name, operation.name, answer.text()))
}

async fn prepare(world: &World, bucket: Bucket, name: &str, callers: usize) -> Vec<Prepared> {
    let public = [("x-amz-object-ownership", "ObjectWriter"), ("x-amz-acl", "public-read")];
    let (of_bucket, of_object) = match bucket {
        Bucket::PublicRead => (&public[..], &public[1..]),
        _ => (&[][..], &[][..]),
    };
    world.bucket(name, of_bucket).await;
    let tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    done(world.owner.put(&format!("/{name}?tagging"), tagging).await);
    let put = async |key: &str| _ = done(world.owner.send("PUT", &format!("/{name}/{key}"), of_object, "old").await);
    put("key").await;
    let mut prepared = Vec::new();
    for caller in 0..callers {
        for key in ["over", "deleted", "version", "tagged"] {
            put(&format!("{key}-{caller}")).await;
        }
        let begin = async |key: &str| {
            let answer = done(world.owner.send("POST", &format!("/{name}/{key}-{caller}?uploads"), &[], "").await);
            answer.element("UploadId").unwrap()
        };
        let mut own =
            Prepared { upload: begin("upload").await, completed: begin("complete").await, ..Prepared::default() };
        let part = format!("/{name}/complete-{caller}?partNumber=1&uploadId={}", own.completed);
        own.etag = done(world.owner.put(&part, "part").await).header("etag").unwrap().to_owned();
        prepared.push(own);
    }
    match bucket {
        Bucket::Private | Bucket::PublicRead => {}
        Bucket::Allow => world.policy(name, &[statement("Allow", json!("*"), name, &["s3:*"])]).await,
        Bucket::Deny => world.policy(name, &[statement("Deny", json!("*"), name, &["s3:*"])]).await,
        Bucket::Blocked => {
            world.policy(name, &[statement("Allow", json!("*"), name, &["s3:*"])]).await;
            done(world.owner.put(&format!("/{name}?publicAccessBlock"), blocks::ALL).await);
        }
    }
    prepared
}
