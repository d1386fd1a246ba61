//! Access keys of users, and of the account itself where its root asks without naming a user.

use super::{entity, users};
use crate::access::Arn;
use crate::identity::EntityKind::User;
use crate::identity::{self, EntityName, Holder, KeySummary, MAX_PAGE, Status, valid_access_key_id};
use crate::names::AccountId;
use crate::query::call::Call;
use crate::query::error::{Code, QueryError};
use crate::query::page::{self, Page};
use crate::xml::Writer;

/// The one answer that holds the secret.
pub async fn create_access_key(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let holder = holder(call).await?;
    let key = call.identities().create_key(&holder, "").await?;
    Ok(call.answer(|result| {
        result.nest("AccessKey", |element| {
            element.optional("UserName", holder.user()).text("AccessKeyId", &key.access_key_id);
            element.text("Status", shown(Status::Active)).text("SecretAccessKey", key.secret.expose());
            element.text("CreateDate", &entity::date(key.created));
        });
    }))
}

pub async fn list_access_keys(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let page = Page::parse(&call.parameters)?;
    let (keys, next) = match holder(call).await? {
        Holder::User { account, name } => {
            let mut keys = call.identities().keys_of_user(&account, &name).await?;
            keys.sort_by(|one, other| one.access_key_id.cmp(&other.access_key_id));
            page.cut(keys, |key| &key.access_key_id)
        }
        Holder::Root(account) => page.cut(keys_of_root(call, &account).await?, |key| &key.access_key_id),
    };
    Ok(call.answer(|result| {
        result.nest("AccessKeyMetadata", |list| {
            for key in &keys {
                list.nest("member", |member| write(member, key));
            }
        });
        page::write_end(result, next.as_deref());
    }))
}

/// The account's own keys, by id. The keys of a server are listed as one, so all of them are looked through.
async fn keys_of_root(call: &Call<'_>, account: &AccountId) -> Result<Vec<KeySummary>, QueryError> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let found = call.identities().list_keys(after.as_deref(), MAX_PAGE).await?;
        keys.extend(found.keys.into_iter().filter(|key| key.account == *account && key.user.is_none()));
        match found.after {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
}

pub async fn update_access_key(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    call.parameters.required("Status")?;
    let status = match call.parameters.one_of("Status", &["Active", "Inactive"])? {
        Some("Active") => Status::Active,
        _ => Status::Disabled,
    };
    let (id, user) = owned(call).await?;
    call.identities().set_key_status(id, user.as_ref(), status).await?;
    Ok(call.done())
}

pub async fn delete_access_key(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let (id, user) = owned(call).await?;
    call.identities().delete_key(id, user.as_ref()).await?;
    Ok(call.done())
}

/// Tells whose key it is. When a key is used is not recorded, which is what `N/A` says: for this reason there is no date.
///
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyLastUsed.html>
pub async fn get_access_key_last_used(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    let id = key_id(call)?;
    let key = match call.identities().key_summary(id).await {
        Err(identity::Error::NoSuch { .. }) => None,
        found => Some(found?).filter(|key| key.account == *call.account()),
    };
    let user = key.as_ref().and_then(|key| key.user.as_deref());
    match user {
        Some(name) => drop(entity::permitted(call, User, name, &call.context()).await?),
        None => call.authorize(&Arn::iam(call.account(), "root"))?,
    }
    if key.is_none() {
        return Err(missing(id));
    }
    Ok(call.answer(|result| {
        result.optional("UserName", user);
        result.nest("AccessKeyLastUsed", |used| {
            used.text("ServiceName", "N/A").text("Region", "N/A");
        });
    }))
}

/// Whose keys the request is about, if the caller may do the action with them.
async fn holder(call: &Call<'_>) -> Result<Holder, QueryError> {
    let account = call.account().clone();
    let Some(name) = users::named_or_caller(call)? else {
        call.authorize(&Arn::iam(&account, "root"))?;
        return Ok(Holder::Root(account));
    };
    let user = entity::permitted(call, User, name, &call.context()).await?;
    Ok(Holder::User { account, name: user.name })
}

/// The key that the request names and the user whose it is, if the caller may do the action with it. A key of anybody
/// else, and above all of another account, is as if it were not there.
async fn owned<'c>(call: &'c Call<'_>) -> Result<(&'c str, Option<EntityName>), QueryError> {
    let id = key_id(call)?;
    let holder = holder(call).await?;
    let key = call.identities().key_summary(id).await?;
    let is_his = match (&key.user, holder.user()) {
        (Some(user), Some(name)) => user.eq_ignore_ascii_case(name),
        (None, None) => true,
        _ => false,
    };
    if key.account != *holder.account() || !is_his {
        return Err(missing(id));
    }
    let user = holder.user().map(|name| EntityName::user(holder.account(), name));
    Ok((id, user))
}

fn key_id<'c>(call: &'c Call<'_>) -> Result<&'c str, QueryError> {
    let id = call.parameters.required("AccessKeyId")?;
    if valid_access_key_id(id) { Ok(id) } else { Err(missing(id)) }
}

fn missing(id: &str) -> QueryError {
    QueryError::with_message(Code::NoSuchEntity, format!("The Access Key with id {id} cannot be found."))
}

fn write(writer: &mut Writer, key: &KeySummary) {
    writer.optional("UserName", key.user.as_deref()).text("AccessKeyId", &key.access_key_id);
    writer.text("Status", shown(key.status)).text("CreateDate", &entity::date(key.created));
}

fn shown(status: Status) -> &'static str {
    match status {
        Status::Active => "Active",
        Status::Disabled => "Inactive",
    }
}
