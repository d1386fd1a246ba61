//! The blobs that the records of a store point at: what a copy of the store needs beside its rows.

use std::sync::Arc;

use super::bucket::behind;
use super::codec::decode;
use super::error::Error;
use super::record::{Data, ObjectRecord, PartRecord};
use super::tables::{CURRENT, PARTS};
use crate::blob::BlobRef;
use crate::kv::{Item, Kv, Scan, Table};

/// How many rows are read at a time.
const PAGE: usize = 1000;

/// Goes through the blobs that objects and parts point at. A blob comes once for each record that points at it.
///
/// Objects with the parts of completed uploads point at uploads; the parts themselves point at the blobs.
pub struct BlobWalk {
    kv: Arc<dyn Kv>,
    /// What is to be read next; `None` at the end.
    next: Option<Scan>,
}

impl BlobWalk {
    /// A walk from the beginning. `kv` should not change meanwhile: a walk is no snapshot.
    pub fn new(kv: Arc<dyn Kv>) -> Self {
        Self { kv, next: Some(Scan::prefix(CURRENT, b"", PAGE)) }
    }

    /// Gives the blobs of the next page of rows, of which there may be none, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<BlobRef>>, Error> {
        let Some(mut scan) = self.next.take() else { return Ok(None) };
        let page = self.kv.scan(scan.clone()).await?;
        let mut blobs = Vec::new();
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            scan.start = behind(&key);
            if let Data::Blob(blob) = data_of(scan.table, &value)? {
                blobs.push(blob);
            }
        }
        self.next = match page.more {
            true => Some(scan),
            false => (scan.table == CURRENT).then(|| Scan::prefix(PARTS, b"", PAGE)),
        };
        Ok(Some(blobs))
    }
}

fn data_of(table: Table, row: &[u8]) -> Result<Data, Error> {
    match table == CURRENT {
        true => Ok(decode::<ObjectRecord>(row)?.data),
        false => Ok(decode::<PartRecord>(row)?.data),
    }
}
