//! `brim restore`: a backup, put back into a directory of its own.
//!
//! `DIR/restoring` is there from the first step to the last: with it, and without the marker, a directory is refused by
//! everything but another restore. That one begins with the metadata anew, and keeps the blobs that are whole.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use zeroize::Zeroizing;

use super::backup::wanted;
use super::data_dir::{self, BLOBS, KV, LOCK, MARKER, MASTER_KEY, RESTORING, is_trial, remove_tree};
use super::engines::{close_kv, open_kv};
use super::file_system::{Ephemeral, refuse_ephemeral};
use super::lock::{self, DirectoryLock};
use super::marker::{self, Marker};
use super::master_key;
use crate::backup::{self, Manifest, Placed, Transfer, copy_in};
use crate::blob::BlobTree;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::identity::MasterKey;
use crate::kv;
use crate::kv::rocks::RocksKv;
use crate::private_file;
use crate::report::Report;
use crate::store::lineage::{NewLine, begin_new_line};
use crate::store::tables;

/// What is wanted of a restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub from: PathBuf,
    /// The master key's file, where the backup does not hold it.
    pub master_key: Option<PathBuf>,
    /// Whether files may be hard links to the backup's.
    pub link: bool,
    /// Whether the restore is finished although blobs are missing or damaged.
    pub accept_damage: bool,
}

/// What was put back.
#[derive(Debug, Clone)]
pub struct Restored {
    pub manifest: Manifest,
    /// The new directory's id.
    pub instance: String,
    pub line: NewLine,
    pub placed: Placed,
}

/// Why a backup was not put back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{path} is a data directory already: restore into a directory of its own")]
    InUse { path: PathBuf },
    #[error("{path} is not empty: restore into a directory of its own")]
    NotEmpty { path: PathBuf },
    #[error(
        "the backup was made without its master key, and without that key no access key can be read: pass the file \
         master.key of the original data directory with --master-key"
    )]
    NoMasterKey,
    #[error("{path} is not the master key of this backup")]
    WrongMasterKey { path: PathBuf },
    #[error(
        "{path} is gone, though the backup was made with it: put it back, or, to do without it, say so in \
         brim-backup.json"
    )]
    LostSecret { path: PathBuf },
    #[error(transparent)]
    Ephemeral(#[from] Ephemeral),
    #[error(transparent)]
    DataDir(#[from] data_dir::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error(transparent)]
    Marker(#[from] marker::Error),
    #[error(transparent)]
    MasterKey(#[from] master_key::Error),
    #[error(transparent)]
    File(#[from] private_file::Error),
    #[error("cannot open the metadata: {0}")]
    Kv(#[from] kv::Error),
    #[error(transparent)]
    Copy(#[from] backup::Error),
}

/// A secret's file: its name, and what is in it.
type Secret = (&'static str, Zeroizing<Vec<u8>>);

/// Makes the data directory of `config` from a backup. What can be refused is refused before anything is copied.
///
/// Blocks for long stretches: to be run on a thread of its own, in a runtime with several threads.
pub async fn restore(
    config: &ServerConfig,
    options: &RestoreOptions,
    report: &Report,
) -> Result<Restored, RestoreError> {
    // As the server would refuse it afterwards.
    if !config.store.allow_ephemeral {
        refuse_ephemeral(&config.process.data)?;
    }
    let manifest = Manifest::read(&options.from)?;
    let master = master_key_of(&manifest, options)?;
    let secrets = secrets_of(&manifest, &options.from)?;
    let dir = Unfinished::begin(&config.process.data)?;
    let kv_path = dir.remade(KV)?;
    copy_in(&options.from.join(KV), &kv_path, &manifest.kv, options.link, report)?;
    let kv = open_kv(kv_path, config).await?;
    let copied = copy_rest(&dir, &manifest, options, &kv, report).await;
    // Synced, and its lock given back, before the marker says that all is well.
    close_kv(kv).await;
    let (line, placed) = copied?;
    master_key::write(&dir.path.join(MASTER_KEY), &master)?;
    for (name, text) in secrets {
        private_file::write(&dir.path.join(name), &text)?;
    }
    let marker = dir.finish()?;
    Ok(Restored { manifest, instance: marker.instance, line, placed })
}

fn master_key_of(manifest: &Manifest, options: &RestoreOptions) -> Result<MasterKey, RestoreError> {
    let path = match &options.master_key {
        Some(path) => path.clone(),
        None if manifest.secrets.master_key => options.from.join(MASTER_KEY),
        None => return Err(RestoreError::NoMasterKey),
    };
    let master = master_key::read(&path)?;
    match master.fingerprint() == manifest.master_key {
        true => Ok(master),
        false => Err(RestoreError::WrongMasterKey { path }),
    }
}

/// Reads the secrets beside the master key that the manifest says are in the backup.
fn secrets_of(manifest: &Manifest, from: &Path) -> Result<Vec<Secret>, RestoreError> {
    let mut secrets = Vec::new();
    for name in wanted(manifest.secrets).filter(|name| *name != MASTER_KEY) {
        let path = from.join(name);
        let text = private_file::read(&path)?.ok_or(RestoreError::LostSecret { path })?;
        secrets.push((name, text));
    }
    Ok(secrets)
}

/// Begins the new line of the metadata, and brings it its blobs.
async fn copy_rest(
    dir: &Unfinished,
    manifest: &Manifest,
    options: &RestoreOptions,
    kv: &Arc<RocksKv>,
    report: &Report,
) -> Result<(NewLine, Placed), RestoreError> {
    let line = begin_new_line(&**kv, kv.last_position(tables::LOG)?).await.map_err(backup::Error::from)?;
    let root = dir.path.join(BLOBS);
    let transfer = Transfer {
        from: BlobTree::at(&options.from.join(BLOBS)),
        to: BlobTree::make(&root).map_err(backup::Error::from)?,
        link: options.link.then(|| manifest.scrutiny()),
        base: None,
        resumed: true,
        salvage: options.accept_damage,
    };
    let placed = transfer.run(kv.clone(), report).await?;
    if placed.damaged > 0 && !options.accept_damage {
        return Err(backup::Error::DamagedBlobs(placed.damaged).into());
    }
    let blobs = BlobTree::at(&root);
    blobs.sync().map_err(backup::Error::from)?;
    // The engine of the blobs gives out ids behind this: none that the original gave out since the backup.
    blobs.set_last_run(line.last_run).map_err(backup::Error::from)?;
    Ok((line, placed))
}

/// A directory that is to become a data directory, locked.
struct Unfinished {
    path: PathBuf,
    _lock: DirectoryLock,
}

impl Unfinished {
    /// Takes a directory that does not exist, that is empty, or that another restore left unfinished.
    fn begin(path: &Path) -> Result<Self, RestoreError> {
        refuse_occupied(path)?;
        data_dir::create(path).map_err(backup::Error::at(path))?;
        let lock = DirectoryLock::take(&path.join(LOCK), path)?;
        // Again under the lock: another process may have been at it meanwhile.
        refuse_occupied(path)?;
        private_file::write(
            &path.join(RESTORING),
            b"A backup is being put back here: this is no data directory yet.\n",
        )?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Makes the subdirectory `name` anew.
    fn remade(&self, name: &str) -> Result<PathBuf, backup::Error> {
        let path = self.path.join(name);
        remove_tree(&path).map_err(backup::Error::at(&path))?;
        DirBuilder::new().mode(0o700).create(&path).map_err(backup::Error::at(&path))?;
        Ok(path)
    }

    /// Makes it a data directory: everything that is in it is durable first.
    fn finish(self) -> Result<Marker, RestoreError> {
        for directory in [self.path.join(KV), self.path.clone()] {
            private_file::sync_directory(&directory).map_err(backup::Error::at(&directory))?;
        }
        // An id of its own: the original may go on beside it.
        let marker = Marker::new(Clock::system().now())?;
        marker.write(&self.path.join(MARKER))?;
        // The marker counts from here on, whether or not this is still there after a crash.
        let restoring = self.path.join(RESTORING);
        fs::remove_file(&restoring).map_err(backup::Error::at(&restoring))?;
        private_file::sync_directory(&self.path).map_err(backup::Error::at(&self.path))?;
        Ok(marker)
    }
}

fn refuse_occupied(path: &Path) -> Result<(), RestoreError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(backup::Error::at(path))?,
    };
    if path.join(MARKER).exists() {
        return Err(RestoreError::InUse { path: path.to_owned() });
    }
    let is_restore = path.join(RESTORING).exists();
    // `lost+found` is in the root of every ext4 file system; the lock may be all that is left of an earlier attempt.
    let harmless = |entry: fs::DirEntry| {
        let name = entry.file_name();
        name == "lost+found" || name == LOCK || is_trial(&entry)
    };
    match is_restore || entries.flatten().all(harmless) {
        true => Ok(()),
        false => Err(RestoreError::NotEmpty { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_doctor_left_does_not_occupy_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".brim-doctor-7"), "").unwrap();
        refuse_occupied(dir.path()).unwrap();
        fs::write(dir.path().join("thesis.txt"), "").unwrap();
        assert!(matches!(refuse_occupied(dir.path()), Err(RestoreError::NotEmpty { .. })));
    }
}
