//! What one record needs, and whether it has it.

use bytes::Bytes;

use super::fault::{Fault, Kind, Mend};
use super::{Check, PAGE};
use crate::blob::{self, BlobRef};
use crate::kv::Table;
use crate::names::{BucketId, UploadId};
use crate::report::Place;
use crate::store::checksum::{Algorithm, Checksum, full_object};
use crate::store::codec::decode;
use crate::store::error::Error;
use crate::store::held::{BucketNames, Held};
use crate::store::record::{Data, InlineId, ObjectRecord, PartRecord, Target};
use crate::store::tables::{self, CURRENT, HEADS, INLINE, OFFSETS, Owner, PARTS, REFS, VERSIONS};
use crate::store::walk::Walk;

/// How many objects are named where many are made of one damaged part.
const MAX_NAMED: usize = 100;

/// A list of parts, as far as it was followed.
#[derive(Default)]
struct Manifest {
    /// Where the last part ends.
    reached: u64,
    /// The CRC64NVME and the size of each part.
    sums: Vec<([u8; 8], u64)>,
}

impl Check<'_> {
    /// The faults of one row, as it is now.
    pub(super) async fn examine(&self, table: Table, key: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        match table {
            CURRENT => self.examine_object(key, value).await,
            VERSIONS => self.examine_version(key, value).await,
            HEADS => self.examine_head(key, value).await,
            _ => self.examine_part(key, value).await,
        }
    }

    async fn examine_object(&self, row: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        let Some((bucket, key)) = tables::parse_current(row) else { return Ok(vec![unreadable(CURRENT, row)]) };
        let owner = Owner::Object { bucket, key: key.clone() };
        let place = self.place(&owner);
        let Ok(object) = decode::<ObjectRecord>(value) else {
            return Ok(vec![Fault::new(Kind::UnreadableRecord, place, "the object's record")]);
        };
        if let Some(version) = object.version {
            return Ok(Vec::from_iter(self.examine_copy(bucket, &key, version, &object, place).await?));
        }
        self.examine_record(&owner, bucket, &object, place).await
    }

    /// The bytes of an object or of one of its versions, and its bucket.
    pub(super) async fn examine_record(
        &self,
        owner: &Owner,
        bucket: BucketId,
        object: &ObjectRecord,
        place: Place,
    ) -> Result<Vec<Fault>, Error> {
        let mut faults = self.examine_bytes(owner, Held::of_object(object), &place).await?;
        faults.extend(self.without_bucket(bucket, &place));
        if let Data::Parts(id) = object.data {
            faults.extend(self.examine_manifest(id, object, place).await?);
        }
        Ok(faults)
    }

    pub(super) fn without_bucket(&self, bucket: BucketId, place: &Place) -> Option<Fault> {
        let lost = self.names.as_ref().is_some_and(|names| !names.has(bucket));
        let fault = || Fault::new(Kind::ObjectWithoutBucket, place.clone(), format!("bucket number {}", bucket.0));
        lost.then(fault)
    }

    async fn examine_part(&self, row: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        let Some((upload, number)) = tables::parse_part_row(row) else {
            return Ok(vec![unreadable(PARTS, row)]);
        };
        let owner = Owner::Part { upload, number };
        let faults = match decode::<PartRecord>(value) {
            Ok(part) => self.examine_bytes(&owner, Held::of_part(&part), &self.place(&owner)).await?,
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
    async fn examine_bytes(&self, owner: &Owner, held: Held, place: &Place) -> Result<Vec<Fault>, Error> {
        let mut faults = Vec::new();
        match held.data {
            Data::Empty if held.size == 0 => {}
            Data::Empty => faults.push(Fault::new(Kind::WrongLength, place.clone(), format!("0 of {}", held.size))),
            Data::Inline(id) => faults.extend(self.examine_inline(id, held.size, place).await?),
            Data::Blob(blob) => faults.extend(self.examine_blob(blob, held.size, place).await?),
            Data::Parts(_) => {}
        }
        if let Some(target) = held.data.target() {
            let reference = tables::reference(target, owner);
            if self.store.kv.get(REFS, &reference).await?.is_none() {
                let fault = Fault::new(Kind::MissingReference, place.clone(), described(target));
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
        let found = self.manifest(id).await?.and_then(|manifest| manifest.reaches(object.summary.size));
        Ok(match found {
            Err(broken) => vec![Fault::new(Kind::BrokenManifest, place, broken)],
            Ok(manifest) if manifest.crc64nvme() == Some(Checksum::crc64nvme(object.crc64nvme)) => Vec::new(),
            Ok(_) => vec![Fault::new(Kind::WrongChecksum, place, "CRC64NVME")],
        })
    }

    /// Follows a list of parts to its end; or says where it is broken.
    async fn manifest(&self, id: UploadId) -> Result<Result<Manifest, String>, Error> {
        let mut manifest = Manifest::default();
        let mut walk = Walk::prefix(OFFSETS, &id.0, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(Ok(manifest));
            }
            for (row, _) in rows {
                let Some((end, number)) = tables::parse_offset(&row) else {
                    return Ok(Err(format!("row {} of table `offsets` does not decode", hex::encode(&row))));
                };
                let part = self.store.kv.get(PARTS, &tables::part(id, number)).await?;
                if let Err(broken) = manifest.add(end, number, part) {
                    return Ok(Err(broken));
                }
            }
        }
    }

    pub(super) fn place(&self, owner: &Owner) -> Place {
        self.names.as_ref().map_or_else(|| BucketNames::default().place(owner), |names| names.place(owner))
    }
}

impl Manifest {
    /// Adds the next part, which the list says to end at `end`; or says what is wrong with it.
    fn add(&mut self, end: u64, number: u16, part: Option<Bytes>) -> Result<(), String> {
        let part = part.ok_or_else(|| format!("part {number} is missing"))?;
        let part: PartRecord = decode(&part).map_err(|_| format!("the record of part {number} does not decode"))?;
        let reached = self.reached.saturating_add(part.size);
        if reached != end {
            return Err(format!("part {number} ends at {reached} and not at {end}"));
        }
        self.reached = end;
        self.sums.push((part.crc64nvme.to_be_bytes(), part.size));
        Ok(())
    }

    fn reaches(self, size: u64) -> Result<Self, String> {
        match self.reached == size {
            true => Ok(self),
            false => Err(format!("its parts have {} of {size} bytes", self.reached)),
        }
    }

    fn crc64nvme(&self) -> Option<Checksum> {
        full_object(Algorithm::Crc64Nvme, self.sums.iter().map(|(sum, size)| (sum.as_slice(), *size)))
    }
}

/// A row whose key does not decode: it cannot be said what it is of.
pub(super) fn unreadable(table: Table, row: &[u8]) -> Fault {
    let detail = format!("row {} of table `{}`", hex::encode(row), table.name);
    Fault::new(Kind::UnreadableRecord, Place::default(), detail)
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
pub(super) fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
