//! What a dispatcher shares with those outside of its task, and all dispatchers with each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

use super::error::Error;
use super::pages::Pages;
use super::replay::Replay;
use super::sender::Attempt;
use super::status::EndpointStatus;
use super::{Ports, Settings};
use crate::events::endpoint::{Endpoint, OnFull};
use crate::events::record::{Message, Origin};
use crate::names::LogId;

/// What all dispatchers have.
pub(super) struct Shared {
    pub ports: Ports,
    pub log: LogId,
    pub origin: Origin,
    pub pages: Pages,
    pub desks: RwLock<Vec<Arc<Desk>>>,
    /// Those whose backlog must not be lost.
    pub strict: RwLock<Arc<[Arc<Desk>]>>,
    /// Whether there are any: asked before every mutation.
    pub any_strict: AtomicBool,
}

/// Where those outside meet the dispatcher of an endpoint.
pub(super) struct Desk {
    pub endpoint: watch::Sender<Arc<Endpoint>>,
    pub orders: mpsc::Sender<Order>,
    pub status: Mutex<EndpointStatus>,
    /// As it is written down: what is before it is needed by nobody here.
    pub cursor: AtomicU64,
    /// Whether what is behind the cursor is older than it may be.
    pub too_old: AtomicBool,
}

/// What a dispatcher is asked for.
pub(super) enum Order {
    /// Sends a message once, whatever the endpoint's state.
    Test(Message, oneshot::Sender<Attempt>),
    Replay(Replay, oneshot::Sender<Result<(), Error>>),
}

impl Shared {
    pub fn new(ports: Ports, log: LogId, settings: Settings) -> Self {
        let origin = Origin { log, region: settings.region, host_id: settings.host_id };
        Self {
            ports,
            log,
            origin,
            pages: Pages::default(),
            desks: RwLock::default(),
            strict: RwLock::new(Arc::new([])),
            any_strict: AtomicBool::new(false),
        }
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
