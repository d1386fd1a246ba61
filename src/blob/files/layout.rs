//! Where a blob's file is.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::BlobId;
use super::pack::PackId;

/// How many directories the blobs are spread over.
pub(super) const FAN_OUT: u64 = 256;

/// How many consecutive blobs of a run share a directory.
///
/// Writers of the same time mostly meet in one directory, so that one sync serves many of them, and a listing in order
/// reads directories one after the other.
pub(super) const SEGMENT_BLOBS: u64 = 4096;

/// The directory of blobs that were taken out of the store.
const QUARANTINE: &str = "quarantine";

/// The directory of files with many blobs.
const PACKS: &str = "packs";

/// The tree of directories: they all exist from the start, so that no writer ever waits for one to be made durable.
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

/// Consecutive blobs of one run: the part of a listing that lies in one directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) run: u64,
    pub(super) number: u64,
}

impl Layout {
    /// The tree below `root`, whether or not it is there.
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Makes the directories that are missing, durably.
    pub(super) fn prepare(root: &Path) -> io::Result<Self> {
        let layout = Self::at(root);
        make(root, true)?;
        for index in 0..FAN_OUT {
            make(&layout.directory(index), false)?;
        }
        make(&layout.packs(), false)?;
        // Also where nothing was made just now: an earlier process may have been killed between making and syncing. The
        // directories' own contents are synced by those who put blobs into them.
        sync_directory(root)?;
        let parent = root.canonicalize()?.parent().map(Path::to_path_buf);
        parent.map_or(Ok(()), |parent| sync_directory(&parent))?;
        Ok(layout)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn directory(&self, index: u64) -> PathBuf {
        self.root.join(format!("{index:02x}"))
    }

    /// Moves a blob's file into quarantine, durably. Below the same root, so that it stays on the same file system.
    pub(super) fn quarantine(&self, id: BlobId) -> io::Result<()> {
        let path = self.path(id);
        fs::rename(&path, self.quarantined(id)?)?;
        // Where it is before where it was: a power loss in between leaves it in both places or in one, never in none.
        sync_directory(&self.root.join(QUARANTINE))?;
        sync_directory(&self.directory(Segment::of(id).directory()))
    }

    /// The file of a blob in quarantine, whose directory is made durably if need be.
    pub(super) fn quarantined(&self, id: BlobId) -> io::Result<PathBuf> {
        let quarantine = self.root.join(QUARANTINE);
        make(&quarantine, false)?;
        sync_directory(&self.root)?;
        Ok(quarantine.join(id.to_string()))
    }

    pub(super) fn packs(&self) -> PathBuf {
        self.root.join(PACKS)
    }

    pub(super) fn pack(&self, id: PackId) -> PathBuf {
        let mut path = self.packs();
        path.push(id.name());
        path
    }

    /// The file of a blob that has one of its own.
    pub(super) fn path(&self, id: BlobId) -> PathBuf {
        let mut path = self.directory(Segment::of(id).directory());
        path.push(id.to_string());
        path
    }
}

impl Segment {
    pub(super) fn of(id: BlobId) -> Self {
        Self { run: id.run, number: id.number / SEGMENT_BLOBS }
    }

    /// The number of the segment's directory. Each run begins one further, so that short runs spread out too.
    pub(super) fn directory(self) -> u64 {
        self.run.wrapping_add(self.number) % FAN_OUT
    }
}

/// Gives the blob that a file's name stands for, or `None` for a name that this engine does not give.
pub(super) fn parse_name(name: &OsStr) -> Option<BlobId> {
    let name = name.to_str().filter(|name| name.len() == 32)?;
    let canonical = name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !canonical {
        return None;
    }
    let (run, number) = name.split_at(16);
    let parse = |digits| u64::from_str_radix(digits, 16).ok();
    Some(BlobId { run: parse(run)?, number: parse(number)? })
}

/// Makes entries of a directory (files made in it, names given) survive a power loss.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn make(path: &Path, with_parents: bool) -> io::Result<()> {
    let made = DirBuilder::new().mode(0o700).recursive(with_parents).create(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::metadata(path)?.is_dir() => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blobs_of_one_time_share_a_directory_and_runs_spread_out() {
        let directory = |run, number| Segment::of(BlobId { run, number }).directory();
        assert_eq!(directory(7, 0), directory(7, SEGMENT_BLOBS - 1));
        assert_ne!(directory(7, 0), directory(7, SEGMENT_BLOBS));
        assert_ne!(directory(7, 0), directory(8, 0));
        assert!(directory(u64::MAX, u64::MAX) < FAN_OUT);
    }

    #[test]
    fn names_that_the_engine_does_not_give_are_no_blobs() {
        let upper = "0000000000000001000000000000000A";
        for name in ["", "00", "tmp", upper, "+000000000000001000000000000000a", "0000000000000001000000000000000a1"] {
            assert_eq!(parse_name(OsStr::new(name)), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_name_leads_back_to_its_blob_and_sorts_as_it_does(run: u64, number: u64, other_run: u64, other: u64) {
            let (a, b) = (BlobId { run, number }, BlobId { run: other_run, number: other });
            prop_assert_eq!(parse_name(OsStr::new(&a.to_string())), Some(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
