//! Who calls.

use std::sync::Arc;

use super::policy::Policy;
use crate::names::AccountId;

/// Who a request comes from, as its signature says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Nobody: the request is not signed.
    Anonymous,
    /// An account itself.
    Root { account: AccountId },
    /// A user of an account. `path` begins and ends with `/`, and is `/` where nothing was said.
    User { account: AccountId, path: String, name: String },
    /// A session of a role. `path` is the role's, as a user's.
    AssumedRole { account: AccountId, path: String, role: String, session: String },
}

impl Principal {
    /// The account that the principal belongs to; `None` for the anonymous one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Anonymous => None,
            Self::Root { account } | Self::User { account, .. } | Self::AssumedRole { account, .. } => Some(account),
        }
    }

    /// The ARN that names the principal itself: for a role's session `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, as
    /// GetCallerIdentity answers. `None` for the anonymous one.
    pub fn arn(&self) -> Option<String> {
        match self {
            Self::AssumedRole { account, role, session, .. } => {
                Some(format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"))
            }
            other => other.entity_arn(),
        }
    }

    /// The ARN of what the principal's policies belong to: for a role's session the role's. The value of
    /// `aws:PrincipalArn`.
    pub fn entity_arn(&self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::Root { account } => Some(format!("arn:aws:iam::{account}:root")),
            Self::User { account, path, name } => Some(format!("arn:aws:iam::{account}:user{path}{name}")),
            Self::AssumedRole { account, path, role, .. } => Some(format!("arn:aws:iam::{account}:role{path}{role}")),
        }
    }
}

/// Who calls, with everything that his own account's policies say of him. Made when the key is looked up.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Principal,
    /// What `aws:userid` says: a user's id (`AIDA...`), an account's number for its root, `AROA...:SESSION` for a role's
    /// session, `anonymous` for nobody.
    pub user_id: String,
    /// The canonical id of the caller's account, in hex; empty for nobody.
    pub canonical_id: String,
    /// The identity policies: the user's own, those attached to him, and those of his groups; or the role's.
    pub policies: Arc<[Attached]>,
    /// The policies given when the session was made. Where there are any, a request needs their consent too.
    pub session_policies: Option<Arc<[Attached]>>,
}

/// A policy, and where it is attached.
#[derive(Debug, Clone)]
pub struct Attached {
    /// For people who ask why: `user alice, inline policy uploads`.
    pub name: String,
    pub policy: Arc<Policy>,
}

impl Caller {
    /// The caller of a request without signature.
    pub fn anonymous() -> Self {
        Self {
            principal: Principal::Anonymous,
            user_id: "anonymous".to_owned(),
            canonical_id: String::new(),
            policies: Arc::new([]),
            session_policies: None,
        }
    }

    /// An account itself, which no identity policy limits.
    pub fn root(account: AccountId, canonical_id: impl Into<String>) -> Self {
        Self {
            user_id: account.to_string(),
            principal: Principal::Root { account },
            canonical_id: canonical_id.into(),
            policies: Arc::new([]),
            session_policies: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_the_session_and_the_role_behind_it() {
        let account: AccountId = "123456789012".parse().unwrap();
        let user = Principal::User { account: account.clone(), path: "/team/".to_owned(), name: "alice".to_owned() };
        assert_eq!(user.arn().unwrap(), "arn:aws:iam::123456789012:user/team/alice");
        assert_eq!(user.entity_arn(), user.arn());
        let (path, role, session) = ("/ops/".to_owned(), "reader".to_owned(), "nightly".to_owned());
        let session = Principal::AssumedRole { account: account.clone(), path, role, session };
        assert_eq!(session.arn().unwrap(), "arn:aws:sts::123456789012:assumed-role/reader/nightly");
        assert_eq!(session.entity_arn().unwrap(), "arn:aws:iam::123456789012:role/ops/reader");
        assert_eq!(Principal::Root { account }.arn().unwrap(), "arn:aws:iam::123456789012:root");
        assert_eq!(Principal::Anonymous.arn(), None);
    }
}
