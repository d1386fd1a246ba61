//! Rows read and changed: each change is one commit that expects every row it read.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use super::record::{self, EntityRecord, Record};
use super::table::{self, IDENTITIES};
use super::{Entity, EntityName, Error, Identities, MAX_PAGE};
use crate::kv::{Commit, CommitError, Item, Scan};
use crate::names::AccountId;

/// How often a change is tried again when another change of the same rows comes between: one whose caller went away.
const MAX_ATTEMPTS: usize = 16;

/// A record as it was read, for a commit that expects it unchanged.
pub struct Row<R> {
    key: Bytes,
    /// `None`: there is no such row, and `record` is the default one.
    bytes: Option<Bytes>,
    pub record: R,
}

impl<R: Record> Row<R> {
    /// A row that is not there yet.
    pub fn new(key: Vec<u8>, record: R) -> Self {
        Self { key: key.into(), bytes: None, record }
    }

    /// Adds to `commit` that the row is still as it was read.
    pub fn unchanged(&self, commit: Commit) -> Commit {
        commit.expect(IDENTITIES, self.key.clone(), self.bytes.clone())
    }

    /// Adds to `commit` that the row becomes what `record` says now.
    pub fn replace(&self, commit: Commit) -> Commit {
        self.unchanged(commit).put(IDENTITIES, self.key.clone(), record::encode(&self.record))
    }

    /// Adds to `commit` that the row goes.
    pub fn remove(&self, commit: Commit) -> Commit {
        self.unchanged(commit).delete(IDENTITIES, self.key.clone())
    }
}

impl Identities {
    pub(super) async fn row<R: Record>(&self, key: Vec<u8>) -> Result<Option<Row<R>>, Error> {
        let Some(bytes) = self.kv.get(IDENTITIES, &key).await? else { return Ok(None) };
        let record = decode(&key, &bytes)?;
        Ok(Some(Row { key: key.into(), bytes: Some(bytes), record }))
    }

    /// The row, or the default record where there is none.
    pub(super) async fn row_or_default<R: Record + Default>(&self, key: Vec<u8>) -> Result<Row<R>, Error> {
        let row = self.row(key.clone()).await?;
        Ok(row.unwrap_or_else(|| Row::new(key, R::default())))
    }

    /// The row of a user, group or role, whether or not the configuration declares another of that name.
    pub(super) async fn stored(&self, name: &EntityName) -> Result<Option<Row<EntityRecord>>, Error> {
        let row: Option<Row<EntityRecord>> = self.row(table::entity(name)).await?;
        match row {
            Some(row) if row.record.detail.kind() != name.kind => Err(Error::Record(name.name.clone())),
            row => Ok(row),
        }
    }

    /// The row of a user, group or role that commands may change: [`Error::Declared`] where the configuration declares it,
    /// [`Error::NoSuch`] where there is none.
    pub(super) async fn changeable(&self, name: &EntityName) -> Result<Row<EntityRecord>, Error> {
        self.refuse_declared(name)?;
        self.stored(name).await?.ok_or_else(|| name.missing())
    }

    pub(super) fn refuse_declared(&self, name: &EntityName) -> Result<(), Error> {
        match self.declared().user(name) {
            Some(user) => Err(Error::Declared { what: name.kind.what(), name: user.name.clone() }),
            None => Ok(()),
        }
    }

    /// One page of rows under `prefix`, behind the key `prefix` + `after`, with what stands behind the prefix in their keys;
    /// and whether there are more.
    pub(super) async fn page<R: Record>(
        &self,
        prefix: &[u8],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<(String, R)>, bool), Error> {
        let (keys, more) = self.page_of_bytes(prefix, after, limit).await?;
        let mut records = Vec::with_capacity(keys.len());
        for (name, value) in keys {
            let record = decode(&[prefix, name.as_bytes()].concat(), &value)?;
            records.push((name, record));
        }
        Ok((records, more))
    }

    /// As [`page`](Self::page), without a look at the values.
    pub(super) async fn page_of_bytes(
        &self,
        prefix: &[u8],
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<(String, Bytes)>, bool), Error> {
        let mut scan = Scan::prefix(IDENTITIES, prefix, limit.clamp(1, MAX_PAGE));
        if let Some(after) = after {
            // The smallest key greater than the last one of the page before.
            scan.start = [prefix, after.as_bytes(), b"\0"].concat();
        }
        let page = self.kv.scan(scan).await?;
        let mut rows = Vec::with_capacity(page.items.len());
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            rows.push((String::from_utf8_lossy(&key[prefix.len()..]).into_owned(), value));
        }
        Ok((rows, page.more))
    }

    /// Commits what `step` makes of the rows it reads, and tries again where they changed meanwhile. Gives what `step` gave
    /// beside the commit.
    pub(super) async fn change<T, F>(&self, step: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<(Commit, T), Error>>,
    {
        // One at a time: changes are rare, and would otherwise keep failing each other where many come at once.
        let _changing = self.changing.lock().await;
        for _ in 0..MAX_ATTEMPTS {
            let (commit, outcome) = step().await?;
            match self.commit(commit).await? {
                Ok(_) => return Ok(outcome),
                Err(CommitError::Conflict { .. }) => continue,
                Err(CommitError::Engine(error)) => return Err(error.into()),
            }
        }
        Err(Error::Contended)
    }

    /// Commits in a task of its own: whoever hangs up after the commit must not keep the old state in the cache.
    async fn commit(&self, commit: Commit) -> Result<Result<(), CommitError>, Error> {
        let (kv, cache) = (Arc::clone(&self.kv), Arc::clone(&self.cache));
        let committing = tokio::spawn(async move {
            let committed = kv.commit(commit).await;
            // After the commit: who found the old rows meanwhile cannot keep them any more. After a failed one too: it may
            // have been applied all the same.
            cache.forget();
            committed.map(drop)
        });
        Ok(committing.await?)
    }
}

impl EntityRecord {
    /// The record as lists show it.
    pub(super) fn entity(&self, account: &AccountId) -> Entity {
        Entity {
            account: account.clone(),
            kind: self.detail.kind(),
            name: self.name.clone(),
            path: self.path.clone(),
            id: self.id.clone(),
            created: self.created,
            declared: false,
        }
    }
}

fn decode<R: Record>(key: &[u8], row: &[u8]) -> Result<R, Error> {
    record::decode(row).ok_or_else(|| Error::Record(key.escape_ascii().to_string()))
}
