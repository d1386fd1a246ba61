//! The rows of identities: a version byte, then the record.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::master::Sealed;
use super::{EntityKind, KeySummary, Status};
use crate::access::PublicAccessBlock;
use crate::clock::Timestamp;
use crate::names::AccountId;

/// The version of key records that say whom the key stands for.
const KEY_VERSION: u8 = 2;
/// The version before it: keys of the default account, with full access.
const ACCOUNT_KEY_VERSION: u8 = 1;
/// The version of every other record here.
const VERSION: u8 = 1;

/// What is stored for an access key, under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    pub status: Status,
    pub created: Timestamp,
    pub description: String,
    pub secret: Sealed,
    pub holder: KeyHolder,
}

/// Whom a stored key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyHolder {
    /// The default account, whichever the configuration makes it: every key was so before there were users.
    DefaultAccount,
    Account(AccountId),
    /// A user. The unique id keeps the key from standing for a later user, or a declared one, of the same name.
    User {
        account: AccountId,
        name: String,
        id: String,
    },
}

#[derive(Serialize, Deserialize)]
struct KeyFields {
    status: Status,
    created: Timestamp,
    description: String,
    secret: Sealed,
}

impl KeyRecord {
    pub fn encode(&self) -> Vec<u8> {
        let (status, created) = (self.status, self.created);
        let fields = KeyFields { status, created, description: self.description.clone(), secret: self.secret.clone() };
        postcard::to_extend(&(fields, &self.holder), vec![KEY_VERSION]).expect("encoding into a Vec does not fail")
    }

    /// Gives the record, or `None` if the bytes are damaged or of an unknown version.
    pub fn decode(row: &[u8]) -> Option<Self> {
        let (fields, holder) = match row.split_first()? {
            (&KEY_VERSION, rest) => whole::<(KeyFields, KeyHolder)>(rest)?,
            (&ACCOUNT_KEY_VERSION, rest) => (whole(rest)?, KeyHolder::DefaultAccount),
            _ => return None,
        };
        let KeyFields { status, created, description, secret } = fields;
        Some(Self { status, created, description, secret, holder })
    }

    /// The record as lists show it; `default` is the account of keys that name none.
    pub fn summary(&self, access_key_id: String, default: &AccountId) -> KeySummary {
        let (account, user) = match &self.holder {
            KeyHolder::DefaultAccount => (default, None),
            KeyHolder::Account(account) => (account, None),
            KeyHolder::User { account, name, .. } => (account, Some(name.clone())),
        };
        let (status, created, description) = (self.status, self.created, self.description.clone());
        KeySummary { access_key_id, status, created, description, account: account.clone(), user }
    }
}

/// A user, group or role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityRecord {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Timestamp,
    pub inline: Vec<InlinePolicy>,
    /// ARNs of managed policies, in the order they were attached.
    pub attached: Vec<String>,
    pub detail: Detail,
}

/// A policy that belongs to one entity alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlinePolicy {
    pub name: String,
    pub document: String,
}

/// What users, groups and roles do not share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    User {
        /// Ids of access keys, in the order they were made.
        keys: Vec<String>,
        /// Names of groups, as they were made.
        groups: Vec<String>,
    },
    Group {
        members: u32,
    },
    Role {
        description: String,
        trust: String,
        max_session_seconds: u32,
    },
}

impl Detail {
    pub fn kind(&self) -> EntityKind {
        match self {
            Self::User { .. } => EntityKind::User,
            Self::Group { .. } => EntityKind::Group,
            Self::Role { .. } => EntityKind::Role,
        }
    }
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    pub name: String,
    pub path: String,
    pub id: String,
    pub description: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub attachments: u32,
    /// By number; at least the default one.
    pub versions: Vec<VersionRecord>,
    pub default_version: u32,
    /// The number of the next version: numbers are not used again.
    pub next_version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    pub number: u32,
    pub created: Timestamp,
    pub document: String,
}

/// How many of each kind an account has, beside what the configuration declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub users: u32,
    pub groups: u32,
    pub roles: u32,
    pub policies: u32,
}

/// A record of the table of identities.
pub trait Record: Serialize + DeserializeOwned {}

impl Record for EntityRecord {}
impl Record for PolicyRecord {}
impl Record for Counts {}
impl Record for PublicAccessBlock {}

pub fn encode<R: Record>(record: &R) -> Vec<u8> {
    postcard::to_extend(record, vec![VERSION]).expect("encoding into a Vec does not fail")
}

/// Gives the record, or `None` if the bytes are damaged or of an unknown version.
pub fn decode<R: Record>(row: &[u8]) -> Option<R> {
    let (&VERSION, rest) = row.split_first()? else { return None };
    whole(rest)
}

fn whole<R: DeserializeOwned>(bytes: &[u8]) -> Option<R> {
    let (record, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::MasterKey;
    use super::*;

    fn key(holder: KeyHolder) -> KeyRecord {
        let secret = MasterKey::generate().unwrap().seal("BRIMA", "a-secret").unwrap();
        let created = Timestamp::from_seconds(1);
        KeyRecord { status: Status::Disabled, created, description: "laptop".into(), secret, holder }
    }

    #[test]
    fn key_records_round_trip_and_unknown_versions_are_refused() {
        let record = key(KeyHolder::User { account: AccountId::default(), name: "bob".into(), id: "AIDA1".into() });
        let row = record.encode();
        assert_eq!(KeyRecord::decode(&row), Some(record));

        let mut newer = row.clone();
        newer[0] = KEY_VERSION + 1;
        assert_eq!(KeyRecord::decode(&newer), None);
        assert_eq!(KeyRecord::decode(&row[..row.len() - 1]), None);
        assert_eq!(KeyRecord::decode(&[&row[..], b"x"].concat()), None);
    }

    #[test]
    fn keys_from_before_there_were_users_are_the_default_accounts() {
        let record = key(KeyHolder::DefaultAccount);
        // As version 1 wrote it: without a holder.
        let old = KeyFields {
            status: record.status,
            created: record.created,
            description: record.description.clone(),
            secret: record.secret.clone(),
        };
        let row = postcard::to_extend(&old, vec![1]).unwrap();
        assert_eq!(KeyRecord::decode(&row), Some(record.clone()));
        let account: AccountId = "123456789012".parse().unwrap();
        let summary = record.summary("BRIMA".into(), &account);
        assert_eq!((summary.account, summary.user), (account, None));
    }

    #[test]
    fn other_records_round_trip_and_damage_is_refused() {
        let record = Counts { users: 1, groups: 2, roles: 3, policies: 4 };
        let row = encode(&record);
        assert_eq!(decode(&row), Some(record));
        assert_eq!(decode::<Counts>(&row[..row.len() - 1]), None);
        assert_eq!(decode::<Counts>(&[&row[..], b"x"].concat()), None);
        assert_eq!(decode::<Counts>(&[&[VERSION + 1], &row[1..]].concat()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (KeyRecord::decode(&bytes), decode::<EntityRecord>(&bytes), decode::<PolicyRecord>(&bytes));
        }
    }
}
