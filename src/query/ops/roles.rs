//! Roles and who may assume them.

use std::time::Duration;

use super::entity;
use crate::http::percent;
use crate::identity::limits::{DEFAULT_ROLE_SESSION, MAX_ROLE_MAX_SESSION, MIN_ROLE_MAX_SESSION};
use crate::identity::{EntityKind, NewRole, Role};
use crate::query::call::Call;
use crate::query::error::QueryError;
use crate::query::page::{self, Page};
use crate::xml::Writer;

pub async fn create_role(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let parameters = &call.parameters;
    let (name, path) = entity::new(call, EntityKind::Role)?;
    let (least, most) = (MIN_ROLE_MAX_SESSION.as_secs() as u32, MAX_ROLE_MAX_SESSION.as_secs() as u32);
    let max_session = parameters.number("MaxSessionDuration", least..=most)?;
    let max_session = max_session.map_or(DEFAULT_ROLE_SESSION, |seconds| Duration::from_secs(seconds.into()));
    let new = NewRole {
        account: call.account().clone(),
        name: name.to_owned(),
        path: path.to_owned(),
        description: parameters.get("Description").unwrap_or_default().to_owned(),
        trust: parameters.required("AssumeRolePolicyDocument")?.to_owned(),
        max_session,
    };
    let role = call.identities().create_role(new).await?;
    Ok(call.answer(|result| {
        result.nest("Role", |element| write(element, &role));
    }))
}

pub async fn get_role(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let entity = entity::named(call, EntityKind::Role).await?;
    let role = call.identities().role(call.account(), &entity.name).await?;
    Ok(call.answer(|result| {
        result.nest("Role", |element| write(element, &role));
    }))
}

pub async fn list_roles(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (page, prefix) = entity::listed(call, "role")?;
    let roles = call.identities().roles(call.account(), &page.wanted(prefix)).await?;
    Ok(call.answer(|result| {
        result.nest("Roles", |list| {
            for role in &roles.items {
                list.nest("member", |member| write(member, role));
            }
        });
        page::write_end(result, roles.after.as_deref());
    }))
}

pub async fn update_assume_role_policy(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let document = call.parameters.required("PolicyDocument")?;
    let role = entity::named(call, EntityKind::Role).await?;
    call.identities().update_trust(call.account(), &role.name, document).await?;
    Ok(call.done())
}

/// There are no instance profiles.
pub async fn list_instance_profiles_for_role(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    entity::named(call, EntityKind::Role).await?;
    Page::parse(&call.parameters)?;
    Ok(call.answer(|result| {
        result.nest("InstanceProfiles", |_| {});
        page::write_end(result, None);
    }))
}

fn write(writer: &mut Writer, role: &Role) {
    entity::write(writer, &role.entity);
    writer.text("AssumeRolePolicyDocument", &percent::encode_component(&role.trust));
    writer.optional("Description", Some(role.description.as_str()).filter(|text| !text.is_empty()));
    writer.number("MaxSessionDuration", role.max_session.as_secs());
}
