//! What resources a policy may name.

use super::PolicyKind;
use super::actions::Levels;
use super::error::Problem;
use crate::access::arn::PARTITION;
use crate::names::BucketName;

/// Whether a policy of this kind may name the resource. The form of the ARN is looked at where it is compiled.
pub fn check(text: &str, kind: PolicyKind<'_>) -> Result<(), Problem> {
    if let PolicyKind::Bucket { bucket } = kind {
        let within = behind_bucket(text, bucket).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']));
        return if within { Ok(()) } else { Err(Problem::BucketResource(text.to_owned())) };
    }
    match text.split(':').nth(1) {
        Some(partition) if partition != PARTITION && !partition.starts_with('*') && text.starts_with("arn:") => {
            Err(Problem::Partition(partition.to_owned(), text.to_owned()))
        }
        _ => Ok(()),
    }
}

/// What the resources of a bucket's policy are: the bucket, objects in it, or both.
pub fn levels(texts: &[String], bucket: &BucketName) -> Levels {
    let mut levels = Levels::default();
    for rest in texts.iter().filter_map(|text| behind_bucket(text, bucket)) {
        // `bucket*` is the bucket and everything in it; with more behind the `*` it may be.
        levels.bucket |= rest.is_empty() || rest.starts_with('*');
        levels.object |= rest.starts_with(['/', '*']);
    }
    levels
}

/// What follows the bucket's name in an ARN that begins with it.
fn behind_bucket<'t>(text: &'t str, bucket: &BucketName) -> Option<&'t str> {
    let resource = text.strip_prefix("arn:")?.strip_prefix(PARTITION)?.strip_prefix(":s3:::")?;
    resource.strip_prefix(bucket.as_str())
}
