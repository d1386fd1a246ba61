//! The server's part of a backup: a pin, a checkpoint, and patience.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::data_dir::{KV, remove_tree};
use crate::admin::{Answer, HELD, Reply};
use crate::kv::Error;
use crate::kv::rocks::RocksKv;
use crate::report::{Report, Unit};
use crate::store::Store;

/// Makes checkpoints and holds them, one at a time.
pub struct Holds {
    pub store: Arc<Store>,
    pub kv: Arc<RocksKv>,
    /// The directory that the checkpoint is made in: see [`checkpoint_in`].
    pub path: PathBuf,
    /// How long one may be held.
    pub limit: Duration,
    pub slot: Mutex<()>,
}

/// Makes a checkpoint of `kv` in the directory `path`, which does not exist, and whose removal leaves nothing behind: the
/// engine puts a directory of its own beside the checkpoint while it makes it. Blocks.
pub fn checkpoint_in(path: &Path, kv: &RocksKv) -> Result<(), Error> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|error| Error::Engine(format!("{}: {error}", path.display())))?;
    kv.checkpoint(&path.join(KV))
}

impl Holds {
    /// Pins the blobs, makes a checkpoint, tells so, and holds both until the client is gone, the server stops, or the time
    /// is over. Everything that one leaves behind is removed before this returns.
    pub async fn hold(&self, report: &Report) -> Reply {
        let Ok(_slot) = self.slot.try_lock() else {
            return Reply::Error("another backup is being made".to_owned());
        };
        // The pin first: what the checkpoint points at must not go while it is being made, either.
        let _pin = self.store.pin();
        tracing::info!("blobs are kept for a backup");
        let held = self.hold_checkpoint(report).await;
        let removed = self.remove().await;
        tracing::info!("blobs are removed again");
        match held.and(removed) {
            Ok(()) => Reply::Ok(Answer::Done),
            Err(reason) => Reply::Error(reason),
        }
    }

    async fn hold_checkpoint(&self, report: &Report) -> Result<(), String> {
        self.remove().await?;
        let (kv, path) = (Arc::clone(&self.kv), self.path.clone());
        let made = tokio::task::spawn_blocking(move || checkpoint_in(&path, &kv)).await;
        made.map_err(|stopped| stopped.to_string())?.map_err(|error| error.to_string())?;
        if report.progress(HELD, 0, None, Unit::Files).is_err() {
            return Ok(());
        }
        match report.pause(self.limit).await {
            Err(_stopped) => Ok(()),
            Ok(()) => {
                tracing::warn!(limit = ?self.limit, "a backup took too long: blobs are no longer kept for it");
                Err(format!("the backup took longer than store.backup_limit ({} s)", self.limit.as_secs()))
            }
        }
    }

    async fn remove(&self) -> Result<(), String> {
        let path = self.path.clone();
        let removed = tokio::task::spawn_blocking(move || remove_tree(&path)).await;
        removed.map_err(|stopped| stopped.to_string())?.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}
