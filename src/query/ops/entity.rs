//! What users, groups and roles share: how requests name them, what may be done with them, and how answers show them.

use crate::access::{Arn, Context};
use crate::clock::Timestamp;
use crate::http::date;
use crate::identity::limits::{MAX_GROUP_NAME, MAX_ROLE_NAME, MAX_USER_NAME};
use crate::identity::{self, Entity, EntityKind, EntityName, check_name, check_path};
use crate::query::call::Call;
use crate::query::error::QueryError;
use crate::query::page::{self, Page};
use crate::xml::Writer;

/// The longest prefix of paths.
const MAX_PREFIX: usize = 512;

/// The parameter that names a user, group or role.
pub const fn parameter(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::User => "UserName",
        EntityKind::Group => "GroupName",
        EntityKind::Role => "RoleName",
    }
}

/// The name and the path of something that is to be made, if the caller may make it.
pub fn new<'c>(call: &'c Call<'_>, kind: EntityKind) -> Result<(&'c str, &'c str), QueryError> {
    let name = name(call, kind)?;
    check_name(kind.what(), name)?;
    let path = path(call)?;
    call.authorize(&arn(call, kind, path, name))?;
    Ok((name, path))
}

fn name<'c>(call: &'c Call<'_>, kind: EntityKind) -> Result<&'c str, QueryError> {
    let longest = match kind {
        EntityKind::User => MAX_USER_NAME,
        EntityKind::Group => MAX_GROUP_NAME,
        EntityKind::Role => MAX_ROLE_NAME,
    };
    call.parameters.required_text(parameter(kind), 1..=longest)
}

/// The path of something that is to be made.
pub fn path<'c>(call: &'c Call<'_>) -> Result<&'c str, QueryError> {
    let path = call.parameters.get("Path").unwrap_or("/");
    check_path(path)?;
    Ok(path)
}

/// The user, group or role that the request names, if the caller may do the action with it.
pub async fn named(call: &Call<'_>, kind: EntityKind) -> Result<Entity, QueryError> {
    named_in(call, kind, &call.context()).await
}

/// As [`named`], with facts beyond those of every request.
pub async fn named_in(call: &Call<'_>, kind: EntityKind, context: &Context<'_>) -> Result<Entity, QueryError> {
    permitted(call, kind, name(call, kind)?, context).await
}

/// The user, group or role of this name, if the caller may do the action with it. Who may not does not learn whether it
/// is there.
pub async fn permitted(
    call: &Call<'_>,
    kind: EntityKind,
    name: &str,
    context: &Context<'_>,
) -> Result<Entity, QueryError> {
    check_name(kind.what(), name)?;
    let found = match call.identities().entity(&of(call, kind, name)).await {
        Err(missing @ identity::Error::NoSuch { .. }) => Err(missing),
        found => Ok(found?),
    };
    let resource = match &found {
        Ok(entity) => arn(call, kind, &entity.path, &entity.name),
        Err(_) => arn(call, kind, "/", name),
    };
    call.authorize_in(&resource, context)?;
    Ok(found?)
}

/// A user, group or role of the caller's account.
pub fn of(call: &Call<'_>, kind: EntityKind, name: &str) -> EntityName {
    EntityName { account: call.account().clone(), kind, name: name.to_owned() }
}

fn arn(call: &Call<'_>, kind: EntityKind, path: &str, name: &str) -> Arn {
    Arn::iam(call.account(), &format!("{}{path}{name}", kind.word()))
}

/// The page of a list that is asked for, and the prefix of paths in it, if the caller may list what is of this `word`.
pub fn listed<'c>(call: &'c Call<'_>, word: &str) -> Result<(Page, &'c str), QueryError> {
    let prefix = call.parameters.text("PathPrefix", 1..=MAX_PREFIX)?.unwrap_or("/");
    call.authorize(&Arn::iam(call.account(), &format!("{word}{prefix}")))?;
    Ok((Page::parse(&call.parameters)?, prefix))
}

/// Deletes what has nothing any more.
pub async fn delete(call: &Call<'_>, kind: EntityKind) -> Result<Vec<u8>, QueryError> {
    let entity = named(call, kind).await?;
    call.identities().delete_entity(&of(call, kind, &entity.name)).await?;
    Ok(call.done())
}

/// Writes the fields of a user, group or role, as its element has them.
pub fn write(writer: &mut Writer, entity: &Entity) {
    let (name, id) = match entity.kind {
        EntityKind::User => ("UserName", "UserId"),
        EntityKind::Group => ("GroupName", "GroupId"),
        EntityKind::Role => ("RoleName", "RoleId"),
    };
    writer.text("Path", &entity.path).text(name, &entity.name).text(id, &entity.id);
    writer.text("Arn", &entity.arn()).text("CreateDate", &date(entity.created));
}

/// Writes a list of users, groups or roles.
pub fn write_all(writer: &mut Writer, list: &'static str, entities: &[Entity]) {
    writer.nest(list, |list| {
        for entity in entities {
            list.nest("member", |member| write(member, entity));
        }
    });
}

/// Writes a whole page of a list.
pub fn write_page(writer: &mut Writer, list: &'static str, entities: &[Entity], next: Option<&str>) {
    write_all(writer, list, entities);
    page::write_end(writer, next);
}

/// A time as IAM writes it: `2013-05-24T00:00:00Z`, in whole seconds.
pub fn date(time: Timestamp) -> String {
    let text = date::format_iso8601(Timestamp::from_seconds(time.as_seconds()));
    text.replace(".000Z", "Z")
}
