//! The life of `brim server`: one step after the other, and back in the opposite order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::credentials::{self, root_key};
use super::data_dir::{self, DataDir};
use super::engines::{close_kv, open_kv};
use super::ready::ReadyLine;
use super::signals::Signals;
use crate::admin::{HealthListener, OperatorSocket, Readiness};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::identity::{self, Identities};
use crate::kv;
use crate::telemetry::metrics;

/// Why a server did not start. Each message is one line, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    DataDir(#[from] data_dir::Error),
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error("cannot open the metadata engine: {0}")]
    Kv(#[from] kv::Error),
    #[error(transparent)]
    Metrics(#[from] metrics::Error),
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen { key: &'static str, address: SocketAddr, source: io::Error },
    #[error("cannot open the operator socket in {directory}: {source}")]
    OperatorSocket { directory: String, source: io::Error },
    #[error("cannot receive signals: {0}")]
    Signals(#[source] io::Error),
}

/// Runs a server until SIGTERM or SIGINT. Prints one line on standard output when it is ready.
///
/// Needs a multi-threaded tokio runtime. Gives an error where the server cannot start; once it is ready, only `Ok`.
pub async fn run(config: ServerConfig) -> Result<(), StartError> {
    let clock = Clock::system();
    let mut signals = Signals::install().map_err(StartError::Signals)?;
    metrics::describe()?;
    metrics::started(clock.now());

    // The directory's lock comes first and goes last: everything below may count on being alone.
    let dir = DataDir::open_or_create(&config.process.data, &clock)?;
    let root = root_key(&dir, &config.root)?;
    let kv = open_kv(&dir, &config).await?;
    let account = config.identity.account_id.clone();
    let identities = Identities::open(kv.clone(), dir.master_key()?, root.key, account, clock.clone()).await?;
    let identities = Arc::new(identities);

    // Bound before anything is served: an address in use stops the start, not half a server.
    let (admin_listener, admin_address) = bind("admin.listen", config.admin.listen)?;
    let operators = OperatorSocket::start(dir.path(), Arc::clone(&identities))
        .map_err(|source| StartError::OperatorSocket { directory: dir.path().display().to_string(), source })?;
    let stopping = Arc::new(AtomicBool::new(false));
    let health = HealthListener::start(admin_listener, readiness(Arc::clone(&stopping)))
        .map_err(|source| StartError::Listen { key: "admin.listen", address: admin_address, source })?;
    let upkeep = spawn_upkeep();

    let mut line = ReadyLine::of("brim").with("admin", format!("http://{admin_address}"));
    line = line.with("data", dir.path().to_string_lossy());
    if let Some(file) = &root.file {
        line = line.with("credentials", file.to_string_lossy());
    }
    line.print();

    let signal = signals.next().await;
    tracing::info!(signal, "stopping");
    signals.exit_at_next();
    stopping.store(true, Ordering::SeqCst);
    // Those who change something stop before what they change; health answers until the end.
    operators.stop().await;
    close_kv(kv).await;
    health.stop().await;
    upkeep.abort();
    drop(dir);
    tracing::info!("stopped");
    Ok(())
}

/// Binds `address` and gives it back with the port that was taken.
fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { key, address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn readiness(stopping: Arc<AtomicBool>) -> Readiness {
    Arc::new(move || if stopping.load(Ordering::SeqCst) { Err("stopping".to_owned()) } else { Ok(()) })
}

fn spawn_upkeep() -> JoinHandle<()> {
    tokio::spawn(async {
        let mut ticks = tokio::time::interval(metrics::UPKEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            metrics::upkeep();
        }
    })
}
