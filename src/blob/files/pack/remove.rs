//! Removing blobs from packs, and packs that have none left. Everything here blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

use super::super::layout::Layout;
use super::super::{BlobId, Error, Shared};
use super::address::{Address, PackId};
use super::format::HEAD_BYTES;
use super::walk;

/// Removes a blob, whether it is in a pack or in a file of its own; one that is not there as well. Not durable.
pub(in super::super) fn remove(shared: &Shared, id: BlobId) -> Result<(), Error> {
    if let Some(address) = Address::of(id)
        && free(&shared.layout, address)?
    {
        return Ok(remove_if_empty(shared, address.pack)?);
    }
    Ok(gone(fs::remove_file(shared.layout.path(id)))?)
}

/// Frees the room of an entry; `false` where there is no such pack.
pub(super) fn free(layout: &Layout, address: Address) -> io::Result<bool> {
    let file = match OpenOptions::new().write(true).open(layout.pack(address.pack)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    punch(&file, address.bytes())?;
    Ok(true)
}

/// Turns a part of a file into a hole.
pub(super) fn punch(file: &File, bytes: std::ops::Range<u64>) -> io::Result<()> {
    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, how, bytes.start, bytes.end - bytes.start)?)
}

/// Removes a pack that has nothing but holes, unless it is appended to: whoever ends that looks again.
pub(super) fn remove_if_empty(shared: &Shared, pack: PackId) -> io::Result<()> {
    if shared.packs.appends_to(pack, shared.run) {
        return Ok(());
    }
    let path = shared.layout.pack(pack);
    match File::open(&path) {
        Ok(file) if next_data(&file, HEAD_BYTES)?.is_none() && is_zero(&file, HEAD_BYTES)? => {
            gone(fs::remove_file(path))
        }
        opened => gone(opened.map(drop)),
    }
}

/// Removes the packs of earlier runs that have no blob left: a crash may have come before their removal.
pub(in super::super) fn remove_empty(shared: &Shared) -> io::Result<()> {
    for pack in walk::packs(&shared.layout)? {
        remove_if_empty(shared, pack)?;
    }
    Ok(())
}

/// Whether all bytes from `offset` on are zero. File systems have been known to report holes where there were none, so that
/// nothing is ever removed on their word alone.
fn is_zero(file: &File, mut offset: u64) -> io::Result<bool> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read_at(&mut buffer, offset)? {
            0 => return Ok(true),
            read if buffer[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            read => offset += read as u64,
        }
    }
}

/// Gives where the next bytes are that are no hole, from `offset` on.
pub(super) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match seek(file, SeekFrom::Data(offset)) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is not there need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
