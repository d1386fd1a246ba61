//! Groups and who is in them.

use super::entity;
use crate::identity::EntityKind::{Group, User};
use crate::identity::check_name;
use crate::query::call::Call;
use crate::query::error::QueryError;
use crate::query::page::Page;

pub async fn create_group(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (name, path) = entity::new(call, Group)?;
    let group = call.identities().create_group(call.account(), name, path).await?;
    Ok(call.answer(|result| {
        result.nest("Group", |element| entity::write(element, &group));
    }))
}

pub async fn get_group(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let group = entity::named(call, Group).await?;
    let page = Page::parse(&call.parameters)?;
    let users = call.identities().users_in_group(call.account(), &group.name, &page.wanted("/")).await?;
    Ok(call.answer(|result| {
        result.nest("Group", |element| entity::write(element, &group));
        entity::write_page(result, "Users", &users.items, users.after.as_deref());
    }))
}

pub async fn list_groups(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (page, prefix) = entity::listed(call, "group")?;
    let groups = call.identities().entities(call.account(), Group, &page.wanted(prefix)).await?;
    Ok(call.answer(|result| entity::write_page(result, "Groups", &groups.items, groups.after.as_deref())))
}

pub async fn add_user_to_group(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (group, user) = member(call).await?;
    call.identities().add_user_to_group(call.account(), &group, user).await?;
    Ok(call.done())
}

pub async fn remove_user_from_group(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (group, user) = member(call).await?;
    call.identities().remove_user_from_group(call.account(), &group, user).await?;
    Ok(call.done())
}

/// The group and the user that the request names; the permission is for the group.
async fn member<'c>(call: &'c Call<'_>) -> Result<(String, &'c str), QueryError> {
    let user = call.parameters.required("UserName")?;
    check_name(User.what(), user)?;
    let group = entity::named(call, Group).await?;
    Ok((group.name, user))
}

pub async fn list_groups_for_user(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let user = entity::named(call, User).await?;
    let page = Page::parse(&call.parameters)?;
    let mut groups = call.identities().groups_of_user(call.account(), &user.name).await?;
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    let (groups, next) = page.cut(groups, |group| &group.name);
    Ok(call.answer(|result| entity::write_page(result, "Groups", &groups, next.as_deref())))
}
