//! The bytes of a blob, wherever they are: in a pack, or in a file of their own. Everything here blocks.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::super::footer_bytes;
use super::super::cached;
use super::super::layout::Layout;
use super::super::{BlobId, BlobRef};
use super::address::Address;
use super::format::{HEADER_BYTES, agrees};

/// An open file and where in it a blob is.
#[derive(Debug)]
pub(in super::super) struct Place {
    pub(in super::super) file: File,
    /// Where the body begins. The footer is right behind it.
    pub(in super::super) start: u64,
    /// `None` for a file that has nothing else.
    pub(super) address: Option<Address>,
}

impl Place {
    /// Finds a blob; `open` opens the file.
    ///
    /// A packed blob that is in no pack may have a file of its own: that is how backups keep it, and what is restored
    /// from them.
    pub(in super::super) fn open(
        layout: &Layout,
        id: BlobId,
        open: impl Fn(&Path) -> io::Result<File>,
    ) -> io::Result<Self> {
        if let Some(address) = Address::of(id) {
            match open(&layout.pack(address.pack)) {
                Ok(file) => {
                    return Ok(Self { file, start: address.bytes().start + HEADER_BYTES, address: Some(address) });
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { file: open(&layout.path(id))?, start: 0, address: None })
    }

    /// Whether the file is as large as it must be to have the blob, and has as much room for it as its id says.
    pub(in super::super) fn has_room_for(&self, blob: &BlobRef) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        Ok(match self.address {
            Some(address) => agrees(address, blob) && size >= address.bytes().end,
            None => Some(size) == blob.length.checked_add(footer_bytes(blob.length)),
        })
    }

    /// Which bytes of the file are the blob's, with what belongs to it; none at the end stands for the file's end.
    pub(in super::super) fn bytes(&self) -> Range<u64> {
        self.address.map_or(0..0, Address::bytes)
    }

    /// Fills as much of the beginning of `buffer` with the body from `offset` on, or the footer behind it, as lies in the page
    /// cache; gives how much that is.
    pub(in super::super) fn read_cached(&self, buffer: &mut [u8], offset: u64) -> usize {
        cached::read(&self.file, buffer, self.start + offset)
    }

    /// Fills `buffer` with the body from `offset` on, or the footer behind it.
    pub(in super::super) fn read_exact(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, self.start + offset)
    }

    /// Whether other blobs are in the same file.
    pub(in super::super) fn is_shared(&self) -> bool {
        self.address.is_some()
    }

    /// Whether the blob was removed: then there is a hole.
    pub(in super::super) fn is_hole(&self) -> bool {
        let mut header = [0; HEADER_BYTES as usize];
        let Some(address) = self.address else { return false };
        self.file.read_exact_at(&mut header, address.bytes().start).is_ok() && header.iter().all(|byte| *byte == 0)
    }
}
