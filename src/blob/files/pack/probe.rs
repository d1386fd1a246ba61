//! Whether a file system can do what packs need. Everything here blocks.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{SeekFrom, seek};

use super::address::UNIT_BYTES;
use super::remove::{next_data, punch};

/// The file that it is tried with.
const TRIAL: &str = "trial";

/// Whether one unit of a file in `directory` can be freed, and is seen to be a hole then. Where it cannot, packing would
/// never give room back.
pub(super) fn can_free_parts(directory: &Path) -> bool {
    let path = directory.join(TRIAL);
    let tried = try_at(&path);
    let removed = fs::remove_file(&path);
    match tried.and_then(|can| removed.map(|()| can)) {
        Ok(true) => true,
        outcome => {
            tracing::info!(
                directory = %directory.display(), ?outcome,
                "the file system cannot free parts of a file: every blob gets a file of its own"
            );
            false
        }
    }
}

fn try_at(path: &Path) -> io::Result<bool> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all_at(&[1; 3 * UNIT_BYTES as usize], 0)?;
    punch(&file, UNIT_BYTES..2 * UNIT_BYTES)?;
    let hole = seek(&file, SeekFrom::Hole(0))?;
    Ok(hole == UNIT_BYTES && next_data(&file, UNIT_BYTES)? == Some(2 * UNIT_BYTES))
}
