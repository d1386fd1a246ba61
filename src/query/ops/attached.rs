//! Managed policies of users, groups and roles.

use super::{entity, policies};
use crate::identity::{AttachedPolicy, Entity, EntityKind};
use crate::query::call::Call;
use crate::query::error::QueryError;
use crate::query::page::{self, Page};

pub async fn attach(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let (entity, arn) = named(call, kind).await?;
    call.identities().attach_policy(&entity::of(call, kind, &entity.name), &arn).await?;
    Ok(call.done())
}

pub async fn detach(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let (entity, arn) = named(call, kind).await?;
    call.identities().detach_policy(&entity::of(call, kind, &entity.name), &arn).await?;
    Ok(call.done())
}

/// Whose policy, and which, if the caller may attach or detach this very one: policies say so with `iam:PolicyARN`.
async fn named(call: &Call<'_>, kind: EntityKind) -> Result<(Entity, String), QueryError> {
    let arn = policies::arn(call).await?;
    let mut context = call.context();
    context.push("iam:PolicyARN", arn.as_str());
    let entity = entity::named_in(call, kind, &context).await?;
    Ok((entity, arn))
}

/// In pages, and of those alone whose path has the prefix that is asked for.
pub async fn list(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let entity = entity::named(call, kind).await?;
    let page = Page::parse(&call.parameters)?;
    let prefix = call.parameters.get("PathPrefix").unwrap_or("/");
    let mut policies = call.identities().attached_policies(&entity::of(call, kind, &entity.name)).await?;
    policies.retain(|policy| path(policy).starts_with(prefix));
    policies.sort_by(|one, other| one.arn.cmp(&other.arn));
    let (policies, next) = page.cut(policies, |policy| &policy.arn);
    Ok(call.answer(|result| {
        result.nest("AttachedPolicies", |list| {
            for policy in &policies {
                list.nest("member", |member| {
                    member.text("PolicyName", &policy.name).text("PolicyArn", &policy.arn);
                });
            }
        });
        page::write_end(result, next.as_deref());
    }))
}

/// The path in a policy's ARN, with the name behind it.
fn path(policy: &AttachedPolicy) -> &str {
    policy.arn.split_once(":policy").map_or("/", |(_, path)| path)
}
