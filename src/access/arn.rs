//! Amazon Resource Names: of what a request is for, and as patterns in policies.

use std::fmt;

use super::glob::{Case, Glob, Pieces, Variables};
use crate::names::{AccountId, BucketName};

/// The parts of an ARN: `arn`, partition, service, region, account, resource. Only the last may have colons.
const SEGMENTS: usize = 6;

/// The one partition there is.
pub const PARTITION: &str = "aws";

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn(String);

impl Arn {
    pub fn bucket(bucket: &BucketName) -> Self {
        Self(format!("arn:{PARTITION}:s3:::{bucket}"))
    }

    /// An object, by its decoded key.
    pub fn object(bucket: &BucketName, key: &str) -> Self {
        Self(format!("arn:{PARTITION}:s3:::{bucket}/{key}"))
    }

    /// Every bucket: what ListBuckets is for.
    pub fn all_buckets() -> Self {
        Self(format!("arn:{PARTITION}:s3:::*"))
    }

    /// Something of an account's identities; `path` begins with its kind: `user/team/alice`, `role/reader`.
    pub fn iam(account: &AccountId, path: &str) -> Self {
        Self(format!("arn:{PARTITION}:iam::{account}:{path}"))
    }

    /// Any text in the form `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; `None` for others.
    pub fn parse(text: &str) -> Option<Self> {
        is_arn(text).then(|| Self(text.to_owned()))
    }

    /// The account that owns what is named; `None` where the ARN says none, as those of S3.
    pub fn account(&self) -> Option<AccountId> {
        self.0.split(':').nth(4)?.parse().ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.splitn(SEGMENTS, ':').count() == SEGMENTS
}

/// ARNs as a policy names them.
///
/// Each segment is matched by itself, so that no wildcard reaches across a colon. A pattern with fewer segments ends in
/// `*`, which stands for all that follows; `*` alone is every ARN.
#[derive(Debug, Clone)]
pub struct ArnPattern(Vec<Glob>);

impl ArnPattern {
    /// Compiles a pattern; `None` where it is neither `*` nor in the form of an ARN.
    pub fn parse(pieces: Pieces) -> Option<Self> {
        if pieces.is_any() {
            return Some(Self(vec![pieces.glob(Case::Sensitive)]));
        }
        let segments = pieces.split_at_colons(SEGMENTS);
        let whole = segments.len() == SEGMENTS || segments.last().is_some_and(Pieces::ends_in_any);
        if segments[0].literal() != Some("arn") || !whole {
            return None;
        }
        Some(Self(segments.into_iter().map(|segment| segment.glob(Case::Sensitive)).collect()))
    }

    /// Whether the text is an ARN that the pattern names.
    pub fn matches(&self, text: &str, variables: &dyn Variables) -> bool {
        if !is_arn(text) {
            return false;
        }
        let segments = text.splitn(self.0.len(), ':');
        self.0.iter().zip(segments).all(|(glob, segment)| glob.matches(segment, variables))
    }

    /// Whether it names just one ARN, whatever is asked.
    pub fn is_fixed(&self) -> bool {
        self.0.len() == SEGMENTS && self.0.iter().all(Glob::is_fixed)
    }
}
