//! The actions, a file a family. Each is three steps: parse and authorize, run, answer.

mod attached;
mod entity;
mod groups;
mod inline;
mod keys;
mod policies;
mod roles;
mod sessions;
mod sns;
mod subscriptions;
mod topics;
mod users;
mod versions;

use super::action::Action;
use super::call::Call;
use super::error::QueryError;
use crate::identity::EntityKind::{Group, Role, User};

/// Runs the action; gives its document.
pub async fn run(call: &Call<'_>) -> Result<Vec<u8>, QueryError> {
    use Action as A;
    match call.row.action {
        A::CreateUser => users::create_user(call).await,
        A::GetUser => users::get_user(call).await,
        A::ListUsers => users::list_users(call).await,
        A::DeleteUser => entity::delete(call, User).await,

        A::CreateAccessKey => keys::create_access_key(call).await,
        A::ListAccessKeys => keys::list_access_keys(call).await,
        A::UpdateAccessKey => keys::update_access_key(call).await,
        A::DeleteAccessKey => keys::delete_access_key(call).await,
        A::GetAccessKeyLastUsed => keys::get_access_key_last_used(call).await,

        A::CreateGroup => groups::create_group(call).await,
        A::GetGroup => groups::get_group(call).await,
        A::ListGroups => groups::list_groups(call).await,
        A::DeleteGroup => entity::delete(call, Group).await,
        A::AddUserToGroup => groups::add_user_to_group(call).await,
        A::RemoveUserFromGroup => groups::remove_user_from_group(call).await,
        A::ListGroupsForUser => groups::list_groups_for_user(call).await,

        A::CreateRole => roles::create_role(call).await,
        A::GetRole => roles::get_role(call).await,
        A::ListRoles => roles::list_roles(call).await,
        A::UpdateAssumeRolePolicy => roles::update_assume_role_policy(call).await,
        A::DeleteRole => entity::delete(call, Role).await,
        A::ListInstanceProfilesForRole => roles::list_instance_profiles_for_role(call).await,

        A::PutUserPolicy => inline::put(call, User).await,
        A::GetUserPolicy => inline::get(call, User).await,
        A::ListUserPolicies => inline::list(call, User).await,
        A::DeleteUserPolicy => inline::delete(call, User).await,
        A::PutGroupPolicy => inline::put(call, Group).await,
        A::GetGroupPolicy => inline::get(call, Group).await,
        A::ListGroupPolicies => inline::list(call, Group).await,
        A::DeleteGroupPolicy => inline::delete(call, Group).await,
        A::PutRolePolicy => inline::put(call, Role).await,
        A::GetRolePolicy => inline::get(call, Role).await,
        A::ListRolePolicies => inline::list(call, Role).await,
        A::DeleteRolePolicy => inline::delete(call, Role).await,

        A::AttachUserPolicy => attached::attach(call, User).await,
        A::DetachUserPolicy => attached::detach(call, User).await,
        A::ListAttachedUserPolicies => attached::list(call, User).await,
        A::AttachGroupPolicy => attached::attach(call, Group).await,
        A::DetachGroupPolicy => attached::detach(call, Group).await,
        A::ListAttachedGroupPolicies => attached::list(call, Group).await,
        A::AttachRolePolicy => attached::attach(call, Role).await,
        A::DetachRolePolicy => attached::detach(call, Role).await,
        A::ListAttachedRolePolicies => attached::list(call, Role).await,

        A::CreatePolicy => policies::create_policy(call).await,
        A::GetPolicy => policies::get_policy(call).await,
        A::ListPolicies => policies::list_policies(call).await,
        A::DeletePolicy => policies::delete_policy(call).await,
        A::CreatePolicyVersion => versions::create_policy_version(call).await,
        A::GetPolicyVersion => versions::get_policy_version(call).await,
        A::ListPolicyVersions => versions::list_policy_versions(call).await,
        A::SetDefaultPolicyVersion => versions::set_default_policy_version(call).await,
        A::DeletePolicyVersion => versions::delete_policy_version(call).await,

        A::ListAccountAliases => users::list_account_aliases(call),

        A::GetCallerIdentity => sessions::get_caller_identity(call),
        A::AssumeRole => sessions::assume_role(call).await,
        A::GetSessionToken => sessions::get_session_token(call).await,

        A::CreateTopic => topics::create_topic(call).await,
        A::DeleteTopic => topics::delete_topic(call).await,
        A::ListTopics => topics::list_topics(call),
        A::GetTopicAttributes => topics::get_topic_attributes(call),
        A::Subscribe => subscriptions::subscribe(call).await,
        A::Unsubscribe => subscriptions::unsubscribe(call).await,
        A::ListSubscriptions => subscriptions::list_subscriptions(call),
        A::ListSubscriptionsByTopic => subscriptions::list_subscriptions_by_topic(call),
        A::GetSubscriptionAttributes => subscriptions::get_subscription_attributes(call),
        A::Publish => topics::publish(),
    }
}
