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
mod latency;
mod line;
mod operate;
mod pages;
mod pending;
mod queue;
mod replay;
mod rows;
mod schedule;
mod sender;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use bounds::{ATTEMPTS_KEPT, MAX_DEAD_LETTERS};
pub use dispatcher::MAX_DEFERRED;
pub use error::Error;
pub use flight::KEPT_ATTEMPTS;
pub use replay::{MAX_REPLAYED_IDS, MAX_REPLAYS, Replay};
pub use sender::KEPT_ANSWER_BYTES;

use self::admission::Doorkeeper;
use self::desk::{Desk, Order, Shared};
use self::rows::Delivery;
use super::Targets;
use super::endpoint::{EndpointId, Endpoints};
use super::record::Message;
use super::rules::{RuleBook, TargetName};
use crate::clock::Clock;
use crate::kv::Kv;
use crate::names::AccountId;
use crate::store::Store;

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

/// The dispatchers of all endpoints: there is one for each as long as there is the endpoint. Dropped, they end wherever they are,
/// as in a crash: nothing is lost, and some of it is delivered again.
pub struct Dispatchers {
    shared: Arc<Shared>,
    stopping: CancellationToken,
    keeper: Mutex<Option<AbortOnDropHandle<()>>>,
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
        let keeper = Mutex::new(Some(AbortOnDropHandle::new(tokio::spawn(keeper.run()))));
        Ok(Arc::new(Self { shared, stopping, keeper }))
    }

    /// Keeps attempts in the delivery log for this time from now on, in place of [`ATTEMPTS_KEPT`].
    pub fn keep_attempts(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.shared.attempts_kept.store(millis, Ordering::Relaxed);
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

    /// Has something sent once more, beside what is new. Gives how many messages that is, where it is known.
    pub async fn resend(&self, id: &EndpointId, replay: Replay) -> Result<Option<u64>, Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.desk(id)?.orders.send(Order::Replay(replay, reply)).await;
        sent.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)?
    }

    /// Sends a message once, now, whatever the endpoint's state. Gives the attempt, and its number in the delivery log.
    async fn send_once(&self, id: &EndpointId, message: Message) -> Result<(u64, Delivery), Error> {
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
            let sent = self.send_once(&endpoint.id, message.clone()).await;
            let (_, delivery) = sent.map_err(|error| error.to_string())?;
            match delivery.error {
                None => Ok(()),
                Some(why) => Err(format!("The endpoint {} did not take it: {why}", endpoint.id.name)),
            }
        });
        futures_util::future::join_all(sent).await.into_iter().collect()
    }
}
