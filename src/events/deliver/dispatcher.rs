//! The task of one endpoint: reads the log from where the endpoint is, sends, and notes what came of it.
//!
//! What must survive is in the engine, in an order that no crash can turn into a loss:
//!
//! 1. A change is passed by the cursor only when it was delivered, is nothing to the endpoint, or has a row in `deferred` or
//!    `dead_letters`, and that row is written by the very commit that moves the cursor ([`Pending`]). A crash before the commit
//!    has the change read and delivered again.
//! 2. A row of `deferred` is removed by a commit that follows its delivery, or by the one that makes it a dead letter. A crash
//!    between delivery and commit has it delivered again.
//! 3. The log is trimmed only up to cursors that are written down ([`Desk::cursor`]).
//!
//! So the task can be dropped at any point and begun anew: everything else, the connections, the window, the breaker, is in
//! memory alone and is made anew.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::breaker::{Breaker, Gate, Pace};
use super::desk::{Desk, Order, Shared};
use super::error::Error;
use super::flight::Landed;
use super::pending::{self, Pending, Promise};
use super::queue::Queue;
use super::replay::Job;
use super::rows::{Message, Progress};
use super::sender::Sender;
use super::window::Window;
use crate::clock::Timestamp;
use crate::events::endpoint::{self, Endpoint};
use crate::events::rules::TargetName;
use crate::events::tables::{self, CURSORS, MessageRow};
use crate::store::codec::encode;

/// The most changes that are read and not settled: beyond, the log keeps them.
pub(super) const WINDOW: usize = 1024;
/// The most messages that wait for another attempt: beyond, the log is not read.
pub const MAX_DEFERRED: usize = 10_000;
/// How often bounds are looked at, and the longest that a dispatcher sleeps.
const TICK: Duration = Duration::from_secs(1);
/// How far a clock may go back without more ado.
const CLOCK_SLACK: Duration = Duration::from_secs(1);
/// How long messages that are under way may take when the server stops.
const LAST_FLIGHTS: Duration = Duration::from_secs(3);
/// How long the last commit may take.
const LAST_COMMIT: Duration = Duration::from_secs(5);
/// The first pause of the breaker where the schedule says nothing.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Where a dispatcher hears of the world. Outlives its dispatcher: the next one goes on with it.
pub(super) struct Inbox {
    pub endpoint: watch::Receiver<Arc<Endpoint>>,
    pub orders: mpsc::Receiver<Order>,
    pub head: watch::Receiver<u64>,
    pub stopping: CancellationToken,
}

/// A commit that is under way.
pub(super) struct Committing {
    position: u64,
    pub messages: HashMap<MessageRow, Arc<Message>>,
    promises: Vec<Promise>,
    writing: AbortOnDropHandle<bool>,
}

pub(super) struct Dispatcher {
    pub shared: Arc<Shared>,
    pub desk: Arc<Desk>,
    pub endpoint: Arc<Endpoint>,
    /// What rules call it.
    pub target: Option<TargetName>,
    pub sender: Arc<Sender>,
    pub progress: Progress,
    pub window: Window,
    pub queue: Queue,
    /// Changes behind the cursor that have rows already: a crash came between two that were settled out of order.
    pub known: BTreeSet<u64>,
    pub pending: Pending,
    pub committing: Option<Committing>,
    pub flights: JoinSet<Landed>,
    /// How many of them are messages, and not tests.
    pub flying: usize,
    pub breaker: Breaker,
    pub pace: Pace,
    pub jobs: VecDeque<(u64, Job)>,
    /// The receiver wants to hear nothing any more, and that is being noted.
    pub halted: bool,
    /// Whose turn it is: what is new or what failed before.
    pub turn: bool,
    next_tick: Timestamp,
    /// The latest that the clock ever said.
    latest: Timestamp,
    pub next_cleaning: Timestamp,
}

/// What a dispatcher was woken by.
enum Woken {
    Landed(Landed),
    /// Whether it was written.
    Committed(bool),
    Changed(Arc<Endpoint>),
    Order(Order),
    Time,
    Stop,
}

impl Dispatcher {
    /// Goes on where the endpoint is, as the engine has it.
    pub async fn open(shared: Arc<Shared>, desk: Arc<Desk>) -> Result<Self, Error> {
        let endpoint: Arc<Endpoint> = desk.endpoint.borrow().clone();
        shared.settle_commits().await?;
        let progress = shared.progress(&endpoint).await?;
        let ordered = endpoint.ordering == endpoint::Ordering::Key;
        let now = shared.ports.clock.now();
        let mut dispatcher = Self {
            target: endpoint.target().parse().ok(),
            sender: Arc::new(Sender::new(&endpoint, shared.ports.endpoints.reach()).await),
            window: Window::new(progress.position),
            queue: Queue::new(ordered),
            known: BTreeSet::new(),
            pending: Pending::new(endpoint.number),
            committing: None,
            flights: JoinSet::new(),
            flying: 0,
            breaker: breaker_of(&endpoint),
            pace: Pace::new(endpoint.concurrency),
            jobs: VecDeque::new(),
            halted: false,
            turn: false,
            next_tick: now,
            latest: now,
            next_cleaning: now,
            progress,
            shared,
            desk,
            endpoint,
        };
        dispatcher.restore().await?;
        // Where the endpoint begins, or goes on behind a gap, is written down before anything is sent.
        dispatcher.pending.settled(0, now);
        Ok(dispatcher)
    }

    pub fn now(&self) -> Timestamp {
        self.shared.ports.clock.now()
    }

    /// Delivers until the server stops, or something is wrong that only a new beginning helps against.
    pub async fn run(&mut self, inbox: &mut Inbox) -> Result<(), Error> {
        loop {
            self.look_at_the_clock()?;
            if self.now() >= self.next_tick {
                self.tick().await?;
            }
            self.fill().await?;
            self.replay().await?;
            self.send();
            self.desk.reached.store(self.window.cursor(), Ordering::Release);
            self.commit();
            match self.woken(inbox).await? {
                Woken::Landed(landed) => self.land_all(landed)?,
                Woken::Committed(written) => self.committed(written),
                Woken::Changed(endpoint) => self.adopt(endpoint).await?,
                Woken::Order(order) => self.take_order(order).await,
                Woken::Time => {}
                Woken::Stop => return self.finish().await,
            }
        }
    }

    /// Everything that waits goes by the clock. Where that was set back it would wait for so much longer.
    fn look_at_the_clock(&mut self) -> Result<(), Error> {
        let now = self.now();
        if now.plus(CLOCK_SLACK) < self.latest {
            return Err(Error::ClockSetBack);
        }
        self.latest = self.latest.max(now);
        Ok(())
    }

    async fn woken(&mut self, inbox: &mut Inbox) -> Result<Woken, Error> {
        // Who does not read is not woken by every commit of the store.
        let reading = self.may_read();
        let more = reading && self.window.read_to() < *inbox.head.borrow_and_update();
        let sleep = match more {
            true => Duration::ZERO,
            // Not for longer than a tick, though the clock may be set back meanwhile.
            false => self.wake_at().since(self.now()).min(TICK),
        };
        let committing = async {
            match &mut self.committing {
                Some(committing) => (&mut committing.writing).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = inbox.stopping.cancelled() => Ok(Woken::Stop),
            written = committing => written.map(Woken::Committed).map_err(|_| Error::Flight),
            Some(landed) = self.flights.join_next() => landed.map(Woken::Landed).map_err(|_| Error::Flight),
            Ok(()) = inbox.endpoint.changed() => Ok(Woken::Changed(inbox.endpoint.borrow_and_update().clone())),
            Some(order) = inbox.orders.recv() => Ok(Woken::Order(order)),
            Ok(()) = inbox.head.changed(), if reading => Ok(Woken::Time),
            () = tokio::time::sleep(sleep) => Ok(Woken::Time),
        }
    }

    /// When there is something to do even if nothing happens.
    fn wake_at(&self) -> Timestamp {
        let now = self.now();
        let mut wake = self.next_tick;
        let mut by = |time: Option<Timestamp>| wake = time.map_or(wake, |time| wake.min(time));
        if self.committing.is_none() {
            by(self.pending.due(now));
        }
        if self.may_send() {
            match (self.breaker.gate(now), self.pace.held_until(now)) {
                (_, Some(until)) | (Gate::Shut(Some(until)), None) => by(Some(until)),
                (Gate::Shut(None) | Gate::Probe, None) => {}
                (Gate::Open, None) if self.flying < self.pace.allowed(now) => {
                    by(self.queue.first_due());
                    by(self.queue.ready_since().map(|since| since.plus(self.endpoint.batch.linger)));
                }
                (Gate::Open, None) => {}
            }
        }
        wake
    }

    /// Whether the endpoint wants anything, and what comes of it can be noted.
    pub fn may_send(&self) -> bool {
        self.endpoint.is_active() && !self.halted && !self.pending.is_full()
    }

    /// Writes what is settled, unless a commit is under way.
    pub fn commit(&mut self) {
        let now = self.now();
        if self.committing.is_some() || self.pending.due(now).is_none_or(|due| now < due) {
            return;
        }
        self.progress.position = self.window.cursor();
        let mut taken = self.pending.take();
        taken.put(CURSORS, tables::endpoint(self.endpoint.number), encode(&self.progress));
        let writing = tokio::spawn(pending::write(Arc::clone(&self.shared.ports.kv), taken.commit));
        let writing = AbortOnDropHandle::new(writing);
        let (position, promises) = (self.progress.position, taken.promises);
        self.committing = Some(Committing { position, messages: taken.messages, promises, writing });
    }

    /// Where nothing could be written the cursor stays, and who waits for it hears that it came to nothing.
    fn committed(&mut self, written: bool) {
        if let Some(committed) = self.committing.take().filter(|_| written) {
            self.desk.cursor.store(committed.position, Ordering::Release);
            for Promise { messages, reply } in committed.promises {
                // Whoever asked may be gone: then nobody needs to hear of it.
                let _ = reply.send(Ok(messages));
            }
            self.show();
        }
    }

    /// The endpoint was changed: what is under way ends as it began.
    async fn adopt(&mut self, endpoint: Arc<Endpoint>) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.endpoint, endpoint);
        self.halted = false;
        if before.ordering != self.endpoint.ordering {
            // Who is behind whom is another question now: everything that is not settled is asked it anew.
            return Err(Error::Reordered);
        }
        if !Arc::ptr_eq(&before.definition, &self.endpoint.definition) {
            let reach = self.shared.ports.endpoints.reach();
            self.sender = Arc::new(Sender::new(&self.endpoint, reach).await);
            self.breaker = breaker_of(&self.endpoint);
            self.pace.set_most(self.endpoint.concurrency);
        } else if before.state != self.endpoint.state {
            self.breaker = breaker_of(&self.endpoint);
        }
        Ok(())
    }

    async fn take_order(&mut self, order: Order) {
        match order {
            Order::Test(message, reply) => self.test(message, reply),
            Order::Replay(replay, reply) => match self.begin_replay(replay).await {
                Ok(messages) => self.pending.promise(Promise { messages, reply }, self.now()),
                Err(error) => _ = reply.send(Err(error)),
            },
        }
    }

    async fn tick(&mut self) -> Result<(), Error> {
        self.next_tick = self.now().plus(TICK);
        self.keep_bounds().await?;
        self.clean().await?;
        self.look_for_age().await?;
        self.sender.close_idle();
        self.show();
        Ok(())
    }

    /// Waits a moment for what is under way, and writes what is settled.
    async fn finish(&mut self) -> Result<(), Error> {
        let last = tokio::time::Instant::now() + LAST_FLIGHTS;
        while let Ok(Some(Ok(landed))) = tokio::time::timeout_at(last, self.flights.join_next()).await {
            self.land(landed);
        }
        self.flights.abort_all();
        if tokio::time::timeout(LAST_COMMIT, self.write_last()).await.is_err() {
            tracing::warn!(webhook = %self.endpoint.id, "what was delivered last could not be noted: it will be delivered again");
        }
        Ok(())
    }

    async fn write_last(&mut self) {
        self.written().await;
        self.pending.settled(pending::COMMIT_CHANGES, self.now());
        self.commit();
        self.written().await;
    }

    async fn written(&mut self) {
        if let Some(committing) = &mut self.committing
            && let Ok(written) = (&mut committing.writing).await
        {
            self.committed(written);
        }
    }
}

/// Its first pause is the schedule's first wait: whoever has failures tried again soon has the receiver tried soon.
fn breaker_of(endpoint: &Endpoint) -> Breaker {
    let first = endpoint.retry.schedule.iter().find(|wait| !wait.is_zero());
    let longest = endpoint.retry.schedule.iter().max().copied();
    Breaker::new(first.copied().unwrap_or(FIRST_PAUSE).min(FIRST_PAUSE), longest.unwrap_or(FIRST_PAUSE))
}
