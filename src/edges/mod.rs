//! The edges that read the change log: a transport beside S3, for requests that are signed for the service `brim`.
//!
//! An edge polls, and thereby says up to where it has dropped what it held; it hears what came since. From that is known
//! which edges are live, and that nothing is left anywhere of what was overwritten, deleted or purged.

mod answers;
mod entries;
mod gone;
mod list;
mod poll;
mod purge;
mod refusal;
pub mod serve;
mod sites;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::Caller;
use crate::auth;
use crate::clock::Clock;
use crate::feed::{self, Behind, Moment, Registry};
use crate::guard::Signers;
use crate::identity::Identities;
use crate::names::LogId;
use crate::store::{self, Store};
use crate::telemetry::metrics::RequestMetrics;
use crate::transport::memory::DocumentMemory;

pub use answers::told;
pub use list::{EdgeState, Listed};
pub use purge::CREATE_INVALIDATION;

/// The permission to be an edge, in IAM's words: of `arn:aws:brim::ACCOUNT:edge/NAME`.
pub const CONNECT_EDGE: &str = "brim:ConnectEdge";
/// The permission to hear of changes in a bucket: of `arn:aws:s3:::BUCKET`.
pub const READ_FEED: &str = "brim:ReadFeed";

/// The most live edges of an account.
const MAX_EDGES_OF_ACCOUNT: usize = 1000;

/// How many bytes of polls may be in memory at once.
const POLL_MEMORY_BYTES: usize = 16 * 1024 * 1024;

/// What requests are called in the metrics.
const OPERATIONS: [&str; 2] = ["ReadFeed", "PurgeFeed"];

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Options {
    pub auth: auth::Options,
    /// How long a client may send nothing of its body.
    pub body_idle: Duration,
    /// The least bytes a second that a client must send.
    pub min_rate: u64,
}

/// What is known of an edge beyond its lease.
struct Details {
    caller: Arc<Caller>,
    /// The log, in the name that this edge knows it by; and in the one that is common to all.
    log: LogId,
    common: LogId,
    /// Where it polls from; empty where that is unknown.
    address: String,
    /// Those that were taken; `None` until it told.
    sites: Option<Arc<[feed::Site]>>,
    behind: Vec<Behind>,
}

/// Every edge. Shared by all transports.
pub struct Edges {
    store: Arc<Store>,
    identities: Arc<Identities>,
    signers: Signers,
    clock: Clock,
    options: Options,
    memory: DocumentMemory,
    metrics: RequestMetrics,
    registry: Mutex<Registry<Details>>,
    /// Told whenever an edge said more, or is gone.
    heard: watch::Sender<()>,
    /// The log, by a name of its own for every configuration.
    log: RwLock<LogId>,
    /// Told when the log has another name.
    renamed: watch::Sender<()>,
    /// From when on all edges that may hold anything have been heard of.
    known_from: Moment,
    stopping: CancellationToken,
}

impl Edges {
    /// `configuration` is whatever answers follow from that is not in the store: where it is another one than before, edges
    /// begin anew.
    pub async fn open(
        store: Arc<Store>,
        identities: Arc<Identities>,
        clock: Clock,
        configuration: &[u8],
        options: Options,
    ) -> Result<Self, store::Error> {
        // Who has a lease of the run before is not known, so its time is waited for.
        let wait = if store.is_first_run() { Duration::ZERO } else { feed::LEASE + feed::MARGIN };
        Ok(Self {
            log: RwLock::new(name_of(store.log_id().await?, configuration)),
            signers: Signers::new(Arc::clone(&identities), clock.clone(), options.auth.clone()),
            store,
            identities,
            clock,
            options,
            memory: DocumentMemory::new(POLL_MEMORY_BYTES),
            metrics: RequestMetrics::new(&OPERATIONS),
            registry: Mutex::default(),
            heard: watch::Sender::new(()),
            renamed: watch::Sender::new(()),
            known_from: Moment::now().plus(wait),
            stopping: CancellationToken::new(),
        })
    }

    /// The configuration that answers follow from is another one: every edge begins anew.
    pub async fn reconfigure(&self, configuration: &[u8]) -> Result<(), store::Error> {
        let log = name_of(self.store.log_id().await?, configuration);
        {
            let mut registry = self.registry.lock();
            let mut current = self.log.write();
            if *current == log {
                return Ok(());
            }
            *current = log;
            registry.begin_log();
        }
        self.renamed.send_replace(());
        Ok(())
    }

    /// Answers every poll that waits, and refuses those that come.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    fn log(&self) -> LogId {
        *self.log.read()
    }
}

/// The name of a log for whoever may hear of it and read what it is about as these policies say. Where they are others, what
/// he holds may be what he may not have any more, and what he hears may not be all of it: he begins anew.
fn name_for(log: LogId, caller: &Caller) -> LogId {
    let Caller { principal, policies, session_policies, .. } = caller;
    name_of(log, format!("{principal:?} {policies:?} {session_policies:?}").as_bytes())
}

/// The name of a log for edges: that of the store's log and of the configuration together.
fn name_of(log: LogId, configuration: &[u8]) -> LogId {
    let hash = digest::digest(&digest::SHA256, &[&log.0[..], configuration].concat());
    LogId(hash.as_ref().first_chunk().copied().unwrap_or_default())
}
