//! The life of an edge: one step after the other, and back in the opposite order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::cache::{Cache, CacheOptions, DiskError, DiskOptions};
use super::config::{AccessLogOptions, EdgeConfig, FeedOptions, Sources};
use super::engine::{Engine, Limits, Parts};
use super::follow::{self, Follower};
use super::front::{
    AccessLog, Admin, Archive, Archiver, Front, Listener, Listening, LogError, Purger, Readiness, Table, Uploader,
};
use super::observe::{self, Observed};
use super::orders::Orders;
use super::reload::Reload;
use super::sites::{SiteBuilder, SiteError, registration};
use crate::clock::Clock;
use crate::feed::{EdgeName, FeedState};
use crate::process::{Hangup, ReadyLine, Signals};
use crate::signer::Credentials;
use crate::telemetry::metrics;
use crate::tls::{
    CertificateKeeper, Challenges, FileError, HTTP_1_1, HTTP_2, Handshakes, OutgoingError, acme, server_configuration,
};

/// Why an edge did not start. Each message is one line, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error("cannot open the cache: {0}")]
    Cache(#[from] DiskError),
    #[error("the change feed cannot be followed: {0}")]
    Feed(#[from] follow::SettingsError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("access logs cannot be uploaded: {0}")]
    Upload(#[source] OutgoingError),
    #[error(transparent)]
    Metrics(#[from] metrics::Error),
    #[error("{}", joined(.0))]
    Certificates(Vec<FileError>),
    #[error("certificates from an authority: {0}")]
    Acme(#[source] acme::Error),
    #[error("cannot keep certificates in {}: {source}", path.display())]
    AcmePath { path: PathBuf, source: io::Error },
    #[error("cannot set up TLS: {0}")]
    Tls(#[source] rustls::Error),
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen { key: &'static str, address: SocketAddr, source: io::Error },
    #[error("cannot receive signals: {0}")]
    Signals(#[source] io::Error),
    #[error("a step of the start ended badly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

fn joined(faults: &[FileError]) -> String {
    faults.iter().map(FileError::to_string).collect::<Vec<_>>().join("; ")
}

/// Reads every file that the configuration names, and uses none of it.
pub async fn check(config: EdgeConfig) -> Result<(), StartError> {
    let clock = Clock::system();
    CertificateKeeper::open(config.certificates.clone(), &clock).await.map_err(StartError::Certificates)?;
    SiteBuilder::new(&clock).build(&config.sites)?;
    if let Some(upload) = config.access_log.as_ref().and_then(|log| log.upload.as_ref()) {
        Uploader::new(upload).map_err(StartError::Upload)?;
    }
    Ok(())
}

/// Runs an edge until SIGTERM or SIGINT. Prints one line on standard output when it is ready. SIGHUP has `sources` read
/// again.
///
/// Needs a multi-threaded tokio runtime. Gives an error where the edge cannot start; once it is ready, only `Ok`.
pub async fn run(config: EdgeConfig, sources: Sources) -> Result<(), StartError> {
    let clock = Clock::system();
    raise_file_limit(config.limits.connections);
    let mut signals = Signals::install().map_err(StartError::Signals)?;
    let hangup = Hangup::install().map_err(StartError::Signals)?;
    metrics::describe()?;
    metrics::started(clock.now());

    let addresses = Addresses::bind(&config).await?;
    let keeper =
        CertificateKeeper::open(config.certificates.clone(), &clock).await.map_err(StartError::Certificates)?;
    let (mut builder, sites) = build_sites(&config, &clock).await?;
    let state = config.feed.as_ref().map(|feed| {
        let provider = feed.url.authority().map_or("", |authority| authority.as_str());
        let state = FeedState::of(&feed.signer.access_key_id, provider);
        Arc::new(if feed.relay { state.relaying() } else { state })
    });
    let engine = open_engine(&config, state.clone(), &clock).await?;
    let follower = match (&config.feed, &state) {
        (Some(feed), Some(state)) => Some(Arc::new(follow(&config, feed, &engine, state, &clock).await?)),
        _ => None,
    };
    let log = match &config.access_log {
        Some(options) => Some(Log::start(options, &config.process.name, &clock).await?),
        None => None,
    };
    let table = Table::new(sites, config.proxies.clone(), config.purge.clone(), config.limits.clone(), None);
    let front = Arc::new(Front {
        engine: engine.clone(),
        purger: Purger { engine: engine.clone(), follower: follower.clone() },
        clock: clock.clone(),
        certificates: Arc::clone(&keeper.certificates),
        challenges: Challenges::default(),
        log: log.as_ref().map(|log| log.log.sender()),
        https_port: addresses.https_port(&config),
        refused: metrics::edge_total(metrics::EDGE_REFUSED),
        current: ArcSwap::from_pointee(table),
    });
    let stopping = Arc::new(AtomicBool::new(false));
    let line = addresses.ready_line();
    let (listener, admin) = addresses.serve(&config, &front, &keeper, &stopping)?;
    let orders = match &config.acme {
        Some(acme) => Some(Orders::start(acme, &front).await?),
        None => None,
    };
    line.print();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), sites = config.sites.len(), "ready");

    let observed = Observed { engine, state, log: log.as_ref().map(|log| log.log.sender()) };
    let grace = config.process.shutdown_grace;
    let reload = Reload {
        hangup,
        sources,
        started: config,
        front: Arc::clone(&front),
        certificates: Arc::clone(&keeper),
        follower: follower.clone(),
        builder: &mut builder,
        wanted: orders.as_ref().map(Orders::wanted),
    };
    let signal = tokio::select! {
        signal = signals.next() => signal,
        never = reload.run() => match never {},
        never = Arc::clone(&keeper).watch() => match never {},
        never = observe::run(&observed) => match never {},
    };
    tracing::info!(signal, "stopping");
    signals.exit_at_next();
    stopping.store(true, Ordering::SeqCst);
    if let Some(orders) = orders {
        orders.stop().await;
    }
    listener.stop(grace).await;
    admin.stop().await;
    drop((front, observed));
    if let Some(follower) = follower.and_then(Arc::into_inner) {
        follower.stop().await;
    }
    if let Some(log) = log {
        log.stop(grace).await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Has the system allow as many open files as it may: every connection is one, and so is every file of the disk tier in use.
fn raise_file_limit(connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files was not raised");
    }
    // Each client's connection may have one to an origin beside it.
    let wanted = 2 * connections as u64 + 1024;
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        tracing::warn!(
            allowed = limit.maximum,
            wanted,
            "few files may be open: raise LimitNOFILE, or lower limits.connections"
        );
    }
}

async fn build_sites(
    config: &EdgeConfig,
    clock: &Clock,
) -> Result<(SiteBuilder, Vec<Arc<super::site::Site>>), StartError> {
    let (mut builder, configs) = (SiteBuilder::new(clock), config.sites.clone());
    let built = spawn_blocking(move || builder.build(&configs).map(|sites| (builder, sites))).await?;
    Ok(built?)
}

async fn open_engine(config: &EdgeConfig, feed: Option<Arc<FeedState>>, clock: &Clock) -> Result<Engine, StartError> {
    let disk = config.disk.as_ref().map(|disk| DiskOptions { path: disk.path.clone(), capacity: disk.size });
    let (options, time) = (CacheOptions { memory: config.process.memory, disk }, clock.clone());
    let cache = spawn_blocking(move || Cache::open(options, time)).await??;
    let limits = Limits { fill_memory: config.process.fill_memory, ..Limits::default() };
    Ok(Engine::new(Parts { cache, clock: clock.clone(), feed, limits, name: config.process.name.clone() }))
}

async fn follow(
    config: &EdgeConfig,
    feed: &FeedOptions,
    engine: &Engine,
    state: &Arc<FeedState>,
    clock: &Clock,
) -> Result<Follower, StartError> {
    let settings = follow::Settings {
        url: feed.url.clone(),
        credentials: Credentials {
            access_key: feed.signer.access_key_id.clone(),
            secret_key: feed.signer.secret_access_key.clone().into(),
            session_token: None,
        },
        region: feed.signer.region.clone(),
        name: EdgeName::parse(&config.process.name).expect("the configuration took it for the name of an edge"),
        ca_bundle: feed.ca_bundle.clone(),
        relay: feed.relay,
    };
    let registration = registration(&config.sites);
    let (holder, state, clock) = (Arc::new(engine.clone()), Arc::clone(state), clock.clone());
    let runtime = tokio::runtime::Handle::current();
    let started = spawn_blocking(move || {
        let _within = runtime.enter();
        Follower::start(&settings, registration, holder, state, clock)
    });
    Ok(started.await??)
}

/// The running access log.
struct Log {
    log: AccessLog,
    archiver: Archiver,
}

impl Log {
    async fn start(options: &AccessLogOptions, name: &str, clock: &Clock) -> Result<Self, StartError> {
        let upload = options.upload.clone();
        let uploader = spawn_blocking(move || upload.map(|upload| Uploader::new(&upload)).transpose()).await?;
        let uploader = uploader.map_err(StartError::Upload)?;
        let (archive, archiver) = Archive::start(options.directory.clone(), options.keep, uploader);
        let log = AccessLog::start(options.clone(), name, archive, clock)?;
        Ok(Self { log, archiver })
    }

    /// Writes what waits, and compresses what is closed.
    async fn stop(self, grace: std::time::Duration) {
        let Self { log, archiver } = self;
        // Requests that were cut may hold a sender for ever: they are not waited for.
        let stopped = spawn_blocking(move || log.stop());
        let _ = tokio::time::timeout(grace, stopped).await;
        archiver.finish(grace).await;
    }
}

/// Every address, bound.
struct Addresses {
    plain: Vec<(SocketAddr, TcpListener)>,
    tls: Vec<(SocketAddr, TcpListener)>,
    admin: (SocketAddr, TcpListener),
}

impl Addresses {
    /// Binds every address before anything is served on one: an address in use stops the start, not half an edge.
    async fn bind(config: &EdgeConfig) -> Result<Self, StartError> {
        let process = &config.process;
        Ok(Self {
            plain: bind_all("listen", &process.listen).await?,
            tls: bind_all("tls_listen", &process.tls_listen).await?,
            admin: bind("admin_listen", process.admin_listen).await?,
        })
    }

    fn https_port(&self, config: &EdgeConfig) -> u16 {
        let taken = self.tls.first().map(|(address, _)| address.port());
        config.process.https_port.or(taken).unwrap_or(443)
    }

    fn ready_line(&self) -> ReadyLine {
        let mut line = ReadyLine::of("brim-edge");
        for (address, _) in &self.plain {
            line = line.with("http", format!("http://{address}"));
        }
        for (address, _) in &self.tls {
            line = line.with("https", format!("https://{address}"));
        }
        line.with("admin", format!("http://{}", self.admin.0))
    }

    fn serve(
        self,
        config: &EdgeConfig,
        front: &Arc<Front>,
        keeper: &CertificateKeeper,
        stopping: &Arc<AtomicBool>,
    ) -> Result<(Listener, Admin), StartError> {
        let proxied = config.proxies.protocol;
        let plain = self.plain.into_iter().map(|(_, listener)| Listening {
            listener,
            tls: None,
            h2c: config.process.h2c,
            proxied,
        });
        let mut sockets: Vec<Listening> = plain.collect();
        if !self.tls.is_empty() {
            let configuration = server_configuration(Arc::clone(&keeper.certificates), &[HTTP_2, HTTP_1_1]);
            let configuration = configuration.map_err(StartError::Tls)?;
            let limits = &config.limits;
            // Half: those who only knock leave room for those who are inside.
            let most = limits.connections.div_ceil(2);
            let tls = Handshakes::new("edge", configuration, limits.head_timeout, most);
            let secure = self.tls.into_iter();
            sockets.extend(secure.map(|(_, listener)| Listening {
                listener,
                tls: Some(tls.clone()),
                h2c: false,
                proxied,
            }));
        }
        let listener = Listener::start(sockets, front, &config.limits);
        let stopping = Arc::clone(stopping);
        let ready: Readiness = Arc::new(move || match stopping.load(Ordering::SeqCst) {
            true => Err("stopping".to_owned()),
            false => Ok(()),
        });
        Ok((listener, Admin::start(self.admin.1, Arc::clone(front), ready)))
    }
}

async fn bind_all(key: &'static str, addresses: &[SocketAddr]) -> Result<Vec<(SocketAddr, TcpListener)>, StartError> {
    let mut bound = Vec::with_capacity(addresses.len());
    for address in addresses {
        bound.push(bind(key, *address).await?);
    }
    Ok(bound)
}

/// Binds an address; gives it with the port that was taken.
async fn bind(key: &'static str, address: SocketAddr) -> Result<(SocketAddr, TcpListener), StartError> {
    let failed = |source| StartError::Listen { key, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}
