//! The task that polls, for as long as the edge runs.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::channel::{Channel, ChannelError, Settings, SettingsError};
use super::holder::Holder;
use super::reader::Reader;
use super::registration::Registration;
use super::relay::Relay;
use super::telling::Telling;
use crate::clock::Clock;
use crate::feed::{
    EdgeId, FeedState, HEARTBEAT, Moment, PATH, PURGE_PATH, Page, Poll, Position, Purge, PurgeAnswer, PurgeRequest,
    VERSION,
};

/// How long a poll may take beyond what the server waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a purge may take until the server has it, and then until it is applied here.
const PURGE_PATIENCE: Duration = Duration::from_secs(5);
/// The pauses after failures: the first, doubled up to the longest. The lease outlasts some of them.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Follows the feed until it is stopped.
pub struct Follower {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    acknowledging: Option<JoinHandle<()>>,
}

struct Shared {
    channel: Channel,
    edge: EdgeId,
    state: Arc<FeedState>,
    relay: Option<Arc<Relay>>,
    registration: Mutex<Arc<Registration>>,
    /// Up to where everything was applied here; told whenever that moves.
    applied: watch::Sender<Option<Position>>,
    /// Told when there is something new to say of the edge's sites.
    declared: watch::Sender<()>,
    stopping: CancellationToken,
}

/// Why a purge is not known to be done.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("the purge is in the log, and was not heard of here within {PURGE_PATIENCE:?}")]
    NotHeard,
}

impl Follower {
    /// Begins to follow: has `holder` drop what is gone, and keeps `state` up to date. Needs a tokio runtime. Reads the
    /// authorities' file; blocks.
    pub fn start(
        settings: &Settings,
        registration: Registration,
        holder: Arc<dyn Holder>,
        state: Arc<FeedState>,
        clock: Clock,
    ) -> Result<Self, SettingsError> {
        let mut run = [0; 8];
        rand::fill(&mut run).map_err(|_| SettingsError::NoRandomBytes)?;
        let relay = match settings.relay {
            true => Some(Arc::new(Relay::new(settings, Arc::clone(&state), clock)?)),
            false => None,
        };
        let shared = Arc::new(Shared {
            channel: Channel::new(settings)?,
            edge: EdgeId { name: settings.name.clone(), run: u64::from_be_bytes(run) },
            state: Arc::clone(&state),
            relay: relay.clone(),
            registration: Mutex::new(Arc::new(registration)),
            applied: watch::Sender::new(None),
            declared: watch::Sender::new(()),
            stopping: CancellationToken::new(),
        });
        let reader = Reader::new(holder, state, relay.clone());
        let task = tokio::spawn(Arc::clone(&shared).follow(reader));
        let acknowledging = relay.map(|relay| tokio::spawn(Arc::clone(&shared).acknowledge(relay)));
        Ok(Self { shared, task, acknowledging })
    }

    /// Says what the edge serves from now on, after its configuration was read again.
    pub fn declare(&self, registration: Registration) {
        *self.shared.registration.lock() = Arc::new(registration);
        self.shared.declared.send_replace(());
    }

    /// What answers the edges that read the feed here; `None` where none may.
    pub fn relay(&self) -> Option<&Arc<Relay>> {
        self.shared.relay.as_ref()
    }

    /// Puts purges into the log, for every edge of the account. Returns once they are applied here.
    pub async fn purge(&self, purges: Vec<Purge>) -> Result<Position, PurgeError> {
        let before = self.shared.applied.borrow().map(|at| at.log);
        let answer = self.shared.hand_in(purges).await?;
        let mut applied = self.shared.applied.subscribe();
        // Where this edge goes on in a third log, it has forgotten everything since.
        let is_there = |at: &Option<Position>| {
            at.is_some_and(|at| match at.log == answer.position.log {
                true => at.offset >= answer.position.offset,
                false => Some(at.log) != before,
            })
        };
        match timeout(PURGE_PATIENCE, applied.wait_for(is_there)).await {
            Ok(_) => Ok(answer.position),
            Err(_) => Err(PurgeError::NotHeard),
        }
    }

    /// Stops following: says so, so that nobody waits for this edge, and saves where it is. Nothing that is held is trusted
    /// any more.
    pub async fn stop(self) {
        self.shared.stopping.cancel();
        if let Some(task) = self.acknowledging {
            let _ = task.await;
        }
        // The task does not panic, and nobody aborts it.
        let _ = self.task.await;
    }
}

impl Shared {
    async fn follow(self: Arc<Self>, mut reader: Reader) {
        let (mut telling, mut failures) = (Telling::new(), 0);
        let mut declared = self.declared.subscribe();
        while !self.stopping.is_cancelled() {
            let sent = Moment::now();
            if declared.has_changed().unwrap_or(false) {
                telling.must();
            }
            declared.mark_unchanged();
            let tell = telling.is_due(sent);
            let poll = self.poll(reader.at(), HEARTBEAT, tell);
            let polling = self.channel.exchange::<Page>(PATH, &poll, HEARTBEAT + PATIENCE);
            let Some(answer) = self.stopping.run_until_cancelled(polling).await else { break };
            let taken = match answer {
                Ok(page) => {
                    telling.answered(tell, &page, sent);
                    reader.take(page, sent).await.map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            match taken {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!("the feed is followed again");
                    }
                    failures = 0;
                    self.told(reader.at());
                }
                Err(error) => {
                    failures += 1;
                    telling.must();
                    self.failed(&error, failures).await;
                }
            }
        }
        self.leave(&mut reader).await;
    }

    fn told(&self, at: Option<Position>) {
        self.applied.send_if_modified(|applied| {
            let moved = *applied != at;
            *applied = at;
            moved
        });
    }

    /// Says what went wrong, the first time and every minute or so, and waits.
    async fn failed(&self, error: &str, failures: u32) {
        if failures == 1 || failures.is_multiple_of(32) {
            let lease = self.state.left(Moment::now()).as_millis() as u64;
            tracing::warn!(error, failures, lease_ms = lease, "the feed is not followed");
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
        self.stopping.run_until_cancelled(sleep(pause)).await;
    }

    /// What the edge says: how far it is, and how far it is together with those behind it.
    fn poll(&self, at: Option<Position>, wait: Duration, tell: bool) -> Poll {
        let now = Moment::now();
        let registration = self.registration.lock().clone();
        let applied = at.map(|at| self.relay.as_ref().map_or(at, |relay| relay.applied(at, now)));
        Poll {
            version: VERSION,
            edge: self.edge.clone(),
            from: at,
            applied,
            wait: wait.as_millis() as u64,
            sites: tell.then(|| registration.sites.clone()),
            behind: self.relay.as_ref().map(|relay| relay.behind(now)).unwrap_or_default(),
            leaving: false,
        }
    }

    /// Tells the server of those behind this edge as they come along, while a poll waits for entries.
    async fn acknowledge(self: Arc<Self>, relay: Arc<Relay>) {
        let mut heard = relay.heard();
        let mut last = None;
        loop {
            let Some(Ok(())) = self.stopping.run_until_cancelled(heard.changed()).await else { return };
            let Some(at) = *self.applied.borrow() else { continue };
            let applied = relay.applied(at, Moment::now());
            if last == Some(applied) {
                continue;
            }
            let poll = self.poll(Some(at), Duration::ZERO, false);
            // What it answers comes with the next poll too.
            match self.channel.exchange::<Page>(PATH, &poll, PATIENCE).await {
                Ok(_) => last = Some(applied),
                Err(error) => tracing::debug!(%error, "the server was not told how far the edges behind this one are"),
            }
        }
    }

    async fn hand_in(&self, purges: Vec<Purge>) -> Result<PurgeAnswer, ChannelError> {
        self.channel.exchange(PURGE_PATH, &PurgeRequest { purges }, PURGE_PATIENCE).await
    }

    async fn leave(&self, reader: &mut Reader) {
        self.state.end();
        reader.save(Moment::now(), true).await;
        let behind_too = self.relay.as_ref().is_some_and(|relay| relay.has_live(Moment::now()));
        if behind_too {
            // Those behind it go on trusting what they hold: their leases have to be waited for.
            return;
        }
        let poll = Poll { leaving: true, ..self.poll(reader.at(), Duration::ZERO, false) };
        if let Err(error) = self.channel.exchange::<Page>(PATH, &poll, PATIENCE).await {
            tracing::debug!(%error, "the server was not told that this edge stops");
        }
    }
}
