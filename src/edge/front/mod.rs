//! The front of the edge: connections, the gate, purges, logs and measures. What is answered, the engine decides.

mod account;
mod activity;
mod admin;
mod asked;
mod client;
mod draining;
mod feeding;
mod gate;
mod link;
mod listener;
mod log;
mod measures;
mod proxy;
mod purge;
mod rate;
mod reply;
mod sent;
mod served;
mod service;
mod socket;
mod upload;

use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics::Counter;

pub use admin::{Admin, Readiness};
pub use listener::{Listener, Listening};
pub use log::{AccessLog, Archive, Archiver, LogError, LogSender, Uploader};
pub use purge::Purger;
pub use served::{Served, Table};

use super::engine::Engine;
use crate::clock::Clock;
use crate::tls::{Certificates, Challenges};

/// What answers requests. Shared by all connections.
pub struct Front {
    pub engine: Engine,
    pub purger: Purger,
    pub clock: Clock,
    pub certificates: Arc<Certificates>,
    pub challenges: Challenges,
    /// `None` where requests are not logged.
    pub log: Option<LogSender>,
    /// Where clients are sent that must speak HTTPS.
    pub https_port: u16,
    /// Requests that were no site's.
    pub refused: Counter,
    pub current: ArcSwap<Table>,
}

impl Front {
    /// The sites as they are now. A request keeps what it began with.
    pub fn table(&self) -> Arc<Table> {
        self.current.load_full()
    }

    /// Serves other sites from now on. Requests under way are not touched, connections stay.
    pub fn replace(&self, table: Table) {
        self.current.store(Arc::new(table));
    }
}
