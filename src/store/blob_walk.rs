//! The blobs that the records of a store point at: what a copy of the store needs beside its rows.

use std::sync::Arc;

use super::codec::decode;
use super::error::Error;
use super::record::{Data, ObjectRecord, PartRecord};
use super::tables::{CURRENT, PARTS};
use super::walk::Walk;
use crate::blob::BlobRef;
use crate::kv::Kv;

/// How many rows are read at a time.
const PAGE: usize = 1000;

/// Goes through the blobs that objects and parts point at. A blob comes once for each record that points at it.
///
/// Objects with the parts of completed uploads point at uploads; the parts themselves point at the blobs.
pub struct BlobWalk {
    kv: Arc<dyn Kv>,
    objects: Walk,
    parts: Walk,
}

impl BlobWalk {
    /// A walk from the beginning. `kv` should not change meanwhile: a walk is no snapshot.
    pub fn new(kv: Arc<dyn Kv>) -> Self {
        Self { kv, objects: Walk::over(CURRENT, PAGE), parts: Walk::over(PARTS, PAGE) }
    }

    /// Gives the blobs of the next page of rows, of which there may be none, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<BlobRef>>, Error> {
        let rows = self.objects.next(&*self.kv).await?;
        if !rows.is_empty() {
            return blobs_of(rows.iter().map(|(_, row)| Ok(decode::<ObjectRecord>(row)?.data))).map(Some);
        }
        let rows = self.parts.next(&*self.kv).await?;
        match rows.is_empty() {
            true => Ok(None),
            false => blobs_of(rows.iter().map(|(_, row)| Ok(decode::<PartRecord>(row)?.data))).map(Some),
        }
    }
}

fn blobs_of(data: impl Iterator<Item = Result<Data, Error>>) -> Result<Vec<BlobRef>, Error> {
    let mut blobs = Vec::new();
    for data in data {
        if let Data::Blob(blob) = data? {
            blobs.push(blob);
        }
    }
    Ok(blobs)
}
