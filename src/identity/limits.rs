//! How much an account may hold: IAM's default quotas, as numbers with names.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>. What the configuration declares is bounded
//! by the size of its file alone.

use std::fmt;
use std::time::Duration;

pub const MAX_USER_NAME: usize = 64;
pub const MAX_ROLE_NAME: usize = 64;
pub const MAX_GROUP_NAME: usize = 128;
pub const MAX_POLICY_NAME: usize = 128;
pub const MAX_SESSION_NAME: usize = 64;
pub const MAX_PATH_BYTES: usize = 512;

pub const MAX_USERS: usize = 5_000;
pub const MAX_GROUPS: usize = 300;
pub const MAX_ROLES: usize = 1_000;
pub const MAX_POLICIES: usize = 1_500;
/// Access keys of one user that are made at run time.
pub const MAX_KEYS_PER_USER: usize = 2;
pub const MAX_GROUPS_PER_USER: usize = 10;
/// Managed policies attached to one user, group or role.
pub const MAX_ATTACHED: usize = 10;
pub const MAX_POLICY_VERSIONS: usize = 5;

/// Characters of a managed policy, white space not counted; those of the others likewise.
pub const MAX_MANAGED_POLICY: usize = 6_144;
/// Characters of all inline policies of a user.
pub const MAX_USER_POLICIES: usize = 2_048;
/// Characters of all inline policies of a group.
pub const MAX_GROUP_POLICIES: usize = 5_120;
/// Characters of all inline policies of a role.
pub const MAX_ROLE_POLICIES: usize = 10_240;
/// Characters of a role's trust policy.
pub const MAX_TRUST_POLICY: usize = 2_048;
/// Characters of a session policy and of the ARNs beside it.
pub const MAX_SESSION_POLICY: usize = 2_048;
/// Managed policies of one session.
pub const MAX_SESSION_POLICY_ARNS: usize = 10;
/// Characters of a description of a role or a managed policy.
pub const MAX_ENTITY_DESCRIPTION: usize = 1_000;

/// The shortest session of all.
pub const MIN_SESSION: Duration = Duration::from_secs(900);
/// The bounds of a role's own longest session.
pub const MIN_ROLE_MAX_SESSION: Duration = Duration::from_secs(3_600);
pub const MAX_ROLE_MAX_SESSION: Duration = Duration::from_secs(43_200);
/// The longest session of GetSessionToken for a user.
pub const MAX_USER_SESSION: Duration = Duration::from_secs(129_600);
/// The session of GetSessionToken for a user who asks for no other.
pub const DEFAULT_USER_SESSION: Duration = Duration::from_secs(43_200);
/// The longest session of an account's root, and of a role that a role assumed.
pub const MAX_ROOT_SESSION: Duration = Duration::from_secs(3_600);
/// The session of AssumeRole where no other is asked for.
pub const DEFAULT_ROLE_SESSION: Duration = Duration::from_secs(3_600);

/// What there would be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quota {
    Users,
    Groups,
    Roles,
    Policies,
    AccessKeysPerUser,
    GroupsPerUser,
    AttachedPolicies,
    VersionsPerPolicy,
    /// Characters of one managed policy, one trust policy, one session policy, or of an entity's inline policies together.
    PolicySize,
    SessionPolicies,
}

impl Quota {
    /// The quota's name, as IAM's messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "UsersPerAccount",
            Self::Groups => "GroupsPerAccount",
            Self::Roles => "RolesPerAccount",
            Self::Policies => "PoliciesPerAccount",
            Self::AccessKeysPerUser => "AccessKeysPerUser",
            Self::GroupsPerUser => "GroupsPerUser",
            Self::AttachedPolicies => "PoliciesPerEntity",
            Self::VersionsPerPolicy => "VersionsPerPolicy",
            Self::PolicySize => "PolicySize",
            Self::SessionPolicies => "PolicyArnsPerSession",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The length of a policy as quotas count it: characters without white space.
pub fn policy_characters(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}
