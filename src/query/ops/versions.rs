//! Versions of managed policies.

use super::{entity, policies};
use crate::http::percent;
use crate::identity::PolicyVersion;
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::query::page::{self, Page};
use crate::xml::Writer;

pub async fn create_policy_version(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let document = call.parameters.required("PolicyDocument")?;
    let as_default = call.parameters.flag("SetAsDefault")?.unwrap_or_default();
    let arn = policies::permitted(call).await?;
    let version = call.identities().create_policy_version(&arn, document, as_default).await?;
    Ok(call.answer(|result| {
        result.nest("PolicyVersion", |element| write(element, &version));
    }))
}

pub async fn get_policy_version(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let number = number(call)?;
    let arn = policies::permitted(call).await?;
    let version = call.identities().policy_version(&arn, number).await?;
    Ok(call.answer(|result| {
        result.nest("PolicyVersion", |element| {
            element.text("Document", &percent::encode_component(&version.document));
            write(element, &version);
        });
    }))
}

/// There are only a few, and the newest comes first: a page starts behind the number of the one before.
pub async fn list_policy_versions(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let page = Page::parse(&call.parameters)?;
    let arn = policies::permitted(call).await?;
    let versions = call.identities().policy_versions(&arn).await?;
    // Keys that sort as the versions are listed.
    let keyed = versions.into_iter().map(|version| (format!("{:010}", u32::MAX - version.number), version)).collect();
    let (versions, next) = page.cut(keyed, |(key, _): &(String, PolicyVersion)| key);
    Ok(call.answer(|result| {
        result.nest("Versions", |list| {
            for (_, version) in &versions {
                list.nest("member", |member| write(member, version));
            }
        });
        page::write_end(result, next.as_deref());
    }))
}

pub async fn set_default_policy_version(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let number = number(call)?;
    let arn = policies::permitted(call).await?;
    call.identities().set_default_policy_version(&arn, number).await?;
    Ok(call.done())
}

pub async fn delete_policy_version(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let number = number(call)?;
    let arn = policies::permitted(call).await?;
    call.identities().delete_policy_version(&arn, number).await?;
    Ok(call.done())
}

/// The number in `v1`.
fn number(call: &Call<'_>) -> Result<u32, QueryError> {
    let text = call.parameters.required("VersionId")?;
    let digits = text.strip_prefix('v').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.filter(|digits| !digits.starts_with('0')).and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| {
        let message = "The specified value for versionId is invalid. It must be of the form v1.";
        QueryError::with_message(Code::ValidationError, message)
    })
}

fn write(writer: &mut Writer, version: &PolicyVersion) {
    writer.text("VersionId", &format!("v{}", version.number)).flag("IsDefaultVersion", version.is_default);
    writer.text("CreateDate", &entity::date(version.created));
}
