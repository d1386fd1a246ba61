//! Why a request is allowed or refused, for the log and for people.

use std::fmt;

use super::acl::Grant;
use super::policy::Statement;
use crate::names::{AccountId, RESERVED_PREFIX};

/// A decision, and what decided.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'r> {
    pub allowed: bool,
    /// Displayed as a sentence that names the policy and the statement, or what is missing.
    pub reason: Reason<'r>,
}

/// What decided. Borrows from what was asked, so that a decision costs no allocation.
#[derive(Debug, Clone, Copy)]
pub enum Reason<'r> {
    /// The caller is the account that the resource belongs to.
    Owner(&'r AccountId),
    /// A statement allows it; in a request to another account this is the other account's.
    Allowed(Cited<'r>),
    /// An access control list allows it.
    Granted(Granted<'r>),
    /// A statement denies it.
    Denied(Cited<'r>),
    /// The bucket's policy is public, and a public access block keeps the bucket for its own account.
    RestrictedBucket,
    /// The object is one of a site's own, and the caller is not of the bucket's account.
    Reserved,
    /// An account itself assumes no role.
    RootAssumesNoRole,
    /// Nothing allows it. With what is missing.
    NothingAllows { missing: Missing<'r>, action: &'r str, resource: &'r str },
}

/// A statement, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Cited<'r> {
    pub source: Source<'r>,
    pub statement: &'r Statement,
}

/// Where a policy is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'r> {
    /// With the name of [`Attached`](super::Attached).
    Identity(&'r str),
    Session(&'r str),
    Bucket,
    Trust,
}

/// A grant, and in whose list it stands.
#[derive(Debug, Clone, Copy)]
pub struct Granted<'r> {
    pub of: ListOf,
    pub grant: &'r Grant,
}

/// Whose access control list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOf {
    Bucket,
    Object,
}

/// Whose consent is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing<'r> {
    /// Any: neither the caller's policies nor the resource's say anything.
    Any,
    /// The caller's own account's: another account would let him in.
    Identity,
    /// The session's.
    Session,
    /// That of the resource's side: bucket policy or access control list, or trust policy.
    Resource,
    /// The object's owner's, who is not the bucket's.
    ObjectOwner(&'r AccountId),
}

impl<'r> Decision<'r> {
    pub(super) fn allow(reason: Reason<'r>) -> Self {
        Self { allowed: true, reason }
    }

    pub(super) fn refuse(reason: Reason<'r>) -> Self {
        Self { allowed: false, reason }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(account) => write!(f, "account {account} owns the resource, and its root may do everything"),
            Self::Allowed(cited) => write!(f, "{cited} allows it"),
            Self::Granted(granted) => write!(f, "{granted} allows it"),
            Self::Denied(cited) => write!(f, "{cited} denies it"),
            Self::RestrictedBucket => f.write_str(
                "the bucket policy is public, and RestrictPublicBuckets keeps the bucket for its owner's account",
            ),
            Self::Reserved => write!(
                f,
                "what is below {RESERVED_PREFIX} belongs to the site, and is for its bucket's own account alone"
            ),
            Self::RootAssumesNoRole => f.write_str("roles may not be assumed by root accounts"),
            Self::NothingAllows { missing, action, resource } => write!(f, "{missing} allows {action} on {resource}"),
        }
    }
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("no statement"),
            Self::Identity => f.write_str("the resource lets the caller's account in, but no identity policy"),
            Self::Session => f.write_str("no session policy"),
            Self::Resource => f.write_str("no policy and no grant on the side of the resource"),
            Self::ObjectOwner(owner) => write!(f, "the object belongs to account {owner}, of whose list no grant"),
        }
    }
}

impl fmt::Display for Cited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.statement, self.source)
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(name) => f.write_str(name),
            Self::Session(name) => write!(f, "session policy {name}"),
            Self::Bucket => f.write_str("the bucket policy"),
            Self::Trust => f.write_str("the role's trust policy"),
        }
    }
}

impl fmt::Display for Granted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = match self.of {
            ListOf::Bucket => "bucket",
            ListOf::Object => "object",
        };
        write!(
            f,
            "the grant of {} to {} in the {list}'s access control list",
            self.grant.permission, self.grant.grantee
        )
    }
}
