//! Amazon Resource Names: of what a request is for, and as patterns in policies.

use std::fmt;

use crate::names::{AccountId, BucketName};

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn(String);

impl Arn {
    pub fn bucket(bucket: &BucketName) -> Self {
        Self(format!("arn:aws:s3:::{bucket}"))
    }

    /// An object, by its decoded key.
    pub fn object(bucket: &BucketName, key: &str) -> Self {
        Self(format!("arn:aws:s3:::{bucket}/{key}"))
    }

    /// Every bucket: what ListBuckets is for.
    pub fn all_buckets() -> Self {
        Self("arn:aws:s3:::*".to_owned())
    }

    /// Something of an account's identities; `path` begins with its kind: `user/team/alice`, `role/reader`.
    pub fn iam(account: &AccountId, path: &str) -> Self {
        Self(format!("arn:aws:iam::{account}:{path}"))
    }

    /// Any text in the form `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; `None` for others.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.starts_with("arn:") && text.splitn(6, ':').count() == 6;
        valid.then(|| Self(text.to_owned()))
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
