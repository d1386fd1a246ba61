//! Taking a blob out of the store without destroying its bytes. Everything here blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use super::super::super::footer_bytes;
use super::super::layout::{Layout, sync_directory};
use super::super::{BlobId, Shared};
use super::address::Address;
use super::format::HEADER_BYTES;
use super::{Place, remove, walk};

/// Moves a blob's file into quarantine, durably; of a packed blob a file is made there first.
pub(in super::super) fn quarantine(shared: &Shared, id: BlobId) -> io::Result<()> {
    let layout = &shared.layout;
    let place = Place::open(layout, id, |path| File::open(path))?;
    let Some(address) = place.address else { return layout.quarantine(id) };
    if place.is_hole() {
        return Err(ErrorKind::NotFound.into());
    }
    copy_out(layout, id, address, &place.file)?;
    // Only now that the copy is durable.
    remove::free(layout, address)?;
    place.file.sync_all()?;
    remove::remove_if_empty(shared, address.pack)
}

/// Copies what a file of the blob's own would have; all there is, where the header does not say how much that is.
fn copy_out(layout: &Layout, id: BlobId, address: Address, mut pack: &File) -> io::Result<()> {
    let entry = address.bytes();
    let length = walk::length_of(pack, address)?;
    let bytes = length.map_or(entry.end - entry.start - HEADER_BYTES, |length| length + footer_bytes(length));
    let path = layout.quarantined(id)?;
    let mut copy = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    pack.seek(SeekFrom::Start(entry.start + HEADER_BYTES))?;
    io::copy(&mut pack.take(bytes), &mut copy)?;
    copy.sync_all()?;
    sync_directory(path.parent().unwrap_or(layout.root()))
}
