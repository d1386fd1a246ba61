//! `brim backup`: a data directory, copied to another place. See [`crate::backup`] for why the copy is consistent.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::data_dir::{self, BLOBS, CHECKPOINT, CREDENTIALS, DataDir, KV, MARKER, MASTER_KEY, remove_tree};
use super::engines::{TABLES, close_kv, open_kv};
use super::hold::checkpoint_in;
use super::marker::{self, Marker};
use super::master_key;
use crate::admin::{Hold, HoldError, hold};
use crate::backup::{self, Base, BlobTotals, FORMAT, LogHead, MANIFEST, Manifest, Placed, Secrets, Transfer, copy_out};
use crate::blob::{BlobTree, Scrutiny};
use crate::clock::{Clock, Timestamp};
use crate::config::ServerConfig;
use crate::kv;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::private_file;
use crate::report::Report;
use crate::store::{lineage, tables};

/// What is wanted of a backup.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Where it goes: a directory that does not exist or is empty.
    pub to: PathBuf,
    /// An older backup, finished or not, whose blobs are linked instead of copied.
    pub base: Option<PathBuf>,
    /// Whether every blob is copied, even where it could be a hard link to the data directory's file.
    pub copy: bool,
    pub secrets: Secrets,
    /// Whether the backup is finished although blobs are missing or damaged.
    pub accept_damage: bool,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{path} holds {what}: give the backup a directory of its own")]
    NotEmpty { path: PathBuf, what: &'static str },
    #[error("{to} is in the data directory {data}: keep the backup outside of it")]
    Inside { to: PathBuf, data: PathBuf },
    #[error("{0} holds no blobs of a backup")]
    NoBase(PathBuf),
    #[error(transparent)]
    Hold(#[from] HoldError),
    #[error(transparent)]
    DataDir(#[from] data_dir::Error),
    #[error(transparent)]
    Marker(#[from] marker::Error),
    #[error(transparent)]
    MasterKey(#[from] master_key::Error),
    #[error(transparent)]
    File(#[from] private_file::Error),
    #[error("cannot copy the metadata: {0}")]
    Kv(#[from] kv::Error),
    #[error(transparent)]
    Copy(#[from] backup::Error),
}

/// Copies the data directory of `config` while a server works on it, or while none does.
///
/// `stop` is the token that `report` was made with; it is cancelled where the server lets go of what is being copied.
/// Blocks for long stretches: to be run on a thread of its own, in a runtime with several threads.
pub async fn back_up(
    config: &ServerConfig,
    options: &BackupOptions,
    report: &Report,
    stop: CancellationToken,
) -> Result<(Manifest, Placed), BackupError> {
    let data = &config.process.data;
    check(data, options)?;
    // Before the checkpoint: what was answered until then is in it.
    let created = Clock::system().now();
    let held = Held::take(config, stop).await?;
    let copied = copy(data, options, created, report).await;
    let (manifest, placed) = judge(copied, held.release())?;
    // Last, and durable when this returns: whoever sees the manifest sees a whole backup.
    private_file::write(&options.to.join(MANIFEST), &manifest.encode())?;
    Ok((manifest, placed))
}

/// What came of copying what was held, once it is known whether it was held to the end.
fn judge(
    copied: Result<(Manifest, Placed), BackupError>,
    released: Result<(), BackupError>,
) -> Result<(Manifest, Placed), BackupError> {
    // Why the server let go says more than that the copying was stopped. And what is missing then may be what was swept
    // since: that is no damage. Where nothing is missing, it was held for long enough.
    use backup::Error::{DamagedBlobs, Stopped};
    match (copied, released) {
        (Err(BackupError::Copy(Stopped(_) | DamagedBlobs(_))), Err(reason @ BackupError::Hold(_))) => Err(reason),
        (Ok((_, placed)), Err(reason @ BackupError::Hold(_))) if placed.damaged > 0 => Err(reason),
        (copied, _) => copied,
    }
}

/// A checkpoint that stays, with every blob that it points at.
enum Held {
    ByServer(Hold),
    /// No server runs, and none can start: the directory is locked.
    Here(DataDir),
}

impl Held {
    async fn take(config: &ServerConfig, stop: CancellationToken) -> Result<Self, BackupError> {
        if let Some(hold) = hold(&config.process.data, stop)? {
            return Ok(Self::ByServer(hold));
        }
        let dir = DataDir::open_existing(&config.process.data)?;
        let kv = open_kv(dir.kv(), config).await?;
        let made = checkpoint_in(&dir.checkpoint(), &kv);
        close_kv(kv).await;
        made?;
        Ok(Self::Here(dir))
    }

    fn release(self) -> Result<(), BackupError> {
        match self {
            Self::ByServer(hold) => Ok(hold.release()?),
            Self::Here(dir) => {
                remove_tree(&dir.checkpoint()).map_err(backup::Error::at(&dir.checkpoint())).map_err(Into::into)
            }
        }
    }
}

/// Refuses what cannot become a backup, before anything is made.
fn check(data: &Path, options: &BackupOptions) -> Result<(), BackupError> {
    let to = &options.to;
    // Of a directory that does not exist the one above it tells where it would be.
    if let (Ok(data), Some(Ok(place))) = (data.canonicalize(), to.ancestors().find_map(existing))
        && place.starts_with(&data)
    {
        return Err(BackupError::Inside { to: to.clone(), data });
    }
    if let Some(base) = options.base.as_ref().filter(|base| !base.join(BLOBS).is_dir()) {
        return Err(BackupError::NoBase(base.clone()));
    }
    refuse_occupied(to)
}

/// Copies what is held, durably, all but the manifest that it gives: without it, an interrupted backup does not count.
async fn copy(
    data: &Path,
    options: &BackupOptions,
    created: Timestamp,
    report: &Report,
) -> Result<(Manifest, Placed), BackupError> {
    let (to, checkpoint) = (&options.to, data.join(CHECKPOINT).join(KV));
    data_dir::create(to).map_err(backup::Error::at(to))?;
    // First what is small and may be missing.
    let master_key = master_key::read(&data.join(MASTER_KEY))?.fingerprint();
    copy_secrets(data, to, options.secrets)?;
    make_directory(&to.join(KV))?;
    let kv_files = copy_out(&checkpoint, &to.join(KV), !options.copy, report)?;
    let kv = Arc::new(RocksKv::open_read_only(&checkpoint, RocksOptions::default(), TABLES)?);
    let placed = copy_blobs(data, options, kv.clone(), report).await?;
    let manifest = Manifest {
        format: FORMAT,
        brim: env!("CARGO_PKG_VERSION").to_owned(),
        created: created.to_string(),
        instance: instance(data)?,
        log: log_head(&kv).await?,
        last_run: lineage::last_run(&*kv).await.map_err(backup::Error::from)?,
        master_key,
        secrets: options.secrets,
        blobs: BlobTotals { count: placed.count(), bytes: placed.bytes, damaged: placed.damaged },
        kv: kv_files,
    };
    for directory in [&to.join(KV), to] {
        private_file::sync_directory(directory).map_err(backup::Error::at(directory))?;
    }
    Ok((manifest, placed))
}

/// Links or copies the blobs, durably.
async fn copy_blobs(
    data: &Path,
    options: &BackupOptions,
    kv: Arc<RocksKv>,
    report: &Report,
) -> Result<Placed, backup::Error> {
    let root = options.to.join(BLOBS);
    let transfer = Transfer {
        from: BlobTree::at(&data.join(BLOBS)),
        to: BlobTree::make(&root)?,
        link: (!options.copy).then_some(Scrutiny::Footer),
        base: options.base.as_deref().map(base),
        resumed: false,
        salvage: options.accept_damage,
    };
    let placed = transfer.run(kv, report).await?;
    if placed.damaged > 0 && !options.accept_damage {
        return Err(backup::Error::DamagedBlobs(placed.damaged));
    }
    BlobTree::at(&root).sync()?;
    Ok(placed)
}

async fn log_head(kv: &RocksKv) -> Result<LogHead, BackupError> {
    let id = lineage::log_id(kv).await.map_err(backup::Error::from)?;
    Ok(LogHead { id: id.map(|id| id.to_string()).unwrap_or_default(), position: kv.last_position(tables::LOG)? })
}

fn existing(path: &Path) -> Option<io::Result<PathBuf>> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    path.exists().then(|| path.canonicalize())
}

fn refuse_occupied(path: &Path) -> Result<(), BackupError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(backup::Error::at(path))?,
    };
    if entries.flatten().all(|entry| entry.file_name() == "lost+found") {
        return Ok(());
    }
    let what = match (Manifest::is_in(path), path.join(MARKER).exists(), path.join(KV).is_dir()) {
        (true, ..) => "a backup already",
        (_, true, _) => "a data directory",
        (_, _, true) => "a backup that was not finished (what was copied can be used again with --base)",
        _ => "other files",
    };
    Err(BackupError::NotEmpty { path: path.to_owned(), what })
}

fn make_directory(path: &Path) -> Result<(), backup::Error> {
    DirBuilder::new().mode(0o700).create(path).map_err(backup::Error::at(path))
}

/// In a backup that was not finished a power loss may have left holes.
fn base(path: &Path) -> Base {
    let scrutiny = Manifest::read(path).map_or(Scrutiny::Bytes, |manifest| manifest.scrutiny());
    Base { tree: BlobTree::at(&path.join(BLOBS)), scrutiny }
}

fn copy_secrets(data: &Path, to: &Path, secrets: Secrets) -> Result<(), BackupError> {
    for name in wanted(secrets) {
        let source = data.join(name);
        let missing = || backup::Error::at(&source)(io::Error::from(io::ErrorKind::NotFound));
        let text = private_file::read(&source)?.ok_or_else(missing)?;
        private_file::write(&to.join(name), &text)?;
    }
    Ok(())
}

/// The files of the secrets that are wanted.
pub(super) fn wanted(secrets: Secrets) -> impl Iterator<Item = &'static str> {
    let both = [(secrets.master_key, MASTER_KEY), (secrets.credentials, CREDENTIALS)];
    both.into_iter().filter_map(|(wanted, name)| wanted.then_some(name))
}

fn instance(data: &Path) -> Result<String, BackupError> {
    let missing = || data_dir::Error::Missing { path: data.to_owned() };
    Ok(Marker::read(&data.join(MARKER))?.ok_or_else(missing)?.instance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(damaged: u64) -> Result<(Manifest, Placed), BackupError> {
        let manifest = Manifest {
            format: FORMAT,
            brim: String::new(),
            created: String::new(),
            instance: String::new(),
            log: LogHead { id: String::new(), position: 0 },
            last_run: 1,
            master_key: String::new(),
            secrets: Secrets::default(),
            blobs: BlobTotals { damaged, ..BlobTotals::default() },
            kv: Vec::new(),
        };
        Ok((manifest, Placed { damaged, ..Placed::default() }))
    }

    fn lost() -> Result<(), BackupError> {
        Err(HoldError::Refused("it took too long".to_owned()).into())
    }

    #[test]
    fn blobs_that_are_missing_once_the_hold_is_lost_are_not_called_damage() {
        let is_lost = |judged| matches!(judged, Err(BackupError::Hold(_)));
        assert!(is_lost(judge(copied(1), lost())));
        assert!(is_lost(judge(Err(backup::Error::DamagedBlobs(1).into()), lost())));
        assert!(is_lost(judge(Err(backup::Error::Stopped(crate::report::Stopped).into()), lost())));
        // Everything was there: the server went away just afterwards.
        assert!(judge(copied(0), lost()).is_ok());
        assert!(judge(copied(1), Ok(())).is_ok());
    }
}
