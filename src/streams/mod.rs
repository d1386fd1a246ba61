//! The change log as a stream of events over HTTP: a transport beside S3, for requests that are signed for the service
//! `brim`, and whoever may hear of what, for S3's own streams too.
//!
//! `GET /_brim/events` answers with server-sent events that never end. What it tells, and how a reader goes on after a
//! break, is in docs/event-stream.md.

mod ask;
mod listener;
mod refusal;
pub mod serve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::auth;
use crate::clock::Clock;
use crate::events::stream::Streams;
use crate::guard::{Guard, Signers};
use crate::identity::Identities;
use crate::store::Store;
use crate::telemetry::metrics::RequestMetrics;

pub use listener::{Asked, Credentials, Listener, Rights};

/// Where the stream is: `GET`, signed for [`SERVICE`]. No bucket can have this name.
pub const PATH: &str = "/_brim/events";

/// The service in the scope of signatures.
pub const SERVICE: &str = "brim";

/// The permission to open a stream of every bucket, in IAM's words: of `arn:aws:s3:::*`.
pub const LISTEN: &str = "s3:ListenNotification";
/// The permission to hear of changes in a bucket: of `arn:aws:s3:::BUCKET`.
pub const LISTEN_BUCKET: &str = "s3:ListenBucketNotification";

/// What requests are called in the metrics.
const OPERATIONS: [&str; 1] = ["FollowEvents"];

/// Everything that answering a request needs. Shared by all workers.
pub struct Service {
    streams: Arc<Streams>,
    rights: Arc<Rights>,
    signers: Signers,
    clock: Clock,
    metrics: RequestMetrics,
}

impl Service {
    pub fn new(
        streams: Arc<Streams>,
        store: Arc<Store>,
        identities: Arc<Identities>,
        clock: Clock,
        auth: auth::Options,
    ) -> Self {
        let guard = Arc::new(Guard::new(Arc::clone(&store), Arc::clone(&identities)));
        Self {
            streams,
            signers: Signers::new(Arc::clone(&identities), clock.clone(), auth),
            rights: Arc::new(Rights { store, identities, guard, clock: clock.clone() }),
            clock,
            metrics: RequestMetrics::new(&OPERATIONS),
        }
    }
}
