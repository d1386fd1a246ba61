//! What a key holds, as a write finds it.

use aws_lc_rs::rand;

use crate::names::ObjectKey;
use crate::store::Store;
use crate::store::bucket::Bucket;
use crate::store::error::Error;
use crate::store::mutation::Row;
use crate::store::record::{Head, ObjectRecord, Version, VersionRecord, Versioning};
use crate::store::tables::{self, HEADS};

/// The ordinal of a key's first version.
pub const FIRST: u64 = 1;

/// What a key holds and what a write makes of it. A commit expects it unchanged.
#[derive(Debug)]
pub struct Slot {
    /// The object that reading the key gives.
    pub current: Option<Row<ObjectRecord>>,
    pub(super) versioning: Versioning,
    /// `None` where the key has no rows in `versions`.
    pub(super) head: Option<Row<Head>>,
    /// The null version, where what is written takes its place.
    pub(super) replaced: Option<(u64, Row<VersionRecord>)>,
    /// The next version's, as [`Version::random`].
    random: Option<[u8; 16]>,
}

impl Store {
    /// Reads what `key` holds: one row in a bucket without versions.
    pub(in crate::store) async fn slot(&self, bucket: &Bucket, key: &ObjectKey) -> Result<Slot, Error> {
        let (id, versioning) = (bucket.record.id, bucket.record.versioning);
        let current = self.current(id, key).await?;
        let mut slot = Slot { current, versioning, head: None, replaced: None, random: None };
        match versioning {
            Versioning::Never => {}
            Versioning::Enabled => {
                slot.head = self.row(HEADS, &tables::head(id, key)).await?;
                slot.random = Some(random()?);
            }
            Versioning::Suspended => {
                slot.head = self.row(HEADS, &tables::head(id, key)).await?;
                if let Some(null) = slot.head.as_ref().and_then(|head| head.record.null) {
                    slot.replaced = self.version_row(id, key, null).await?.map(|row| (null, row));
                }
            }
        }
        Ok(slot)
    }
}

impl Slot {
    /// What an object becomes that is written here; `None` where it needs no row in `versions`.
    pub fn object_version(&self) -> Option<Version> {
        match self.versioning {
            Versioning::Never => None,
            // Without other versions the null version is simply the object.
            Versioning::Suspended if self.head.is_none() => None,
            Versioning::Enabled | Versioning::Suspended => Some(self.next()),
        }
    }

    /// What the delete marker becomes that deleting the key leaves; `None` where it leaves none.
    pub fn marker_version(&self) -> Option<Version> {
        match self.versioning {
            Versioning::Never => None,
            Versioning::Enabled | Versioning::Suspended => Some(self.next()),
        }
    }

    /// The object that was written before there were versions and becomes the first of them.
    pub(super) fn unnumbered(&self) -> Option<&Row<ObjectRecord>> {
        let becomes_first = self.versioning == Versioning::Enabled && self.head.is_none();
        self.current.as_ref().filter(|_| becomes_first)
    }

    fn next(&self) -> Version {
        let newest = match &self.head {
            Some(head) => head.record.newest,
            None => self.unnumbered().map_or(0, |_| FIRST),
        };
        // No key comes this far; a damaged row that did would find the place taken.
        Version { ordinal: newest.saturating_add(1), random: self.random }
    }
}

fn random() -> Result<[u8; 16], Error> {
    let mut random = [0; 16];
    rand::fill(&mut random).map_err(|_| Error::Record("the system gave no random bytes"))?;
    Ok(random)
}
