//! A blob's file while it is being written. Everything here blocks.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{FallocateFlags, fallocate};

use super::super::{FooterBuilder, footer_bytes};
use super::output::Output;
use super::{BlobId, BlobRef, Error, Shared};

/// How many written bytes start their way to the disk together, so that the sync at the end finds little left to do and
/// does not hold up everyone else's.
const WRITE_BACK_BYTES: u64 = 8 << 20;

/// An unfinished blob: dropped, its file is gone.
pub(super) struct Draft {
    shared: Arc<Shared>,
    id: BlobId,
    path: PathBuf,
    output: Output,
    footer: FooterBuilder,
    /// The size of the file that room was reserved for; 0 if none was.
    reserved: u64,
    /// Up to where the bytes are on their way to the disk.
    written_back: u64,
    kept: bool,
}

impl Draft {
    pub(super) fn create(shared: Arc<Shared>, id: BlobId, length: Option<u64>) -> Result<Self, Error> {
        let path = shared.layout.path(id);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let (output, footer) = (Output::new(file, length), FooterBuilder::new());
        let mut draft = Self { shared, id, path, output, footer, reserved: 0, written_back: 0, kept: false };
        if let Some(length) = length {
            draft.reserve(length)?;
        }
        Ok(draft)
    }

    pub(super) fn write(&mut self, chunk: &Bytes) -> Result<(), Error> {
        self.footer.update(chunk);
        self.output.write(chunk)?;
        if self.footer.length() - self.written_back >= WRITE_BACK_BYTES {
            self.start_write_back()?;
        }
        Ok(())
    }

    /// Completes the file and makes its bytes durable; its name is another matter.
    pub(super) fn finish(&mut self) -> Result<BlobRef, Error> {
        let length = self.footer.length();
        let (footer, footer_checksum) = std::mem::take(&mut self.footer).finish();
        self.output.write(&footer)?;
        self.give_back_room(length + footer.len() as u64)?;
        self.shared.syncs.file(self.output.file(), &self.path)?;
        Ok(BlobRef { id: self.id, length, footer_checksum })
    }

    /// Lets the file stay. Apart from `finish`, because whoever waited for that may be gone when it is done.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }

    /// Reserves room for a blob of `length` bytes, so that a full disk is noticed early and the file lies in one piece.
    fn reserve(&mut self, length: u64) -> Result<(), Error> {
        let size = length.checked_add(footer_bytes(length)).ok_or(Error::Full)?;
        match fallocate(self.output.file(), FallocateFlags::KEEP_SIZE, 0, size).map_err(io::Error::from) {
            Ok(()) => self.reserved = size,
            // A file system that cannot: the writes will tell.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            // Larger than any file can be.
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(Error::Full),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Frees reserved room behind the end of a blob that became shorter than announced.
    fn give_back_room(&self, size: u64) -> Result<(), Error> {
        if size < self.reserved {
            self.output.file().set_len(size)?;
        }
        Ok(())
    }

    fn start_write_back(&mut self) -> Result<(), Error> {
        let end = self.footer.length();
        match start_write_back(self.output.file(), self.written_back, end) {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                // The kernel may have dropped the pages: as final as a failed sync.
                self.shared.syncs.or_give_up(Err(error), &self.path)?;
            }
            _ => self.written_back = end,
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished blob stays for the sweeper");
        }
    }
}

/// Starts writing the bytes from `start` to `end` to the disk, without waiting for them.
fn start_write_back(file: &File, start: u64, end: u64) -> io::Result<()> {
    let too_large = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    let offset = libc::off64_t::try_from(start).map_err(too_large)?;
    let count = libc::off64_t::try_from(end - start).map_err(too_large)?;
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the call touches no memory of ours.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, count, libc::SYNC_FILE_RANGE_WRITE) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
