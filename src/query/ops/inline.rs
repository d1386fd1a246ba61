//! Inline policies of users, groups and roles.

use super::entity;
use crate::http::percent;
use crate::identity::limits::MAX_POLICY_NAME;
use crate::identity::{EntityKind, check_name};
use crate::query::call::Call;
use crate::query::error::QueryError;
use crate::query::page::{self, Page};

pub async fn put(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let name = policy_name(call, kind)?;
    let document = call.parameters.required("PolicyDocument")?;
    let entity = entity::named(call, kind).await?;
    call.identities().put_inline_policy(&entity::of(call, kind, &entity.name), name, document).await?;
    Ok(call.done())
}

pub async fn get(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let name = policy_name(call, kind)?;
    let entity = entity::named(call, kind).await?;
    let document = call.identities().inline_policy(&entity::of(call, kind, &entity.name), name).await?;
    Ok(call.answer(|result| {
        result.text(entity::parameter(kind), &entity.name).text("PolicyName", name);
        result.text("PolicyDocument", &percent::encode_component(&document));
    }))
}

pub async fn list(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let entity = entity::named(call, kind).await?;
    let page = Page::parse(&call.parameters)?;
    let mut names = call.identities().inline_policies(&entity::of(call, kind, &entity.name)).await?;
    names.sort();
    let (names, next) = page.cut(names, String::as_str);
    Ok(call.answer(|result| {
        result.nest("PolicyNames", |list| {
            for name in &names {
                list.text("member", name);
            }
        });
        page::write_end(result, next.as_deref());
    }))
}

pub async fn delete(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let name = policy_name(call, kind)?;
    let entity = entity::named(call, kind).await?;
    call.identities().delete_inline_policy(&entity::of(call, kind, &entity.name), name).await?;
    Ok(call.done())
}

fn policy_name<'c>(call: &'c Call<'_>, kind: EntityKind) -> Result<&'c str, QueryError> {
    let name = call.parameters.required_text("PolicyName", 1..=MAX_POLICY_NAME)?;
    check_name(kind.inline_policy(), name)?;
    Ok(name)
}
