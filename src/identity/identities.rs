//! Accounts and everything in them, as requests and operators find them.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::cache::Cache;
use super::declared::Snapshot;
use super::public_access::Blocks;
use super::token::Tokens;
use super::{Account, Declared, Error, KEYS, MasterKey, RootKey, What};
use crate::clock::Clock;
use crate::kv::Kv;
use crate::names::AccountId;

/// The accounts of a server, with their users, groups, roles, policies and keys.
///
/// Every change is one commit, is carried out to its end even where its future is dropped, and counts from the next
/// request on.
pub struct Identities {
    pub(super) kv: Arc<dyn Kv>,
    pub(super) master: MasterKey,
    pub(super) tokens: Tokens,
    pub(super) root: RootKey,
    pub(super) clock: Clock,
    pub(super) cache: Arc<Cache>,
    pub(super) blocks: Arc<Blocks>,
    /// Held by a change from its first read to the end of its commit.
    pub(super) changing: Mutex<()>,
    declared: RwLock<Arc<Snapshot>>,
}

impl Identities {
    /// Gives what is declared together with what is kept in `kv`. Fails with [`Error::Sealed`] if `master` does not open
    /// the secrets there.
    pub async fn open(
        kv: Arc<dyn Kv>,
        master: MasterKey,
        root: RootKey,
        declared: Declared,
        clock: Clock,
    ) -> Result<Self, Error> {
        let snapshot = Arc::new(Snapshot::new(declared, &root));
        let (tokens, blocks) = (Tokens::new(&master), Arc::new(Blocks::load(&kv).await?));
        let declared = RwLock::new(snapshot);
        let identities = Self {
            kv,
            master,
            tokens,
            root,
            clock,
            cache: Arc::default(),
            blocks,
            changing: Mutex::default(),
            declared,
        };
        identities.check_master_key().await?;
        Ok(identities)
    }

    /// Puts another declaration in the place of the one before, at once and as a whole: requests that are told who calls
    /// from now on go by it. The default account stays the one that this was opened with.
    pub fn declare(&self, declared: Declared) {
        let default = self.default_account().id.clone();
        let snapshot = Arc::new(Snapshot::new(Declared { default, ..declared }, &self.root));
        *self.declared.write() = snapshot;
        self.cache.forget();
    }

    /// The users and keys that were made at run time and do not count, because what is declared has the same name.
    pub async fn shadowed(&self) -> Result<Vec<(What, String)>, Error> {
        let (declared, mut shadowed) = (self.declared(), Vec::new());
        for user in declared.users() {
            if self.stored(&user).await?.is_some() {
                shadowed.push((What::User, format!("{} of account {}", user.name, user.account)));
            }
        }
        for id in declared.key_ids() {
            if self.kv.get(KEYS, id.as_bytes()).await?.is_some() {
                shadowed.push((What::AccessKey, id.to_owned()));
            }
        }
        Ok(shadowed)
    }

    /// The account that owns what nothing else owns.
    pub fn default_account(&self) -> Arc<Account> {
        Arc::clone(&self.declared().default)
    }

    /// The account with this number; `None` if neither the configuration declares it nor it is the default one.
    pub fn account(&self, id: &AccountId) -> Option<Arc<Account>> {
        self.declared().accounts.get(id).cloned()
    }

    /// The account with this number, or what can be said of one that is no longer declared but still owns something.
    pub fn owner(&self, id: &AccountId) -> Arc<Account> {
        self.account(id).unwrap_or_else(|| Arc::new(Account::plain(id.clone())))
    }

    /// The account with this canonical user id. The case of hex digits does not count.
    pub fn by_canonical_id(&self, canonical_id: &str) -> Option<Arc<Account>> {
        self.find(|account| account.canonical_id.eq_ignore_ascii_case(canonical_id))
    }

    /// The account with this e-mail, compared without regard to case.
    pub fn by_email(&self, email: &str) -> Option<Arc<Account>> {
        self.find(|account| account.email.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(email)))
    }

    /// Every account, by number.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.declared().accounts.values().cloned().collect()
    }

    fn find(&self, wanted: impl Fn(&Account) -> bool) -> Option<Arc<Account>> {
        self.declared().accounts.values().find(|account| wanted(account)).cloned()
    }

    pub(super) fn declared(&self) -> Arc<Snapshot> {
        Arc::clone(&self.declared.read())
    }

    /// The account, or [`Error::NoSuch`].
    pub(super) fn known_account(&self, id: &AccountId) -> Result<Arc<Account>, Error> {
        self.account(id).ok_or_else(|| Error::NoSuch { what: What::Account, name: id.to_string() })
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("root", &self.root.access_key_id).finish_non_exhaustive()
    }
}
