//! What listeners and commands stand on: the data directory, its engines, and the keys.

use std::path::PathBuf;
use std::sync::Arc;

use super::credentials::root_key;
use super::data_dir::DataDir;
use super::engines::{close_kv, open_kv};
use super::start::StartError;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::identity::Identities;
use crate::kv::rocks::RocksKv;

/// Everything that is open while a data directory is in use.
pub struct Foundation {
    pub kv: Arc<RocksKv>,
    pub identities: Arc<Identities>,
    /// The file that holds the root key, if the configuration gives none.
    pub credentials: Option<PathBuf>,
    /// Declared last, dropped last: its lock guards the rest.
    pub dir: DataDir,
}

impl Foundation {
    /// Opens the engines on `dir`, and the keys in them.
    pub async fn open(dir: DataDir, config: &ServerConfig, clock: &Clock) -> Result<Self, StartError> {
        let root = root_key(&dir, &config.root, &config.s3.region)?;
        let master = dir.master_key()?;
        let kv = open_kv(dir.kv(), config).await?;
        let identities = Identities::open(kv.clone(), master, root.key, config.declared(), clock.clone()).await?;
        Ok(Self { kv, identities: Arc::new(identities), credentials: root.file, dir })
    }

    /// Syncs and closes the engines, then lets go of the directory. Nobody may be using them any more.
    pub async fn close(self) {
        close_kv(self.kv).await;
    }
}
