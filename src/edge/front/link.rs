//! One connection, as its requests see it.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::activity::Activity;
use super::log::Tls;
use super::served::{Served, Table};

/// What is known of a connection.
pub struct Link {
    /// The client, or the proxy in front of it; as the PROXY protocol says where that is spoken.
    pub peer: SocketAddr,
    pub tls: Option<Tls>,
    /// The name that the client asked for in its handshake.
    pub server_name: Option<Box<str>>,
    pub activity: Arc<Activity>,
    /// Where the last request went: the next one mostly goes there, too.
    last: Mutex<Option<Way>>,
}

/// From what a request calls its host to whose site that is.
#[derive(Clone)]
pub struct Way {
    /// The authority as it was sent.
    raw: Arc<str>,
    secure: bool,
    table: Arc<Table>,
    /// The host in its one form, with its port where that is not the protocol's.
    pub host: Arc<str>,
    /// The length of the host alone within `host`.
    bare: usize,
    pub served: Arc<Served>,
}

impl Link {
    pub fn new(peer: SocketAddr, tls: Option<Tls>, server_name: Option<Box<str>>, activity: Arc<Activity>) -> Self {
        Self { peer, tls, server_name, activity, last: Mutex::new(None) }
    }

    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The way of the last request, where this one names the same host in the same table.
    pub fn known(&self, raw: &str, secure: bool, table: &Arc<Table>) -> Option<Way> {
        let last = self.last.lock();
        let way = last.as_ref()?;
        (*way.raw == *raw && way.secure == secure && Arc::ptr_eq(&way.table, table)).then(|| way.clone())
    }

    pub fn remember(&self, way: &Way) {
        *self.last.lock() = Some(way.clone());
    }
}

impl Way {
    pub fn new(raw: &str, secure: bool, table: &Arc<Table>, host: &str, bare: usize, served: &Arc<Served>) -> Self {
        let (table, served) = (Arc::clone(table), Arc::clone(served));
        Self { raw: raw.into(), secure, table, host: host.into(), bare, served }
    }

    /// The host without its port.
    pub fn bare_host(&self) -> &str {
        self.host.get(..self.bare).unwrap_or(&self.host)
    }
}
