//! The tables of identities, and the keys of their rows.

use super::names::folded;
use super::{EntityKind, EntityName};
use crate::kv::{Profile, Table};
use crate::names::AccountId;

/// Access key id -> status, time of making, description, holder and encrypted secret.
pub const KEYS: Table = Table { id: 0, name: "keys", profile: Profile::Records };

/// A letter for the kind of row, the account, the name -> users, groups, roles, managed policies, members of groups, and
/// what there is once for each account.
pub const IDENTITIES: Table = Table { id: 16, name: "identities", profile: Profile::Records };

const POLICY: u8 = b'p';
const MEMBER: u8 = b'm';
const COUNTS: u8 = b'n';

/// Where the rows of all public access blocks start.
pub const PUBLIC_ACCESS_BLOCKS: &[u8] = b"b";

/// The row of a user, group or role.
pub fn entity(name: &EntityName) -> Vec<u8> {
    [&entities(&name.account, name.kind)[..], folded(&name.name).as_bytes()].concat()
}

/// Where the rows of all users, groups or roles of an account start.
pub fn entities(account: &AccountId, kind: EntityKind) -> Vec<u8> {
    let letter = match kind {
        EntityKind::User => b'u',
        EntityKind::Group => b'g',
        EntityKind::Role => b'r',
    };
    of_account(letter, account)
}

/// The row of a managed policy.
pub fn policy(account: &AccountId, name: &str) -> Vec<u8> {
    [&policies(account)[..], folded(name).as_bytes()].concat()
}

/// Where the rows of all managed policies of an account start.
pub fn policies(account: &AccountId) -> Vec<u8> {
    of_account(POLICY, account)
}

/// The row that says that a user is in a group.
pub fn member(account: &AccountId, group: &str, user: &str) -> Vec<u8> {
    [&members(account, group)[..], folded(user).as_bytes()].concat()
}

/// Where the rows of all members of a group start.
pub fn members(account: &AccountId, group: &str) -> Vec<u8> {
    // No name holds a zero: the members of one group never look like those of another.
    [&of_account(MEMBER, account)[..], folded(group).as_bytes(), b"\0"].concat()
}

/// The row that says how many of each kind there are.
pub fn counts(account: &AccountId) -> Vec<u8> {
    of_account(COUNTS, account)
}

/// The row of the account's public access block.
pub fn public_access_block(account: &AccountId) -> Vec<u8> {
    [PUBLIC_ACCESS_BLOCKS, account.as_str().as_bytes()].concat()
}

fn of_account(letter: u8, account: &AccountId) -> Vec<u8> {
    [&[letter], account.as_str().as_bytes()].concat()
}
