//! Repairs. Each is one that loses no byte: references are made again, bytes that nobody refers to are moved into
//! quarantine and not deleted, and what only a person can decide is left as it is.

use bytes::Bytes;

use super::Check;
use super::fault::Mend;
use crate::blob::{self, BlobId};
use crate::store::error::Error;
use crate::store::mutation::Mutation;
use crate::store::record::{InlineId, Target};
use crate::store::tables::{self, INLINE, REFS};

impl Check<'_> {
    /// Mends a fault and says how; `None` where nothing was done.
    pub(super) async fn mend(&self, mend: Mend) -> Result<Option<String>, Error> {
        let done = match mend {
            Mend::Nothing => return Ok(None),
            Mend::PutReference(row) => {
                self.commit(Mutation::new().put(REFS, row, Bytes::new())).await?;
                "the reference was made again".to_owned()
            }
            Mend::DropReference(row, target) => return self.drop_reference(row, target).await.map(Some),
            Mend::QuarantineBlob(id) => return self.quarantine_blob(id).await,
            Mend::QuarantineInline(id) => return self.quarantine_inline(id).await,
            Mend::Sweep(target) => {
                self.commit(Mutation::new().sweep(target)).await?;
                "left to the sweeper, which removes it while the server runs".to_owned()
            }
            Mend::Put(table, key, value) => {
                self.commit(Mutation::new().put(table, key, value)).await?;
                "the position was set right".to_owned()
            }
            Mend::Agree(table, key, value) => {
                self.commit(match value {
                    Some(value) => Mutation::new().put(table, key, value),
                    None => Mutation::new().delete(table, key),
                })
                .await?;
                "the row was made to agree with the key's versions".to_owned()
            }
            Mend::Delete(table, key) => {
                self.commit(Mutation::new().delete(table, key)).await?;
                "the entry was taken off the queue".to_owned()
            }
        };
        Ok(Some(done))
    }

    /// Bytes first: a crash in between leaves a reference to bytes in quarantine, which the next check finds again.
    async fn drop_reference(&self, row: Bytes, target: Target) -> Result<String, Error> {
        let mut done = "the reference was removed; others hold the bytes".to_owned();
        if self.store.owners(target, 2).await?.len() < 2 {
            let moved = match target {
                Target::Blob(id) => self.quarantine_blob(id).await?,
                Target::Inline(id) => self.quarantine_inline(id).await?,
                Target::Upload(_) | Target::Bucket(_) => None,
            };
            done = format!("{}; the reference was removed", moved.unwrap_or_else(|| "there are no bytes".to_owned()));
        }
        self.commit(Mutation::new().delete(REFS, row)).await?;
        Ok(done)
    }

    async fn quarantine_blob(&self, id: BlobId) -> Result<Option<String>, Error> {
        match self.store.blobs.quarantine(id).await {
            Ok(()) => Ok(Some(format!("blob {id} was moved into quarantine"))),
            Err(blob::Error::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Inline bytes become a blob in quarantine before their row goes.
    async fn quarantine_inline(&self, id: InlineId) -> Result<Option<String>, Error> {
        let row = tables::inline(id);
        let Some(bytes) = self.store.kv.get(INLINE, &row).await? else { return Ok(None) };
        let mut writer = self.store.blobs.create(Some(bytes.len() as u64)).await?;
        writer.write(bytes).await?;
        let blob = writer.finish().await?;
        self.store.blobs.quarantine(blob.id).await?;
        self.commit(Mutation::new().delete(INLINE, row)).await?;
        Ok(Some(format!("its bytes were moved into quarantine as blob {}", blob.id)))
    }

    async fn commit(&self, mutation: Mutation) -> Result<(), Error> {
        let committed = self.store.commit(mutation).await?;
        committed.map(drop).map_err(|_| Error::Record("a repair without expectations met a conflict"))
    }
}
