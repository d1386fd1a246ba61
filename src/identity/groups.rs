//! Which users are in which groups.

use super::limits::{MAX_GROUPS_PER_USER, Quota};
use super::names::folded;
use super::record::{Detail, EntityRecord};
use super::rows::Row;
use super::table::{self, IDENTITIES};
use super::{Entity, EntityName, Error, Identities, Listing, Wanted};
use crate::kv::Commit;
use crate::names::AccountId;

impl Identities {
    /// Puts a user into a group. One that is in it already stays.
    pub async fn add_user_to_group(&self, account: &AccountId, group: &str, user: &str) -> Result<(), Error> {
        let (group, user) = (&EntityName::group(account, group), &EntityName::user(account, user));
        self.change(|| async move {
            let (mut group, mut user) = (self.changeable(group).await?, self.changeable(user).await?);
            let member = table::member(account, &group.record.name, &user.record.name);
            let group_name = group.record.name.clone();
            let groups = groups_of(&mut user)?;
            if position(groups, &group_name).is_some() {
                return Ok((Commit::new(), ()));
            }
            if groups.len() >= MAX_GROUPS_PER_USER {
                return Err(Error::Limit { quota: Quota::GroupsPerUser, limit: MAX_GROUPS_PER_USER });
            }
            groups.push(group_name);
            if let Detail::Group { members } = &mut group.record.detail {
                *members += 1;
            }
            Ok((user.replace(group.replace(Commit::new())).put(IDENTITIES, member, &[][..]), ()))
        })
        .await
    }

    /// Takes a user out of a group. One that is not in it stays out.
    pub async fn remove_user_from_group(&self, account: &AccountId, group: &str, user: &str) -> Result<(), Error> {
        let (group, user) = (&EntityName::group(account, group), &EntityName::user(account, user));
        self.change(|| async move {
            let (mut group, mut user) = (self.changeable(group).await?, self.changeable(user).await?);
            let member = table::member(account, &group.record.name, &user.record.name);
            let groups = groups_of(&mut user)?;
            let Some(at) = position(groups, &group.record.name) else { return Ok((Commit::new(), ())) };
            groups.remove(at);
            if let Detail::Group { members } = &mut group.record.detail {
                *members = members.saturating_sub(1);
            }
            Ok((user.replace(group.replace(Commit::new())).delete(IDENTITIES, member), ()))
        })
        .await
    }

    /// The groups that a user is in, at most [`MAX_GROUPS_PER_USER`].
    pub async fn groups_of_user(&self, account: &AccountId, user: &str) -> Result<Vec<Entity>, Error> {
        let user = EntityName::user(account, user);
        if self.declared().user(&user).is_some() {
            return Ok(Vec::new());
        }
        let mut row = self.stored(&user).await?.ok_or_else(|| user.missing())?;
        let mut groups = Vec::new();
        for group in std::mem::take(groups_of(&mut row)?) {
            // One that was deleted meanwhile is no group of his any more.
            if let Some(group) = self.stored(&EntityName::group(account, &group)).await? {
                groups.push(group.record.entity(account));
            }
        }
        Ok(groups)
    }

    /// One page of a group's users.
    pub async fn users_in_group(
        &self,
        account: &AccountId,
        group: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Listing<Entity>, Error> {
        let group = EntityName::group(account, group);
        let row = self.stored(&group).await?.ok_or_else(|| group.missing())?;
        let prefix = table::members(account, &row.record.name);
        let (members, more) = self.page_of_bytes(&prefix, wanted.after, wanted.limit).await?;
        let after = members.last().filter(|_| more).map(|(folded, _)| folded.clone());
        let mut items = Vec::new();
        for (user, _) in members {
            if let Some(user) = self.stored(&EntityName::user(account, &user)).await? {
                items.push(user.record.entity(account));
            }
        }
        Ok(Listing { items, after })
    }
}

/// The groups of a user's row.
fn groups_of(row: &mut Row<EntityRecord>) -> Result<&mut Vec<String>, Error> {
    let damaged = Error::Record(row.record.name.clone());
    match &mut row.record.detail {
        Detail::User { groups, .. } => Ok(groups),
        _ => Err(damaged),
    }
}

fn position(groups: &[String], name: &str) -> Option<usize> {
    groups.iter().position(|group| folded(group) == folded(name))
}
