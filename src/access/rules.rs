//! What the owner of a bucket and of an object says of access to them.

use serde::{Deserialize, Serialize};

use super::acl::Acl;
use super::policy::Policy;
use crate::names::AccountId;

/// Everything on the side of the resource that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// The account that the resource belongs to.
    pub bucket_owner: &'r AccountId,
    pub bucket_policy: Option<&'r Policy>,
    pub ownership: Ownership,
    /// The bucket's and its account's, united.
    pub block: PublicAccessBlock,
    /// `None`: private.
    pub bucket_acl: Option<&'r Acl>,
    /// The object, where one is there.
    pub object: Option<ObjectRules<'r>>,
}

/// An object's own rules. Without meaning where [`Ownership::BucketOwnerEnforced`].
#[derive(Debug, Clone, Copy)]
pub struct ObjectRules<'r> {
    pub owner: &'r AccountId,
    /// `None`: private.
    pub acl: Option<&'r Acl>,
}

impl<'r> Rules<'r> {
    /// The rules of what has none of its own: identities, the list of buckets, a bucket that is to be made.
    pub fn of_account(owner: &'r AccountId) -> Self {
        Self {
            bucket_owner: owner,
            bucket_policy: None,
            ownership: Ownership::default(),
            block: PublicAccessBlock::default(),
            bucket_acl: None,
            object: None,
        }
    }
}

/// Who owns the objects of a bucket, and whether access control lists count.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket's owner owns every object, and access control lists count for nothing.
    #[default]
    BucketOwnerEnforced,
    /// The writer owns an object unless he gives it to the bucket's owner with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// The writer owns an object.
    ObjectWriter,
}

impl Ownership {
    const ALL: [(Self, &'static str); 3] = [
        (Self::BucketOwnerEnforced, "BucketOwnerEnforced"),
        (Self::BucketOwnerPreferred, "BucketOwnerPreferred"),
        (Self::ObjectWriter, "ObjectWriter"),
    ];

    /// The setting with S3's name; `None` where there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(ownership, _)| ownership)
    }

    /// S3's name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

/// What is forbidden whatever policies and lists say.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// Requests that would set a public list are refused.
    pub block_public_acls: bool,
    /// Grants to everyone count for nothing.
    pub ignore_public_acls: bool,
    /// Requests that would set a public bucket policy are refused.
    pub block_public_policy: bool,
    /// A bucket with a public policy is for its own account alone.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// What either forbids.
    pub fn united(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }
}
