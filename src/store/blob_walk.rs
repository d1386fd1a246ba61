//! The blobs that the records of a store point at: what a copy of the store needs beside its rows.

use std::sync::Arc;

use bytes::Bytes;

use super::codec::decode;
use super::error::Error;
use super::held::{BucketNames, Held};
use super::record::{Data, ObjectRecord, PartRecord, VersionRecord};
use super::tables::{self, CURRENT, Owner, PARTS, VERSIONS};
use super::walk::Walk;
use crate::blob::BlobRef;
use crate::kv::{Kv, Table};
use crate::report::Place;

/// How many rows are read at a time.
const PAGE: usize = 1000;

/// Goes through the blobs that objects, versions and parts point at. A blob comes once for each record that points at it.
///
/// Objects with the parts of completed uploads point at uploads; the parts themselves point at the blobs.
pub struct BlobWalk {
    kv: Arc<dyn Kv>,
    objects: Walk,
    versions: Walk,
    parts: Walk,
    /// Read when the first row does not decode.
    names: Option<BucketNames>,
}

/// What a page of rows points at.
#[derive(Debug, Default)]
pub struct BlobPage {
    pub blobs: Vec<BlobRef>,
    /// The rows that do not decode: nobody can say what they point at.
    pub unreadable: Vec<UnreadableRow>,
}

/// A row that does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// What it is of, as far as its key says so.
    pub place: Place,
    /// Which row it is.
    pub row: String,
}

impl BlobWalk {
    /// A walk from the beginning. `kv` should not change meanwhile: a walk is no snapshot.
    pub fn new(kv: Arc<dyn Kv>) -> Self {
        Self {
            kv,
            objects: Walk::over(CURRENT, PAGE),
            versions: Walk::over(VERSIONS, PAGE),
            parts: Walk::over(PARTS, PAGE),
            names: None,
        }
    }

    /// Gives the blobs of the next page of rows, of which there may be none, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<BlobPage>, Error> {
        let rows = self.objects.next(&*self.kv).await?;
        if !rows.is_empty() {
            return self.page(CURRENT, &rows, |row| Ok(decode::<ObjectRecord>(row)?.data)).await.map(Some);
        }
        let rows = self.versions.next(&*self.kv).await?;
        if !rows.is_empty() {
            return self.page(VERSIONS, &rows, data_of_version).await.map(Some);
        }
        let rows = self.parts.next(&*self.kv).await?;
        if !rows.is_empty() {
            return self.page(PARTS, &rows, |row| Ok(decode::<PartRecord>(row)?.data)).await.map(Some);
        }
        Ok(None)
    }

    async fn page(
        &mut self,
        table: Table,
        rows: &[(Bytes, Bytes)],
        data_of: fn(&[u8]) -> Result<Data, Error>,
    ) -> Result<BlobPage, Error> {
        let mut page = BlobPage::default();
        for (key, value) in rows {
            match data_of(value) {
                Ok(Data::Blob(blob)) => page.blobs.push(blob),
                Ok(_) => {}
                Err(_) => page.unreadable.push(self.unreadable(table, key).await?),
            }
        }
        Ok(page)
    }

    async fn unreadable(&mut self, table: Table, key: &[u8]) -> Result<UnreadableRow, Error> {
        let owner = match table {
            CURRENT => tables::parse_current(key).map(|(bucket, key)| Owner::Object { bucket, key }),
            VERSIONS => {
                tables::parse_version(key).map(|(bucket, key, ordinal)| Owner::Version { bucket, key, ordinal })
            }
            _ => tables::parse_part_row(key).map(|(upload, number)| Owner::Part { upload, number }),
        };
        let names = match self.names.take() {
            Some(names) => names,
            None => BucketNames::load(&*self.kv).await?,
        };
        let place = owner.map_or_else(Place::default, |owner| names.place(&owner));
        self.names = Some(names);
        Ok(UnreadableRow { place, row: format!("row {} of table `{}`", hex::encode(key), table.name) })
    }
}

fn data_of_version(row: &[u8]) -> Result<Data, Error> {
    let record: VersionRecord = decode(row)?;
    Ok(Held::of_version(&record).map_or(Data::Empty, |held| held.data))
}
