//! The access keys of a server: read at every request, changed by operators.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::Cache;
use super::record::KeyRecord;
use super::{Error, Key, KeySummary, MAX_DESCRIPTION_BYTES, MasterKey, NewKey, RootKey, SecretKey, Status, generate};
use crate::clock::Clock;
use crate::kv::{Commit, CommitError, Item, Kv, Profile, Scan, Table};
use crate::names::AccountId;

/// Access key id -> status, time of making, description and encrypted secret.
pub const KEYS: Table = Table { id: 0, name: "keys", profile: Profile::Records };

/// The most keys of one page of a list.
pub const MAX_PAGE: usize = 500;

/// How often a change is tried again when another change of the same key comes between.
const MAX_ATTEMPTS: usize = 8;

/// How many rows are looked at to find one that the master key opens.
const CHECKED_ROWS: usize = 16;

/// What becomes of a record, or of a row that is none: another record, or nothing.
type Change = fn(Result<KeyRecord, Error>) -> Result<Option<KeyRecord>, Error>;

/// The root key and the access keys of a server.
pub struct Identities {
    kv: Arc<dyn Kv>,
    master: MasterKey,
    root: Key,
    account: AccountId,
    clock: Clock,
    cache: Cache,
}

/// One page of a list of keys, ordered by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub keys: Vec<KeySummary>,
    /// Where the next page starts, behind this id; `None` at the end.
    pub after: Option<String>,
}

impl Identities {
    /// Gives the keys kept in `kv`, all of `account`. Fails with [`Error::Sealed`] if `master` does not open them.
    pub async fn open(
        kv: Arc<dyn Kv>,
        master: MasterKey,
        root: RootKey,
        account: AccountId,
        clock: Clock,
    ) -> Result<Self, Error> {
        let RootKey { access_key_id, secret } = root;
        let root = Key { access_key_id, secret, account: account.clone(), root: true };
        let identities = Self { kv, master, root, account, clock, cache: Cache::default() };
        identities.check_master_key().await?;
        Ok(identities)
    }

    /// Gives the active key with this id. Decrypts once, then answers from memory until the key changes.
    pub async fn secret_of(&self, access_key_id: &str) -> Result<Option<Key>, Error> {
        if access_key_id == &*self.root.access_key_id {
            return Ok(Some(self.root.clone()));
        }
        let generation = match self.cache.get(access_key_id) {
            Ok(key) => return Ok(Some(key)),
            Err(generation) => generation,
        };
        let Some(row) = self.kv.get(KEYS, access_key_id.as_bytes()).await? else { return Ok(None) };
        let record = decode(access_key_id, &row)?;
        if record.status != Status::Active {
            return Ok(None);
        }
        let secret = self.unseal(access_key_id, &record)?;
        let key = Key { access_key_id: access_key_id.into(), secret, account: self.account.clone(), root: false };
        self.cache.keep(key.clone(), generation);
        Ok(Some(key))
    }

    /// Makes a key. Its secret is given here and never again.
    pub async fn create(&self, description: &str) -> Result<NewKey, Error> {
        if description.len() > MAX_DESCRIPTION_BYTES || description.chars().any(char::is_control) {
            return Err(Error::Description);
        }
        let (access_key_id, secret) = (generate::access_key_id()?, generate::secret()?);
        let record = KeyRecord {
            status: Status::Active,
            created: self.clock.now(),
            description: description.to_owned(),
            secret: self.master.seal(&access_key_id, secret.expose())?,
        };
        let key = Bytes::from(access_key_id.clone());
        let commit = Commit::new().expect(KEYS, key.clone(), None).put(KEYS, key, record.encode());
        match self.kv.commit(commit).await {
            Ok(_) => Ok(NewKey { access_key_id, secret }),
            Err(CommitError::Conflict { .. }) => Err(Error::Contended),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    /// Gives the keys behind `after`, without secrets, at most `limit` and at most [`MAX_PAGE`]. The root key is not among
    /// them.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page, Error> {
        // The smallest key greater than `after`.
        let start = after.map(|id| [id.as_bytes(), b"\0"].concat()).unwrap_or_default();
        let limit = limit.clamp(1, MAX_PAGE);
        let page = self.kv.scan(Scan { table: KEYS, start, end: Vec::new(), limit, group: None }).await?;
        let mut keys = Vec::with_capacity(page.items.len());
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            let id = String::from_utf8_lossy(&key).into_owned();
            keys.push(decode(&id, &value)?.summary(id));
        }
        let after = keys.last().filter(|_| page.more).map(|key| key.access_key_id.clone());
        Ok(Page { keys, after })
    }

    /// Stops a key from working, from the next request on.
    ///
    /// To be awaited to its end, like every change: dropped half-way, the change may stay unnoticed until a restart.
    pub async fn disable(&self, access_key_id: &str) -> Result<(), Error> {
        self.change(access_key_id, |record| Ok(Some(KeyRecord { status: Status::Disabled, ..record? }))).await
    }

    /// Lets a disabled key work again.
    pub async fn enable(&self, access_key_id: &str) -> Result<(), Error> {
        self.change(access_key_id, |record| Ok(Some(KeyRecord { status: Status::Active, ..record? }))).await
    }

    /// Removes a key for good, even one whose row is damaged; it stops working from the next request on.
    pub async fn delete(&self, access_key_id: &str) -> Result<(), Error> {
        self.change(access_key_id, |_| Ok(None)).await
    }

    /// Replaces a key's record by what `next` makes of it, or removes the row.
    async fn change(&self, access_key_id: &str, next: Change) -> Result<(), Error> {
        if access_key_id == &*self.root.access_key_id {
            return Err(Error::Root(access_key_id.to_owned()));
        }
        for _ in 0..MAX_ATTEMPTS {
            let Some(row) = self.kv.get(KEYS, access_key_id.as_bytes()).await? else {
                return Err(Error::NoSuchKey(access_key_id.to_owned()));
            };
            let changed = next(decode(access_key_id, &row))?;
            let key = Bytes::copy_from_slice(access_key_id.as_bytes());
            let commit = Commit::new().expect(KEYS, key.clone(), Some(row));
            let commit = match changed {
                Some(record) => commit.put(KEYS, key, record.encode()),
                None => commit.delete(KEYS, key),
            };
            let committed = self.kv.commit(commit).await;
            // After the commit: a reader that found the old row meanwhile cannot keep it any more. After a failed one too:
            // it may have been applied all the same.
            self.cache.forget(access_key_id);
            match committed {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict { .. }) => continue,
                Err(CommitError::Engine(error)) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }

    fn unseal(&self, access_key_id: &str, record: &KeyRecord) -> Result<SecretKey, Error> {
        let sealed = || Error::Sealed(access_key_id.to_owned());
        let secret = self.master.open(access_key_id, &record.secret).map_err(|_| sealed())?;
        SecretKey::parse(&secret).ok_or_else(sealed)
    }

    /// Opens a secret, so that a wrong master key stops the start and not the first request. Looks at a few rows: one that
    /// is damaged must not look like a wrong key, nor keep the operator from deleting it.
    async fn check_master_key(&self) -> Result<(), Error> {
        let page = self.kv.scan(Scan::prefix(KEYS, b"", CHECKED_ROWS)).await?;
        let mut first_error = None;
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            let id = String::from_utf8_lossy(&key);
            match decode(&id, &value).and_then(|record| self.unseal(&id, &record)) {
                Ok(_) => return Ok(()),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

fn decode(access_key_id: &str, row: &[u8]) -> Result<KeyRecord, Error> {
    KeyRecord::decode(row).ok_or_else(|| Error::Record(access_key_id.to_owned()))
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("root", &self.root.access_key_id).finish_non_exhaustive()
    }
}
