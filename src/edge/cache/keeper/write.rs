//! Writing what was stored to disk.

use std::fs;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::super::disk::{Disk, MAX_FILE_BODY, Meta, file};
use super::super::memory::Key;
use super::super::purge::{Footing, Standing};
use super::super::stored::StoredBody;
use super::{Item, Work, Write};

/// What a write comes down to.
struct Written<'w> {
    meta: Meta,
    footing: &'w Footing,
    body: Bytes,
}

impl Work {
    /// Writes a file and then enters it into the catalog, unless it was purged or removed meanwhile.
    pub(super) fn write(&mut self, write: Write) {
        let outcome = self.try_write(&write);
        // Whether or not something was written: it is not under way any more.
        self.tiers.queue.finish(|| ());
        match outcome {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, "the disk cache cannot be written to");
            }
            Err(_) => {}
        }
    }

    fn try_write(&self, write: &Write) -> io::Result<()> {
        let (Some(disk), Some(written)) = (self.tiers.disk(), written(write)) else { return Ok(()) };
        let standing = self.tiers.index.standing(write.key.primary(), written.footing);
        // A restart must know every purge that the file is newer than: a file from beyond the journal's end casts doubt on it.
        if standing == Standing::Gone || !disk.recorder.reach(written.footing.filled_at()) {
            return Ok(());
        }
        // Read together: a soft purge that is found meanwhile is later than `checked`, and will be found again.
        let (checked, softened) = written.footing.checked();
        let name = written.meta.name();
        let length = put(disk, name, &written, softened)?;
        let entry = written.meta.entry(length, checked, softened);
        let entered = self.tiers.queue.finish(|| {
            disk.catalog.insert(&write.key, written.meta.variation(), Arc::new(entry));
        });
        if entered {
            disk.catalog.evict();
            return Ok(());
        }
        fs::remove_file(disk.path_of(name))
    }
}

/// What is to be written; `None` for what is not kept on disk.
fn written(write: &Write) -> Option<Written<'_>> {
    match (&write.item, &write.key) {
        (Item::Response(stored), Key::Response(key)) => {
            let body = match stored.body() {
                StoredBody::Whole(body) => Bytes::clone(body),
                StoredBody::Sliced(_) => Bytes::new(),
            };
            let meta = Meta::of_response(key, &write.variation, stored);
            (body.len() as u64 <= MAX_FILE_BODY).then(|| Written { meta, footing: stored.footing(), body })
        }
        (Item::Slice(slice), Key::Slice(key)) => {
            let meta = Meta::of_slice(key, slice);
            Some(Written { meta, footing: &slice.footing, body: slice.bytes.clone() })
        }
        _ => None,
    }
}

/// Writes the file, and its directory where that is missing.
fn put(disk: &Disk, name: u128, written: &Written<'_>, softened: bool) -> io::Result<u64> {
    let path = disk.path_of(name);
    let staging = path.with_extension(super::load::STAGING);
    let write = || file::write(&staging, &path, disk.id, &written.meta, softened, &written.body);
    match write() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(&disk.root))?;
            write()
        }
        outcome => outcome,
    }
}
