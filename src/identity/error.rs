//! What goes wrong with identities.

use std::fmt;

use super::MAX_DESCRIPTION_BYTES;
use super::limits::Quota;
use super::names::What;
use crate::access::PolicyError;

/// Why something was not done, or who calls could not be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it is not of the account, user, group or role that was named beside it.
    #[error("there is no {what} {name}")]
    NoSuch { what: What, name: String },
    #[error("there is a {what} {name} already")]
    Exists { what: What, name: String },
    #[error("{what} {name} cannot be deleted while it has {holds}")]
    DeleteConflict { what: What, name: String, holds: Holds },
    #[error("no more than {limit}: {quota}")]
    Limit { quota: Quota, limit: usize },
    #[error("{name:?} is not a valid name of a {what}")]
    Name { what: What, name: String },
    #[error("{0:?} is not a valid path: it begins and ends with a slash")]
    Path(String),
    /// The configuration declares it, so only the configuration can change it.
    #[error("{what} {name} is set by the configuration, not by commands")]
    Declared { what: What, name: String },
    #[error("{0} is the root key: it is set by the configuration or by DIR/credentials, not by commands")]
    Root(String),
    /// One of AWS's own policies, or a version that must stay.
    #[error("policy {0} cannot be changed")]
    Unmodifiable(String),
    /// The default version of a policy is deleted with the policy alone.
    #[error("version v{0} is the default version of the policy")]
    DefaultVersion(u32),
    #[error("a description has at most {MAX_DESCRIPTION_BYTES} bytes and no control characters")]
    Description,
    #[error("a description has at most {0} characters")]
    LongDescription(usize),
    #[error("the policy document is not valid: {0}")]
    Policy(#[source] PolicyError),
    /// A stored policy that this binary cannot read: it may hold a denial, so nothing is allowed on its behalf.
    #[error("{name}: the stored policy is not valid")]
    StoredPolicy { name: String, source: PolicyError },
    #[error("a session of this kind lasts from {least} to {most} seconds")]
    Duration { least: u64, most: u64 },
    #[error("{0:?} is not a valid session name: 2 to 64 letters, digits and +=,.@_-")]
    SessionName(String),
    /// Also where there is no such role: whoever may not assume a role does not learn whether it is there.
    #[error("{caller} may not assume {role}")]
    NotTrusted { caller: String, role: String },
    /// Roles are not for accounts themselves.
    #[error("roles may not be assumed by an account's root")]
    RootAssumesRole,
    /// Temporary credentials make no others by GetSessionToken.
    #[error("temporary credentials cannot ask for a session token")]
    Temporary,
    #[error("the session token is damaged, of another server, or not of this access key")]
    InvalidToken,
    #[error("the session token has expired")]
    ExpiredToken,
    /// The row does not open with this master key: another key, or a row that was tampered with.
    #[error(
        "the secret of access key {0} does not open: master.key is not the one it was made with, or the row is damaged"
    )]
    Sealed(String),
    /// The row is not one that this binary can read.
    #[error("the row of {0} is damaged or was written by a newer brim")]
    Record(String),
    #[error("it was changed too often meanwhile, try again")]
    Contended,
    #[error("no random bytes")]
    Random,
    #[error("the change was not carried out to its end: {0}")]
    Stopped(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Kv(#[from] crate::kv::Error),
}

/// What has to be removed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    AccessKeys,
    InlinePolicies,
    AttachedPolicies,
    /// A user that is in groups.
    Groups,
    /// A group that has users.
    Members,
    /// A managed policy that is attached.
    Attachments,
    /// A managed policy with versions beside the default one.
    Versions,
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessKeys => "access keys",
            Self::InlinePolicies => "inline policies",
            Self::AttachedPolicies => "attached policies",
            Self::Groups => "groups",
            Self::Members => "members",
            Self::Attachments => "attachments",
            Self::Versions => "other versions",
        })
    }
}
