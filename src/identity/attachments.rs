//! The policies of users, groups and roles: inline ones, and managed ones that are attached.

use super::limits::{MAX_ATTACHED, MAX_GROUP_POLICIES, MAX_ROLE_POLICIES, MAX_USER_POLICIES, Quota, policy_characters};
use super::names::{check_name, parse_policy_arn};
use super::record::{EntityRecord, InlinePolicy, PolicyRecord};
use super::rows::Row;
use super::{AttachedPolicy, EntityKind, EntityName, Error, Identities, What, builtin, entity, table};
use crate::access::{Policy, PolicyKind};
use crate::kv::Commit;
use crate::names::AccountId;

/// What is attached, by its ARN.
pub(super) enum Managed {
    /// One of AWS's own.
    Builtin(&'static builtin::Builtin),
    Own(Box<Row<PolicyRecord>>),
}

impl Identities {
    /// Puts an inline policy, in the place of one with the same name if there is one.
    pub async fn put_inline_policy(&self, of: &EntityName, name: &str, document: &str) -> Result<(), Error> {
        let what = of.kind.inline_policy();
        check_name(what, name)?;
        let limit = inline_limit(of.kind);
        check_document(document, PolicyKind::Identity, limit)?;
        self.change(|| async move {
            let mut row = self.changeable(of).await?;
            let inline = &mut row.record.inline;
            inline.retain(|policy| policy.name != name);
            inline.push(InlinePolicy { name: name.to_owned(), document: document.to_owned() });
            inline.sort_by(|a, b| a.name.cmp(&b.name));
            let together: usize = inline.iter().map(|policy| policy_characters(&policy.document)).sum();
            if together > limit {
                return Err(Error::Limit { quota: Quota::PolicySize, limit });
            }
            Ok((row.replace(Commit::new()), ()))
        })
        .await
    }

    /// Gives an inline policy's document as it was put.
    pub async fn inline_policy(&self, of: &EntityName, name: &str) -> Result<String, Error> {
        let policies = self.inline(of).await?;
        let found = policies.into_iter().find(|policy| policy.name == name);
        found.map(|policy| policy.document).ok_or_else(|| missing_inline(of.kind, name))
    }

    /// The names of an entity's inline policies, in order.
    pub async fn inline_policies(&self, of: &EntityName) -> Result<Vec<String>, Error> {
        Ok(self.inline(of).await?.into_iter().map(|policy| policy.name).collect())
    }

    /// Removes an inline policy.
    pub async fn delete_inline_policy(&self, of: &EntityName, name: &str) -> Result<(), Error> {
        self.change(|| async move {
            let mut row = self.changeable(of).await?;
            let before = row.record.inline.len();
            row.record.inline.retain(|policy| policy.name != name);
            if row.record.inline.len() == before {
                return Err(missing_inline(of.kind, name));
            }
            Ok((row.replace(Commit::new()), ()))
        })
        .await
    }

    /// Attaches a managed policy, the account's own or AWS's. One that is attached already stays.
    pub async fn attach_policy(&self, to: &EntityName, arn: &str) -> Result<(), Error> {
        self.change(|| async move {
            let mut row = self.changeable(to).await?;
            let managed = self.attachable(&to.account, arn).await?;
            let arn = managed.arn(to);
            if row.record.attached.contains(&arn) {
                return Ok((Commit::new(), ()));
            }
            if row.record.attached.len() >= MAX_ATTACHED {
                return Err(Error::Limit { quota: Quota::AttachedPolicies, limit: MAX_ATTACHED });
            }
            row.record.attached.push(arn);
            let commit = managed.counted(|attachments| attachments.saturating_add(1));
            Ok((row.replace(commit), ()))
        })
        .await
    }

    /// Detaches a managed policy, or fails with [`Error::NoSuch`] where it is not attached.
    pub async fn detach_policy(&self, from: &EntityName, arn: &str) -> Result<(), Error> {
        self.change(|| async move {
            let mut row = self.changeable(from).await?;
            let managed = self.attachable(&from.account, arn).await?;
            let arn = managed.arn(from);
            let Some(at) = row.record.attached.iter().position(|attached| *attached == arn) else {
                return Err(missing_managed(&arn));
            };
            row.record.attached.remove(at);
            let commit = managed.counted(|attachments| attachments.saturating_sub(1));
            Ok((row.replace(commit), ()))
        })
        .await
    }

    /// The managed policies of an entity, in the order they were attached.
    pub async fn attached_policies(&self, of: &EntityName) -> Result<Vec<AttachedPolicy>, Error> {
        if self.declared().user(of).is_some() {
            return Ok(Vec::new());
        }
        let row = self.stored(of).await?.ok_or_else(|| of.missing())?;
        let policy = |arn: String| AttachedPolicy { name: arn.rsplit('/').next().unwrap_or(&arn).to_owned(), arn };
        Ok(row.record.attached.into_iter().map(policy).collect())
    }

    async fn inline(&self, of: &EntityName) -> Result<Vec<InlinePolicy>, Error> {
        if let Some(user) = self.declared().user(of) {
            let policy = |policy: &super::DeclaredPolicy| InlinePolicy {
                name: policy.name.clone(),
                document: policy.document.clone(),
            };
            return Ok(user.policies.iter().map(policy).collect());
        }
        let EntityRecord { inline, .. } = self.stored(of).await?.ok_or_else(|| of.missing())?.record;
        Ok(inline)
    }

    /// The managed policy that `arn` names, if those of `account` may have it: the account's own, or AWS's.
    pub(super) async fn attachable(&self, account: &AccountId, arn: &str) -> Result<Managed, Error> {
        let (of, _) = parse_policy_arn(arn).ok_or_else(|| missing_managed(arn))?;
        if of.is_some_and(|of| of != *account) {
            return Err(missing_managed(arn));
        }
        self.managed(arn).await?.ok_or_else(|| missing_managed(arn))
    }

    /// The managed policy that `arn` names exactly, path included.
    pub(super) async fn managed(&self, arn: &str) -> Result<Option<Managed>, Error> {
        match parse_policy_arn(arn) {
            None => Ok(None),
            Some((None, name)) => Ok(builtin::find(name).filter(|known| known.arn() == arn).map(Managed::Builtin)),
            Some((Some(account), name)) => {
                let row: Option<Row<PolicyRecord>> = self.row(table::policy(&account, name)).await?;
                let own = row.filter(|row| row.record.arn(&account).eq_ignore_ascii_case(arn));
                Ok(own.map(|row| Managed::Own(Box::new(row))))
            }
        }
    }
}

impl Managed {
    /// The ARN, with the name in the case that it was made with.
    fn arn(&self, of: &EntityName) -> String {
        match self {
            Self::Builtin(builtin) => builtin.arn(),
            Self::Own(row) => row.record.arn(&of.account),
        }
    }

    /// A commit with another count of attachments, which also expects the policy to be there still.
    fn counted(self, next: fn(u32) -> u32) -> Commit {
        match self {
            Self::Builtin(_) => Commit::new(),
            Self::Own(mut row) => {
                row.record.attachments = next(row.record.attachments);
                row.replace(Commit::new())
            }
        }
    }
}

impl PolicyRecord {
    pub(super) fn arn(&self, account: &AccountId) -> String {
        entity::policy_arn(Some(account), &self.path, &self.name)
    }
}

/// Fails with [`Error::Policy`] or [`Error::Limit`] unless `document` is a policy of this kind and not too long.
pub(super) fn check_document(document: &str, kind: PolicyKind<'_>, limit: usize) -> Result<(), Error> {
    if policy_characters(document) > limit {
        return Err(Error::Limit { quota: Quota::PolicySize, limit });
    }
    Policy::parse(document.as_bytes(), kind).map(drop).map_err(Error::Policy)
}

pub(super) fn missing_managed(arn: &str) -> Error {
    Error::NoSuch { what: What::Policy, name: arn.to_owned() }
}

fn missing_inline(kind: EntityKind, name: &str) -> Error {
    Error::NoSuch { what: kind.inline_policy(), name: name.to_owned() }
}

fn inline_limit(kind: EntityKind) -> usize {
    match kind {
        EntityKind::User => MAX_USER_POLICIES,
        EntityKind::Group => MAX_GROUP_POLICIES,
        EntityKind::Role => MAX_ROLE_POLICIES,
    }
}
