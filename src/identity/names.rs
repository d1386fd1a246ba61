//! Names of users, groups, roles and policies, by IAM's rules.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use std::fmt;

use super::Error;
use super::limits::{MAX_GROUP_NAME, MAX_PATH_BYTES, MAX_POLICY_NAME, MAX_ROLE_NAME, MAX_SESSION_NAME, MAX_USER_NAME};
use crate::names::AccountId;

/// What an account holds besides buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    User,
    Group,
    Role,
}

/// Whatever can be missing, there already, or set by the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    Account,
    User,
    Group,
    Role,
    /// A managed policy: an account's own, or AWS's.
    Policy,
    /// An inline policy of a user.
    UserPolicy,
    /// An inline policy of a group.
    GroupPolicy,
    /// An inline policy of a role.
    RolePolicy,
    PolicyVersion,
    AccessKey,
}

/// A user, group or role by name. Names that differ in case alone name the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntityName {
    pub account: AccountId,
    pub kind: EntityKind,
    pub name: String,
}

impl EntityName {
    pub fn user(account: &AccountId, name: &str) -> Self {
        Self { account: account.clone(), kind: EntityKind::User, name: name.to_owned() }
    }

    pub fn group(account: &AccountId, name: &str) -> Self {
        Self { account: account.clone(), kind: EntityKind::Group, name: name.to_owned() }
    }

    pub fn role(account: &AccountId, name: &str) -> Self {
        Self { account: account.clone(), kind: EntityKind::Role, name: name.to_owned() }
    }

    /// That there is no such entity.
    pub(super) fn missing(&self) -> Error {
        Error::NoSuch { what: self.kind.what(), name: self.name.clone() }
    }
}

impl EntityKind {
    pub fn what(self) -> What {
        match self {
            Self::User => What::User,
            Self::Group => What::Group,
            Self::Role => What::Role,
        }
    }

    /// Its inline policies, as errors name them.
    pub fn inline_policy(self) -> What {
        match self {
            Self::User => What::UserPolicy,
            Self::Group => What::GroupPolicy,
            Self::Role => What::RolePolicy,
        }
    }

    /// As in ARNs.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::UserPolicy => "user policy",
            Self::GroupPolicy => "group policy",
            Self::RolePolicy => "role policy",
            Self::PolicyVersion => "policy version",
            Self::AccessKey => "access key",
        })
    }
}

/// Fails with [`Error::Name`] unless `name` can name a `what`: letters, digits and `+=,.@_-`, of bounded length.
pub fn check_name(what: What, name: &str) -> Result<(), Error> {
    let most = match what {
        What::User => MAX_USER_NAME,
        What::Role => MAX_ROLE_NAME,
        What::Group => MAX_GROUP_NAME,
        _ => MAX_POLICY_NAME,
    };
    if is_word(name, most) { Ok(()) } else { Err(Error::Name { what, name: name.to_owned() }) }
}

/// Whether `name` can name a session of a role: 2 to 64 of the characters of names.
pub fn valid_session_name(name: &str) -> bool {
    name.len() >= 2 && is_word(name, MAX_SESSION_NAME)
}

fn is_word(name: &str, most: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    (1..=most).contains(&name.len()) && name.bytes().all(allowed)
}

/// Fails with [`Error::Path`] unless `path` is `/`, or visible ASCII between two slashes, of bounded length.
pub fn check_path(path: &str) -> Result<(), Error> {
    let visible = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let framed = path.starts_with('/') && path.ends_with('/') && path != "//";
    if visible && framed && path.len() <= MAX_PATH_BYTES { Ok(()) } else { Err(Error::Path(path.to_owned())) }
}

/// The name as rows and maps are keyed by it.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The account (`None`: AWS's own) and the name of the managed policy that `arn` names, whatever its path.
pub fn parse_policy_arn(arn: &str) -> Option<(Option<AccountId>, &str)> {
    let (account, policy) = arn.strip_prefix("arn:aws:iam::")?.split_once(":policy/")?;
    let name = policy.rsplit('/').next().filter(|name| is_word(name, MAX_POLICY_NAME))?;
    let account = if account == "aws" { None } else { Some(account.parse().ok()?) };
    Some((account, name))
}

/// The account and the name of the role that `arn` names, whatever its path.
pub fn parse_role_arn(arn: &str) -> Option<EntityName> {
    let (account, role) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    let name = role.rsplit('/').next().filter(|name| is_word(name, MAX_ROLE_NAME))?;
    Some(EntityName::role(&account.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_iams_letters_and_lengths() {
        for name in ["a", "Bob.Smith+x=1,2@example_com-3", &"x".repeat(64)] {
            assert!(check_name(What::User, name).is_ok(), "{name}");
        }
        for name in ["", "a b", "a/b", "a:b", "a*", "ä", "a\0", &"x".repeat(65)] {
            assert!(matches!(check_name(What::User, name), Err(Error::Name { .. })), "{name:?}");
        }
        assert!(
            check_name(What::Group, &"x".repeat(128)).is_ok() && check_name(What::Group, &"x".repeat(129)).is_err()
        );
        assert!(valid_session_name("me") && !valid_session_name("m") && !valid_session_name("a b"));
    }

    #[test]
    fn paths_begin_and_end_with_a_slash() {
        for path in ["/", "/a/", "/team/blue/", "/a//b/", &format!("/{}/", "x".repeat(510))] {
            assert!(check_path(path).is_ok(), "{path}");
        }
        for path in ["", "a", "/a", "a/", "//", "/a b/", "/ä/", &format!("/{}/", "x".repeat(511))] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn arns_name_policies_and_roles_under_any_path() {
        let account: AccountId = "123456789012".parse().unwrap();
        let policy = "arn:aws:iam::123456789012:policy/team/blue/read";
        assert_eq!(parse_policy_arn(policy), Some((Some(account.clone()), "read")));
        assert_eq!(parse_policy_arn("arn:aws:iam::aws:policy/AmazonS3FullAccess"), Some((None, "AmazonS3FullAccess")));
        assert_eq!(parse_role_arn("arn:aws:iam::123456789012:role/a/r"), Some(EntityName::role(&account, "r")));
        for wrong in ["", "arn:aws:iam::1:policy/x", "arn:aws:iam::123456789012:policy/", "arn:aws:iam::aws:role/x"] {
            assert!(parse_policy_arn(wrong).is_none() && parse_role_arn(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_valid_exactly_where_every_character_is(name in "\\PC{0,70}") {
            let every = name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c));
            let length = name.chars().count();
            prop_assert_eq!(check_name(What::Role, &name).is_ok(), every && (1..=64).contains(&length));
        }

        #[test]
        fn a_policys_arn_reads_back(name in "[A-Za-z0-9+=,.@_-]{1,128}", path in "(/[!-.0-~]{1,9}){0,3}/") {
            let arn = format!("arn:aws:iam::000000000000:policy{path}{name}");
            prop_assert_eq!(parse_policy_arn(&arn), Some((Some(AccountId::default()), name.as_str())));
        }

        #[test]
        fn any_text_is_an_arn_or_none_without_panic(text in "(arn:aws:iam::)?\\PC{0,40}(:policy/|:role/)?\\PC{0,40}") {
            let _ = (parse_policy_arn(&text), parse_role_arn(&text));
        }
    }
}
