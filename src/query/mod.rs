//! The AWS query protocol of IAM, STS and SNS: a transport in front of the identities and of topics, beside [`crate::s3`].
//!
//! A request goes one way: head, body (which the signature covers), `admission`, [`action`], typed input, permission,
//! identities, document. Each family of actions is a file of `ops`.

pub mod action;
pub mod error;
pub mod serve;

mod admission;
mod body;
mod call;
mod failure;
mod form;
#[cfg(test)]
mod fuzz;
mod ops;
mod page;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::{self, SigningKeys};
use crate::clock::Clock;
use crate::events::endpoint::Endpoints;
use crate::identity::Identities;
use crate::telemetry::metrics::RequestMetrics;
use crate::transport::memory::DocumentMemory;

/// How many bytes of forms may be in memory at once, over all requests.
const FORM_MEMORY_BYTES: usize = 16 * 1024 * 1024;

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Options {
    pub auth: auth::Options,
    /// How long a client may send nothing of its body.
    pub body_idle: Duration,
    /// The least bytes a second that a client must send, on average, once it had some time to start.
    pub min_rate: u64,
    /// The region of topics.
    pub region: String,
}

/// Everything that answering a request needs. Shared by all workers.
pub struct Service {
    identities: Arc<Identities>,
    endpoints: Arc<Endpoints>,
    /// Held while topics and subscriptions of an account are counted and one is added.
    subscribing: tokio::sync::Mutex<()>,
    clock: Clock,
    metrics: RequestMetrics,
    options: Options,
    signing_keys: SigningKeys,
    memory: DocumentMemory,
}

impl Service {
    pub fn new(identities: Arc<Identities>, endpoints: Arc<Endpoints>, clock: Clock, options: Options) -> Self {
        Self {
            identities,
            endpoints,
            subscribing: tokio::sync::Mutex::default(),
            clock,
            metrics: RequestMetrics::new(&action::Row::names()),
            signing_keys: SigningKeys::new(auth::DEFAULT_CAPACITY),
            memory: DocumentMemory::new(FORM_MEMORY_BYTES),
            options,
        }
    }
}
