//! Finding an object: the current one in one read, a named version in one, the null version in two.

use bytes::Bytes;

use crate::kv::Table;
use crate::names::{BucketId, ObjectKey, VersionId};
use crate::store::Store;
use crate::store::bucket::Bucket;
use crate::store::error::Error;
use crate::store::mutation::{Mutation, Row};
use crate::store::record::{Entry, Head, ObjectRecord, VersionRecord, Versioning};
use crate::store::tables::{self, CURRENT, HEADS, VERSIONS};

/// How often a version is looked for again that moved between two reads.
const ATTEMPTS: usize = 8;

/// An object as it was read, and the row that it was read from.
#[derive(Debug, Clone)]
pub struct ObjectRow {
    pub record: ObjectRecord,
    table: Table,
    key: Bytes,
    bytes: Bytes,
}

/// A version as it was found.
#[derive(Debug)]
pub enum Found {
    /// The null version of a key without rows in `versions`: the object in `current`.
    Unnumbered(Box<Row<ObjectRecord>>),
    Numbered(u64, Row<VersionRecord>),
}

impl Store {
    /// Gives the object's row without holding its bytes. Fails with [`Error::NoSuchKey`], or [`Error::DeleteMarker`] where
    /// the current version is one.
    pub async fn object(&self, bucket: &Bucket, key: &ObjectKey) -> Result<ObjectRow, Error> {
        match self.current(bucket.record.id, key).await? {
            Some(row) => Ok(ObjectRow::current(bucket.record.id, key, row)),
            None => Err(self.absence(bucket, key).await?),
        }
    }

    /// Gives the row of a version, or of the object where none is named. Fails with [`Error::NoSuchVersion`], or
    /// [`Error::DeleteMarker`] where the version is one.
    pub async fn object_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<&VersionId>,
    ) -> Result<ObjectRow, Error> {
        let Some(version) = version else { return self.object(bucket, key).await };
        let id = bucket.record.id;
        match self.find_version(bucket, key, version).await? {
            Some(Found::Unnumbered(row)) => Ok(ObjectRow::current(id, key, *row)),
            Some(Found::Numbered(ordinal, Row { record, bytes })) => match record.entry {
                Entry::Object(record) => {
                    Ok(ObjectRow { record: *record, table: VERSIONS, key: tables::version(id, key, ordinal), bytes })
                }
                Entry::DeleteMarker(marker) => Err(Error::DeleteMarker {
                    key: key.clone(),
                    version: *version,
                    modified: marker.modified,
                    named: true,
                }),
            },
            None => Err(Error::NoSuchVersion { key: key.clone(), version: *version }),
        }
    }

    /// Gives the version, which may be a delete marker, or `None` if the key has no such version.
    pub(in crate::store) async fn find_version(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: &VersionId,
    ) -> Result<Option<Found>, Error> {
        let id = bucket.record.id;
        match *version {
            VersionId::Numbered { ordinal, .. } => {
                let row = self.version_row(id, key, ordinal).await?;
                let row = row.filter(|row| row.record.id(ordinal) == *version);
                Ok(row.map(|row| Found::Numbered(ordinal, row)))
            }
            VersionId::Null => self.find_null(bucket, key).await,
        }
    }

    async fn find_null(&self, bucket: &Bucket, key: &ObjectKey) -> Result<Option<Found>, Error> {
        let id = bucket.record.id;
        for _ in 0..ATTEMPTS {
            let head = match bucket.record.versioning {
                Versioning::Never => None,
                Versioning::Enabled | Versioning::Suspended => self.row::<Head>(HEADS, &tables::head(id, key)).await?,
            };
            let Some(head) = head else {
                match self.current(id, key).await? {
                    // It got its number between the two reads.
                    Some(row) if row.record.version.is_some() => continue,
                    row => return Ok(row.map(Box::new).map(Found::Unnumbered)),
                }
            };
            let Some(ordinal) = head.record.null else { return Ok(None) };
            match self.version_row(id, key, ordinal).await? {
                Some(row) if row.record.random.is_none() => return Ok(Some(Found::Numbered(ordinal, row))),
                // It was replaced or removed between the two reads.
                _ => continue,
            }
        }
        Err(Error::Contended)
    }

    pub(super) async fn version_row(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        ordinal: u64,
    ) -> Result<Option<Row<VersionRecord>>, Error> {
        self.row(VERSIONS, &tables::version(bucket, key, ordinal)).await
    }

    /// Says why there is no current object.
    async fn absence(&self, bucket: &Bucket, key: &ObjectKey) -> Result<Error, Error> {
        let (id, missing) = (bucket.record.id, Error::NoSuchKey(key.clone()));
        if bucket.record.versioning == Versioning::Never {
            return Ok(missing);
        }
        let Some(head) = self.row::<Head>(HEADS, &tables::head(id, key)).await? else { return Ok(missing) };
        let newest = head.record.newest;
        let Some(row) = self.version_row(id, key, newest).await? else { return Ok(missing) };
        let version = row.record.id(newest);
        Ok(match row.record.entry {
            Entry::DeleteMarker(marker) => {
                Error::DeleteMarker { key: key.clone(), version, modified: marker.modified, named: false }
            }
            Entry::Object(_) => missing,
        })
    }
}

impl Found {
    /// The object; `None` for a delete marker.
    pub fn object(&self) -> Option<&ObjectRecord> {
        match self {
            Self::Unnumbered(row) => Some(&row.record),
            Self::Numbered(_, Row { record: VersionRecord { entry: Entry::Object(record), .. }, .. }) => Some(record),
            Self::Numbered(..) => None,
        }
    }
}

impl ObjectRow {
    fn current(bucket: BucketId, key: &ObjectKey, row: Row<ObjectRecord>) -> Self {
        let Row { record, bytes } = row;
        Self { record, table: CURRENT, key: tables::current(bucket, key.as_bytes()), bytes }
    }

    /// Whether `row` is what was read.
    pub(in crate::store) fn is(&self, row: Option<&Row<ObjectRecord>>) -> bool {
        row.is_some_and(|row| row.bytes == self.bytes)
    }
}

impl Mutation {
    /// Expects an object's row as it was read.
    pub fn expect_object(self, row: &ObjectRow) -> Self {
        self.expect(row.table, row.key.clone(), Some(row.bytes.clone()))
    }
}
