//! How far a scrub is, as a row: what makes it go on where it was stopped.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Summary;
use crate::clock::Timestamp;
use crate::store::Store;
use crate::store::codec::encode;
use crate::store::error::Error;
use crate::store::mutation::Mutation;
use crate::store::tables::META;

/// The row that holds the cursor.
const SCRUB_CURSOR: &[u8] = b"scrub cursor";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub began: Timestamp,
    /// The scrub came to its end: the next one begins anew.
    pub ended: bool,
    /// Where to go on: the smallest key of a reference that was not looked at.
    pub after: Vec<u8>,
    /// How many bytes there were to read when it began, about.
    pub total: u64,
    pub blobs: u64,
    pub inline_values: u64,
    pub bytes: u64,
    pub damaged: u64,
}

impl Cursor {
    pub fn new(began: Timestamp, total: u64) -> Self {
        Self { began, ended: false, after: Vec::new(), total, blobs: 0, inline_values: 0, bytes: 0, damaged: 0 }
    }

    /// Gives the cursor of a scrub that was stopped before its end. One that does not decode is as good as none.
    pub async fn load(store: &Store) -> Result<Option<Self>, Error> {
        match store.row::<Self>(META, SCRUB_CURSOR).await {
            Ok(row) => Ok(row.map(|row| row.record).filter(|cursor| !cursor.ended)),
            Err(Error::Record(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the cursor. Where nothing can be written, for now or any more, reading goes on, and with it the scrub.
    pub async fn store(&self, store: &Store) -> Result<(), Error> {
        let row = Mutation::new().put(META, Bytes::from_static(SCRUB_CURSOR), encode(self));
        match store.commit(row).await {
            Ok(committed) => committed.map(drop).map_err(|_| Error::Record("a scrub's cursor met a conflict")),
            Err(error @ (Error::Stopped(_) | Error::Full | Error::CommitFull(_))) => {
                tracing::warn!(%error, "how far the scrub is was not written down");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    pub fn summary(&self, resumed: bool) -> Summary {
        let Self { blobs, inline_values, bytes, damaged, .. } = *self;
        Summary { began: self.began.to_string(), resumed, blobs, inline_values, bytes, damaged }
    }
}
