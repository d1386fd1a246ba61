//! Sees to it that every endpoint has its dispatcher, that the log is held for them, and that nothing is left of those that are
//! gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::desk::{Desk, Shared};
use super::dispatcher::{Dispatcher, Inbox};
use super::error::Error;
use crate::events::endpoint::Endpoint;
use crate::events::operate::EndpointStatus;
use crate::events::tables::{self, CURSORS, OF_ENDPOINT};
use crate::kv::{Commit, CommitError, Item, Scan};
use crate::store::Position;

/// How often the log's hold is moved.
const ROUND: Duration = Duration::from_secs(1);
/// How often the rules of before are looked through for what nobody needs any more, in rounds.
const PRUNE_ROUNDS: u64 = 60;
/// How long a dispatcher waits that cannot go on, before it begins anew.
const PAUSE: Duration = Duration::from_secs(1);
/// How many orders may wait.
const ORDERS: usize = 16;
const PAGE: usize = 500;

/// A dispatcher under way.
struct Running {
    desk: Arc<Desk>,
    stopping: CancellationToken,
    /// Dropped, it ends wherever it is.
    task: AbortOnDropHandle<()>,
}

pub(super) struct Keeper {
    shared: Arc<Shared>,
    stopping: CancellationToken,
    /// By the endpoints' numbers.
    running: HashMap<u32, Running>,
    changed: watch::Receiver<u64>,
    rounds: u64,
}

impl Keeper {
    pub fn new(shared: Arc<Shared>, stopping: CancellationToken) -> Self {
        let changed = shared.ports.endpoints.changed();
        Self { shared, stopping, running: HashMap::new(), changed, rounds: 0 }
    }

    /// Until the server stops.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => break,
                Ok(()) = self.changed.changed() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
            if let Err(error) = self.round().await {
                tracing::error!(%error, "webhooks cannot be looked after; that is tried again");
            }
        }
        for running in self.running.values() {
            running.stopping.cancel();
        }
        for (_, running) in self.running.drain() {
            // One that panicked begins where its rows say, the next time.
            let _ = running.task.await;
        }
    }

    async fn round(&mut self) -> Result<(), Error> {
        self.reconcile().await?;
        self.rounds += 1;
        if self.rounds.is_multiple_of(PRUNE_ROUNDS) {
            // Those that are remembered are not running, and those that have just begun are not written down.
            let read = self.shared.lowest_written().await?.min(self.lowest().unwrap_or(u64::MAX));
            let (rules, store) = (&self.shared.ports.rules, &self.shared.ports.store);
            rules.prune(store, Position(read), store.log_start().await?).await?;
        }
        Ok(())
    }

    /// Gives every endpoint a dispatcher, and ends those whose endpoint is gone; then holds the log for those that there are.
    pub async fn reconcile(&mut self) -> Result<(), Error> {
        self.changed.mark_unchanged();
        let endpoints = self.shared.ports.endpoints.all();
        let there: HashMap<u32, &Arc<Endpoint>> =
            endpoints.iter().map(|endpoint| (endpoint.number, endpoint)).collect();
        let gone: Vec<u32> = self.running.keys().filter(|number| !there.contains_key(number)).copied().collect();
        for number in gone {
            self.end(number).await?;
        }
        for endpoint in &endpoints {
            match self.running.get(&endpoint.number) {
                Some(running) if Arc::ptr_eq(&running.desk.endpoint.borrow(), endpoint) => {}
                Some(running) => _ = running.desk.endpoint.send_replace(Arc::clone(endpoint)),
                None => self.begin(endpoint).await?,
            }
        }
        *self.shared.desks.write() = self.running.values().map(|running| Arc::clone(&running.desk)).collect();
        self.shared.note_strict();
        self.shared.ports.store.hold_log(self.lowest().map(Position));
        Ok(())
    }

    /// The lowest cursor. All endpoints are within their bounds, or refuse writes.
    fn lowest(&self) -> Option<u64> {
        self.running.values().map(|running| running.desk.cursor.load(Ordering::Acquire)).min()
    }

    async fn begin(&mut self, endpoint: &Arc<Endpoint>) -> Result<(), Error> {
        let progress = self.shared.progress(endpoint).await?;
        let (sender, orders) = mpsc::channel(ORDERS);
        let (told, hears) = watch::channel(Arc::clone(endpoint));
        let desk = Arc::new(Desk {
            endpoint: told,
            orders: sender,
            status: Mutex::new(EndpointStatus::default()),
            latency: Mutex::default(),
            cursor: AtomicU64::new(progress.position),
            reached: AtomicU64::new(progress.position),
            too_old: AtomicBool::new(false),
        });
        let stopping = CancellationToken::new();
        let head = self.shared.ports.store.log_head();
        let inbox = Inbox { endpoint: hears, orders, head, stopping: stopping.clone() };
        let task = tokio::spawn(dispatch(Arc::clone(&self.shared), Arc::clone(&desk), inbox));
        let task = AbortOnDropHandle::new(task);
        self.running.insert(endpoint.number, Running { desk, stopping, task });
        Ok(())
    }

    /// Ends a dispatcher, then removes its rows unless the endpoint may come back. What is under way is not waited for: a
    /// receiver that hangs would hold up every other change. One that comes back hears of it once more.
    async fn end(&mut self, number: u32) -> Result<(), Error> {
        if let Some(running) = self.running.remove(&number) {
            running.task.abort();
            // It ends where it next waits; one that panicked is ended too.
            let _ = running.task.await;
        }
        if self.shared.ports.endpoints.is_known(number) {
            return Ok(());
        }
        self.remove_rows(number).await
    }

    async fn remove_rows(&self, number: u32) -> Result<(), Error> {
        let mut commit = Commit::new();
        for table in OF_ENDPOINT {
            let (start, end) = (tables::endpoint(number), tables::behind_endpoint(number));
            commit = match end.is_empty() {
                false => commit.delete_range(table, start, end),
                // The very last number, which nobody comes behind.
                true => commit,
            };
        }
        match self.shared.ports.kv.commit(commit).await {
            Ok(_) => Ok(()),
            Err(CommitError::Engine(error)) => Err(error.into()),
            Err(CommitError::Conflict { .. }) => Ok(()),
        }
    }

    /// Removes the rows of endpoints that a run before this one did not get to remove.
    pub async fn remove_orphans(&self) -> Result<(), Error> {
        let mut scan = Scan::prefix(CURSORS, b"", PAGE);
        loop {
            let page = self.shared.ports.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, .. } = item else { continue };
                scan.start = [&key[..], b"\0"].concat();
                let number = key.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
                if let Some(number) = number.filter(|number| !self.shared.ports.endpoints.is_known(*number)) {
                    self.remove_rows(number).await?;
                }
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// The life of an endpoint's dispatcher. One that cannot go on is dropped, and the next one begins where the rows say.
async fn dispatch(shared: Arc<Shared>, desk: Arc<Desk>, mut inbox: Inbox) {
    let mut at_once = false;
    loop {
        let ended = async {
            let mut dispatcher = Dispatcher::open(Arc::clone(&shared), Arc::clone(&desk)).await?;
            if std::mem::take(&mut at_once) {
                dispatcher.queue.all_due(dispatcher.now());
            }
            dispatcher.run(&mut inbox).await
        };
        let pause = match ended.await {
            Ok(()) => return,
            Err(Error::Reordered) => Duration::ZERO,
            Err(error @ Error::ClockSetBack) => {
                tracing::warn!(webhook = %desk.endpoint.borrow().id, %error, "what waits is tried now");
                at_once = true;
                Duration::ZERO
            }
            Err(error) => {
                tracing::error!(webhook = %desk.endpoint.borrow().id, %error, "a webhook's dispatcher begins anew");
                PAUSE
            }
        };
        tokio::select! {
            () = inbox.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
