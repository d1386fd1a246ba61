//! What is asked, and every fact that an answer may depend on.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::glob::Variables;
use super::key::Key;
use super::{Arn, Caller, Context, Principal, Value};
use crate::names::AccountId;

/// May `caller` do `action` with `resource`?
pub struct Question<'r> {
    pub caller: &'r Caller,
    pub action: &'r str,
    pub resource: &'r Arn,
    pub context: &'r Context<'r>,
    pub resource_account: &'r AccountId,
    /// Written out where a policy asks for it, once.
    principal_arn: OnceCell<Option<String>>,
}

/// The values of a key.
pub enum Values<'q> {
    One(Value<'q>),
    Many(&'q [Value<'q>]),
}

impl<'q> Values<'q> {
    pub fn as_slice(&self) -> &[Value<'q>] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<'r> Question<'r> {
    pub fn new(
        caller: &'r Caller,
        action: &'r str,
        resource: &'r Arn,
        context: &'r Context<'r>,
        resource_account: &'r AccountId,
    ) -> Self {
        Self { caller, action, resource, context, resource_account, principal_arn: OnceCell::new() }
    }

    /// The values of a key; `None` where the request has no such key.
    pub fn values<'q>(&'q self, key: &Key) -> Option<Values<'q>> {
        let principal = &self.caller.principal;
        let signed = !matches!(principal, Principal::Anonymous);
        match key {
            Key::PrincipalArn => self.principal_arn().map(text),
            Key::PrincipalAccount => principal.account().map(|account| text(account.as_str())),
            Key::PrincipalType => Some(text(principal_type(principal))),
            Key::PrincipalIsAwsService => signed.then_some(Values::One(Value::Flag(false))),
            Key::ViaAwsService => Some(Values::One(Value::Flag(false))),
            Key::ResourceAccount => Some(text(self.resource_account.as_str())),
            Key::UserId => Some(text(&self.caller.user_id)),
            Key::UserName => match principal {
                Principal::User { name, .. } => Some(text(name)),
                _ => None,
            },
            Key::Request(name) => self.context.get(name).map(Values::Many),
        }
    }

    fn principal_arn(&self) -> Option<&str> {
        self.principal_arn.get_or_init(|| self.caller.principal.entity_arn()).as_deref()
    }
}

impl Variables for Question<'_> {
    fn value_of(&self, key: &Key) -> Option<Cow<'_, str>> {
        match self.values(key)? {
            Values::One(Value::Text(text)) => Some(text),
            Values::One(other) => Some(Cow::Owned(other.text().into_owned())),
            Values::Many([value]) => Some(value.text()),
            Values::Many(_) => None,
        }
    }
}

fn text(text: &str) -> Values<'_> {
    Values::One(Value::Text(Cow::Borrowed(text)))
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable>
fn principal_type(principal: &Principal) -> &'static str {
    match principal {
        Principal::Anonymous => "Anonymous",
        Principal::Root { .. } => "Account",
        Principal::User { .. } => "User",
        Principal::AssumedRole { .. } => "AssumedRole",
    }
}
