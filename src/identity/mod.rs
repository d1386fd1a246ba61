//! Who may call: accounts, their users, groups, roles and policies, and the keys that stand for them.
//!
//! What the configuration declares lives in memory, what is made at run time in the table of identities; [`Identities`]
//! shows both as one. Secrets rest encrypted under the master key. A change of a key, user, group, role or policy is one
//! commit and counts from the next request on.

mod account;
mod attachments;
mod authenticate;
mod builtin;
mod cache;
mod declared;
mod entities;
mod entity;
mod error;
#[cfg(test)]
mod fuzz;
mod generate;
mod groups;
mod identities;
mod key;
mod keys;
pub mod limits;
mod master;
mod names;
mod policies;
mod principals;
mod public_access;
mod record;
mod rows;
mod secret;
mod sessions;
mod table;
#[cfg(test)]
mod tests;
mod token;

pub use account::{Account, derived_canonical_id, valid_canonical_id};
pub use declared::{Declared, DeclaredAccount, DeclaredPolicy, DeclaredUser, GivenKey};
pub use entity::{
    AttachedPolicy, Entity, Listing, ManagedPolicy, NewPolicy, NewRole, PolicyVersion, Role, Scope, Wanted,
};
pub use error::{Error, Holds};
pub use identities::Identities;
pub use key::{Holder, Key, KeySummary, NewKey, RootKey, Status};
pub use keys::Page;
pub use master::{DoesNotOpen, MASTER_KEY_BYTES, MasterKey, Sealed};
pub use names::{
    EntityKind, EntityName, What, check_name, check_path, parse_policy_arn, parse_role_arn, valid_session_name,
};
pub use secret::{SecretKey, valid_access_key_id};
pub use sessions::{AssumeRole, AssumedRole, Temporary};
pub use table::{IDENTITIES, KEYS};

/// The longest description of a key, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 256;

/// The most items of one page of a list.
pub const MAX_PAGE: usize = 500;
