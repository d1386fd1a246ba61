//! Users.

use super::entity;
use crate::access::{Arn, Principal};
use crate::identity::EntityKind::User;
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::query::page::{self, Page};

pub async fn create_user(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (name, path) = entity::new(call, User)?;
    let user = call.identities().create_user(call.account(), name, path).await?;
    Ok(call.answer(|result| {
        result.nest("User", |element| entity::write(element, &user));
    }))
}

/// Without a name: the caller, who may be the account itself.
pub async fn get_user(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let Some(name) = named_or_caller(call)? else { return get_root(call) };
    let user = entity::permitted(call, User, name, &call.context()).await?;
    Ok(call.answer(|result| {
        result.nest("User", |element| entity::write(element, &user));
    }))
}

fn get_root(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let arn = call.key.account.root_arn();
    Ok(call.answer(|result| {
        result.nest("User", |user| {
            // The account has no time of its own: the first one there is.
            user.text("UserId", call.account().as_str()).text("Arn", &arn);
            user.text("CreateDate", &entity::date(crate::clock::Timestamp::from_seconds(0)));
        });
    }))
}

pub async fn list_users(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (page, prefix) = entity::listed(call, "user")?;
    let users = call.identities().entities(call.account(), User, &page.wanted(prefix)).await?;
    Ok(call.answer(|result| entity::write_page(result, "Users", &users.items, users.after.as_deref())))
}

/// There are no aliases.
pub fn list_account_aliases(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    call.authorize(&Arn::iam(call.account(), "*"))?;
    Page::parse(&call.parameters)?;
    Ok(call.answer(|result| {
        result.nest("AccountAliases", |_| {});
        page::write_end(result, None);
    }))
}

/// The user that the request names, or else the caller; `None` where that is the account itself.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>
pub fn named_or_caller<'c>(call: &'c Call<'_>) -> Result<Option<&'c str>, QueryError> {
    match (call.parameters.get("UserName"), call.principal()) {
        (Some(name), _) => Ok(Some(name)),
        (None, Principal::User { name, .. }) => Ok(Some(name)),
        (None, Principal::Root { .. }) => Ok(None),
        (None, Principal::AssumedRole { .. } | Principal::Anonymous) => {
            let message = "Must specify userName when calling with non-User credentials";
            Err(QueryError::with_message(Code::ValidationError, message))
        }
    }
}
