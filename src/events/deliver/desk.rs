//! What a dispatcher shares with those outside of its task, and all dispatchers with each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

use super::bounds::ATTEMPTS_KEPT;
use super::error::Error;
use super::latency::Latency;
use super::pages::Pages;
use super::replay::Replay;
use super::rows::Delivery;
use super::{Ports, Settings};
use crate::events::endpoint::{Endpoint, OnFull};
use crate::events::operate::EndpointStatus;
use crate::events::record::{Message, Origin};
use crate::names::LogId;

/// What all dispatchers have.
pub(super) struct Shared {
    pub ports: Ports,
    pub log: LogId,
    pub origin: Origin,
    /// Where the log ended when this run began.
    pub begun_at: u64,
    pub pages: Pages,
    pub desks: RwLock<Vec<Arc<Desk>>>,
    /// Those whose backlog must not be lost.
    pub strict: RwLock<Arc<[Arc<Desk>]>>,
    /// Whether there are any: asked before every mutation.
    pub any_strict: AtomicBool,
    /// How long attempts are kept, in milliseconds.
    pub attempts_kept: AtomicU64,
}

/// Where those outside meet the dispatcher of an endpoint.
pub(super) struct Desk {
    pub endpoint: watch::Sender<Arc<Endpoint>>,
    pub orders: mpsc::Sender<Order>,
    pub status: Mutex<EndpointStatus>,
    pub latency: Mutex<Latency>,
    /// As it is written down: what is before it is needed by nobody here.
    pub cursor: AtomicU64,
    /// As it is in memory: what is before it is settled.
    pub reached: AtomicU64,
    /// Whether what is behind the cursor is older than it may be.
    pub too_old: AtomicBool,
}

/// What a dispatcher is asked for.
pub(super) enum Order {
    /// Sends a message once, whatever the endpoint's state. Answered with the row of the delivery log.
    Test(Message, oneshot::Sender<(u64, Delivery)>),
    /// Answered with how many messages there are to send, where that is known.
    Replay(Replay, oneshot::Sender<Result<Option<u64>, Error>>),
}

impl Shared {
    pub fn new(ports: Ports, log: LogId, settings: Settings) -> Self {
        let origin = Origin { log, region: settings.region, host_id: settings.host_id };
        Self {
            begun_at: *ports.store.log_head().borrow(),
            ports,
            log,
            origin,
            pages: Pages::default(),
            desks: RwLock::default(),
            strict: RwLock::new(Arc::new([])),
            any_strict: AtomicBool::new(false),
            attempts_kept: AtomicU64::new(ATTEMPTS_KEPT.as_millis() as u64),
        }
    }

    /// How long attempts are kept in the delivery log.
    pub fn attempts_kept(&self) -> Duration {
        Duration::from_millis(self.attempts_kept.load(Ordering::Relaxed))
    }

    /// The last position of the log.
    pub fn head(&self) -> u64 {
        *self.ports.store.log_head().borrow()
    }

    /// Notes whose backlog must not be lost.
    pub fn note_strict(&self) {
        let strict = |desk: &&Arc<Desk>| desk.endpoint.borrow().limits.on_full == OnFull::RejectWrites;
        let found: Arc<[Arc<Desk>]> = self.desks.read().iter().filter(strict).cloned().collect();
        self.any_strict.store(!found.is_empty(), Ordering::Release);
        *self.strict.write() = found;
    }
}
