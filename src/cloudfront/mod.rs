//! CloudFront's own API, as far as it is about what edges hold: a transport beside S3, for requests that are signed for the
//! service `cloudfront`. Its distributions are the sites that edges have told of.
//!
//! A request goes one way: head, body (which the signature covers), `route`, permission, the edges, document.
//!
//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/Welcome.html>

pub mod serve;

mod batch;
mod call;
mod config;
mod distributions;
mod error;
#[cfg(test)]
mod fuzz;
mod invalidations;
mod route;

use std::sync::Arc;
use std::time::Duration;

use crate::auth;
use crate::clock::Clock;
use crate::edges::Edges;
use crate::guard::Signers;
use crate::identity::Identities;
use crate::store::Store;
use crate::telemetry::metrics::RequestMetrics;
use crate::transport::memory::DocumentMemory;

/// How many bytes of bodies may be in memory at once.
const BODY_MEMORY_BYTES: usize = 16 * 1024 * 1024;

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Options {
    pub auth: auth::Options,
    /// How long a client may send nothing of its body.
    pub body_idle: Duration,
    /// The least bytes a second that a client must send.
    pub min_rate: u64,
}

/// Everything that answering a request needs. Shared by all workers.
pub struct Service {
    store: Arc<Store>,
    edges: Arc<Edges>,
    signers: Signers,
    clock: Clock,
    memory: DocumentMemory,
    metrics: RequestMetrics,
    options: Options,
}

impl Service {
    pub fn new(
        store: Arc<Store>,
        identities: Arc<Identities>,
        edges: Arc<Edges>,
        clock: Clock,
        options: Options,
    ) -> Self {
        Self {
            signers: Signers::new(identities, clock.clone(), options.auth.clone()),
            store,
            edges,
            clock,
            memory: DocumentMemory::new(BODY_MEMORY_BYTES),
            metrics: RequestMetrics::new(&route::Operation::names()),
            options,
        }
    }
}
