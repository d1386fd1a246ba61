//! Amazon Resource Names: of what a request is for, and as patterns in policies.

use std::fmt;

use super::glob::{Case, Glob, Pieces, Variables};
use crate::names::{AccountId, BucketName};

/// The parts of an ARN: `arn`, partition, service, region, account, resource. Only the last may have colons.
const SEGMENTS: usize = 6;

/// The one partition there is.
pub const PARTITION: &str = "aws";

/// What ARNs of buckets and objects begin with.
const S3_HEAD: &str = "arn:aws:s3:::";

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn(String);

impl Arn {
    pub fn bucket(bucket: &BucketName) -> Self {
        Self(format!("{S3_HEAD}{bucket}"))
    }

    /// An object, by its decoded key.
    pub fn object(bucket: &BucketName, key: &str) -> Self {
        Self(format!("{S3_HEAD}{bucket}/{key}"))
    }

    /// The key of an object of S3; `None` for everything else.
    pub fn object_key(&self) -> Option<&str> {
        let resource = self.0.strip_prefix(S3_HEAD)?;
        resource.split_once('/').map(|(_, key)| key)
    }

    /// Every bucket: what ListBuckets is for.
    pub fn all_buckets() -> Self {
        Self(format!("{S3_HEAD}*"))
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
pub enum ArnPattern {
    /// Nearly all: everything up to the last colon is fixed, and compared at once.
    Resource {
        head: Box<str>,
        resource: Glob,
    },
    Segments(Vec<Glob>),
}

impl ArnPattern {
    /// Compiles a pattern; `None` where it is neither `*` nor in the form of an ARN.
    pub fn parse(pieces: Pieces) -> Option<Self> {
        if pieces.is_any() {
            return Some(Self::Segments(vec![pieces.glob(Case::Sensitive)]));
        }
        let mut segments = pieces.split_at_colons(SEGMENTS);
        let whole = segments.len() == SEGMENTS || segments.last().is_some_and(Pieces::ends_in_any);
        if segments[0].literal() != Some("arn") || !whole {
            return None;
        }
        if let Some(head) = head(&segments) {
            let resource = segments.pop()?.glob(Case::Sensitive);
            return Some(Self::Resource { head, resource });
        }
        Some(Self::Segments(segments.into_iter().map(|segment| segment.glob(Case::Sensitive)).collect()))
    }

    /// Whether the text is an ARN that the pattern names.
    pub fn matches(&self, text: &str, variables: &dyn Variables) -> bool {
        match self {
            Self::Resource { head, resource } => {
                text.strip_prefix(&**head).is_some_and(|rest| resource.matches(rest, variables))
            }
            Self::Segments(globs) => {
                let segments = text.splitn(globs.len(), ':');
                is_arn(text) && globs.iter().zip(segments).all(|(glob, segment)| glob.matches(segment, variables))
            }
        }
    }

    /// As [`Glob::asks_for`].
    pub fn asks_for(&self, prefix: &str) -> bool {
        match self {
            Self::Resource { resource, .. } => resource.asks_for(prefix),
            Self::Segments(globs) => globs.iter().any(|glob| glob.asks_for(prefix)),
        }
    }

    /// Whether it names just one ARN, whatever is asked.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Resource { resource, .. } if resource.is_fixed())
    }
}

/// The text before the last segment of a whole pattern, its colon included, where all of it is fixed.
fn head(segments: &[Pieces]) -> Option<Box<str>> {
    let (_, fixed) = segments.split_last().filter(|(_, fixed)| fixed.len() == SEGMENTS - 1)?;
    let fixed = fixed.iter().map(Pieces::literal).collect::<Option<Vec<_>>>()?;
    Some(format!("{}:", fixed.join(":")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::glob::{NoVariables, Syntax};

    fn pattern(text: &str) -> Option<ArnPattern> {
        ArnPattern::parse(Pieces::parse(text, Syntax { wildcards: true, variables: true }).unwrap())
    }

    #[test]
    fn wildcards_stay_within_their_segment() {
        for (text, arn, matches) in [
            ("*", "arn:aws:s3:::pail/a", true),
            ("*", "pail/a", false),
            ("arn:aws:s3:::pail/*", "arn:aws:s3:::pail/a:b:c", true),
            ("arn:aws:s3:::pail/*", "arn:aws:s3:::pail", false),
            ("arn:aws:s3:::*", "arn:aws:s3:::pail", true),
            ("arn:aws:s3:*:*:pail", "arn:aws:s3:::pail", true),
            ("arn:aws:*:pail", "arn:aws:s3:::pail", false),
            ("arn:aws:*", "arn:aws:s3:::pail", true),
            ("arn:aws:s3:*", "arn:aws:s3:::pail/a", true),
            ("arn:aws:s*", "arn:aws:s3:::pail/a", true),
            ("arn:aws:iam::*:user/a", "arn:aws:iam::111122223333:user/a", true),
            ("arn:aws:iam::*:user/a", "arn:aws:iam:::x:user/a", false),
            ("arn:*:s3:::${aws:username, 'pail'}/?", "arn:aws:s3:::pail/a", true),
            ("arn:aws:s3:::${aws:username, 'pail'}/?", "arn:aws:s3:::pail/a", true),
        ] {
            let matched = pattern(text).is_some_and(|pattern| pattern.matches(arn, &NoVariables));
            assert_eq!(matched, matches, "{text} {arn}");
        }
        for text in ["", "pail", "arn:aws:s3", "arn:aws:s3:::", "*:aws:s3:::pail", "arn"] {
            assert_eq!(pattern(text).is_some(), text == "arn:aws:s3:::", "{text}");
        }
    }
}
