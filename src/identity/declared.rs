//! What the configuration declares: accounts, users, keys and policies, kept in memory and nowhere else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::names::folded;
use super::{Account, Entity, EntityKind, EntityName, Error, Key, KeySummary, RootKey, SecretKey, Status, generate};
use crate::access::{Attached, Caller, Policy, PolicyKind, Principal};
use crate::clock::Timestamp;
use crate::names::AccountId;

/// When what is declared was made, as far as anyone knows.
pub(super) const DECLARED_SINCE: Timestamp = Timestamp::from_seconds(0);

/// Every account that the configuration declares. Ids, canonical ids, e-mails, names and access key ids are to be unique:
/// who reads the configuration checks that.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// The account that owns what nothing else owns, and that the root key stands for. It need not be in `accounts`.
    pub default: AccountId,
    pub accounts: Vec<DeclaredAccount>,
}

#[derive(Debug, Clone)]
pub struct DeclaredAccount {
    pub account: Account,
    /// Keys of the account itself.
    pub keys: Vec<GivenKey>,
    pub users: Vec<DeclaredUser>,
}

#[derive(Debug, Clone)]
pub struct DeclaredUser {
    pub name: String,
    pub path: String,
    /// Whether the user's keys stand for the account itself.
    pub root: bool,
    pub keys: Vec<GivenKey>,
    pub policies: Vec<DeclaredPolicy>,
}

/// A key pair that was given, not made here.
#[derive(Debug, Clone)]
pub struct GivenKey {
    pub access_key_id: String,
    pub secret: SecretKey,
}

/// An inline policy, with the text that it was read from.
#[derive(Debug, Clone)]
pub struct DeclaredPolicy {
    pub name: String,
    pub document: String,
    policy: Arc<Policy>,
}

impl DeclaredPolicy {
    /// Reads the policy, or gives [`Error::Policy`].
    pub fn parse(name: &str, document: &str) -> Result<Self, Error> {
        let policy = Policy::parse(document.as_bytes(), PolicyKind::Identity).map_err(Error::Policy)?;
        Ok(Self { name: name.to_owned(), document: document.to_owned(), policy: Arc::new(policy) })
    }
}

impl GivenKey {
    /// The key as lists show it.
    pub(super) fn summary(&self, account: &AccountId, user: &str) -> KeySummary {
        KeySummary {
            access_key_id: self.access_key_id.clone(),
            status: Status::Active,
            created: DECLARED_SINCE,
            description: String::new(),
            account: account.clone(),
            user: Some(user.to_owned()),
        }
    }
}

/// What is declared, in the form in which requests look it up.
pub(super) struct Snapshot {
    pub default: Arc<Account>,
    pub accounts: BTreeMap<AccountId, Arc<Account>>,
    /// By account and folded name.
    users: BTreeMap<(AccountId, String), DeclaredUser>,
    keys: HashMap<String, Key>,
}

impl Snapshot {
    /// The root key beats a declared one with the same id.
    pub fn new(declared: Declared, root: &RootKey) -> Self {
        let mut accounts = BTreeMap::new();
        accounts.insert(declared.default.clone(), Arc::new(Account::plain(declared.default.clone())));
        let (mut users, mut keys) = (BTreeMap::new(), HashMap::new());
        for DeclaredAccount { account, keys: own, users: of_account } in declared.accounts {
            let account = Arc::new(account);
            accounts.insert(account.id.clone(), Arc::clone(&account));
            add_keys(&mut keys, &own, &account, &root_caller(&account), true);
            for user in of_account {
                let caller = if user.root { root_caller(&account) } else { user.caller(&account) };
                add_keys(&mut keys, &user.keys, &account, &caller, user.root);
                users.insert((account.id.clone(), folded(&user.name)), user);
            }
        }
        let default = Arc::clone(&accounts[&declared.default]);
        let given = GivenKey { access_key_id: root.access_key_id.to_string(), secret: root.secret.clone() };
        add_keys(&mut keys, &[given], &default, &root_caller(&default), true);
        Self { default, accounts, users, keys }
    }

    pub fn key(&self, access_key_id: &str) -> Option<&Key> {
        self.keys.get(access_key_id)
    }

    /// The user, if the configuration declares it.
    pub fn user(&self, name: &EntityName) -> Option<&DeclaredUser> {
        let declared = (name.kind == EntityKind::User).then(|| (name.account.clone(), folded(&name.name)))?;
        self.users.get(&declared)
    }

    /// Every declared user.
    pub fn users(&self) -> impl Iterator<Item = EntityName> {
        self.users.iter().map(|((account, _), user)| EntityName::user(account, &user.name))
    }

    /// The id of every key, the root key's among them.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// The declared users of an account, by folded name.
    pub fn users_of(&self, account: &AccountId) -> impl Iterator<Item = (&str, &DeclaredUser)> {
        let all = self.users.range((account.clone(), String::new())..);
        let own = all.take_while(move |((of, _), _)| of == account);
        own.map(|((_, folded), user)| (folded.as_str(), user)).collect::<Vec<_>>().into_iter()
    }
}

impl DeclaredUser {
    /// The user as lists show it.
    pub(super) fn entity(&self, account: &AccountId) -> Entity {
        Entity {
            account: account.clone(),
            kind: EntityKind::User,
            id: generate::declared_user_id(&EntityName::user(account, &self.name)),
            name: self.name.clone(),
            path: self.path.clone(),
            created: DECLARED_SINCE,
            declared: true,
        }
    }

    pub(super) fn caller(&self, account: &Account) -> Arc<Caller> {
        let Entity { name, path, id, .. } = self.entity(&account.id);
        let attached = |policy: &DeclaredPolicy| Attached {
            name: format!("user {}, inline policy {}", self.name, policy.name),
            policy: Arc::clone(&policy.policy),
        };
        Arc::new(Caller {
            principal: Principal::User { account: account.id.clone(), path, name },
            user_id: id,
            canonical_id: account.canonical_id.clone(),
            policies: self.policies.iter().map(attached).collect(),
            session_policies: None,
        })
    }
}

pub(super) fn root_caller(account: &Account) -> Arc<Caller> {
    Arc::new(Caller::root(account.id.clone(), account.canonical_id.clone()))
}

fn add_keys(
    keys: &mut HashMap<String, Key>,
    given: &[GivenKey],
    account: &Arc<Account>,
    caller: &Arc<Caller>,
    root: bool,
) {
    for GivenKey { access_key_id, secret } in given {
        let key = Key {
            access_key_id: access_key_id.as_str().into(),
            secret: secret.clone(),
            caller: Arc::clone(caller),
            account: Arc::clone(account),
            root,
            expires: None,
        };
        keys.insert(access_key_id.clone(), key);
    }
}
