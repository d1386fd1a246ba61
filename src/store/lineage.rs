//! Which line of history a store is on: the id of its change log, and the numbers that it never gives out twice.
//!
//! A store that was restored goes on from an older state than its clients have seen, and the original may go on beside it.
//! So it begins a line of its own: a new log id, by which readers of the log notice, and a gap in every number that the
//! original may have given out since the backup.

use aws_lc_rs::rand;
use bytes::Bytes;

use super::bucket::NEXT_BUCKET_ID;
use super::codec::{decode, encode};
use super::error::Error;
use super::sweep::FIRST_LOG;
use super::tables::{LOG, META};
use super::{LAST_RUN, Store};
use crate::kv::{Commit, CommitError, Kv};
use crate::names::LogId;

/// The row that holds the change log's id.
const LOG_ID: &[u8] = b"log id";

/// How far a restored store's numbers are ahead: more than any original gives out after a backup.
pub const GAP: u64 = 1 << 32;

/// Where a restored store goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLine {
    pub log: LogId,
    /// The log goes on behind this position.
    pub position: u64,
    /// The last run that counts as used: the counter of the blobs has to say the same.
    pub last_run: u64,
}

/// Gives the id of the change log in `kv`; `None` where no store was opened on it yet.
pub async fn log_id(kv: &dyn Kv) -> Result<Option<LogId>, Error> {
    kv.get(META, LOG_ID).await?.map(|bytes| decode(&bytes)).transpose()
}

/// Gives the number of the last run in `kv`; 0 before the first.
pub async fn last_run(kv: &dyn Kv) -> Result<u64, Error> {
    kv.get(META, LAST_RUN).await?.map_or(Ok(0), |bytes| decode(&bytes))
}

/// Makes what is in `kv`, whose log ends at `position`, a line of its own: gives it another log id, and leaves out the next
/// [`GAP`] positions of the log, runs (which blobs and inline bytes are numbered by) and buckets. The new log begins empty:
/// the old one's positions mean nothing under the new id. One commit. No store may be open on `kv`.
pub async fn begin_new_line(kv: &dyn Kv, position: u64) -> Result<NewLine, Error> {
    let position = beyond(position)?;
    let last_run = beyond(last_run(kv).await?)?;
    let next_bucket: u64 = kv.get(META, NEXT_BUCKET_ID).await?.map_or(Ok(1), |bytes| decode(&bytes))?;
    let (log, end) = (new_log_id()?, Bytes::copy_from_slice(&(position + 1).to_be_bytes()));
    let commit = Commit::new()
        .put(META, Bytes::from_static(LOG_ID), encode(&log))
        .put(META, Bytes::from_static(LAST_RUN), encode(&last_run))
        .put(META, Bytes::from_static(NEXT_BUCKET_ID), encode(&beyond(next_bucket)?))
        .advance(LOG, GAP)
        .delete_range(LOG, Bytes::new(), end)
        .put(META, Bytes::from_static(FIRST_LOG), encode(&(position + 1)))
        .durable();
    match kv.commit(commit).await {
        Ok(_) => Ok(NewLine { log, position, last_run }),
        Err(CommitError::Conflict { .. }) => Err(Error::Record("a commit without expectations met a conflict")),
        Err(CommitError::Engine(error)) => Err(error.into()),
    }
}

impl Store {
    /// The id for a store that has none yet.
    pub(super) async fn missing_log_id(&self) -> Result<Option<(Bytes, Bytes)>, Error> {
        if log_id(&*self.kv).await?.is_some() {
            return Ok(None);
        }
        Ok(Some((Bytes::from_static(LOG_ID), encode(&new_log_id()?))))
    }
}

fn new_log_id() -> Result<LogId, Error> {
    let mut id = [0; 16];
    rand::fill(&mut id).map_err(|_| Error::Record("the system gave no random bytes"))?;
    Ok(LogId(id))
}

fn beyond(number: u64) -> Result<u64, Error> {
    number.checked_add(GAP).ok_or(Error::Record("a number that is used up"))
}
