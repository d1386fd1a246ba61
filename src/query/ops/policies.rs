//! Managed policies.

use super::entity;
use crate::access::Arn;
use crate::identity::limits::MAX_POLICY_NAME;
use crate::identity::{self, ManagedPolicy, NewPolicy, Scope, What, check_name, parse_policy_arn};
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::query::page;
use crate::xml::Writer;

pub async fn create_policy(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let parameters = &call.parameters;
    let name = parameters.required_text("PolicyName", 1..=MAX_POLICY_NAME)?;
    check_name(What::Policy, name)?;
    let path = entity::path(call)?;
    call.authorize(&Arn::iam(call.account(), &format!("policy{path}{name}")))?;
    let new = NewPolicy {
        account: call.account().clone(),
        name: name.to_owned(),
        path: path.to_owned(),
        description: parameters.get("Description").unwrap_or_default().to_owned(),
        document: parameters.required("PolicyDocument")?.to_owned(),
    };
    let policy = call.identities().create_policy(new).await?;
    Ok(call.answer(|result| {
        result.nest("Policy", |element| write(element, &policy, Detail::Summary));
    }))
}

pub async fn get_policy(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let arn = permitted(call).await?;
    let policy = call.identities().policy(&arn).await?;
    Ok(call.answer(|result| {
        result.nest("Policy", |element| write(element, &policy, Detail::Full));
    }))
}

pub async fn list_policies(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (page, prefix) = entity::listed(call, "policy")?;
    let scope = match call.parameters.one_of("Scope", &["All", "AWS", "Local"])? {
        Some("AWS") => Scope::Aws,
        Some("Local") => Scope::Local,
        _ => Scope::All,
    };
    let only_attached = call.parameters.flag("OnlyAttached")?.unwrap_or_default();
    let usage = call.parameters.one_of("PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"])?;
    let mut policies = call.identities().policies(call.account(), scope, &page.wanted(prefix)).await?;
    // There are no permissions boundaries, so no policy is used as one.
    policies.items.retain(|policy| usage != Some("PermissionsBoundary") && (!only_attached || is_attached(policy)));
    Ok(call.answer(|result| {
        result.nest("Policies", |list| {
            for policy in &policies.items {
                list.nest("member", |member| write(member, policy, Detail::Summary));
            }
        });
        page::write_end(result, policies.after.as_deref());
    }))
}

/// Whether anything may have it: nobody counts who has AWS's own.
fn is_attached(policy: &ManagedPolicy) -> bool {
    policy.attachments != Some(0)
}

pub async fn delete_policy(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let arn = permitted(call).await?;
    call.identities().delete_policy(&arn).await?;
    Ok(call.done())
}

/// The ARN of the policy that the request names, if the caller may do the action with it.
pub async fn permitted(call: &Call<'_>) -> Result<String, QueryError> {
    let arn = arn(call).await?;
    let resource = Arn::parse(&arn).ok_or_else(|| invalid(&arn))?;
    call.authorize(&resource)?;
    Ok(arn)
}

/// The ARN of the policy that the request names: one of the caller's account, or of AWS's own. It is spelled as the policy
/// is: names are found in any case, but policies are about one spelling, and another must not slip through a denial.
pub async fn arn(call: &Call<'_>) -> Result<String, QueryError> {
    let given = given_arn(call)?;
    match call.identities().policy(given).await {
        Ok(policy) => Ok(policy.arn()),
        Err(identity::Error::NoSuch { .. }) => Ok(given.to_owned()),
        Err(error) => Err(error.into()),
    }
}

fn given_arn<'c>(call: &'c Call<'_>) -> Result<&'c str, QueryError> {
    let arn = call.parameters.required("PolicyArn")?;
    let (account, _) = parse_policy_arn(arn).ok_or_else(|| invalid(arn))?;
    if account.is_some_and(|account| account != *call.account()) {
        // As if it were not there: accounts do not see each other's.
        return Err(QueryError::with_message(Code::NoSuchEntity, format!("Policy {arn} was not found.")));
    }
    Ok(arn)
}

fn invalid(arn: &str) -> QueryError {
    QueryError::with_message(Code::InvalidInput, format!("ARN {arn} is not valid."))
}

/// How much of a policy an answer shows: lists leave descriptions out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Summary,
    Full,
}

fn write(writer: &mut Writer, policy: &ManagedPolicy, detail: Detail) {
    writer.text("PolicyName", &policy.name).text("PolicyId", &policy.id).text("Arn", &policy.arn());
    writer.text("Path", &policy.path).text("DefaultVersionId", &format!("v{}", policy.default_version));
    if let Some(attachments) = policy.attachments {
        writer.number("AttachmentCount", attachments.into());
    }
    writer.number("PermissionsBoundaryUsageCount", 0).flag("IsAttachable", true);
    let description = Some(policy.description.as_str()).filter(|text| detail == Detail::Full && !text.is_empty());
    writer.optional("Description", description);
    writer.text("CreateDate", &entity::date(policy.created)).text("UpdateDate", &entity::date(policy.updated));
}
