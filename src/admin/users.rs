//! Operator commands for users and their inline policies.

use serde::{Deserialize, Serialize};

use super::wire::Answer;
use crate::clock::Timestamp;
use crate::identity::{AttachedPolicy, Entity, EntityKind, EntityName, Error, Identities, KeySummary, Wanted};
use crate::names::AccountId;

/// Users per page: a page of the longest names and paths stays far below the longest line.
const USERS_PER_PAGE: usize = 100;

/// What an operator wants done with a user. Without an account, in the default one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum UserCommand {
    Create {
        user: String,
        path: String,
    },
    Show {
        user: String,
    },
    Delete {
        user: String,
    },
    PutPolicy {
        user: String,
        policy: String,
        document: String,
    },
    ShowPolicy {
        user: String,
        policy: String,
    },
    ListPolicies {
        user: String,
    },
    DeletePolicy {
        user: String,
        policy: String,
    },
    /// One page of users, behind `after`.
    List {
        after: Option<String>,
    },
}

/// A user as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSummary {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Timestamp,
    /// Whether the configuration declares the user, so that commands cannot change it.
    pub declared: bool,
}

/// A user with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDetails {
    pub user: UserSummary,
    pub keys: Vec<KeySummary>,
    pub groups: Vec<String>,
    pub inline_policies: Vec<String>,
    /// By ARN.
    pub attached_policies: Vec<String>,
}

impl From<Entity> for UserSummary {
    fn from(user: Entity) -> Self {
        let Entity { account, name, path, id, created, declared, .. } = user;
        Self { account, name, path, id, created, declared }
    }
}

/// Carries out `command` in `account`.
pub async fn run(identities: &Identities, account: &AccountId, command: UserCommand) -> Result<Answer, Error> {
    let named = |user: &str| EntityName::user(account, user);
    match command {
        UserCommand::Create { user, path } => {
            let made = identities.create_user(account, &user, &path).await?;
            tracing::info!(%account, user, "user created");
            Ok(Answer::User(Box::new(details_of(made))))
        }
        UserCommand::Show { user } => Ok(Answer::User(Box::new(show(identities, account, &user).await?))),
        UserCommand::Delete { user } => {
            identities.delete_entity(&named(&user)).await?;
            tracing::info!(%account, user, "user deleted");
            Ok(Answer::Done)
        }
        UserCommand::PutPolicy { user, policy, document } => {
            identities.put_inline_policy(&named(&user), &policy, &document).await?;
            tracing::info!(%account, user, policy, "policy put");
            Ok(Answer::Done)
        }
        UserCommand::ShowPolicy { user, policy } => {
            Ok(Answer::Policy(identities.inline_policy(&named(&user), &policy).await?))
        }
        UserCommand::ListPolicies { user } => Ok(Answer::Policies(identities.inline_policies(&named(&user)).await?)),
        UserCommand::DeletePolicy { user, policy } => {
            identities.delete_inline_policy(&named(&user), &policy).await?;
            tracing::info!(%account, user, policy, "policy deleted");
            Ok(Answer::Done)
        }
        UserCommand::List { after } => {
            let wanted = Wanted { path_prefix: "", after: after.as_deref(), limit: USERS_PER_PAGE };
            let page = identities.entities(account, EntityKind::User, &wanted).await?;
            Ok(Answer::Users { users: page.items.into_iter().map(UserSummary::from).collect(), after: page.after })
        }
    }
}

async fn show(identities: &Identities, account: &AccountId, user: &str) -> Result<UserDetails, Error> {
    let name = EntityName::user(account, user);
    let attached = identities.attached_policies(&name).await?;
    Ok(UserDetails {
        keys: identities.keys_of_user(account, user).await?,
        groups: identities.groups_of_user(account, user).await?.into_iter().map(|group| group.name).collect(),
        inline_policies: identities.inline_policies(&name).await?,
        attached_policies: attached.into_iter().map(|AttachedPolicy { arn, .. }| arn).collect(),
        ..details_of(identities.entity(&name).await?)
    })
}

/// A user that has nothing.
fn details_of(user: Entity) -> UserDetails {
    UserDetails {
        user: user.into(),
        keys: Vec::new(),
        groups: Vec::new(),
        inline_policies: Vec::new(),
        attached_policies: Vec::new(),
    }
}
