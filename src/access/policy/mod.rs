//! Policy documents: read strictly, compiled once.

mod error;

pub use error::{PolicyError, Problem};

use crate::names::BucketName;

/// The longest policy of any kind, in bytes.
pub const MAX_POLICY_BYTES: usize = 20 * 1024;

/// Where a policy is to stand, which decides what it must and must not say.
#[derive(Debug, Clone, Copy)]
pub enum PolicyKind<'r> {
    /// Of a user, group or role: no `Principal`.
    Identity,
    /// Given with AssumeRole, to narrow the session: as [`Identity`](Self::Identity).
    Session,
    /// Of a bucket: needs `Principal`, actions of S3, and resources in this bucket.
    Bucket { bucket: &'r BucketName },
    /// Who may assume a role: needs `Principal`, has no `Resource`.
    Trust,
}

/// A valid policy, ready to be asked.
#[derive(Debug)]
pub struct Policy {
    public: bool,
}

impl Policy {
    /// Reads a document, at most [`MAX_POLICY_BYTES`] long.
    pub fn parse(text: &[u8], kind: PolicyKind<'_>) -> Result<Self, PolicyError> {
        let _ = (text, kind);
        Err(PolicyError { problem: Problem::NotAnObject, statement: None })
    }

    /// Whether it lets in everyone, as GetBucketPolicyStatus and BlockPublicPolicy define it.
    pub fn is_public(&self) -> bool {
        self.public
    }
}
