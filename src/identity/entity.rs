//! Users, groups, roles and managed policies as others see them.

use std::time::Duration;

use super::EntityKind;
use crate::clock::Timestamp;
use crate::names::AccountId;

/// A user, group or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub account: AccountId,
    pub kind: EntityKind,
    /// In the case that it was made with.
    pub name: String,
    /// `/`, or words between slashes.
    pub path: String,
    /// The unique id, such as `AIDA...`: another one where the name is used again.
    pub id: String,
    /// When it was made; the Unix epoch where the configuration declares it.
    pub created: Timestamp,
    /// Whether the configuration declares it, so that commands cannot change it.
    pub declared: bool,
}

/// A role, with what AssumeRole goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub entity: Entity,
    pub description: String,
    /// The trust policy, as it was given.
    pub trust: String,
    pub max_session: Duration,
}

/// What a role is made of.
#[derive(Debug, Clone)]
pub struct NewRole {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    pub description: String,
    pub trust: String,
    pub max_session: Duration,
}

/// A managed policy without its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// `None`: one of those that AWS has and every account may attach.
    pub account: Option<AccountId>,
    pub name: String,
    pub path: String,
    /// `ANPA...`.
    pub id: String,
    pub description: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// How many users, groups and roles have it; `None` for AWS's own, which nobody counts.
    pub attachments: Option<u32>,
    /// The number of the version that counts: 1 is `v1`.
    pub default_version: u32,
}

/// What a managed policy is made of.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    pub description: String,
    pub document: String,
}

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    pub number: u32,
    pub created: Timestamp,
    pub document: String,
    pub is_default: bool,
}

/// A managed policy that a user, group or role has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    pub name: String,
    pub arn: String,
}

/// Which managed policies a list is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    All,
    Aws,
    Local,
}

/// One page of a list, ordered by name without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// There may be fewer than were asked for, even none, where there is more.
    pub items: Vec<T>,
    /// What the next page starts behind; `None` at the end.
    pub after: Option<String>,
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'w> {
    /// Only those whose path starts so.
    pub path_prefix: &'w str,
    /// What the page before gave as its end.
    pub after: Option<&'w str>,
    /// At most so many; at most [`super::MAX_PAGE`].
    pub limit: usize,
}

impl Entity {
    /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:{}{}{}", self.account, self.kind.word(), self.path, self.name)
    }
}

impl ManagedPolicy {
    /// `arn:aws:iam::ACCOUNT:policy/PATH/NAME`.
    pub fn arn(&self) -> String {
        policy_arn(self.account.as_ref(), &self.path, &self.name)
    }
}

pub(super) fn policy_arn(account: Option<&AccountId>, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{}:policy{path}{name}", account.map_or("aws", AccountId::as_str))
}
