//! What ends with time: abandoned uploads, answers kept for clients that ask again, and old entries of the change log.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{PAGE, queue_position};
use crate::clock::Timestamp;
use crate::kv::{Item, Scan, Table};
use crate::store::Store;
use crate::store::bucket::behind;
use crate::store::codec::{decode, encode};
use crate::store::error::Error;
use crate::store::log::Logged;
use crate::store::mutation::Mutation;
use crate::store::record::{CompletedRecord, RenamedRecord, Target, UploadRecord};
use crate::store::tables::{self, COMPLETED, LOG, META, RENAMED, UPLOADS};

/// How long the answer to a completion or a rename is kept for a client that asks again.
const ANSWER_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Where the log's first entry is.
pub(in crate::store) const FIRST_LOG: &[u8] = b"first log position";

impl Store {
    /// Aborts uploads that have been open for too long, and forgets answers that were given long ago.
    pub async fn expire_uploads(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        let mut expired = 0;
        let mut scan = Scan::prefix(UPLOADS, b"", PAGE);
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                scan.start = behind(&key);
                let upload: UploadRecord = decode(&value)?;
                let (_, id) = tables::parse_upload(&key).ok_or(Error::Record("an upload's key"))?;
                if now.since(upload.initiated) > self.options.upload_expiry {
                    let mutation = Mutation::new()
                        .expect(UPLOADS, key.clone(), Some(value))
                        .delete(UPLOADS, key)
                        .sweep(Target::Upload(id));
                    expired += u64::from(self.commit(mutation).await?.is_ok());
                }
            }
            if !page.more {
                break;
            }
        }
        self.forget::<CompletedRecord>(COMPLETED, |answer| answer.completed).await?;
        self.forget::<RenamedRecord>(RENAMED, |answer| answer.renamed).await?;
        Ok(expired)
    }

    /// Removes the rows of `table` whose time, as `given` reads it, is over.
    async fn forget<T: DeserializeOwned>(&self, table: Table, given: fn(&T) -> Timestamp) -> Result<(), Error> {
        let now = self.clock.now();
        let mut scan = Scan::prefix(table, b"", PAGE);
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            let mut mutation = Mutation::new();
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                scan.start = behind(&key);
                if now.since(given(&decode(&value)?)) > ANSWER_KEPT {
                    mutation = mutation.delete(table, key);
                }
            }
            if mutation.len() > 0 {
                let _ = self.commit(mutation).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Removes change-log entries that are older than the retention, up to where the log is held.
    pub async fn trim_log(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        let first = self.first(FIRST_LOG).await?;
        let (mut keep, held) = (first, self.first_held());
        'pages: loop {
            let scan = Scan { start: keep.to_be_bytes().to_vec(), ..Scan::prefix(LOG, b"", PAGE) };
            let page = self.kv.scan(scan).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                let position = queue_position(&key)?;
                if position >= held || now.since(Logged::decode(&value)?.at()) <= self.options.log_retention {
                    break 'pages;
                }
                keep = position + 1;
            }
            if !page.more {
                break;
            }
        }
        if keep > first {
            let mutation = Mutation::new().trim(LOG, keep).put(META, FIRST_LOG.into(), encode(&keep));
            let _ = self.commit(mutation).await?;
        }
        Ok(keep - first)
    }
}
