//! Delivery: a dispatcher for every endpoint, which reads the change log at its own pace, sends, tries again, and gives up in
//! the end.
//!
//! `dispatcher` says in which order things are written down so that nothing is lost. The rules that it goes by are pure and stand
//! apart: `schedule`, `breaker`, `lanes`, `queue` and `window`.

mod admission;
mod bounds;
mod breaker;
mod desk;
mod dispatcher;
mod error;
mod flight;
mod intake;
mod keeper;
mod lanes;
mod line;
mod pages;
mod pending;
mod queue;
mod replay;
mod rows;
mod schedule;
mod sender;
mod status;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use bounds::{ATTEMPTS_KEPT, MAX_DEAD_LETTERS};
pub use dispatcher::MAX_DEFERRED;
pub use error::Error;
pub use flight::KEPT_ATTEMPTS;
pub use replay::{MAX_REPLAYED_IDS, MAX_REPLAYS, Replay};
pub use rows::{Counts, Delivery, Gap, GapReason, Message as KeptMessage, MessageEvent, Outcome};
pub use sender::{Attempt, KEPT_ANSWER_BYTES, Verdict};
pub use status::{BreakerState, EndpointStatus, LATENCY_CLASSES, Latency};

use self::admission::Doorkeeper;
use self::desk::{Desk, Order, Shared};
use self::rows::Message as Kept;
use super::Targets;
use super::endpoint::{Endpoint, EndpointId, Endpoints};
use super::record::{Message, render};
use super::rules::{RuleBook, TargetName};
use super::tables::{self, DEAD_LETTERS, DELIVERIES};
use crate::clock::Clock;
use crate::kv::{Item, Kv, Scan};
use crate::names::AccountId;
use crate::store::Store;
use crate::store::codec::decode;

/// The most rows that a listing of attempts or dead letters gives at a time.
pub const MAX_LISTED: usize = 1000;
/// How long a test may wait for its dispatcher beside the endpoint's own time.
const TEST_MARGIN: Duration = Duration::from_secs(5);

/// What deliveries are made with.
#[derive(Clone)]
pub struct Ports {
    /// The engine that the store is on.
    pub kv: Arc<dyn Kv>,
    pub store: Arc<Store>,
    pub endpoints: Arc<Endpoints>,
    pub rules: Arc<RuleBook>,
    pub clock: Clock,
}

/// What records say of the server.
#[derive(Debug, Clone)]
pub struct Settings {
    pub region: Arc<str>,
    /// What answers have as `x-amz-id-2`.
    pub host_id: Arc<str>,
}

/// The dispatchers of all endpoints: there is one for each as long as there is the endpoint.
pub struct Dispatchers {
    shared: Arc<Shared>,
    stopping: CancellationToken,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// By which [`Replay::Messages`] knows it.
    pub id: String,
    pub message: KeptMessage,
}

impl Dispatchers {
    /// Starts a dispatcher for every endpoint, holds the log for them, and has the store refuse writes where an endpoint wants
    /// that. To be called before anything trims the log. Needs a tokio runtime.
    pub async fn start(ports: Ports, settings: Settings) -> Result<Arc<Self>, Error> {
        let log = ports.store.log_id().await?;
        let shared = Arc::new(Shared::new(ports, log, settings));
        shared.ports.store.set_admission(Arc::new(Doorkeeper(Arc::clone(&shared))));
        let stopping = CancellationToken::new();
        let mut keeper = keeper::Keeper::new(Arc::clone(&shared), stopping.clone());
        keeper.remove_orphans().await?;
        keeper.reconcile().await?;
        let keeper = Mutex::new(Some(tokio::spawn(keeper.run())));
        Ok(Arc::new(Self { shared, stopping, keeper }))
    }

    /// Ends all dispatchers: gives what is under way a few seconds, and writes what came of it.
    pub async fn stop(&self) {
        self.stopping.cancel();
        let keeper = self.keeper.lock().take();
        if let Some(keeper) = keeper {
            // One that panicked has nothing left to write.
            let _ = keeper.await;
        }
    }

    /// How an endpoint does; `None` where there is none.
    pub fn status(&self, id: &EndpointId) -> Option<EndpointStatus> {
        let desk = self.desk(id).ok()?;
        let status = desk.status.lock().clone();
        Some(status)
    }

    /// How all of them do.
    pub fn statuses(&self) -> Vec<(Arc<Endpoint>, EndpointStatus)> {
        let desks = self.shared.desks.read();
        desks.iter().map(|desk| (desk.endpoint.borrow().clone(), desk.status.lock().clone())).collect()
    }

    /// Attempts, the newest first: at most `limit` (and [`MAX_LISTED`]) of those with a number below `before`.
    pub async fn deliveries(
        &self,
        id: &EndpointId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Delivery)>, Error> {
        let (number, limit) = (self.endpoint(id)?.number, limit.min(MAX_LISTED));
        let progress = self.shared.progress(&*self.endpoint(id)?).await?;
        let end = before.unwrap_or(u64::MAX).min(progress.attempts.1);
        let start = end.saturating_sub(limit as u64).max(progress.attempts.0);
        let (start, end) = (tables::numbered(number, start).to_vec(), tables::numbered(number, end).to_vec());
        let scan = Scan { table: DELIVERIES, start, end, limit, group: None };
        let mut found = Vec::new();
        for item in self.shared.ports.kv.scan(scan).await?.items {
            let Item::Row { key, value } = item else { continue };
            found.extend(tables::parse_numbered(&key).map(|sequence| decode(&value).map(|row| (sequence, row))));
        }
        let found: Result<Vec<_>, _> = found.into_iter().rev().collect();
        Ok(found?)
    }

    /// Dead letters, the oldest changes first: at most `limit` (and [`MAX_LISTED`]) behind the first `skip`.
    pub async fn dead_letters(&self, id: &EndpointId, skip: usize, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let endpoint = self.endpoint(id)?;
        let mut letters = Vec::new();
        let (mut index, wanted) = (0, skip..skip.saturating_add(limit.min(MAX_LISTED)));
        intake::each_row(&*self.shared.ports.kv, DEAD_LETTERS, endpoint.number, |_, value| {
            if wanted.contains(&index) {
                letters.push(self.letter(&endpoint, decode(value)?));
            }
            index += 1;
            Ok(())
        })
        .await?;
        Ok(letters)
    }

    fn letter(&self, endpoint: &Endpoint, message: Kept) -> DeadLetter {
        let id = message.id.clone();
        let id = id.unwrap_or_else(|| render(endpoint.format, &message.events(&self.shared.origin)).id);
        DeadLetter { id, message }
    }

    /// Has something sent once more. Returns when that is noted; it is sent while there is room beside what is new.
    pub async fn replay(&self, id: &EndpointId, replay: Replay) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.desk(id)?.orders.clone().send(Order::Replay(replay, reply)).await;
        sent.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// Sends a message once, now, whatever the endpoint's state, and tells what came of it. The attempt is in the delivery log.
    pub async fn send_test(&self, id: &EndpointId, message: Message) -> Result<Attempt, Error> {
        let desk = self.desk(id)?;
        let patience = desk.endpoint.borrow().timeout.saturating_add(TEST_MARGIN);
        let (reply, answer) = oneshot::channel();
        desk.orders.send(Order::Test(message, reply)).await.map_err(|_| Error::Stopping)?;
        let answer = tokio::time::timeout(patience, answer).await;
        answer.map_err(|_| Error::Flight)?.map_err(|_| Error::Stopping)
    }

    fn desk(&self, id: &EndpointId) -> Result<Arc<Desk>, Error> {
        let desks = self.shared.desks.read();
        let found = desks.iter().find(|desk| desk.endpoint.borrow().id == *id).cloned();
        found.ok_or_else(|| Error::NoSuch(id.clone()))
    }

    fn endpoint(&self, id: &EndpointId) -> Result<Arc<Endpoint>, Error> {
        Ok(self.desk(id)?.endpoint.borrow().clone())
    }
}

#[async_trait]
impl Targets for Dispatchers {
    fn exists(&self, account: &AccountId, name: &TargetName) -> bool {
        self.shared.ports.endpoints.resolve(account, name.as_str()).is_some()
    }

    /// Everybody whom the name stands for hears of it; the first failure is told.
    async fn test(&self, account: &AccountId, name: &TargetName, message: Message) -> Result<(), String> {
        let found = self.shared.ports.endpoints.resolve(account, name.as_str());
        let found = found.ok_or_else(|| format!("There is no endpoint {name}"))?;
        let sent = found.iter().map(|endpoint| async {
            let attempt = self.send_test(&endpoint.id, message.clone()).await.map_err(|error| error.to_string())?;
            match attempt.verdict() {
                Verdict::Delivered => Ok(()),
                Verdict::Gone | Verdict::Failed { .. } => {
                    Err(format!("The endpoint {} did not take it: {}", endpoint.id.name, attempt.failure()))
                }
            }
        });
        futures_util::future::join_all(sent).await.into_iter().collect()
    }
}
