//! Which blobs are in the packs. Everything here blocks.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use super::super::BlobId;
use super::super::layout::{Layout, parse_name};
use super::address::{Address, PackId, UNIT_BYTES};
use super::format::{HEAD_BYTES, HEADER_BYTES, Seal, decode_head, decode_header, entry_bytes};
use super::remove::next_data;

/// All packs, in order: some 16 bytes of memory each.
pub(in super::super) fn packs(layout: &Layout) -> io::Result<Vec<PackId>> {
    let mut packs = Vec::new();
    for entry in fs::read_dir(layout.packs())? {
        packs.extend(parse_name(&entry?.file_name()).and_then(PackId::named));
    }
    packs.sort_unstable();
    Ok(packs)
}

/// Gives the packed blobs greater than `after` and up to `last`, in order, at most `limit`.
///
/// Costs the names of all packs, and a small read for each blob of a pack up to the page's end.
pub(in super::super) fn page(
    layout: &Layout,
    after: Option<BlobId>,
    last: Option<BlobId>,
    limit: usize,
) -> io::Result<Vec<BlobId>> {
    let mut page = Vec::new();
    // The pack that `after` is in, or would be in: a blob in a file of its own comes before all packs of its run.
    let from = after.map(|after| match Address::of(after) {
        Some(address) => (address.pack, address.bytes().start),
        None => (PackId { run: after.run, number: 0 }, 0),
    });
    for pack in packs(layout)? {
        if from.is_some_and(|(first, _)| pack < first) {
            continue;
        }
        if page.len() == limit || last.is_some_and(|last| pack.run > last.run) {
            break;
        }
        let start = from.filter(|(first, _)| pack == *first).map_or(0, |(_, start)| start);
        let is_wanted = |id: BlobId| after.is_none_or(|after| id > after) && last.is_none_or(|last| id <= last);
        walk(layout, pack, start, |id| {
            if is_wanted(id) {
                page.push(id);
            }
            page.len() < limit
        })?;
    }
    Ok(page)
}

/// Goes through a pack's entries from `start` on, as long as `found` says so.
fn walk(layout: &Layout, pack: PackId, start: u64, mut found: impl FnMut(BlobId) -> bool) -> io::Result<()> {
    let path = layout.pack(pack);
    let file = match File::open(&path) {
        // Removed since its name was read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let Some(seal) = seal_of(&file)? else {
        // Also where a crash left a pack without anything. What is referenced in it is still found by its address.
        tracing::warn!(path = %path.display(), "what is in this pack cannot be listed: its head is damaged");
        return Ok(());
    };
    let mut offset = start.max(HEAD_BYTES);
    // What is no entry, because it was damaged or never finished, is passed over unit by unit.
    while let Some(data) = next_data(&file, offset)? {
        offset = data.max(offset) / UNIT_BYTES * UNIT_BYTES;
        match header_at(&file, seal, pack, offset)? {
            Some((id, length)) => {
                if !found(id) {
                    return Ok(());
                }
                offset += entry_bytes(length).next_multiple_of(UNIT_BYTES);
            }
            None => offset += UNIT_BYTES,
        }
    }
    Ok(())
}

/// Gives the length that the header of a blob's entry says, if there is one that is whole.
pub(super) fn length_of(file: &File, address: Address) -> io::Result<Option<u64>> {
    let Some(seal) = seal_of(file)? else { return Ok(None) };
    let header = header_at(file, seal, address.pack, address.bytes().start)?;
    Ok(header.filter(|(id, _)| Address::of(*id) == Some(address)).map(|(_, length)| length))
}

fn seal_of(file: &File) -> io::Result<Option<Seal>> {
    let mut head = [0; 64];
    Ok(read(file, &mut head, 0)?.then(|| decode_head(&head)).flatten())
}

fn header_at(file: &File, seal: Seal, pack: PackId, offset: u64) -> io::Result<Option<(BlobId, u64)>> {
    let mut header = [0; HEADER_BYTES as usize];
    Ok(read(file, &mut header, offset)?.then(|| decode_header(seal, pack, offset, &header)).flatten())
}

/// Fills the buffer; `false` where the file ends before.
fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}
