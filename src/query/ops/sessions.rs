//! STS: who the caller is, and temporary credentials.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::entity;
use crate::identity::limits::{MAX_ROLE_MAX_SESSION, MAX_SESSION_NAME, MAX_USER_SESSION, MIN_SESSION};
use crate::identity::{AssumeRole, Temporary};
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::xml::Writer;

/// Lengths of parameters by the API reference, in characters.
const ARN: RangeInclusive<usize> = 20..=2048;
const SESSION_NAME: RangeInclusive<usize> = 2..=MAX_SESSION_NAME;
const POLICY: RangeInclusive<usize> = 1..=2048;
const EXTERNAL_ID: RangeInclusive<usize> = 2..=1224;

/// Needs no permission, and none can be denied.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
pub fn get_caller_identity(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let arn = call.principal().arn().ok_or_else(|| QueryError::new(Code::MissingAuthenticationToken))?;
    Ok(call.answer(|result| {
        result.text("Arn", &arn).text("UserId", &call.key.caller.user_id).text("Account", call.account().as_str());
    }))
}

/// The role's trust policy is what permits it, together with the caller's own policies.
pub async fn assume_role(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let parameters = &call.parameters;
    let role_arn = parameters.required_text("RoleArn", ARN)?;
    let session_name = parameters.required_text("RoleSessionName", SESSION_NAME)?;
    let mut context = call.context();
    context.push("sts:RoleSessionName", session_name);
    if let Some(external_id) = parameters.text("ExternalId", EXTERNAL_ID)? {
        context.push("sts:ExternalId", external_id);
    }
    let request = AssumeRole {
        role_arn,
        session_name,
        duration: duration(call, MAX_ROLE_MAX_SESSION)?,
        policy: parameters.text("Policy", POLICY)?,
        policy_arns: parameters.members("PolicyArns", "arn")?.into_iter().map(str::to_owned).collect(),
    };
    let assumed = call.identities().assume_role(&call.key, &request, &context).await?;
    Ok(call.answer(|result| {
        write(result, &assumed.credentials);
        result.nest("AssumedRoleUser", |user| {
            user.text("AssumedRoleId", &assumed.id).text("Arn", &assumed.arn);
        });
        if let Some(percent) = assumed.packed_policy_percent {
            result.number("PackedPolicySize", percent.into());
        }
    }))
}

pub async fn get_session_token(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let duration = duration(call, MAX_USER_SESSION)?;
    let credentials = call.identities().get_session_token(&call.key, duration).await?;
    Ok(call.answer(|result| write(result, &credentials)))
}

fn duration(call: &Call<'_>, most: Duration) -> Result<Option<Duration>, QueryError> {
    let range = MIN_SESSION.as_secs() as u32..=most.as_secs() as u32;
    let seconds = call.parameters.number("DurationSeconds", range)?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

fn write(writer: &mut Writer, credentials: &Temporary) {
    writer.nest("Credentials", |element| {
        element.text("AccessKeyId", &credentials.access_key_id);
        element.text("SecretAccessKey", credentials.secret.expose());
        element.text("SessionToken", &credentials.session_token);
        element.text("Expiration", &entity::date(credentials.expires));
    });
}
