//! The data directory: whose it is, in which format, and that one process at a time uses it.
//!
//! ```text
//! DIR/brim.json     the marker: format, instance id, time of making. Written last at the first start
//! DIR/lock          locked by the process that uses the directory; holds its pid
//! DIR/master.key    what secrets are encrypted with
//! DIR/credentials   the root key, where the configuration gives none
//! DIR/acme/         certificates from an authority, and the accounts there
//! DIR/admin.sock    operator commands, while a server runs
//! DIR/kv/           the metadata engine
//! DIR/blobs/        the bytes of large objects
//! DIR/checkpoint/   a copy of the metadata engine's files, while a backup is made
//! DIR/restoring     while a backup is put back here: then this is no data directory yet
//! ```

use std::fs::{self, DirBuilder, DirEntry, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::lock::DirectoryLock;
use super::marker::Marker;
use super::{lock, marker, master_key};
use crate::backup::MANIFEST;
use crate::clock::Clock;
use crate::identity::MasterKey;
use crate::private_file;

const OWNER_ONLY: u32 = 0o700;

pub(super) const ACME: &str = "acme";
pub(super) const KV: &str = "kv";
pub(super) const BLOBS: &str = "blobs";
pub(super) const MASTER_KEY: &str = "master.key";
pub(super) const CREDENTIALS: &str = "credentials";
pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const LOCK: &str = "lock";
pub(super) const MARKER: &str = "brim.json";
pub(super) const RESTORING: &str = "restoring";
/// What the names of the files begin with that `brim doctor` tries the disk with, and leaves behind where it is killed.
pub(super) const TRIAL: &str = ".brim-doctor-";

/// The largest number of foreign entries that a message names.
const MAX_NAMED: usize = 3;

/// An open data directory. No other process can open it until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    marker: Marker,
    _lock: DirectoryLock,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the data directory {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is not empty and not a data directory of brim (found {found}): give it a directory of its own")]
    NotOurs { path: PathBuf, found: String },
    #[error(
        "{path} holds data but its marker brim.json is gone, or it is a backup that was not finished: \"A lost marker\" in \
             docs/operating.md says how to write the marker anew"
    )]
    LostMarker { path: PathBuf },
    #[error("{path} is a data directory but {part} is missing: it was removed or not restored, and no new one is made")]
    LostPart { path: PathBuf, part: &'static str },
    #[error("{path} is a backup: `brim restore {path} --data DIR` puts it back into a directory of its own")]
    Backup { path: PathBuf },
    #[error("a restore into {path} was not finished: run it again, or remove the directory")]
    HalfRestored { path: PathBuf },
    #[error("there is no data directory at {path}: `brim server --data {path}` makes one")]
    Missing { path: PathBuf },
    #[error(transparent)]
    Locked(#[from] lock::Error),
    #[error(transparent)]
    Marker(#[from] marker::Error),
    #[error(transparent)]
    MasterKey(#[from] master_key::Error),
    #[error(transparent)]
    File(#[from] private_file::Error),
}

impl DataDir {
    /// Opens the directory, or makes it where there is none or an empty one.
    pub fn open_or_create(path: &Path, clock: &Clock) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        create(path).map_err(failed)?;
        // Before the lock there is nothing to write, so a directory that is not ours stays as it was.
        // The second look is for a process that made the directory meanwhile: it is to be named as the one running.
        if !exists(path, MARKER)?
            && let Err(error) = check_fresh(path)
            && !exists(path, MARKER)?
        {
            return Err(error);
        }
        let lock = DirectoryLock::take(&path.join(LOCK), path)?;
        // Again under the lock: another process may have made the directory meanwhile.
        let marker = match Marker::read(&path.join(MARKER))? {
            Some(marker) => marker,
            None => initialize(path, clock)?,
        };
        Self::opened(path, marker, lock)
    }

    /// Opens a directory that a server made before; makes nothing.
    pub fn open_existing(path: &Path) -> Result<Self, Error> {
        let missing = || Error::Missing { path: path.to_owned() };
        if !exists(path, MARKER)? {
            return Err(match check_fresh(path) {
                Err(known @ (Error::LostMarker { .. } | Error::HalfRestored { .. } | Error::Backup { .. })) => known,
                _ => missing(),
            });
        }
        let lock = DirectoryLock::take(&path.join(LOCK), path)?;
        let marker = Marker::read(&path.join(MARKER))?.ok_or_else(missing)?;
        Self::opened(path, marker, lock)
    }

    fn opened(path: &Path, marker: Marker, lock: DirectoryLock) -> Result<Self, Error> {
        for part in [KV, BLOBS, MASTER_KEY] {
            if !exists(path, part)? {
                return Err(Error::LostPart { path: path.to_owned(), part });
            }
        }
        let dir = Self { path: path.to_owned(), marker, _lock: lock };
        // Left behind by a process that died: under the lock nobody needs it any more.
        remove_tree(&dir.checkpoint()).map_err(|source| Error::Io { path: dir.checkpoint(), source })?;
        remove_trials(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Ok(dir)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A random id that stays with the directory.
    pub fn instance(&self) -> &str {
        &self.marker.instance
    }

    /// Where the metadata engine keeps its files.
    pub fn kv(&self) -> PathBuf {
        self.path.join(KV)
    }

    /// Where the metadata engine's files are copied to for a backup.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT)
    }

    /// Where blobs are kept.
    pub fn blobs(&self) -> PathBuf {
        self.path.join(BLOBS)
    }

    /// Where the root key is kept, if the configuration gives none.
    pub fn credentials(&self) -> PathBuf {
        self.path.join(CREDENTIALS)
    }

    /// Where accounts with certificate authorities are kept, and the certificates that they issued.
    pub fn acme(&self) -> PathBuf {
        self.path.join(ACME)
    }

    /// Reads the master key.
    pub fn master_key(&self) -> Result<MasterKey, Error> {
        Ok(master_key::read(&self.path.join(MASTER_KEY))?)
    }
}

/// Makes the directory and those above it, each durable in the one that holds it.
pub(super) fn create(path: &Path) -> io::Result<()> {
    let is_missing = |ancestor: &&Path| !ancestor.as_os_str().is_empty() && !ancestor.is_dir();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(path)?;
    for made in missing {
        private_file::sync_directory(made.parent().unwrap_or(Path::new("")))?;
    }
    Ok(())
}

/// Makes a fresh directory a data directory.
///
/// The marker comes last: a crash anywhere before leaves a directory that [`check_fresh`] takes for fresh, and the next
/// start goes on with the parts that are there. From the marker on every part must be there, so that a lost
/// `master.key` or `kv` is noticed and never silently replaced by an empty one.
fn initialize(path: &Path, clock: &Clock) -> Result<Marker, Error> {
    check_fresh(path)?;
    let failed = |source| Error::Io { path: path.to_owned(), source };
    for part in [KV, BLOBS] {
        DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(path.join(part)).map_err(failed)?;
    }
    master_key::make_if_absent(&path.join(MASTER_KEY))?;
    // The parts before the marker, on the disk too.
    private_file::sync_directory(path).map_err(failed)?;
    let marker = Marker::new(clock.now())?;
    marker.write(&path.join(MARKER))?;
    Ok(marker)
}

/// Refuses a directory without marker that holds anything but what a first start makes before its marker.
fn check_fresh(path: &Path) -> Result<(), Error> {
    check_no_copy(path)?;
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let mut foreign = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let fresh = match name.as_str() {
            // `lost+found` is in the root of every ext4 file system.
            LOCK | MASTER_KEY | "master.key.tmp" | "brim.json.tmp" | "lost+found" => true,
            KV | BLOBS => is_empty(&entry.path()).map_err(failed)?,
            _ => is_trial(&entry),
        };
        if fresh {
            continue;
        }
        if name == KV || name == BLOBS {
            return Err(Error::LostMarker { path: path.to_owned() });
        }
        foreign.push(name);
    }
    if foreign.is_empty() {
        return Ok(());
    }
    foreign.sort();
    foreign.truncate(MAX_NAMED);
    Err(Error::NotOurs { path: path.to_owned(), found: foreign.join(", ") })
}

/// Refuses a backup, and a directory into which one was not put back whole.
fn check_no_copy(path: &Path) -> Result<(), Error> {
    if exists(path, RESTORING)? {
        return Err(Error::HalfRestored { path: path.to_owned() });
    }
    if exists(path, MANIFEST)? {
        return Err(Error::Backup { path: path.to_owned() });
    }
    Ok(())
}

/// Removes a directory with everything in it, if it is there.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what a doctor that was killed left behind. One that is at work holds the lock of its file.
fn remove_trials(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !is_trial(&entry) {
            continue;
        }
        // Another user's file may be neither opened nor removed: it is in nobody's way.
        let Ok(file) = File::open(entry.path()) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::debug!(path = %entry.path().display(), %error, "a doctor's file was not removed");
        }
    }
    Ok(())
}

/// Whether it is a file that a doctor tries the disk with.
pub(super) fn is_trial(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(TRIAL.as_bytes())
        && entry.file_type().is_ok_and(|kind| kind.is_file())
}

fn exists(path: &Path, part: &str) -> Result<bool, Error> {
    path.join(part).try_exists().map_err(|source| Error::Io { path: path.to_owned(), source })
}

fn is_empty(path: &Path) -> io::Result<bool> {
    Ok(path.is_dir() && fs::read_dir(path)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn open(path: &Path) -> Result<DataDir, Error> {
        DataDir::open_or_create(path, &Clock::system())
    }

    fn temporary() -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        (parent, path)
    }

    #[test]
    fn a_directory_is_made_for_its_owner_alone_and_keeps_its_instance() {
        let (_parent, path) = temporary();
        let made = open(&path).unwrap();
        let instance = made.instance().to_owned();
        let master = made.master_key().unwrap();
        drop(made);

        let again = DataDir::open_existing(&path).unwrap();
        assert_eq!(again.instance(), instance);
        assert_eq!(again.master_key().unwrap().expose(), master.expose());
        for part in ["", KV, BLOBS] {
            assert_eq!(fs::metadata(path.join(part)).unwrap().mode() & 0o777, OWNER_ONLY, "{part}");
        }
        assert_eq!(fs::metadata(path.join(MASTER_KEY)).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn directories_above_are_made_too_and_a_file_in_the_way_is_refused() {
        let (_parent, path) = temporary();
        drop(open(&path.join("a/b")).unwrap());
        assert!(matches!(open(&path.join("a/b/lock")), Err(Error::Io { .. })));
    }

    #[test]
    fn a_directory_in_use_is_refused_with_the_pid() {
        let (_parent, path) = temporary();
        let _open = open(&path).unwrap();
        let refused = open(&path).unwrap_err().to_string();
        assert!(refused.starts_with("another brim is running on "), "{refused}");
        assert!(refused.ends_with(&format!("(pid {})", std::process::id())), "{refused}");
    }

    #[test]
    fn a_foreign_directory_is_refused_and_left_as_it_was() {
        let (_parent, path) = temporary();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(open(&path), Err(Error::NotOurs { found, .. }) if found == "thesis.txt"));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_doctor_left_is_in_nobodys_way_and_removed_unless_in_use() {
        let (_parent, path) = temporary();
        fs::create_dir(&path).unwrap();
        let (stale, used) = (path.join(format!("{TRIAL}7")), path.join(format!("{TRIAL}8.renamed")));
        fs::write(&stale, "").unwrap();
        let file = File::create(&used).unwrap();
        flock(&file, FlockOperation::LockExclusive).unwrap();
        drop(open(&path).unwrap());
        assert!(!stale.exists() && used.exists());
        drop(file);
        drop(open(&path).unwrap());
        assert!(!used.exists());
    }

    #[test]
    fn data_without_marker_is_refused() {
        let (_parent, path) = temporary();
        drop(open(&path).unwrap());
        fs::write(path.join(KV).join("CURRENT"), "").unwrap();
        fs::remove_file(path.join(MARKER)).unwrap();
        assert!(matches!(open(&path), Err(Error::LostMarker { .. })));
        assert!(matches!(DataDir::open_existing(&path), Err(Error::LostMarker { .. })));
    }

    #[test]
    fn a_lost_part_is_never_silently_replaced() {
        for part in [KV, BLOBS, MASTER_KEY] {
            let (_parent, path) = temporary();
            drop(open(&path).unwrap());
            let lost = path.join(part);
            if lost.is_dir() {
                fs::remove_dir(lost).unwrap()
            } else {
                fs::remove_file(lost).unwrap()
            }
            assert!(matches!(open(&path), Err(Error::LostPart { part: found, .. }) if found == part));
        }
    }

    #[test]
    fn a_first_start_that_was_cut_short_is_finished_by_the_next() {
        let (_parent, path) = temporary();
        drop(open(&path).unwrap());
        // What a crash just before the marker leaves.
        fs::remove_file(path.join(MARKER)).unwrap();
        fs::write(path.join("brim.json.tmp"), "{").unwrap();
        let master = fs::read(path.join(MASTER_KEY)).unwrap();
        drop(open(&path).unwrap());
        assert_eq!(fs::read(path.join(MASTER_KEY)).unwrap(), master);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let (_parent, path) = temporary();
        drop(open(&path).unwrap());
        fs::write(path.join(MARKER), r#"{"format":2,"shape":"unknown"}"#).unwrap();
        let refused = open(&path).unwrap_err().to_string();
        assert!(refused.contains("format 2") && refused.contains("newer"), "{refused}");
    }

    #[test]
    fn commands_make_no_directory() {
        let (_parent, path) = temporary();
        assert!(matches!(DataDir::open_existing(&path), Err(Error::Missing { .. })));
        assert!(!path.exists());
    }
}
