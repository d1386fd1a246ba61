//! The life of `brim server`: one step after the other, and back in the opposite order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::data_dir::DataDir;
use super::file_system::{Ephemeral, refuse_ephemeral};
use super::foundation::Foundation;
use super::listeners::{Following, Listeners};
use super::notifications::Notifications;
use super::observer::Observer;
use super::orders::{Orders, RunningOrders};
use super::reload::{Reload, warn_of_shadowed};
use super::storage::Storage;
use super::{credentials, data_dir, following};
use crate::clock::Clock;
use crate::config::{ServerConfig, Sources};
use crate::events::{deliver, endpoint};
use crate::process::{Hangup, Signals};
use crate::telemetry::metrics;
use crate::tls::{CertificateKeeper, Challenges, FileError, acme};
use crate::{blob, identity, kv, store};

/// Why a server did not start. Each message is one line, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    DataDir(#[from] data_dir::Error),
    #[error(transparent)]
    Ephemeral(#[from] Ephemeral),
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error("cannot open the metadata engine: {0}")]
    Kv(#[from] kv::Error),
    #[error("cannot open the blobs: {0}")]
    Blobs(#[source] blob::Error),
    #[error("cannot open the webhooks: {0}")]
    Endpoints(#[from] endpoint::Error),
    #[error("cannot begin to deliver notifications: {0}")]
    Deliveries(#[from] deliver::Error),
    #[error("cannot open the store: {0}")]
    Store(#[from] store::Error),
    #[error(transparent)]
    Metrics(#[from] metrics::Error),
    #[error("certificates from an authority: {0}")]
    Acme(#[source] acme::Error),
    #[error("{}", joined(.0))]
    Certificates(Vec<FileError>),
    #[error("cannot set up TLS: {0}")]
    Tls(#[source] rustls::Error),
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen { key: &'static str, address: SocketAddr, source: io::Error },
    #[error("cannot open the operator socket in {directory}: {source}")]
    OperatorSocket { directory: PathBuf, source: io::Error },
    #[error("the system gives no random bytes")]
    NoRandomBytes,
    #[error("cannot receive signals: {0}")]
    Signals(#[source] io::Error),
}

fn joined(faults: &[FileError]) -> String {
    faults.iter().map(FileError::to_string).collect::<Vec<_>>().join("; ")
}

/// Runs a server until SIGTERM or SIGINT. Prints one line on standard output when it is ready.
///
/// Needs a multi-threaded tokio runtime. Gives an error where the server cannot start; once it is ready, only `Ok`.
/// SIGHUP has `sources` read again.
pub async fn run(config: ServerConfig, sources: Sources) -> Result<(), StartError> {
    let clock = Clock::system();
    let mut signals = Signals::install().map_err(StartError::Signals)?;
    let hangup = Hangup::install().map_err(StartError::Signals)?;
    metrics::describe()?;
    metrics::started(clock.now());

    if !config.store.allow_ephemeral {
        refuse_ephemeral(&config.process.data)?;
    }
    let dir = DataDir::open_or_create(&config.process.data, &clock)?;
    let foundation = Foundation::open(dir, &config, &clock).await?;
    let certificates =
        CertificateKeeper::open(config.certificates.clone(), &clock).await.map_err(StartError::Certificates)?;
    let storage = Storage::open(&foundation, &config, &clock).await?;
    let notifications = Notifications::open(&config, &foundation, &storage, &clock).await?;
    let observer = Observer::start(&foundation, &storage, &notifications).await;
    let edges = following::open(&config, &foundation, &storage, &clock).await?;
    let challenges = Challenges::default();
    let orders = Orders::open(&config, &foundation, &storage, &certificates, &challenges, &clock).await?;
    let following = Following { edges: &edges, notifications: &notifications };
    let listeners = Listeners::start(&config, &foundation, &storage, following, &certificates, &challenges, &clock)?;
    warn_of_shadowed(&foundation.identities).await;
    listeners.ready_line(&foundation).print();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), durability = ?config.store.durability, "ready");

    let (identities, store) = (Arc::clone(&foundation.identities), Arc::clone(&storage.store));
    let orders = orders.map(Orders::begin);
    let wanted = orders.as_ref().map(RunningOrders::wanted);
    let watch = Arc::clone(&certificates).watch();
    let endpoints = Arc::clone(&notifications.events.endpoints);
    let reload = Reload { hangup, sources, started: config, identities, certificates, wanted, store, edges, endpoints };
    let signal = tokio::select! {
        signal = signals.next() => signal,
        never = reload.run() => match never {},
        never = watch => match never {},
    };
    tracing::info!(signal, "stopping");
    signals.exit_at_next();
    if let Some(orders) = orders {
        orders.stop().await;
    }
    listeners.stop().await;
    notifications.stop().await;
    observer.stop().await;
    storage.stop().await;
    foundation.close().await;
    tracing::info!("stopped");
    Ok(())
}
