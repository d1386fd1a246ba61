//! Access keys: made, listed, disabled, deleted.

use bytes::Bytes;

use super::declared::DECLARED_SINCE;
use super::limits::{MAX_KEYS_PER_USER, Quota};
use super::record::{Detail, EntityRecord, KeyHolder, KeyRecord};
use super::rows::Row;
use super::{
    EntityName, Error, Holder, Identities, KEYS, KeySummary, MAX_DESCRIPTION_BYTES, MAX_PAGE, NewKey, SecretKey,
    Status, What, generate,
};
use crate::access::Principal;
use crate::kv::{Commit, Item, Scan};
use crate::names::AccountId;

/// How many rows are looked at to find one that the master key opens.
const CHECKED_ROWS: usize = 16;

/// One page of a list of keys, ordered by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub keys: Vec<KeySummary>,
    /// Where the next page starts, behind this id; `None` at the end.
    pub after: Option<String>,
}

/// What becomes of a record, or of a row that is none: another record, or nothing.
type Next = fn(Result<KeyRecord, Error>) -> Result<Option<KeyRecord>, Error>;

impl Identities {
    /// Makes a key of a user, or of an account itself. Its secret is given here and never again.
    pub async fn create_key(&self, holder: &Holder, description: &str) -> Result<NewKey, Error> {
        if description.len() > MAX_DESCRIPTION_BYTES || description.chars().any(char::is_control) {
            return Err(Error::Description);
        }
        self.known_account(holder.account())?;
        let (access_key_id, secret) = (generate::access_key_id()?, generate::secret()?);
        let created = self.clock.now();
        let sealed = &self.master.seal(&access_key_id, secret.expose())?;
        let id = &access_key_id;
        self.change(|| async move {
            let mut commit = Commit::new();
            let holder = match holder {
                Holder::Root(account) => KeyHolder::Account(account.clone()),
                Holder::User { account, name } => {
                    let mut user = self.changeable(&EntityName::user(account, name)).await?;
                    add_key(&mut user.record, id)?;
                    commit = user.replace(commit);
                    user_of(account, &user)
                }
            };
            let (status, description) = (Status::Active, description.to_owned());
            let record = KeyRecord { status, created, description, secret: sealed.clone(), holder };
            let key = Bytes::from(id.clone());
            Ok((commit.expect(KEYS, key.clone(), None).put(KEYS, key, record.encode()), ()))
        })
        .await?;
        Ok(NewKey { access_key_id, secret, created })
    }

    /// Gives the keys behind `after`, without secrets, at most `limit` and at most [`MAX_PAGE`]. The root key and those that
    /// the configuration declares are not among them.
    pub async fn list_keys(&self, after: Option<&str>, limit: usize) -> Result<Page, Error> {
        // The smallest key greater than `after`.
        let start = after.map(|id| [id.as_bytes(), b"\0"].concat()).unwrap_or_default();
        let limit = limit.clamp(1, MAX_PAGE);
        let page = self.kv.scan(Scan { table: KEYS, start, end: Vec::new(), limit, group: None }).await?;
        let default = self.default_account();
        let mut keys = Vec::with_capacity(page.items.len());
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            let id = String::from_utf8_lossy(&key).into_owned();
            keys.push(decode(&id, &value)?.summary(id, &default.id));
        }
        let after = keys.last().filter(|_| page.more).map(|key| key.access_key_id.clone());
        Ok(Page { keys, after })
    }

    /// The keys of a user, in the order they were made; of a declared user, those declared.
    pub async fn keys_of_user(&self, account: &AccountId, user: &str) -> Result<Vec<KeySummary>, Error> {
        let name = EntityName::user(account, user);
        if let Some(user) = self.declared().user(&name) {
            return Ok(user.keys.iter().map(|key| key.summary(account, &user.name)).collect());
        }
        let row = self.stored(&name).await?.ok_or_else(|| name.missing())?;
        let Detail::User { keys: ids, .. } = &row.record.detail else { return Err(damaged(&row)) };
        let mut keys = Vec::new();
        for id in ids {
            // One that was deleted meanwhile is no key any more.
            if let Some(bytes) = self.kv.get(KEYS, id.as_bytes()).await? {
                keys.push(decode(id, &bytes)?.summary(id.clone(), account));
            }
        }
        Ok(keys)
    }

    /// Gives a key without its secret, declared ones and the root key too, or [`Error::NoSuch`]. Not temporary ones.
    pub async fn key_summary(&self, id: &str) -> Result<KeySummary, Error> {
        if let Some(key) = self.declared().key(id) {
            let user = match &key.caller.principal {
                Principal::User { name, .. } => Some(name.clone()),
                _ => None,
            };
            let (access_key_id, account) = (id.to_owned(), key.account.id.clone());
            let (status, created, description) = (Status::Active, DECLARED_SINCE, String::new());
            return Ok(KeySummary { access_key_id, status, created, description, account, user });
        }
        let row = self.kv.get(KEYS, id.as_bytes()).await?.ok_or_else(|| missing(id))?;
        Ok(decode(id, &row)?.summary(id.to_owned(), &self.default_account().id))
    }

    /// Stops a key from working, or lets it work again, from the next request on. With `user`, only where it is that user's.
    pub async fn set_key_status(&self, id: &str, user: Option<&EntityName>, status: Status) -> Result<(), Error> {
        let next: Next = match status {
            Status::Active => |record| Ok(Some(KeyRecord { status: Status::Active, ..record? })),
            Status::Disabled => |record| Ok(Some(KeyRecord { status: Status::Disabled, ..record? })),
        };
        self.change_key(id, user, next).await
    }

    /// Removes a key for good, even one whose row is damaged; it stops working from the next request on. With `user`, only
    /// where it is that user's.
    pub async fn delete_key(&self, id: &str, user: Option<&EntityName>) -> Result<(), Error> {
        self.change_key(id, user, |_| Ok(None)).await
    }

    /// Replaces a key's record by what `next` makes of it, or removes the row, and its id from the user's row.
    async fn change_key(&self, id: &str, user: Option<&EntityName>, next: Next) -> Result<(), Error> {
        if id == &*self.root.access_key_id {
            return Err(Error::Root(id.to_owned()));
        }
        if self.declared().key(id).is_some() {
            return Err(Error::Declared { what: What::AccessKey, name: id.to_owned() });
        }
        self.change(|| async move {
            let bytes = self.kv.get(KEYS, id.as_bytes()).await?.ok_or_else(|| missing(id))?;
            let record = decode(id, &bytes);
            if user.is_some_and(|user| !record.as_ref().is_ok_and(|record| record.is_of(user))) {
                return Err(missing(id));
            }
            let holder = record.as_ref().ok().map(|record| record.holder.clone());
            let key = Bytes::copy_from_slice(id.as_bytes());
            let commit = Commit::new().expect(KEYS, key.clone(), Some(bytes));
            let commit = match next(record)? {
                Some(record) => commit.put(KEYS, key, record.encode()),
                None => self.forget_key(id, holder, commit.delete(KEYS, key)).await?,
            };
            Ok((commit, ()))
        })
        .await
    }

    /// Adds to `commit` that the holder no longer has the key.
    async fn forget_key(&self, id: &str, holder: Option<KeyHolder>, commit: Commit) -> Result<Commit, Error> {
        let Some(KeyHolder::User { account, name, .. }) = holder else { return Ok(commit) };
        let Some(mut row) = self.stored(&EntityName::user(&account, &name)).await? else { return Ok(commit) };
        if let Detail::User { keys, .. } = &mut row.record.detail {
            keys.retain(|key| key != id);
        }
        Ok(row.replace(commit))
    }

    pub(super) fn unseal(&self, access_key_id: &str, record: &KeyRecord) -> Result<SecretKey, Error> {
        let sealed = || Error::Sealed(access_key_id.to_owned());
        let secret = self.master.open(access_key_id, &record.secret).map_err(|_| sealed())?;
        SecretKey::parse(&secret).ok_or_else(sealed)
    }

    /// Opens a secret, so that a wrong master key stops the start and not the first request. Looks at a few rows: one that
    /// is damaged must not look like a wrong key, nor keep the operator from deleting it.
    pub(super) async fn check_master_key(&self) -> Result<(), Error> {
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

impl KeyRecord {
    fn is_of(&self, user: &EntityName) -> bool {
        match &self.holder {
            KeyHolder::User { account, name, .. } => *account == user.account && name.eq_ignore_ascii_case(&user.name),
            KeyHolder::DefaultAccount | KeyHolder::Account(_) => false,
        }
    }
}

pub(super) fn decode(access_key_id: &str, row: &[u8]) -> Result<KeyRecord, Error> {
    KeyRecord::decode(row).ok_or_else(|| Error::Record(format!("access key {access_key_id}")))
}

fn add_key(user: &mut EntityRecord, id: &str) -> Result<(), Error> {
    if let Detail::User { keys, .. } = &mut user.detail {
        if keys.len() >= MAX_KEYS_PER_USER {
            return Err(Error::Limit { quota: Quota::AccessKeysPerUser, limit: MAX_KEYS_PER_USER });
        }
        keys.push(id.to_owned());
    }
    Ok(())
}

fn user_of(account: &AccountId, user: &Row<EntityRecord>) -> KeyHolder {
    KeyHolder::User { account: account.clone(), name: user.record.name.clone(), id: user.record.id.clone() }
}

fn missing(access_key_id: &str) -> Error {
    Error::NoSuch { what: What::AccessKey, name: access_key_id.to_owned() }
}

fn damaged(row: &Row<EntityRecord>) -> Error {
    Error::Record(format!("user {}", row.record.name))
}
