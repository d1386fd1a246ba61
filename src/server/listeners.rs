//! The listeners of a server: where they are, and their start and stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use super::commands::ServerCommands;
use super::foundation::Foundation;
use super::front::Front;
use super::hold::Holds;
use super::notifications::Notifications;
use super::places::{Place, Places, Served};
use super::start::StartError;
use super::storage::Storage;
use super::transports::Transports;
use super::websites::Websites;
use crate::admin::{HealthListener, Operator, OperatorSocket, Readiness};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::edges::Edges;
use crate::events::Events;
use crate::process::ReadyLine;
use crate::store::Store;
use crate::telemetry::HostId;
use crate::tls::{CertificateKeeper, Challenges};
use crate::{auth, cloudfront, query, s3, streams, website};

/// Who follows the change log.
#[derive(Clone, Copy)]
pub struct Following<'f> {
    pub edges: &'f Arc<Edges>,
    pub notifications: &'f Notifications,
}

/// The running listeners.
pub struct Listeners {
    s3: Served,
    website: Served,
    edges: Arc<Edges>,
    events: Arc<Events>,
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
        Following { edges, notifications }: Following<'_>,
        certificates: &CertificateKeeper,
        challenges: &Challenges,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        let Addresses { s3, website, health } = Addresses::bind(config)?;

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
            edges: Arc::clone(edges),
            webhooks: notifications.webhooks(config, foundation, clock),
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
        let Place { key, address: health_address, listener } = health;
        let health = HealthListener::start(listener, readiness(Arc::clone(&stopping), Arc::clone(&storage.store)))
            .map_err(|source| StartError::Listen { key, address: health_address, source })?;
        let front = Front {
            challenges: challenges.clone(),
            certificates: Arc::clone(&certificates.certificates),
            redirect: config.website.https_redirect,
            port: website.tls_port().map(|taken| config.website.https_port.unwrap_or(taken)),
            clock: clock.clone(),
        };
        let s3 = s3.serve(
            transports(config, foundation, storage, Following { edges, notifications }, clock),
            certificates,
            config,
        )?;
        let service = websites(config, foundation, storage, edges, clock)?;
        let website = website.serve(Websites { service, front: Arc::new(front) }, certificates, config)?;
        let (edges, events) = (Arc::clone(edges), Arc::clone(&notifications.events));
        Ok(Self { s3, website, edges, events, operators, health, health_address, stopping })
    }

    /// The line that names every address, with the ports that were taken.
    pub fn ready_line(&self, foundation: &Foundation) -> ReadyLine {
        let line = self.s3.tell_plain(ReadyLine::of("brim"));
        let line = self.website.tell_plain(line.with("admin", format!("http://{}", self.health_address)));
        let line = self.website.tell_tls(self.s3.tell_tls(line));
        let line = line.with("data", foundation.dir.path().to_string_lossy());
        match &foundation.credentials {
            Some(file) => line.with("credentials", file.to_string_lossy()),
            None => line,
        }
    }

    /// Tells load balancers first, then stops those who change something; health answers until the end.
    pub async fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.edges.stop();
        self.events.streams.stop();
        self.s3.stop().await;
        self.website.stop().await;
        self.operators.stop().await;
        self.health.stop().await;
    }
}

/// Every address, bound.
struct Addresses {
    s3: Places,
    website: Places,
    health: Place,
}

impl Addresses {
    fn bind(config: &ServerConfig) -> Result<Self, StartError> {
        let (s3, website) = (&config.s3, &config.website);
        Ok(Self {
            s3: Places::bind(("s3.listen", s3.listen), ("s3.tls_listen", s3.tls_listen))?,
            website: Places::bind(("website.listen", website.listen), ("website.tls_listen", website.tls_listen))?,
            health: Place::bind("admin.listen", config.admin.listen)?,
        })
    }
}

fn transports(
    config: &ServerConfig,
    foundation: &Foundation,
    storage: &Storage,
    Following { edges, notifications }: Following<'_>,
    clock: &Clock,
) -> Transports {
    let events = &notifications.events;
    let s3 = s3::Service::new(
        Arc::clone(&storage.store),
        Arc::clone(&foundation.identities),
        Arc::clone(edges),
        Arc::clone(events),
        clock.clone(),
        HostId::of_instance(foundation.dir.instance()),
        s3_options(config),
    );
    let (identities, endpoints) = (Arc::clone(&foundation.identities), Arc::clone(&events.endpoints));
    let query = query::Service::new(identities, endpoints, clock.clone(), query_options(config));
    let (store, identities) = (Arc::clone(&storage.store), Arc::clone(&foundation.identities));
    let cloudfront =
        cloudfront::Service::new(store, identities, Arc::clone(edges), clock.clone(), cloudfront_options(config));
    let streams = streams::Service::new(
        Arc::clone(&events.streams),
        Arc::clone(&storage.store),
        Arc::clone(&foundation.identities),
        clock.clone(),
        auth_options(config),
    );
    Transports {
        cloudfront: Arc::new(cloudfront),
        edges: Arc::clone(edges),
        s3: Arc::new(s3),
        streams: Arc::new(streams),
        query: Arc::new(query),
    }
}

fn websites(
    config: &ServerConfig,
    foundation: &Foundation,
    storage: &Storage,
    edges: &Arc<Edges>,
    clock: &Clock,
) -> Result<Arc<website::Service>, StartError> {
    let options = website::Options {
        domains: config.website.domains.clone(),
        auth: auth_options(config),
        download_memory: config.limits.download_memory,
    };
    let service = website::Service::new(
        Arc::clone(&storage.store),
        Arc::clone(&foundation.identities),
        Arc::clone(edges),
        clock.clone(),
        HostId::of_instance(foundation.dir.instance()),
        options,
    );
    service.map(Arc::new).map_err(|_| StartError::NoRandomBytes)
}

fn query_options(config: &ServerConfig) -> query::Options {
    query::Options {
        region: config.s3.region.clone(),
        auth: auth_options(config),
        body_idle: config.limits.body_idle_timeout,
        min_rate: config.limits.transfer_rate,
    }
}

fn cloudfront_options(config: &ServerConfig) -> cloudfront::Options {
    cloudfront::Options {
        auth: auth_options(config),
        body_idle: config.limits.body_idle_timeout,
        min_rate: config.limits.transfer_rate,
    }
}

pub fn auth_options(config: &ServerConfig) -> auth::Options {
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
