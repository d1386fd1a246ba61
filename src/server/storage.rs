//! The object store on a data directory, with its sweeper.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::foundation::Foundation;
use super::start::StartError;
use crate::blob::{self, FileBlobs};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::store::space::Reserve;
use crate::store::{self, Position, Store, sweep};

/// The open store and the task that sweeps it.
pub struct Storage {
    pub store: Arc<Store>,
    sweeper: JoinHandle<()>,
}

impl Storage {
    /// Opens the blobs and the store, and starts sweeping.
    pub async fn open(foundation: &Foundation, config: &ServerConfig, clock: &Clock) -> Result<Self, StartError> {
        let store = open_store(foundation, config, clock).await?;
        // Nothing is trimmed before those who deliver the log have said where they are.
        store.hold_log(Some(Position(0)));
        let sweeper = tokio::spawn(sweep::run(Arc::clone(&store), config.store.sweep_interval));
        Ok(Self { store, sweeper })
    }

    /// Ends the sweeper. What it was at is taken up again at the next start.
    pub async fn stop(self) {
        self.sweeper.abort();
        // The only error here is the one just asked for.
        let _ = self.sweeper.await;
    }
}

/// Opens the blobs and the store, with the domains that the configuration declares. Nothing is swept by itself.
pub async fn open_store(
    foundation: &Foundation,
    config: &ServerConfig,
    clock: &Clock,
) -> Result<Arc<Store>, StartError> {
    let path = foundation.dir.blobs();
    let blobs = blob::Options { pack_threshold: config.store.pack_threshold, ..blob::Options::default() };
    let opened = tokio::task::spawn_blocking(move || FileBlobs::open(&path, blobs)).await;
    let blobs = opened.map_err(|stopped| StartError::Blobs(std::io::Error::other(stopped).into()))?;
    let blobs = Arc::new(blobs.map_err(StartError::Blobs)?);
    let store = Store::open(foundation.kv.clone(), blobs, clock.clone(), options(config)).await?;
    store.declare_domains(config.declared_domains());
    Ok(store)
}

fn options(config: &ServerConfig) -> store::Options {
    let reserve = config.store.reserve;
    store::Options {
        inline_threshold: config.store.inline_threshold,
        upload_memory: config.limits.upload_memory,
        reserve: Reserve { bytes: reserve.bytes, percent: reserve.percent },
        upload_expiry: config.store.incomplete_upload_expiry,
        log_retention: config.store.log_retention,
        max_object: config.limits.object_size,
    }
}
