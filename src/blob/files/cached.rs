//! File access that the kernel answers from memory at once, or not at all: the only kind a worker thread may do itself.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{ReadWriteFlags, preadv2};

/// Opens a file if the whole path is in the directory cache. Any error means: try again where it may take time.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?.into())
}

/// Fills as much of the beginning of `buffer` as lies in the page cache; gives how much that is.
pub(super) fn read(file: &File, buffer: &mut [u8], offset: u64) -> usize {
    // No loop after a short read: it ended at a page that is not there. Errors are found again by the read that may wait.
    preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
}
