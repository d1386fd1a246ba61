//! The listeners of a server: where they are, and their start and stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use super::certificates::CertificateKeeper;
use super::commands::ServerCommands;
use super::foundation::Foundation;
use super::hold::Holds;
use super::http_listener::{HttpListener, Socket};
use super::ready::ReadyLine;
use super::start::StartError;
use super::storage::Storage;
use super::transports::Transports;
use super::websites::Websites;
use crate::admin::{HealthListener, Operator, OperatorSocket, Readiness};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::store::Store;
use crate::telemetry::HostId;
use crate::{auth, query, s3, website};

/// The running listeners.
pub struct Listeners {
    s3: HttpListener,
    s3_address: SocketAddr,
    s3_tls_address: Option<SocketAddr>,
    website: HttpListener,
    website_address: SocketAddr,
    operators: OperatorSocket,
    health: HealthListener,
    health_address: SocketAddr,
    stopping: Arc<AtomicBool>,
}

impl Listeners {
    /// Binds every address before it serves on any: an address in use stops the start, not half a server.
    pub fn start(
        config: &ServerConfig,
        foundation: &Foundation,
        storage: &Storage,
        certificates: &CertificateKeeper,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        let (s3_listener, s3_address) = bind("s3.listen", config.s3.listen)?;
        let s3_tls = config.s3.tls_listen.map(|address| bind("s3.tls_listen", address)).transpose()?;
        let s3_tls_address = s3_tls.as_ref().map(|(_, address)| *address);
        let (website_listener, website_address) = bind("website.listen", config.website.listen)?;
        let (health_listener, health_address) = bind("admin.listen", config.admin.listen)?;

        let directory = foundation.dir.path();
        let commands = ServerCommands {
            operator: Operator {
                identities: Arc::clone(&foundation.identities),
                store: Arc::clone(&storage.store),
                clock: clock.clone(),
                reserved: config.reserved_domains(),
                directory: directory.to_owned(),
                serving: true,
            },
            holds: Holds {
                store: Arc::clone(&storage.store),
                kv: Arc::clone(&foundation.kv),
                path: foundation.dir.checkpoint(),
                limit: config.store.backup_limit,
                slot: Mutex::new(()),
            },
        };
        let operators = OperatorSocket::start(directory, Arc::new(commands))
            .map_err(|source| StartError::OperatorSocket { directory: directory.to_owned(), source })?;
        let stopping = Arc::new(AtomicBool::new(false));
        let health =
            HealthListener::start(health_listener, readiness(Arc::clone(&stopping), Arc::clone(&storage.store)))
                .map_err(|source| StartError::Listen { key: "admin.listen", address: health_address, source })?;
        let mut s3_sockets = vec![Socket { listener: s3_listener, tls: None }];
        if let Some((listener, _)) = s3_tls {
            s3_sockets.push(Socket { listener, tls: Some(certificates.handshakes("s3", config)?) });
        }
        let s3 = HttpListener::start(s3_sockets, transports(config, foundation, storage, clock), config)
            .map_err(|source| StartError::Listen { key: "s3.listen", address: s3_address, source })?;
        let website_sockets = vec![Socket { listener: website_listener, tls: None }];
        let website = HttpListener::start(website_sockets, websites(config, foundation, storage, clock)?, config)
            .map_err(|source| StartError::Listen { key: "website.listen", address: website_address, source })?;
        Ok(Self {
            s3,
            s3_address,
            s3_tls_address,
            website,
            website_address,
            operators,
            health,
            health_address,
            stopping,
        })
    }

    /// The line that names every address, with the ports that were taken.
    pub fn ready_line(&self, foundation: &Foundation) -> ReadyLine {
        let line = ReadyLine::of("brim")
            .with("s3", format!("http://{}", self.s3_address))
            .with("admin", format!("http://{}", self.health_address))
            .with("website", format!("http://{}", self.website_address))
            .with_some("s3_tls", self.s3_tls_address.map(|address| format!("https://{address}")))
            .with("data", foundation.dir.path().to_string_lossy());
        match &foundation.credentials {
            Some(file) => line.with("credentials", file.to_string_lossy()),
            None => line,
        }
    }

    /// Tells load balancers first, then stops those who change something; health answers until the end.
    pub async fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.s3.stop().await;
        self.website.stop().await;
        self.operators.stop().await;
        self.health.stop().await;
    }
}

/// Binds `address` and gives it back with the port that was taken.
fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source: io::Error| StartError::Listen { key, address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn transports(config: &ServerConfig, foundation: &Foundation, storage: &Storage, clock: &Clock) -> Transports {
    let s3 = s3::Service::new(
        Arc::clone(&storage.store),
        Arc::clone(&foundation.identities),
        clock.clone(),
        HostId::of_instance(foundation.dir.instance()),
        s3_options(config),
    );
    let query = query::Service::new(Arc::clone(&foundation.identities), clock.clone(), query_options(config));
    Transports { s3: Arc::new(s3), query: Arc::new(query) }
}

fn websites(
    config: &ServerConfig,
    foundation: &Foundation,
    storage: &Storage,
    clock: &Clock,
) -> Result<Websites, StartError> {
    let options = website::Options {
        domains: config.website.domains.clone(),
        auth: auth_options(config),
        download_memory: config.limits.download_memory,
    };
    let service = website::Service::new(
        Arc::clone(&storage.store),
        Arc::clone(&foundation.identities),
        clock.clone(),
        HostId::of_instance(foundation.dir.instance()),
        options,
    );
    let service = service.map_err(|_| StartError::NoRandomBytes)?;
    Ok(Websites(Arc::new(service)))
}

fn query_options(config: &ServerConfig) -> query::Options {
    query::Options {
        auth: auth_options(config),
        body_idle: config.limits.body_idle_timeout,
        min_rate: config.limits.transfer_rate,
    }
}

fn auth_options(config: &ServerConfig) -> auth::Options {
    auth::Options {
        region: config.s3.scope_region.clone(),
        signature_v2: config.s3.signature_v2,
        ..auth::Options::default()
    }
}

fn s3_options(config: &ServerConfig) -> s3::Options {
    s3::Options {
        region: config.s3.region.clone(),
        domains: config.s3.domains.clone(),
        auth: auth_options(config),
        body_idle: config.limits.body_idle_timeout,
        min_rate: config.limits.transfer_rate,
        download_memory: config.limits.download_memory,
        max_object: config.limits.object_size,
    }
}

/// Ready is who takes writes.
fn readiness(stopping: Arc<AtomicBool>, store: Arc<Store>) -> Readiness {
    Arc::new(move || match stopping.load(Ordering::SeqCst) {
        true => Err("stopping".to_owned()),
        false => store.writable().map_err(|error| error.to_string()),
    })
}
