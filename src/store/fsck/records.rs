//! Records: buckets, objects, uploads and parts, and whether each has what it needs.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::fault::{Fault, Kind, Mend};
use super::{Check, PAGE, side_by_side};
use crate::blob::{self, BlobRef};
use crate::kv::Table;
use crate::names::{BucketId, ObjectKey, UploadId};
use crate::report::{Place, Unit};
use crate::store::bucket::NEXT_BUCKET_ID;
use crate::store::checksum::{Algorithm, Checksum, full_object};
use crate::store::codec::{decode, encode};
use crate::store::error::Error;
use crate::store::held::{BucketNames, Held};
use crate::store::record::{BucketRecord, Data, InlineId, ObjectRecord, PartRecord, Target, UploadRecord};
use crate::store::tables::{self, BUCKETS, CURRENT, INLINE, META, OFFSETS, Owner, PARTS, REFS, UPLOADS};
use crate::store::walk::Walk;

/// How many objects are named where many are made of one damaged part.
const MAX_NAMED: usize = 100;

impl Check<'_> {
    /// Rows agree with their keys, numbers are unique, and the next number is free.
    pub(super) async fn buckets(&mut self) -> Result<(), Error> {
        let mut seen = std::collections::BTreeMap::new();
        let mut walk = Walk::over(BUCKETS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                break;
            }
            for (row, value) in rows {
                self.summary.buckets += 1;
                let name = String::from_utf8_lossy(&row).into_owned();
                let place = Place { bucket: Some(name.clone()), ..Place::default() };
                let Ok(bucket) = decode::<BucketRecord>(&value) else {
                    self.tell(Fault::new(Kind::UnreadableRecord, place, "the bucket's row")).await?;
                    continue;
                };
                if bucket.name.as_str() != name {
                    let detail = format!("its row says `{}`", bucket.name);
                    self.tell(Fault::new(Kind::BucketTwice, place.clone(), detail)).await?;
                }
                if let Some(other) = seen.insert(bucket.id, name) {
                    let detail = format!("it has the number {} of `{other}`", bucket.id.0);
                    self.tell(Fault::new(Kind::BucketTwice, place, detail)).await?;
                }
            }
        }
        // The counter is read behind the buckets: a bucket that was made meanwhile has raised it.
        let highest = seen.last_key_value().map_or(0, |(id, _)| id.0);
        let next = self.store.kv.get(META, NEXT_BUCKET_ID).await?;
        let next: u64 = next.map_or(Ok(1), |bytes| decode(&bytes))?;
        if next <= highest {
            let raise = Mend::Put(META, Bytes::from_static(NEXT_BUCKET_ID), encode(&highest.saturating_add(1)));
            let detail = format!("it is {next}, and {highest} is taken");
            self.tell(Fault::new(Kind::BucketCounter, Place::default(), detail).mended_by(raise)).await?;
        }
        self.names = Some(BucketNames::load(self.store).await?);
        Ok(())
    }

    /// Checks every row of `current` or of `parts`.
    pub(super) async fn records(&mut self, table: Table) -> Result<(), Error> {
        let phase = if table == CURRENT { "checking objects" } else { "checking parts" };
        let mut walk = Walk::over(table, PAGE);
        let (mut done, mut last_upload) = (0, None);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress(phase, done, Unit::Rows)?;
            done += rows.len() as u64;
            self.learn_buckets(table, &rows).await?;
            let mut looks = Vec::with_capacity(rows.len());
            for (key, value) in &rows {
                looks.push(self.examine(table, key, value));
            }
            let found = side_by_side(looks).await;
            for ((key, _), faults) in rows.iter().zip(found) {
                if !faults?.is_empty() {
                    for fault in self.confirmed(table, key).await? {
                        self.tell(fault).await?;
                    }
                }
                if table == PARTS {
                    self.check_upload_of(key, &mut last_upload).await?;
                }
            }
            let counter = if table == CURRENT { &mut self.summary.objects } else { &mut self.summary.parts };
            *counter = done;
        }
    }

    /// Buckets that were made since the names were read.
    async fn learn_buckets(&mut self, table: Table, rows: &[(Bytes, Bytes)]) -> Result<(), Error> {
        let Some(names) = &self.names else { return Ok(()) };
        let unknown = |(key, _): &(Bytes, Bytes)| bucket_of(key).is_some_and(|bucket| !names.has(bucket));
        if table == CURRENT && self.options.serving && rows.iter().any(unknown) {
            self.names = Some(BucketNames::load(self.store).await?);
        }
        Ok(())
    }

    /// The faults of one row, as it is now.
    pub(super) async fn examine(&self, table: Table, key: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        match table {
            CURRENT => self.examine_object(key, value).await,
            _ => self.examine_part(key, value).await,
        }
    }

    async fn examine_object(&self, row: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        let named = bucket_of(row).zip(ObjectKey::parse(&row[tables::BUCKET_ID_BYTES.min(row.len())..]).ok());
        let Some((bucket, key)) = named else {
            let detail = format!("row {} of table `current`", hex::encode(row));
            return Ok(vec![Fault::new(Kind::UnreadableRecord, Place::default(), detail)]);
        };
        let owner = Owner::Object { bucket, key };
        let place = self.place(&owner);
        let Ok(object) = decode::<ObjectRecord>(value) else {
            return Ok(vec![Fault::new(Kind::UnreadableRecord, place, "the object's record")]);
        };
        let mut faults = self.examine_bytes(&owner, Held::of_object(&object)).await?;
        if self.names.as_ref().is_some_and(|names| !names.has(bucket)) {
            faults.push(Fault::new(Kind::ObjectWithoutBucket, place.clone(), format!("bucket number {}", bucket.0)));
        }
        if let Data::Parts(id) = object.data {
            faults.extend(self.examine_manifest(id, &object, place).await?);
        }
        Ok(faults)
    }

    async fn examine_part(&self, row: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        let Some((upload, number)) = tables::parse_part_row(row) else {
            let detail = format!("row {} of table `parts`", hex::encode(row));
            return Ok(vec![Fault::new(Kind::UnreadableRecord, Place::default(), detail)]);
        };
        let owner = Owner::Part { upload, number };
        let faults = match decode::<PartRecord>(value) {
            Ok(part) => self.examine_bytes(&owner, Held::of_part(&part)).await?,
            Err(_) => vec![Fault::new(Kind::UnreadableRecord, self.place(&owner), "the part's record")],
        };
        if faults.is_empty() {
            return Ok(faults);
        }
        // Those who use the store know objects, not parts.
        let objects = self.store.objects_behind(&owner, MAX_NAMED).await?;
        if objects.is_empty() {
            return Ok(faults);
        }
        let mut named = Vec::new();
        for object in &objects {
            let place = Place { upload: Some(upload.to_string()), part: Some(number), ..self.place(object) };
            // Once is enough to mend it.
            let first = named.is_empty();
            named.extend(faults.iter().map(|fault| {
                let mend = if first { fault.mend.clone() } else { Mend::Nothing };
                Fault { place: Place { blob: fault.place.blob.clone(), ..place.clone() }, mend, ..fault.clone() }
            }));
        }
        Ok(named)
    }

    /// Whether the bytes are there, as many as they should be, and referred to.
    async fn examine_bytes(&self, owner: &Owner, held: Held) -> Result<Vec<Fault>, Error> {
        let place = self.place(owner);
        let mut faults = Vec::new();
        match held.data {
            Data::Empty if held.size == 0 => {}
            Data::Empty => faults.push(Fault::new(Kind::WrongLength, place.clone(), format!("0 of {}", held.size))),
            Data::Inline(id) => faults.extend(self.examine_inline(id, held.size, &place).await?),
            Data::Blob(blob) => faults.extend(self.examine_blob(blob, held.size, &place).await?),
            Data::Parts(_) => {}
        }
        if let Some(target) = held.data.target() {
            let reference = tables::reference(target, owner);
            if self.store.kv.get(REFS, &reference).await?.is_none() {
                let fault = Fault::new(Kind::MissingReference, place, described(target));
                faults.push(fault.mended_by(Mend::PutReference(reference)));
            }
        }
        Ok(faults)
    }

    async fn examine_inline(&self, id: InlineId, size: u64, place: &Place) -> Result<Option<Fault>, Error> {
        let found = self.store.kv.get(INLINE, &tables::inline(id)).await?;
        Ok(match found.map(|bytes| bytes.len() as u64) {
            Some(length) if length == size => None,
            Some(length) => Some(Fault::new(Kind::WrongLength, place.clone(), format!("{length} of {size}"))),
            None => Some(Fault::new(Kind::MissingBytes, place.clone(), described(Target::Inline(id)))),
        })
    }

    /// Looks at the blob's length and footer: its bytes are for `scrub`.
    async fn examine_blob(&self, blob: BlobRef, size: u64, place: &Place) -> Result<Option<Fault>, Error> {
        let place = Place { blob: Some(blob.id.to_string()), ..place.clone() };
        if blob.length != size {
            return Ok(Some(Fault::new(Kind::WrongLength, place, format!("{} of {size}", blob.length))));
        }
        let looked = match self.store.blobs.read(blob, 0..0).await {
            Ok(mut reader) => reader.next().await.map(drop),
            Err(error) => Err(error),
        };
        let detail = described(Target::Blob(blob.id));
        Ok(match looked {
            Ok(()) => None,
            Err(blob::Error::Missing(_)) => {
                Some(Fault::new(Kind::MissingBytes, place, format!("{detail} has no file")))
            }
            Err(blob::Error::Corrupt(_)) => {
                Some(Fault::new(Kind::DamagedBytes, place, format!("{detail} has another length or footer")))
            }
            Err(error) => Some(Fault::new(Kind::UnreadableBytes, place, format!("{detail}: {}", told(&error)))),
        })
    }

    /// Every offset has its part, they follow each other without gap to the object's end, and their checksums make the
    /// object's. The parts' bytes are looked at with the parts.
    async fn examine_manifest(&self, id: UploadId, object: &ObjectRecord, place: Place) -> Result<Vec<Fault>, Error> {
        let place = Place { upload: Some(id.to_string()), ..place };
        let broken = |detail: String| Ok(vec![Fault::new(Kind::BrokenManifest, place.clone(), detail)]);
        let mut walk = Walk::prefix(OFFSETS, &id.0, PAGE);
        let (mut reached, mut sums) = (0u64, Vec::new());
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                break;
            }
            for (row, _) in rows {
                let Some((end, number)) = tables::parse_offset(&row) else {
                    return broken(format!("row {} of table `offsets` does not decode", hex::encode(&row)));
                };
                let Some(part) = self.store.kv.get(PARTS, &tables::part(id, number)).await? else {
                    return broken(format!("part {number} is missing"));
                };
                let Ok(part) = decode::<PartRecord>(&part) else {
                    return broken(format!("the record of part {number} does not decode"));
                };
                if reached.saturating_add(part.size) != end {
                    return broken(format!(
                        "part {number} ends at {} and not at {end}",
                        reached.saturating_add(part.size)
                    ));
                }
                reached = end;
                sums.push((part.crc64nvme.to_be_bytes(), part.size));
            }
        }
        if reached != object.summary.size {
            return broken(format!("its parts have {reached} of {} bytes", object.summary.size));
        }
        let parts = sums.iter().map(|(sum, size)| (sum.as_slice(), *size));
        if full_object(Algorithm::Crc64Nvme, parts) != Some(Checksum::crc64nvme(object.crc64nvme)) {
            return Ok(vec![Fault::new(Kind::WrongChecksum, place, "CRC64NVME")]);
        }
        Ok(Vec::new())
    }

    /// Open uploads decode and are in a bucket, or left to the sweeper with it.
    pub(super) async fn uploads(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(UPLOADS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking uploads", self.summary.uploads, Unit::Rows)?;
            for (row, value) in rows {
                self.summary.uploads += 1;
                let parsed = bucket_of(&row).zip(tables::parse_upload(&row));
                let (Some((bucket, _)), Ok(_)) = (parsed, decode::<UploadRecord>(&value)) else {
                    let detail = format!("row {} of table `uploads`", hex::encode(&row));
                    self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
                    continue;
                };
                if self.names.as_ref().is_some_and(|names| !names.has(bucket)) {
                    self.names = Some(BucketNames::load(self.store).await?);
                    if self.names.as_ref().is_some_and(|names| !names.has(bucket)) {
                        self.suspect(Target::Bucket(bucket)).await?;
                    }
                }
            }
        }
    }

    /// The upload of a part, once per upload: held by an object, or to be found open or on the sweep queue.
    async fn check_upload_of(&mut self, row: &Bytes, last: &mut Option<UploadId>) -> Result<(), Error> {
        let Some(id) = row.first_chunk().copied().map(UploadId) else { return Ok(()) };
        if last.replace(id) == Some(id) || self.store.is_referenced(Target::Upload(id)).await? {
            return Ok(());
        }
        self.suspect(Target::Upload(id)).await
    }

    /// The same for offsets, which are left behind where all parts of a completed upload were lost.
    pub(super) async fn offsets(&mut self) -> Result<(), Error> {
        let (mut done, mut last) = (0, None);
        let mut walk = Walk::over(OFFSETS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking lists of parts", done, Unit::Rows)?;
            done += rows.len() as u64;
            for (row, _) in &rows {
                self.check_upload_of(row, &mut last).await?;
            }
        }
    }

    /// Answers that are kept for clients that ask again decode: nothing else depends on them.
    pub(super) async fn answers<T: DeserializeOwned>(&mut self, table: Table) -> Result<(), Error> {
        let mut walk = Walk::over(table, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.go_on()?;
            for (row, value) in rows {
                if decode::<T>(&value).is_err() {
                    let detail = format!("row {} of table `{}`", hex::encode(&row), table.name);
                    self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
                }
            }
        }
    }

    pub(super) fn place(&self, owner: &Owner) -> Place {
        self.names.as_ref().map_or_else(|| BucketNames::default().place(owner), |names| names.place(owner))
    }
}

fn bucket_of(row: &[u8]) -> Option<BucketId> {
    row.first_chunk().map(|id| BucketId(u64::from_be_bytes(*id)))
}

/// A target in words.
pub(super) fn described(target: Target) -> String {
    match target {
        Target::Blob(id) => format!("blob {id}"),
        Target::Inline(id) => format!("inline value {} of run {}", id.number, id.run),
        Target::Upload(id) => format!("upload {id}"),
        Target::Bucket(id) => format!("bucket number {}", id.0),
    }
}

/// An error with its cause.
fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
