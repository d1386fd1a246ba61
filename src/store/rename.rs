//! RenameObject: an object gets another key in one commit.

use std::sync::Arc;

use bytes::Bytes;

use super::Store;
use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, ChangeKind};
use super::codec::encode;
use super::error::Error;
use super::mutation::Mutation;
use super::put::{Precondition, Stored};
use super::record::{ObjectRecord, RenamedRecord};
use super::tables::{self, RENAMED};
use super::versions::{ObjectRow, Slot};
use crate::clock::Timestamp;
use crate::names::ObjectKey;

pub struct RenameObject {
    pub bucket: Bucket,
    pub source_key: ObjectKey,
    /// The source as it was read and judged; the commit expects it unchanged.
    pub source: ObjectRow,
    pub key: ObjectKey,
    pub precondition: Precondition,
    pub token: Option<Token>,
    pub cause: Cause,
}

/// What a client calls its request, so that it may repeat it without knowing whether it was carried out.
#[derive(Debug, Clone)]
pub struct Token {
    /// Chosen by the client, unique among its renames in a bucket.
    pub name: Bytes,
    /// The SHA-256 of all that the request asks for.
    pub request: [u8; 32],
}

impl Store {
    /// Moves an object to another key of its bucket in one commit: no reader sees both keys, or neither. The object
    /// keeps its modification time. Fails with [`Error::SourceChanged`] as a copy does, also where another
    /// request with the same token came first: then [`Self::was_renamed`] knows of it.
    pub async fn rename_object(self: &Arc<Self>, rename: RenameObject) -> Result<Stored, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.rename_now(rename).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn rename_now(&self, mut rename: RenameObject) -> Result<Stored, Error> {
        let bucket = rename.bucket.record.id;
        let _turns = self.queues.turns(bucket, [rename.source_key.as_bytes(), rename.key.as_bytes()]).await?;
        self.admit(&rename.bucket.record, &rename.source_key)?;
        self.admit(&rename.bucket.record, &rename.key)?;
        for _ in 0..ATTEMPTS {
            let key = &rename.key;
            if let Some(token) = &rename.token
                && self.was_renamed(&rename.bucket, token).await?
            {
                return Err(Error::SourceChanged);
            }
            let left = self.slot(&rename.bucket, &rename.source_key).await?;
            if !rename.source.is(left.current.as_ref()) {
                return Err(Error::SourceChanged);
            }
            let slot = self.slot(&rename.bucket, key).await?;
            rename.precondition.check(key, slot.current.as_ref().map(|row| &row.record))?;
            let now = self.clock.now();
            let record = ObjectRecord { version: slot.object_version(), ..rename.source.record.clone() };
            let mut arrived = rename.bucket.change(ChangeKind::Rename, key, &record, rename.cause.clone());
            arrived.at = now;
            let mutation = Mutation::in_bucket(&rename.bucket)?
                .leave(&rename, left, now)
                .write_object(bucket, key, &record, &slot)
                .remember(&rename, now)
                .log_object(&rename.bucket, &arrived);
            match self.commit(mutation).await? {
                Ok(position) => return Ok(rename.bucket.stored(record, position)),
                Err(conflict) if conflict.index == 0 => self.refresh(&mut rename.bucket).await?,
                Err(_) => (),
            }
        }
        Err(Error::Contended)
    }

    /// Tells whether a rename with this token was carried out in the last 24 hours. Fails with [`Error::TokenReused`] if it
    /// was another one.
    pub async fn was_renamed(&self, bucket: &Bucket, token: &Token) -> Result<bool, Error> {
        let row = self.row::<RenamedRecord>(RENAMED, &tables::renamed(bucket.record.id, &token.name)).await?;
        match row {
            None => Ok(false),
            Some(row) if row.record.request == token.request => Ok(true),
            Some(_) => Err(Error::TokenReused),
        }
    }
}

impl Mutation {
    /// Takes the source away: where there are versions, a delete marker is left in its place, as by deleting it.
    fn leave(self, rename: &RenameObject, slot: Slot, at: Timestamp) -> Self {
        let (bucket, key, record) = (&rename.bucket, &rename.source_key, &rename.source.record);
        let id = bucket.record.id;
        let mut change = bucket.change(ChangeKind::Delete, key, record, rename.cause.clone());
        change.at = at;
        match (slot.marker_version(), &slot.current) {
            (Some(version), _) => {
                change.mark(version);
                self.write_marker(id, key, version, bucket.marker(at), &slot).log_object(bucket, &change)
            }
            (None, Some(row)) => self.delete_object(id, key, row, record.data.target()).log_object(bucket, &change),
            (None, None) => self,
        }
    }

    /// Notes that the request with the rename's token is carried out, which it was not before.
    fn remember(self, rename: &RenameObject, renamed: Timestamp) -> Self {
        let Some(token) = &rename.token else { return self };
        let row = tables::renamed(rename.bucket.record.id, &token.name);
        let record = RenamedRecord { renamed, request: token.request };
        self.expect(RENAMED, row.clone(), None).put(RENAMED, row, encode(&record))
    }
}
