//! Websites over HTTP: a transport in front of the store, as S3's website endpoint is, and what is expected of a site's host
//! today.
//!
//! A request goes one way: head ([`request`](self)), host to bucket, the site's rules, the visitor, the order of rules
//! (`resolve`), which asks for files as far as the visitor may read them (`files`), and the answer (`deliver`).
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html>

pub mod serve;

mod answer;
mod deliver;
mod dress;
mod failure;
mod files;
mod judge;
mod line;
mod page;
mod place;
mod previews;
mod request;
mod resolve;
mod rules;
mod site;
#[cfg(test)]
mod tests;
mod traffic;
mod visitor;

use std::sync::Arc;

use crate::access::Caller;
use crate::auth::{self, SigningKeys};
use crate::clock::Clock;
use crate::edges::Edges;
use crate::guard::Guard;
use crate::identity::Identities;
use crate::names::HostName;
use crate::site::password::{Doorkeeper, NoRandomBytes};
use crate::store::Store;
use crate::telemetry::HostId;
use crate::telemetry::metrics::RequestMetrics;
use crate::transport::download::DownloadMemory;

use self::previews::Previews;
use self::rules::RulesCache;
use self::traffic::Traffic;

/// What the requests of all sites together are called in the metrics.
const OPERATION: &str = "Website";

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Hosts below these are buckets.
    pub domains: Vec<HostName>,
    pub auth: auth::Options,
    /// How many bytes of downloads may be in memory at once.
    pub download_memory: u64,
}

/// Everything that answering a request needs. Shared by all workers.
pub struct Service {
    store: Arc<Store>,
    identities: Arc<Identities>,
    guard: Arc<Guard>,
    edges: Arc<Edges>,
    clock: Clock,
    host_id: HostId,
    options: Options,
    anonymous: Arc<Caller>,
    signing_keys: SigningKeys,
    rules: RulesCache,
    previews: Previews,
    doorkeeper: Doorkeeper,
    download_memory: DownloadMemory,
    metrics: RequestMetrics,
    traffic: Traffic,
}

impl Service {
    /// Fails where the system has no random bytes.
    pub fn new(
        store: Arc<Store>,
        identities: Arc<Identities>,
        edges: Arc<Edges>,
        clock: Clock,
        host_id: HostId,
        options: Options,
    ) -> Result<Self, NoRandomBytes> {
        let doorkeeper = Doorkeeper::new()?;
        Ok(Self {
            guard: Arc::new(Guard::new(Arc::clone(&store), Arc::clone(&identities))),
            store,
            identities,
            edges,
            clock,
            host_id,
            anonymous: Arc::new(Caller::anonymous()),
            signing_keys: SigningKeys::new(auth::DEFAULT_CAPACITY),
            rules: RulesCache::new(),
            previews: Previews::new(),
            doorkeeper,
            download_memory: DownloadMemory::new(options.download_memory),
            metrics: RequestMetrics::new(&[OPERATION]),
            traffic: Traffic::new(),
            options,
        })
    }
}
