//! Access control lists: who may do what with a bucket or an object, the older way.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Principal;
use super::reason::ListOf;
use crate::names::AccountId;

/// An access control list.
///
/// Rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acl {
    pub owner: AccountId,
    pub grants: Vec<Grant>,
}

/// The most grants of a list.
pub const MAX_GRANTS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub grantee: Grantee,
    pub permission: Permission,
}

/// Whom a grant is for. Stored by the order of these: a new one goes behind the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grantee {
    Account(AccountId),
    /// Everyone, signed or not.
    AllUsers,
    /// Everyone who signs, of whatever account.
    AuthenticatedUsers,
    /// The service that writes access logs.
    LogDelivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    FullControl,
    Read,
    Write,
    ReadAcp,
    WriteAcp,
}

/// A list by name, as the header `x-amz-acl` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canned {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    AwsExecRead,
    LogDeliveryWrite,
    BucketOwnerRead,
    BucketOwnerFullControl,
}

/// What each action needs, and in whose list. Other actions no list can grant.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>, "Mapping of ACL permissions and access policy
/// permissions".
const NEEDED: [(&str, ListOf, Permission); 14] = [
    ("s3:ListBucket", ListOf::Bucket, Permission::Read),
    ("s3:ListBucketVersions", ListOf::Bucket, Permission::Read),
    ("s3:ListBucketMultipartUploads", ListOf::Bucket, Permission::Read),
    ("s3:PutObject", ListOf::Bucket, Permission::Write),
    ("s3:DeleteObject", ListOf::Bucket, Permission::Write),
    ("s3:GetBucketAcl", ListOf::Bucket, Permission::ReadAcp),
    ("s3:PutBucketAcl", ListOf::Bucket, Permission::WriteAcp),
    ("s3:GetObject", ListOf::Object, Permission::Read),
    ("s3:GetObjectVersion", ListOf::Object, Permission::Read),
    ("s3:GetObjectTorrent", ListOf::Object, Permission::Read),
    ("s3:GetObjectAcl", ListOf::Object, Permission::ReadAcp),
    ("s3:GetObjectVersionAcl", ListOf::Object, Permission::ReadAcp),
    ("s3:PutObjectAcl", ListOf::Object, Permission::WriteAcp),
    ("s3:PutObjectVersionAcl", ListOf::Object, Permission::WriteAcp),
];

/// In whose list the action must be granted, and as what; `None` where no list can grant it.
pub(super) fn needed(action: &str) -> Option<(ListOf, Permission)> {
    NEEDED.into_iter().find(|(known, ..)| *known == action).map(|(_, of, permission)| (of, permission))
}

const VERSION: u8 = 1;

/// Bytes that are no access control list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("an access control list of a version that this program does not know")]
    Version,
    #[error("an access control list that does not decode")]
    Damaged,
}

impl Permission {
    const ALL: [(Self, &'static str); 5] = [
        (Self::FullControl, "FULL_CONTROL"),
        (Self::Read, "READ"),
        (Self::Write, "WRITE"),
        (Self::ReadAcp, "READ_ACP"),
        (Self::WriteAcp, "WRITE_ACP"),
    ];

    /// The permission with S3's name; `None` where there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(permission, _)| permission)
    }

    /// S3's name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

impl Grant {
    /// Whether it gives the principal that permission.
    pub(super) fn gives(&self, permission: Permission, principal: &Principal) -> bool {
        let permits = self.permission == permission || self.permission == Permission::FullControl;
        permits
            && match &self.grantee {
                Grantee::Account(account) => principal.account() == Some(account),
                Grantee::AllUsers => true,
                Grantee::AuthenticatedUsers => principal.account().is_some(),
                Grantee::LogDelivery => false,
            }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account {account}"),
            Self::AllUsers => f.write_str("all users"),
            Self::AuthenticatedUsers => f.write_str("all authenticated users"),
            Self::LogDelivery => f.write_str("log delivery"),
        }
    }
}

impl Grantee {
    const GROUPS: [(Self, &'static str); 3] = [
        (Self::AllUsers, "http://acs.amazonaws.com/groups/global/AllUsers"),
        (Self::AuthenticatedUsers, "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"),
        (Self::LogDelivery, "http://acs.amazonaws.com/groups/s3/LogDelivery"),
    ];

    /// The group with this URI; `None` where there is none.
    pub fn group(uri: &str) -> Option<Self> {
        Self::GROUPS.into_iter().find(|(_, known)| *known == uri).map(|(group, _)| group)
    }

    /// The URI of a group; `None` for an account.
    pub fn uri(&self) -> Option<&'static str> {
        Self::GROUPS.iter().find(|(known, _)| known == self).map(|(_, uri)| *uri)
    }

    /// Whether the grant is what public access blocks take for public.
    pub fn is_public(&self) -> bool {
        matches!(self, Self::AllUsers | Self::AuthenticatedUsers)
    }
}

impl Canned {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Private, "private"),
        (Self::PublicRead, "public-read"),
        (Self::PublicReadWrite, "public-read-write"),
        (Self::AuthenticatedRead, "authenticated-read"),
        (Self::AwsExecRead, "aws-exec-read"),
        (Self::LogDeliveryWrite, "log-delivery-write"),
        (Self::BucketOwnerRead, "bucket-owner-read"),
        (Self::BucketOwnerFullControl, "bucket-owner-full-control"),
    ];

    /// The list with the name in `x-amz-acl`; `None` where there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(canned, _)| canned)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

impl Acl {
    /// What a bucket or object has whose owner said nothing: everything for the owner, nothing for others.
    pub fn private(owner: AccountId) -> Self {
        let grant = Grant { grantee: Grantee::Account(owner.clone()), permission: Permission::FullControl };
        Self { owner, grants: vec![grant] }
    }

    /// What a canned list stands for.
    ///
    /// `bucket_owner` is the owner of the bucket that an object is in, and `None` for the list of a bucket, where the
    /// lists for a bucket's owner stand for nothing more than `private`. So does `aws-exec-read`: no EC2 is here.
    pub fn canned(canned: Canned, owner: AccountId, bucket_owner: Option<&AccountId>) -> Self {
        let owners = bucket_owner.filter(|bucket_owner| **bucket_owner != owner);
        let mut acl = Self::private(owner);
        let mut grant = |grantee, permission| acl.grants.push(Grant { grantee, permission });
        match (canned, owners) {
            (Canned::PublicRead, _) => grant(Grantee::AllUsers, Permission::Read),
            (Canned::PublicReadWrite, _) => {
                grant(Grantee::AllUsers, Permission::Read);
                grant(Grantee::AllUsers, Permission::Write);
            }
            (Canned::AuthenticatedRead, _) => grant(Grantee::AuthenticatedUsers, Permission::Read),
            (Canned::LogDeliveryWrite, _) => {
                grant(Grantee::LogDelivery, Permission::Write);
                grant(Grantee::LogDelivery, Permission::ReadAcp);
            }
            (Canned::BucketOwnerRead, Some(to)) => grant(Grantee::Account(to.clone()), Permission::Read),
            (Canned::BucketOwnerFullControl, Some(to)) => grant(Grantee::Account(to.clone()), Permission::FullControl),
            (Canned::BucketOwnerRead | Canned::BucketOwnerFullControl, None) => {}
            (Canned::Private | Canned::AwsExecRead, _) => {}
        }
        acl
    }

    /// Whether it grants anything to everyone, or to everyone who signs.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| grant.grantee.is_public())
    }

    /// The list as a version byte and postcard.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("a plain struct encodes into memory")
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Damaged)?;
        if *version != VERSION {
            return Err(DecodeError::Version);
        }
        match postcard::take_from_bytes(rest) {
            Ok((acl, [])) => Ok(acl),
            _ => Err(DecodeError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(digit: &str) -> AccountId {
        digit.repeat(12).parse().unwrap()
    }

    /// The grants behind the owner's own.
    fn further(canned: Canned, bucket_owner: Option<&AccountId>) -> Vec<(String, &'static str)> {
        let acl = Acl::canned(canned, account("1"), bucket_owner);
        let own = Grant { grantee: Grantee::Account(account("1")), permission: Permission::FullControl };
        assert_eq!((&acl.owner, &acl.grants[0]), (&account("1"), &own), "{canned:?}");
        acl.grants[1..].iter().map(|grant| (grant.grantee.to_string(), grant.permission.name())).collect()
    }

    #[test]
    fn canned_lists_stand_for_grants() {
        let (all, signed, log) = ("all users", "all authenticated users", "log delivery");
        let owner = account("2");
        for (name, expected) in [
            ("private", vec![]),
            ("public-read", vec![(all, "READ")]),
            ("public-read-write", vec![(all, "READ"), (all, "WRITE")]),
            ("authenticated-read", vec![(signed, "READ")]),
            ("aws-exec-read", vec![]),
            ("log-delivery-write", vec![(log, "WRITE"), (log, "READ_ACP")]),
            ("bucket-owner-read", vec![("account 222222222222", "READ")]),
            ("bucket-owner-full-control", vec![("account 222222222222", "FULL_CONTROL")]),
        ] {
            let canned = Canned::parse(name).unwrap();
            assert_eq!(canned.name(), name);
            let expected: Vec<_> = expected.into_iter().map(|(to, name)| (to.to_owned(), name)).collect();
            assert_eq!(further(canned, Some(&owner)), expected, "{name}");
            let public = name.starts_with("public") || name.starts_with("authenticated");
            assert_eq!(Acl::canned(canned, account("1"), Some(&owner)).is_public(), public, "{name}");
        }
        for canned in [Canned::BucketOwnerRead, Canned::BucketOwnerFullControl] {
            assert!(further(canned, None).is_empty() && further(canned, Some(&account("1"))).is_empty());
        }
        assert_eq!(Canned::parse("public"), None);
    }

    #[test]
    fn lists_round_trip_and_damage_is_an_error() {
        let mut acl = Acl::canned(Canned::LogDeliveryWrite, account("1"), None);
        acl.grants.push(Grant { grantee: Grantee::AuthenticatedUsers, permission: Permission::WriteAcp });
        let bytes = acl.encode();
        assert_eq!(Acl::decode(&bytes), Ok(acl));
        assert_eq!(Acl::decode(&[]), Err(DecodeError::Damaged));
        assert_eq!(Acl::decode(&bytes[..bytes.len() - 1]), Err(DecodeError::Damaged));
        assert_eq!(Acl::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::Damaged));
        assert_eq!(Acl::decode(&[VERSION + 1, 0]), Err(DecodeError::Version));
    }

    #[test]
    fn names_and_groups_are_s3s() {
        for permission in ["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"] {
            assert_eq!(Permission::parse(permission).unwrap().name(), permission);
        }
        for group in ["global/AllUsers", "global/AuthenticatedUsers", "s3/LogDelivery"] {
            let uri = format!("http://acs.amazonaws.com/groups/{group}");
            assert_eq!(Grantee::group(&uri).unwrap().uri(), Some(uri.as_str()));
        }
        assert_eq!((Permission::parse("read"), Grantee::group("AllUsers")), (None, None));
    }
}
