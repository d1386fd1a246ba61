//! Who holds what: the owners of references, what they say of the bytes, and how they are named to people.

use std::collections::BTreeMap;

use super::Store;
use super::codec::decode;
use super::error::Error;
use super::record::{BucketRecord, Data, Entry, ObjectRecord, PartRecord, Target, VersionRecord};
use super::tables::{self, BUCKETS, CURRENT, Owner, PARTS, REFS, VERSIONS};
use super::walk::Walk;
use crate::kv::{Item, Kv, Scan};
use crate::names::{BucketId, BucketName};
use crate::report::Place;

/// How many buckets are read at a time.
const PAGE: usize = 1000;

/// What an owner's row says of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub data: Data,
    pub size: u64,
    pub crc64nvme: u64,
}

/// The names of all buckets: the one thing that is kept in memory whole, some hundred bytes a bucket.
#[derive(Debug, Default)]
pub struct BucketNames(BTreeMap<BucketId, BucketName>);

impl Held {
    pub fn of_object(record: &ObjectRecord) -> Self {
        Self { data: record.data, size: record.summary.size, crc64nvme: record.crc64nvme }
    }

    /// `None` for a delete marker, which has no bytes.
    pub fn of_version(record: &VersionRecord) -> Option<Self> {
        match &record.entry {
            Entry::Object(object) => Some(Self::of_object(object)),
            Entry::DeleteMarker(_) => None,
        }
    }

    pub fn of_part(record: &PartRecord) -> Self {
        Self { data: record.data, size: record.size, crc64nvme: record.crc64nvme }
    }
}

impl Store {
    /// Gives what the owner's row says, or `None` if there is no such row.
    pub(super) async fn held(&self, owner: &Owner) -> Result<Option<Held>, Error> {
        match owner {
            Owner::Object { bucket, key } => {
                let row = self.kv.get(CURRENT, &tables::current(*bucket, key.as_bytes())).await?;
                let record = row.map(|bytes| decode::<ObjectRecord>(&bytes)).transpose()?;
                // The copy of a version holds nothing.
                Ok(record.filter(|record| record.version.is_none()).as_ref().map(Held::of_object))
            }
            Owner::Version { bucket, key, ordinal } => {
                let row = self.kv.get(VERSIONS, &tables::version(*bucket, key, *ordinal)).await?;
                let record = row.map(|bytes| decode::<VersionRecord>(&bytes)).transpose()?;
                Ok(record.as_ref().and_then(Held::of_version))
            }
            Owner::Part { upload, number } => {
                let row = self.kv.get(PARTS, &tables::part(*upload, *number)).await?;
                row.map(|bytes| decode(&bytes).map(|record| Held::of_part(&record))).transpose()
            }
        }
    }

    /// Gives who holds references on `target`, at most `limit`.
    pub(super) async fn owners(&self, target: Target, limit: usize) -> Result<Vec<Owner>, Error> {
        let page = self.kv.scan(Scan::prefix(REFS, &tables::references(target), limit)).await?;
        let rows = page.items.iter().filter_map(|item| match item {
            Item::Row { key, .. } => tables::parse_reference(key),
            Item::Group(_) => None,
        });
        Ok(rows.map(|(_, owner)| owner).collect())
    }

    /// Gives the objects whose bytes are those of `owner`: itself, or the objects made of the upload that it is a part of;
    /// at most `limit`. None for a part of an upload that is still open.
    pub(super) async fn objects_behind(&self, owner: &Owner, limit: usize) -> Result<Vec<Owner>, Error> {
        match owner {
            Owner::Object { .. } | Owner::Version { .. } => Ok(vec![owner.clone()]),
            Owner::Part { upload, .. } => self.owners(Target::Upload(*upload), limit).await,
        }
    }
}

impl BucketNames {
    pub async fn load(kv: &dyn Kv) -> Result<Self, Error> {
        let mut names = BTreeMap::new();
        let mut walk = Walk::over(BUCKETS, PAGE);
        loop {
            let rows = walk.next(kv).await?;
            if rows.is_empty() {
                return Ok(Self(names));
            }
            for (_, value) in rows {
                // One that does not decode is somebody else's finding: here it has no name.
                if let Ok(bucket) = decode::<BucketRecord>(&value) {
                    names.insert(bucket.id, bucket.name);
                }
            }
        }
    }

    pub fn has(&self, bucket: BucketId) -> bool {
        self.0.contains_key(&bucket)
    }

    /// Where `owner` is, for people. A bucket without name is called by its number.
    pub fn place(&self, owner: &Owner) -> Place {
        match owner {
            Owner::Object { bucket, key } => {
                Place { bucket: Some(self.name(*bucket)), key: Some(key.as_str().to_owned()), ..Place::default() }
            }
            Owner::Version { bucket, key, ordinal } => Place {
                bucket: Some(self.name(*bucket)),
                key: Some(key.as_str().to_owned()),
                version: Some(format!("number {ordinal}")),
                ..Place::default()
            },
            Owner::Part { upload, number } => {
                Place { upload: Some(upload.to_string()), part: Some(*number), ..Place::default() }
            }
        }
    }

    pub fn name(&self, bucket: BucketId) -> String {
        self.0.get(&bucket).map_or_else(|| format!("bucket number {}", bucket.0), |name| name.as_str().to_owned())
    }
}
