//! Users, groups and roles: made, shown, listed, deleted.

use std::time::Duration;

use super::attachments::check_document;
use super::generate::UniqueId;
use super::limits::{
    MAX_ENTITY_DESCRIPTION, MAX_GROUPS, MAX_ROLE_MAX_SESSION, MAX_ROLES, MAX_TRUST_POLICY, MAX_USERS,
    MIN_ROLE_MAX_SESSION, Quota,
};
use super::names::{check_name, check_path};
use super::record::{Counts, Detail, EntityRecord};
use super::rows::Row;
use super::{Entity, EntityKind, EntityName, Error, Holds, Identities, Listing, NewRole, Role, Wanted, table};
use crate::access::PolicyKind;
use crate::kv::Commit;
use crate::names::AccountId;

impl Identities {
    /// Makes a user without keys and policies.
    pub async fn create_user(&self, account: &AccountId, name: &str, path: &str) -> Result<Entity, Error> {
        let detail = Detail::User { keys: Vec::new(), groups: Vec::new() };
        self.create_entity(&EntityName::user(account, name), path, detail).await
    }

    /// Makes a group without members and policies.
    pub async fn create_group(&self, account: &AccountId, name: &str, path: &str) -> Result<Entity, Error> {
        self.create_entity(&EntityName::group(account, name), path, Detail::Group { members: 0 }).await
    }

    /// Makes a role without policies.
    pub async fn create_role(&self, new: NewRole) -> Result<Role, Error> {
        let NewRole { account, name, path, description, trust, max_session } = new;
        check_description(&description)?;
        check_max_session(max_session)?;
        check_document(&trust, PolicyKind::Trust, MAX_TRUST_POLICY)?;
        let max_session_seconds = max_session.as_secs() as u32;
        let detail = Detail::Role { description: description.clone(), trust: trust.clone(), max_session_seconds };
        let entity = self.create_entity(&EntityName::role(&account, &name), &path, detail).await?;
        Ok(Role { entity, description, trust, max_session })
    }

    /// Puts another trust policy in the place of a role's.
    pub async fn update_trust(&self, account: &AccountId, role: &str, document: &str) -> Result<(), Error> {
        check_document(document, PolicyKind::Trust, MAX_TRUST_POLICY)?;
        let name = &EntityName::role(account, role);
        self.change(|| async move {
            let mut row = self.changeable(name).await?;
            if let Detail::Role { trust, .. } = &mut row.record.detail {
                *trust = document.to_owned();
            }
            Ok((row.replace(Commit::new()), ()))
        })
        .await
    }

    /// Gives a user, group or role, or [`Error::NoSuch`].
    pub async fn entity(&self, name: &EntityName) -> Result<Entity, Error> {
        if let Some(user) = self.declared().user(name) {
            return Ok(user.entity(&name.account));
        }
        let row = self.stored(name).await?.ok_or_else(|| name.missing())?;
        Ok(row.record.entity(&name.account))
    }

    /// Gives a role, or [`Error::NoSuch`].
    pub async fn role(&self, account: &AccountId, name: &str) -> Result<Role, Error> {
        let name = EntityName::role(account, name);
        let row = self.stored(&name).await?.ok_or_else(|| name.missing())?;
        role(account, row.record).ok_or_else(|| name.missing())
    }

    /// One page of an account's users, groups or roles; declared ones among them.
    pub async fn entities(
        &self,
        account: &AccountId,
        kind: EntityKind,
        wanted: &Wanted<'_>,
    ) -> Result<Listing<Entity>, Error> {
        let (rows, more) = self.entity_rows(account, kind, wanted).await?;
        let mut found: Vec<(String, Entity)> =
            rows.into_iter().map(|(folded, record)| (folded, record.entity(account))).collect();
        // Behind the last row there may be more rows, which come before later declared users.
        let end = if more { found.last().map(|(folded, _)| folded.clone()) } else { None };
        let declared = self.declared();
        for (folded, user) in declared.users_of(account).filter(|_| kind == EntityKind::User) {
            let behind = wanted.after.is_none_or(|after| folded > after);
            if behind && end.as_deref().is_none_or(|end| folded <= end) {
                found.retain(|(other, _)| other != folded);
                found.push((folded.to_owned(), user.entity(account)));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(cut(found, more, wanted, |entity| entity.path.as_str()))
    }

    /// One page of an account's roles.
    pub async fn roles(&self, account: &AccountId, wanted: &Wanted<'_>) -> Result<Listing<Role>, Error> {
        let (rows, more) = self.entity_rows(account, EntityKind::Role, wanted).await?;
        let found = rows.into_iter().filter_map(|(folded, record)| Some((folded, role(account, record)?))).collect();
        Ok(cut(found, more, wanted, |role| role.entity.path.as_str()))
    }

    async fn entity_rows(
        &self,
        account: &AccountId,
        kind: EntityKind,
        wanted: &Wanted<'_>,
    ) -> Result<(Vec<(String, EntityRecord)>, bool), Error> {
        self.page(&table::entities(account, kind), wanted.after, wanted.limit).await
    }

    /// Removes a user, group or role that has nothing any more, or fails with [`Error::DeleteConflict`].
    pub async fn delete_entity(&self, name: &EntityName) -> Result<(), Error> {
        self.change(|| async move {
            let row = self.changeable(name).await?;
            if let Some(holds) = held(&row.record) {
                let (what, name) = (name.kind.what(), row.record.name.clone());
                return Err(Error::DeleteConflict { what, name, holds });
            }
            let mut counts = self.counts(&name.account).await?;
            let count = counted(&mut counts.record, name.kind);
            *count = count.saturating_sub(1);
            Ok((counts.replace(row.remove(Commit::new())), ()))
        })
        .await
    }

    async fn create_entity(&self, name: &EntityName, path: &str, detail: Detail) -> Result<Entity, Error> {
        check_name(name.kind.what(), &name.name)?;
        check_path(path)?;
        self.known_account(&name.account)?;
        let record = EntityRecord {
            name: name.name.clone(),
            path: path.to_owned(),
            id: unique_id(name.kind).generate()?,
            created: self.clock.now(),
            inline: Vec::new(),
            attached: Vec::new(),
            detail,
        };
        let entity = record.entity(&name.account);
        let record = &record;
        self.change(|| async move {
            if self.declared().user(name).is_some() || self.stored(name).await?.is_some() {
                return Err(Error::Exists { what: name.kind.what(), name: name.name.clone() });
            }
            let mut counts = self.counts(&name.account).await?;
            let (quota, limit) = quota(name.kind);
            count_up(counted(&mut counts.record, name.kind), quota, limit)?;
            let row = Row::new(table::entity(name), record.clone());
            Ok((counts.replace(row.replace(Commit::new())), ()))
        })
        .await?;
        Ok(entity)
    }

    pub(super) async fn counts(&self, account: &AccountId) -> Result<Row<Counts>, Error> {
        self.row_or_default(table::counts(account)).await
    }
}

/// Adds one, or fails with [`Error::Limit`].
pub(super) fn count_up(count: &mut u32, quota: Quota, limit: usize) -> Result<(), Error> {
    if *count as usize >= limit {
        return Err(Error::Limit { quota, limit });
    }
    *count += 1;
    Ok(())
}

pub(super) fn check_description(description: &str) -> Result<(), Error> {
    match description.chars().count() <= MAX_ENTITY_DESCRIPTION {
        true => Ok(()),
        false => Err(Error::LongDescription(MAX_ENTITY_DESCRIPTION)),
    }
}

/// Makes a page of what was found in order: what has the wanted path, and where the next page starts.
pub(super) fn cut<T>(mut found: Vec<(String, T)>, more: bool, wanted: &Wanted<'_>, path: fn(&T) -> &str) -> Listing<T> {
    let limit = wanted.limit.clamp(1, super::MAX_PAGE);
    let more = more || found.len() > limit;
    found.truncate(limit);
    let after = found.last().filter(|_| more).map(|(folded, _)| folded.clone());
    let of_path = found.into_iter().map(|(_, item)| item).filter(|item| path(item).starts_with(wanted.path_prefix));
    Listing { items: of_path.collect(), after }
}

fn check_max_session(max_session: Duration) -> Result<(), Error> {
    let (least, most) = (MIN_ROLE_MAX_SESSION, MAX_ROLE_MAX_SESSION);
    match (least..=most).contains(&max_session) {
        true => Ok(()),
        false => Err(Error::Duration { least: least.as_secs(), most: most.as_secs() }),
    }
}

fn role(account: &AccountId, record: EntityRecord) -> Option<Role> {
    let entity = record.entity(account);
    let Detail::Role { description, trust, max_session_seconds } = record.detail else { return None };
    Some(Role { entity, description, trust, max_session: Duration::from_secs(max_session_seconds.into()) })
}

/// What a user, group or role still has, the first thing that IAM asks to be removed.
fn held(record: &EntityRecord) -> Option<Holds> {
    match &record.detail {
        Detail::User { keys, .. } if !keys.is_empty() => Some(Holds::AccessKeys),
        Detail::User { groups, .. } if !groups.is_empty() => Some(Holds::Groups),
        Detail::Group { members: 1.. } => Some(Holds::Members),
        _ if !record.attached.is_empty() => Some(Holds::AttachedPolicies),
        _ if !record.inline.is_empty() => Some(Holds::InlinePolicies),
        _ => None,
    }
}

fn unique_id(kind: EntityKind) -> UniqueId {
    match kind {
        EntityKind::User => UniqueId::User,
        EntityKind::Group => UniqueId::Group,
        EntityKind::Role => UniqueId::Role,
    }
}

fn counted(counts: &mut Counts, kind: EntityKind) -> &mut u32 {
    match kind {
        EntityKind::User => &mut counts.users,
        EntityKind::Group => &mut counts.groups,
        EntityKind::Role => &mut counts.roles,
    }
}

fn quota(kind: EntityKind) -> (Quota, usize) {
    match kind {
        EntityKind::User => (Quota::Users, MAX_USERS),
        EntityKind::Group => (Quota::Groups, MAX_GROUPS),
        EntityKind::Role => (Quota::Roles, MAX_ROLES),
    }
}
