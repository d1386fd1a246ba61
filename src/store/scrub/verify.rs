//! One blob or inline value: read, compared, and told of where it is not as it was written.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Scrub;
use crate::blob::{self, BlobRef};
use crate::report::{Finding, Place, Severity};
use crate::store::checksum::{Algorithm, Checksum, Hasher};
use crate::store::error::Error;
use crate::store::held::Held;
use crate::store::lease::Lease;
use crate::store::record::{Data, InlineId, Target};
use crate::store::tables::{self, INLINE, Owner};

/// How often a target is looked at whose owner changes at the same time.
const ATTEMPTS: usize = 8;
/// How many objects are named where many share what is damaged.
const MAX_NAMED: usize = 100;

/// What is wrong with bytes.
struct Damage {
    kind: &'static str,
    what: String,
}

/// Bytes that stay where they are while they are read.
struct Kept {
    held: Held,
    owner: Owner,
    _lease: Lease,
}

impl Scrub<'_> {
    /// Verifies what `target` names, if anything still refers to it.
    pub(super) async fn verify(&mut self, target: Target) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            self.reading = 0;
            let Some(kept) = self.keep(target).await? else { return Ok(()) };
            let damage = match kept.held.data {
                Data::Blob(blob) => self.verify_blob(blob, kept.held).await?,
                Data::Inline(id) => self.verify_inline(id, kept.held).await?,
                Data::Empty | Data::Parts(_) => None,
            };
            let Some(damage) = damage else { break };
            // Inline bytes are not leased: where the owner let go of them meanwhile, nothing is wrong.
            if self.store.held(&kept.owner).await? == Some(kept.held) {
                self.tell(target, &damage).await?;
                break;
            }
        }
        match target {
            Target::Blob(_) => self.cursor.blobs += 1,
            _ => self.cursor.inline_values += 1,
        }
        Ok(())
    }

    /// Leases the target by way of an owner whose record holds it; `None` if there is none any more.
    async fn keep(&self, target: Target) -> Result<Option<Kept>, Error> {
        let _inside = self.store.leases.enter().await;
        for owner in self.store.owners(target, MAX_NAMED).await? {
            let held = match self.store.held(&owner).await {
                // A record that does not decode is the finding of `fsck`.
                Err(Error::Record(_)) => continue,
                held => held?,
            };
            if let Some(held) = held.filter(|held| held.data.target() == Some(target)) {
                return Ok(Some(Kept { held, owner, _lease: self.store.leases.lease(target) }));
            }
        }
        Ok(None)
    }

    async fn verify_blob(&mut self, blob: BlobRef, held: Held) -> Result<Option<Damage>, Error> {
        // What is in memory says nothing about the disk.
        self.store.blobs.forget_cached(blob.id).await;
        let mut sum = Hasher::new(Algorithm::Crc64Nvme);
        let mut length = 0;
        let mut reader = match self.store.blobs.read(blob, 0..u64::MAX).await {
            Ok(reader) => reader,
            Err(error) => return damage(error).map(Some),
        };
        loop {
            match reader.next().await {
                Ok(Some(bytes)) => {
                    sum.update(&bytes);
                    length += bytes.len() as u64;
                    self.read(bytes.len() as u64).await?;
                }
                Ok(None) => break,
                Err(error) => return damage(error).map(Some),
            }
        }
        drop(reader);
        // Nor are these bytes worth more memory than those that somebody asked for.
        self.store.blobs.forget_cached(blob.id).await;
        Ok(compare(held, length, sum))
    }

    async fn verify_inline(&mut self, id: InlineId, held: Held) -> Result<Option<Damage>, Error> {
        let bytes: Bytes = match self.store.kv.get(INLINE, &tables::inline(id)).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Some(Damage { kind: "missing_bytes", what: "its bytes are missing".to_owned() })),
            // One damaged block of the metadata is no reason to leave the rest unread.
            Err(error) => return Ok(Some(Damage { kind: "unreadable_bytes", what: format!("its bytes: {error}") })),
        };
        self.read(bytes.len() as u64).await?;
        let mut sum = Hasher::new(Algorithm::Crc64Nvme);
        sum.update(&bytes);
        Ok(compare(held, bytes.len() as u64, sum))
    }

    /// Tells of the damage once for every object that cannot be read because of it.
    async fn tell(&mut self, target: Target, damage: &Damage) -> Result<(), Error> {
        self.store.scrubbed.damaged.fetch_add(1, Ordering::Relaxed);
        let blob = match target {
            Target::Blob(id) => Some(id.to_string()),
            _ => None,
        };
        let mut told = 0;
        for owner in self.store.owners(target, MAX_NAMED).await? {
            let part = self.names.place(&owner);
            let objects = self.store.objects_behind(&owner, MAX_NAMED).await?;
            let places = objects.iter().map(|object| self.names.place(object));
            let places: Vec<_> = if objects.is_empty() { vec![part.clone()] } else { places.collect() };
            for place in places {
                let place = Place { upload: part.upload.clone(), part: part.part, blob: blob.clone(), ..place };
                self.report.finding(finding(damage, place)).await?;
                told += 1;
            }
            if told >= MAX_NAMED {
                break;
            }
        }
        // Last: where the telling is stopped, the next scrub finds it again.
        self.cursor.damaged += 1;
        tracing::error!(blob, kind = damage.kind, objects = told, "scrub found damaged bytes");
        Ok(())
    }
}

fn compare(held: Held, length: u64, sum: Hasher) -> Option<Damage> {
    if length != held.size {
        return Some(Damage { kind: "wrong_length", what: format!("it has {length} bytes instead of {}", held.size) });
    }
    if sum.finish() != Checksum::crc64nvme(held.crc64nvme) {
        let what = "its bytes do not have the CRC64NVME that was computed when they were stored".to_owned();
        return Some(Damage { kind: "wrong_checksum", what });
    }
    None
}

/// Tells damage, which the walk goes on behind, from the end of the engine.
fn damage(error: blob::Error) -> Result<Damage, Error> {
    match error {
        blob::Error::Missing(id) => Ok(Damage { kind: "missing_bytes", what: format!("blob {id} has no file") }),
        blob::Error::Corrupt(id) => {
            Ok(Damage { kind: "damaged_bytes", what: format!("blob {id} is not as it was written") })
        }
        blob::Error::Io(error) => {
            Ok(Damage { kind: "unreadable_bytes", what: format!("the disk does not give it: {error}") })
        }
        other => Err(other.into()),
    }
}

fn finding(damage: &Damage, place: Place) -> Finding {
    let unfinished = place.key.is_none();
    Finding {
        kind: damage.kind.to_owned(),
        severity: Severity::Damage,
        place,
        problem: damage.what.clone(),
        meaning: match unfinished {
            false => "Reading this object fails, at the start or where the damage begins; wrong bytes are never given out.",
            true => "This part of an upload that is still open is lost: an object made of it could not be read.",
        }
        .to_owned(),
        advice: match unfinished {
            false => {
                "Look at the kernel's log and the disk. Upload the object again or restore it from a backup; if neither \
                 is possible, delete it."
            }
            true => "Look at the kernel's log and the disk. Have the client abort the upload and begin it anew.",
        }
        .to_owned(),
        repaired: None,
    }
}
