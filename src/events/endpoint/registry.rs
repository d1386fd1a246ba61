//! Every endpoint and topic, as dispatchers, transports and operators find them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{Mutex, watch};

use super::declare::Declared;
use super::definition::{Definition, Endpoint, Limits};
use super::error::Error;
use super::names::{EndpointId, TopicName};
use super::reach::Reach;
use super::record::{self, ENDPOINT, NEXT_NUMBER, Record, TOPIC, TopicRecord};
use crate::clock::Clock;
use crate::events::tables::ENDPOINTS;
use crate::identity::MasterKey;
use crate::kv::{Item, Kv, Scan};
use crate::names::AccountId;

/// The most endpoints of a server.
pub const MAX_ENDPOINTS: usize = 1000;
/// The most topics of a server.
pub const MAX_TOPICS: usize = 1000;

/// Rows that are read at a time.
const PAGE: usize = 500;

/// What endpoints go by besides what is said of each.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where those of tenants may be.
    pub reach: Reach,
    /// What counts for those that name no limits.
    pub limits: Limits,
}

/// The endpoints and topics of a server.
///
/// Every change is one durable commit, is carried out to its end even where its future is dropped, and is seen by whoever
/// asks from then on.
pub struct Endpoints {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub kv: Arc<dyn Kv>,
    pub master: MasterKey,
    pub settings: Settings,
    pub clock: Clock,
    /// Tells the end of the change log.
    pub head: watch::Receiver<u64>,
    /// Held by a change from its first look to the end of its commit.
    pub changing: Mutex<()>,
    pub snapshot: RwLock<Arc<Snapshot>>,
    pub changed: watch::Sender<u64>,
}

/// Everything at one moment.
#[derive(Clone, Default)]
pub(super) struct Snapshot {
    pub records: BTreeMap<EndpointId, Record>,
    /// Those of `records` that something defines.
    pub endpoints: BTreeMap<EndpointId, Arc<Endpoint>>,
    pub topics: BTreeMap<(AccountId, TopicName), TopicRecord>,
    pub declared: BTreeMap<EndpointId, Arc<Definition>>,
    pub next_number: u32,
}

impl Endpoints {
    /// Gives what is declared together with what is kept in `kv`. `head` tells the end of the change log: new endpoints hear
    /// of what comes behind it. Fails with [`Error::Sealed`] if `master` does not open the secrets there.
    pub async fn open(
        kv: Arc<dyn Kv>,
        master: MasterKey,
        settings: Settings,
        declared: Vec<Declared>,
        head: watch::Receiver<u64>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let snapshot = RwLock::new(Arc::new(load(&*kv).await?));
        let (changing, changed) = (Mutex::default(), watch::Sender::new(0));
        let shared = Shared { kv, master, settings, clock, head, changing, snapshot, changed };
        let endpoints = Self { shared: Arc::new(shared) };
        endpoints.declare(declared).await?;
        Ok(endpoints)
    }

    /// The endpoint called `id`.
    pub fn get(&self, id: &EndpointId) -> Option<Arc<Endpoint>> {
        self.snapshot().endpoints.get(id).cloned()
    }

    /// Every endpoint, by account and name. One that did not change is the same one as before.
    pub fn all(&self) -> Vec<Arc<Endpoint>> {
        self.snapshot().endpoints.values().cloned().collect()
    }

    /// Those of an account, by name.
    pub fn of_account(&self, account: &AccountId) -> Vec<Arc<Endpoint>> {
        let snapshot = self.snapshot();
        snapshot.endpoints.values().filter(|endpoint| endpoint.id.account == *account).cloned().collect()
    }

    /// What the last part of an ARN names: the endpoint, or the subscriptions of the topic; `None` where there is neither.
    pub fn resolve(&self, account: &AccountId, name: &str) -> Option<Vec<Arc<Endpoint>>> {
        let snapshot = self.snapshot();
        let mine = snapshot.endpoints.values().filter(|endpoint| endpoint.id.account == *account);
        let found: Vec<_> = mine.filter(|endpoint| endpoint.target() == name).cloned().collect();
        let topic = || TopicName::parse(name).is_ok_and(|name| snapshot.topics.contains_key(&(account.clone(), name)));
        if found.is_empty() && !topic() { None } else { Some(found) }
    }

    /// Whether rows of this number belong to an endpoint that there is, or that the file may soon declare again. Those of any
    /// other are nobody's.
    pub fn is_known(&self, number: u32) -> bool {
        self.snapshot().records.values().any(|record| record.number == number)
    }

    /// Tells how often anything changed, and wakes whoever waits for the next change.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Where endpoints of tenants may be.
    pub fn reach(&self) -> &Reach {
        &self.shared.settings.reach
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot()
    }
}

impl Shared {
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read())
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("endpoints", &self.snapshot().endpoints.len()).finish_non_exhaustive()
    }
}

/// Reads every row. What the endpoints are is told by the first [`declare`](Endpoints::declare).
async fn load(kv: &dyn Kv) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot { next_number: 1, ..Snapshot::default() };
    if let Some(bytes) = kv.get(ENDPOINTS, NEXT_NUMBER).await? {
        snapshot.next_number = record::decode(&bytes).ok_or_else(|| Error::Record("the next webhook".to_owned()))?;
    }
    for (key, value) in rows(kv, ENDPOINT).await? {
        let damaged = || Error::Record(key.escape_ascii().to_string());
        let id = record::endpoint_of(&key).ok_or_else(damaged)?;
        snapshot.records.insert(id, record::decode(&value).ok_or_else(damaged)?);
    }
    for (key, value) in rows(kv, TOPIC).await? {
        let damaged = || Error::Record(key.escape_ascii().to_string());
        let (account, name) = record::parse_key(&key).ok_or_else(damaged)?;
        let name = TopicName::parse(name).map_err(|_| damaged())?;
        snapshot.topics.insert((account, name), record::decode(&value).ok_or_else(damaged)?);
    }
    Ok(snapshot)
}

async fn rows(kv: &dyn Kv, kind: u8) -> Result<Vec<(bytes::Bytes, bytes::Bytes)>, Error> {
    let (mut rows, mut scan) = (Vec::new(), Scan::prefix(ENDPOINTS, &[kind], PAGE));
    loop {
        let page = kv.scan(scan.clone()).await?;
        for item in page.items {
            if let Item::Row { key, value } = item {
                rows.push((key, value));
            }
        }
        match rows.last() {
            Some((key, _)) if page.more => scan.start = [key, &b"\0"[..]].concat(),
            _ => return Ok(rows),
        }
    }
}
