//! Appending to a pack: entries that are written together, and made durable by one sync. Everything here blocks.
//!
//! The order, so that a power loss at any point leaves only what nobody was told of:
//!
//! 1. A new pack gets its name. Its head is written together with its first entries.
//! 2. The entries are written behind what is there. No byte that a sync has covered is ever written again.
//! 3. The file is synced; if it is new, its directory after it.
//! 4. Only then does anybody learn an id.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::super::super::WRITE_ALIGNMENT;
use super::super::layout::sync_directory;
use super::super::output::Output;
use super::super::{BlobId, Error, Shared};
use super::address::{Address, PackId, UNIT_BYTES};
use super::format::{Entry, HEAD_BYTES, Seal, encode_head, encode_header, entry_bytes};
use super::remove;

/// The size from which on a pack is not appended to any more.
const PACK_BYTES: u64 = 64 << 20;

/// A pack that is appended to.
#[derive(Debug)]
pub(super) struct OpenPack {
    id: PackId,
    path: PathBuf,
    output: Output,
    seal: Seal,
    /// Where the next entry begins; 0 as long as there is not even a head.
    end: u64,
    /// What is written next: whole units, so that they can bypass the page cache.
    buffer: Aligned,
}

/// Bytes that begin where a disk can take them from.
#[derive(Debug, Default)]
struct Aligned {
    memory: Vec<u8>,
    skipped: usize,
}

impl OpenPack {
    /// Appends entries to the pack that is `open`, or to a new one; gives their ids when they are durable.
    ///
    /// After an error none of them was ever there, and the pack is not appended to any more: how much of it was written
    /// is not known.
    pub(super) fn append(shared: &Shared, open: &mut Option<Self>, entries: &[&Entry]) -> Result<Vec<BlobId>, Error> {
        shared.syncs.check()?;
        if open.as_ref().is_some_and(|pack| pack.end >= PACK_BYTES) {
            close(shared, open);
        }
        let pack = match open {
            Some(pack) => pack,
            None => open.insert(Self::create(shared)?),
        };
        let start = pack.end;
        let appended = pack.append_durably(shared, entries);
        if appended.is_err() {
            pack.take_back(start);
            close(shared, open);
        }
        appended
    }

    fn create(shared: &Shared) -> Result<Self, Error> {
        let mut seal = Seal([0; 16]);
        aws_lc_rs::rand::fill(&mut seal.0).map_err(|_| io::Error::other("the system gives no random numbers"))?;
        let id = shared.packs.begin_pack()?;
        let path = shared.layout.pack(id);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                let output = Output::new(file, Some(PACK_BYTES));
                Ok(Self { id, path, output, seal, end: 0, buffer: Aligned::default() })
            }
            Err(error) => {
                shared.packs.end_pack();
                Err(error.into())
            }
        }
    }

    fn append_durably(&mut self, shared: &Shared, entries: &[&Entry]) -> Result<Vec<BlobId>, Error> {
        let is_new = self.end == 0;
        let ids = self.gather(entries)?;
        self.output.write(self.buffer.bytes())?;
        shared.syncs.file(self.output.file(), &self.path)?;
        if is_new {
            let packs = shared.layout.packs();
            shared.syncs.or_stop(sync_directory(&packs), &packs)?;
        }
        Ok(ids)
    }

    /// Fills the buffer with the entries, one behind the other, and gives their ids.
    fn gather(&mut self, entries: &[&Entry]) -> io::Result<Vec<BlobId>> {
        let head = if self.end == 0 { HEAD_BYTES } else { 0 };
        let bytes = head + entries.iter().map(|entry| entry.bytes()).sum::<u64>();
        self.buffer.begin(bytes as usize);
        if head > 0 {
            self.buffer.add(&encode_head(self.seal));
            self.end = head;
        }
        let mut ids = Vec::with_capacity(entries.len());
        for entry in entries {
            let address = Address::at(self.id, self.end, entry_bytes(entry.length));
            let id = address.ok_or(ErrorKind::FileTooLarge)?.id();
            self.buffer.add(&encode_header(self.seal, id, entry.length));
            entry.body.iter().for_each(|chunk| self.buffer.add(chunk));
            self.buffer.add(&entry.footer);
            self.buffer.add(&[0; UNIT_BYTES as usize][..(entry.bytes() - entry_bytes(entry.length)) as usize]);
            self.end += entry.bytes();
            ids.push(id);
        }
        Ok(ids)
    }

    /// Removes what may have been written from `start` on; the whole file, where there is nothing before.
    fn take_back(&self, start: u64) {
        let removed = match start {
            0 => fs::remove_file(&self.path),
            start => self.output.file().set_len(start),
        };
        if let Err(error) = removed {
            tracing::warn!(path = %self.path.display(), %error, "a part of a pack stays for the sweeper");
        }
    }
}

impl Aligned {
    /// Empties the buffer and makes room for `bytes` bytes.
    fn begin(&mut self, bytes: usize) {
        self.memory.clear();
        self.memory.reserve(bytes + WRITE_ALIGNMENT);
        self.skipped = self.memory.as_ptr().align_offset(WRITE_ALIGNMENT);
        self.memory.resize(self.skipped, 0);
    }

    /// Adds bytes, for which there must be room: more would be written all the same, but through the page cache.
    fn add(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.skipped..]
    }
}

/// Ends appending to the open pack. What was removed meanwhile may have left nothing in it.
fn close(shared: &Shared, open: &mut Option<OpenPack>) {
    let Some(pack) = open.take() else { return };
    shared.packs.end_pack();
    if let Err(error) = remove::remove_if_empty(shared, pack.id) {
        tracing::warn!(path = %pack.path.display(), %error, "an empty pack stays until the next start");
    }
}
