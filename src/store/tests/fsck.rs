//! Checks every row of a store against every other, and against the blobs.

use std::collections::{BTreeSet, HashMap, HashSet};

use bytes::Bytes;

use super::fixture::Fixture;
use crate::blob::{BlobId, Blobs};
use crate::names::{BucketId, ObjectKey, UploadId};
use crate::store::checksum::{Algorithm, Hasher};
use crate::store::codec::decode;
use crate::store::record::{BucketRecord, BucketState, Data, ObjectRecord, PartRecord, Target};
use crate::store::tables::{self, *};

/// What a sound store still has to tidy up.
#[derive(Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// Entries of the sweep queue.
    pub queued: usize,
    /// Blobs without reference that are not on the sweep queue either.
    pub orphans: usize,
}

pub const NOTHING: Leftovers = Leftovers { queued: 0, orphans: 0 };

struct Rows {
    buckets: HashMap<BucketId, BucketRecord>,
    parts: HashMap<UploadId, Vec<(u16, PartRecord)>>,
    /// The references that the records call for.
    references: BTreeSet<Bytes>,
    referenced: HashSet<Target>,
    queued: HashSet<Target>,
}

impl Fixture {
    /// Panics unless every record has its bytes and its reference, every reference its record, and everything else is on
    /// the sweep queue.
    pub async fn check(&self) -> Leftovers {
        let mut rows = Rows {
            buckets: self.checked_buckets().await,
            parts: self.parts_by_upload().await,
            references: BTreeSet::new(),
            referenced: HashSet::new(),
            queued: HashSet::new(),
        };
        let queue = self.rows(SWEEP).await;
        rows.queued.extend(queue.iter().map(|(_, value)| decode::<Target>(value).unwrap()));
        self.check_objects(&mut rows).await;
        self.check_uploads(&mut rows).await;
        let references: BTreeSet<_> = self.rows(REFS).await.into_iter().map(|(key, _)| key).collect();
        assert_eq!(references, rows.references, "references are those that the records call for");
        self.check_log().await;
        self.check_inline(&rows).await;
        Leftovers { queued: queue.len(), orphans: self.orphans(&rows).await.len() }
    }

    async fn checked_buckets(&self) -> HashMap<BucketId, BucketRecord> {
        let mut buckets = HashMap::new();
        for (row, value) in self.rows(BUCKETS).await {
            let bucket: BucketRecord = decode(&value).unwrap();
            assert_eq!(row, bucket.name.as_str());
            assert_eq!(bucket.state, BucketState::Live, "{} is settled", bucket.name);
            assert!(buckets.insert(bucket.id, bucket).is_none(), "bucket ids are unique");
        }
        buckets
    }

    async fn parts_by_upload(&self) -> HashMap<UploadId, Vec<(u16, PartRecord)>> {
        let mut parts: HashMap<_, Vec<_>> = HashMap::new();
        for (row, value) in self.rows(PARTS).await {
            let id = UploadId(*row.first_chunk().unwrap());
            parts.entry(id).or_default().push((tables::parse_part(&row).unwrap(), decode(&value).unwrap()));
        }
        parts
    }

    async fn check_objects(&self, rows: &mut Rows) {
        for (row, value) in self.rows(CURRENT).await {
            let bucket = BucketId(u64::from_be_bytes(*row.first_chunk().unwrap()));
            let key = ObjectKey::parse(&row[BUCKET_ID_BYTES..]).unwrap();
            assert!(rows.buckets.contains_key(&bucket), "{key} is in a bucket");
            let object: ObjectRecord = decode(&value).unwrap();
            let bytes = match object.data {
                Data::Parts(id) => self.joined(id, rows).await,
                data => self.bytes_of(data).await,
            };
            assert_eq!(bytes.len() as u64, object.summary.size, "{key}");
            assert_eq!(crc64nvme(&bytes), object.crc64nvme, "{key}");
            if let Some(target) = object.data.target() {
                rows.references.insert(tables::object_reference(target, bucket, &key));
                rows.referenced.insert(target);
            }
        }
    }

    /// The bytes of a completed upload, by its offsets.
    async fn joined(&self, id: UploadId, rows: &Rows) -> Bytes {
        let mut joined = Vec::new();
        for (row, _) in self.rows(OFFSETS).await.iter().filter(|(row, _)| row.starts_with(&id.0)) {
            let (end, number) = tables::parse_offset(row).unwrap();
            let part = rows.parts[&id].iter().find(|(found, _)| *found == number);
            joined.extend_from_slice(&self.bytes_of(part.expect("every offset has its part").1.data).await);
            assert_eq!(joined.len() as u64, end, "part {number} ends where its offset says");
        }
        joined.into()
    }

    async fn bytes_of(&self, data: Data) -> Bytes {
        match data {
            Data::Empty => Bytes::new(),
            Data::Inline(id) => {
                let row = tables::inline(id);
                let found = self.rows(INLINE).await.into_iter().find(|(key, _)| *key == row);
                found.expect("inline bytes are there").1
            }
            Data::Blob(blob) => {
                let mut reader = self.blobs.inner().read(blob, 0..u64::MAX).await.expect("the blob is there");
                let mut bytes = Vec::new();
                while let Some(chunk) = reader.next().await.expect("the blob is whole") {
                    bytes.extend_from_slice(&chunk);
                }
                bytes.into()
            }
            Data::Parts(_) => panic!("a part does not consist of parts"),
        }
    }

    /// Parts and offsets belong to an open upload, to an object, or to the sweeper.
    async fn check_uploads(&self, rows: &mut Rows) {
        let mut open = HashSet::new();
        for (row, _) in self.rows(UPLOADS).await {
            let bucket = BucketId(u64::from_be_bytes(*row.first_chunk().unwrap()));
            let lives = rows.buckets.contains_key(&bucket) || rows.queued.contains(&Target::Bucket(bucket));
            assert!(lives, "an upload is in a bucket");
            open.insert(tables::parse_upload(&row).unwrap().1);
        }
        let parts = std::mem::take(&mut rows.parts);
        for (id, parts) in &parts {
            let (object, queued) =
                (rows.referenced.contains(&Target::Upload(*id)), rows.is_queued(Target::Upload(*id)));
            assert!(open.contains(id) || object || queued, "the parts of {id} belong to someone");
            for (number, part) in parts {
                assert_eq!(self.bytes_of(part.data).await.len() as u64, part.size);
                if let Some(target) = part.data.target() {
                    rows.references.insert(tables::part_reference(target, *id, *number));
                    rows.referenced.insert(target);
                }
            }
        }
        for (row, _) in self.rows(OFFSETS).await {
            let target = Target::Upload(UploadId(*row.first_chunk().unwrap()));
            assert!(rows.referenced.contains(&target) || rows.is_queued(target), "an offset belongs to an object");
        }
    }

    async fn check_log(&self) {
        let position = |row: &Bytes| u64::from_be_bytes(row[..].try_into().unwrap());
        let positions: Vec<_> = self.rows(LOG).await.iter().map(|(row, _)| position(row)).collect();
        assert!(positions.windows(2).all(|pair| pair[1] == pair[0] + 1), "positions are dense: {positions:?}");
    }

    async fn check_inline(&self, rows: &Rows) {
        let inline = |target: &Target| match target {
            Target::Inline(id) => Some(tables::inline(*id)),
            _ => None,
        };
        let known: HashSet<_> = rows.referenced.iter().chain(&rows.queued).filter_map(inline).collect();
        for (row, _) in self.rows(INLINE).await {
            assert!(known.contains(&row), "inline bytes are referenced or on the sweep queue");
        }
    }

    async fn orphans(&self, rows: &Rows) -> Vec<BlobId> {
        let mut blobs = self.blobs.inner().list(None, usize::MAX).await.unwrap();
        blobs.retain(|id| !rows.referenced.contains(&Target::Blob(*id)) && !rows.is_queued(Target::Blob(*id)));
        blobs
    }
}

impl Rows {
    fn is_queued(&self, target: Target) -> bool {
        self.queued.contains(&target)
    }
}

fn crc64nvme(bytes: &[u8]) -> u64 {
    let mut hasher = Hasher::new(Algorithm::Crc64Nvme);
    hasher.update(bytes);
    u64::from_be_bytes(hasher.finish().value.try_into().unwrap())
}
