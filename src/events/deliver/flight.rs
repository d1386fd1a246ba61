//! Messages on their way: what is sent next, and what becomes of it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::breaker::Gate;
use super::dispatcher::Dispatcher;
use super::error::Error;
use super::lanes::Ticket;
use super::queue::{Behind, Fresh, Held};
use super::rows::{Delivery, Message, Outcome};
use super::schedule::{self, Failed};
use super::sender::{Attempt, Verdict};
use crate::clock::Timestamp;
use crate::events::endpoint::Endpoint;
use crate::events::record::{self, Event, render};
use crate::events::tables::{self, DEFERRED, DELIVERIES, MessageRow};
use crate::store::codec::{decode, encode};

/// The most bytes of a message of several events, by an estimate that is too high rather than too low. One event alone is sent
/// whatever its size.
const MAX_BATCH_BYTES: usize = 64 * 1024;
/// What an event counts besides its texts.
const EVENT_BYTES: usize = 900;
/// How many attempts the delivery log keeps, and after how many more of them the oldest are removed.
pub const KEPT_ATTEMPTS: u64 = 10_000;
const REMOVED_ATTEMPTS: u64 = 1_000;

/// A message that came back from its receiver.
pub(super) struct Landed {
    what: What,
    /// Whether it decides whether the endpoint works.
    probe: bool,
    at: Timestamp,
    id: String,
    attempt: Attempt,
    /// The endpoint that it was sent to, as it was then.
    endpoint: Arc<Endpoint>,
}

enum What {
    /// Changes that were only in memory.
    Fresh(Vec<(Ticket, Fresh)>),
    /// A message of `deferred`; `Err`: it could not be read.
    Held {
        id: Ticket,
        held: Held,
        message: Result<Option<Arc<Message>>, String>,
    },
    Test(oneshot::Sender<(u64, Delivery)>),
}

impl Dispatcher {
    /// Sends as much as may be under way.
    pub fn send(&mut self) {
        let now = self.now();
        while self.may_send() {
            match self.breaker.gate(now) {
                Gate::Open if self.flying < self.pace.allowed(now) => {
                    if !self.send_next(now) {
                        return;
                    }
                }
                Gate::Probe if self.pace.allowed(now) > 0 => return self.send_probe(now),
                Gate::Open | Gate::Probe | Gate::Shut(_) => return,
            }
        }
    }

    /// What is new and what failed before take turns, so that much of the one does not hold up the other.
    fn send_next(&mut self, now: Timestamp) -> bool {
        self.turn = !self.turn;
        match self.turn {
            true => self.send_due(now) || self.send_fresh(now, false),
            false => self.send_fresh(now, false) || self.send_due(now),
        }
    }

    fn send_due(&mut self, now: Timestamp) -> bool {
        let due = self.queue.take_due(now);
        due.is_some_and(|(id, held)| {
            self.launch_held(id, held, false, now);
            true
        })
    }

    fn send_probe(&mut self, now: Timestamp) {
        self.turn = !self.turn;
        let sent = match self.turn {
            true => self.probe_held(now) || self.send_fresh(now, true),
            false => self.send_fresh(now, true) || self.probe_held(now),
        };
        if sent {
            self.breaker.probe();
        }
    }

    fn probe_held(&mut self, now: Timestamp) -> bool {
        let taken = self.queue.take_probe();
        taken.is_some_and(|(id, held)| {
            self.launch_held(id, held, true, now);
            true
        })
    }

    fn send_fresh(&mut self, now: Timestamp, probe: bool) -> bool {
        let batch = self.endpoint.batch;
        let lingers = self.queue.ready_since().is_some_and(|since| now < since.plus(batch.linger));
        if !probe && lingers && self.queue.ready_len() < batch.most {
            return false;
        }
        let mut bytes = 0;
        let taken = self.queue.take_ready(|count, event| {
            bytes += size(event);
            count < batch.most && bytes <= MAX_BATCH_BYTES
        });
        if taken.is_empty() {
            return false;
        }
        self.flying += 1;
        let (sender, endpoint) = (Arc::clone(&self.sender), Arc::clone(&self.endpoint));
        self.flights.spawn(async move {
            let events: Vec<Event> = taken.iter().map(|(_, fresh)| fresh.event.clone()).collect();
            let message = render(endpoint.format, &events);
            let attempt = sender.send(&message, &endpoint, now).await;
            Landed { what: What::Fresh(taken), probe, at: now, id: message.id, attempt, endpoint }
        });
        true
    }

    fn launch_held(&mut self, id: Ticket, held: Held, probe: bool, now: Timestamp) {
        self.flying += 1;
        let in_memory = self.pending.messages.get(&held.row);
        let in_memory = in_memory.or_else(|| self.committing.as_ref().and_then(|c| c.messages.get(&held.row))).cloned();
        let (sender, endpoint, shared) =
            (Arc::clone(&self.sender), Arc::clone(&self.endpoint), Arc::clone(&self.shared));
        self.flights.spawn(async move {
            let message = match in_memory {
                Some(message) => Ok(Some(message)),
                None => shared.deferred(endpoint.number, held.row).await.map_err(|error| error.to_string()),
            };
            let (mut sent, mut attempt) = (String::new(), Attempt::default());
            if let Ok(Some(kept)) = &message {
                let events = kept.events(&shared.origin);
                let mut rendered = render(endpoint.format, &events);
                if let Some(id) = &kept.id {
                    rendered.id.clone_from(id);
                }
                attempt = sender.send(&rendered, &endpoint, now).await;
                sent = rendered.id;
            }
            Landed { what: What::Held { id, held, message }, probe, at: now, id: sent, attempt, endpoint }
        });
    }

    /// Sends a message that somebody waits for. It tells nothing of whether the endpoint works for others.
    pub fn test(&mut self, message: record::Message, reply: oneshot::Sender<(u64, Delivery)>) {
        let (sender, endpoint, now) = (Arc::clone(&self.sender), Arc::clone(&self.endpoint), self.now());
        self.flights.spawn(async move {
            let attempt = sender.send(&message, &endpoint, now).await;
            Landed { what: What::Test(reply), probe: false, at: now, id: message.id, attempt, endpoint }
        });
    }

    /// Takes what came back, and everything else that did meanwhile.
    pub fn land_all(&mut self, landed: Landed) -> Result<(), Error> {
        self.land(landed);
        while let Some(landed) = self.flights.try_join_next() {
            self.land(landed.map_err(|_| Error::Flight)?);
        }
        Ok(())
    }

    pub fn land(&mut self, landed: Landed) {
        let now = self.now();
        let Landed { what, probe, at, id, attempt, endpoint } = landed;
        let told = Told { at, id, attempt, outdated: !Arc::ptr_eq(&endpoint, &self.endpoint) };
        if told.attempt.status.is_some() {
            self.desk.latency.lock().observe(told.attempt.latency);
        }
        match what {
            What::Test(reply) => {
                let delivered = told.attempt.verdict() == Verdict::Delivered;
                let (sequence, delivery) =
                    (self.progress.attempts.1, told.delivery(&[], 1, Outcome::Test { delivered }));
                self.note(delivery.clone(), now);
                // Whoever asked may be gone; it is in the delivery log.
                let _ = reply.send((sequence, delivery));
                return;
            }
            What::Fresh(taken) => {
                self.learn(&told, probe, now);
                self.land_fresh(taken, &told, now);
            }
            What::Held { id, held, message } => self.land_held((id, held), message, &told, probe, now),
        }
        self.flying -= 1;
    }

    /// What the attempt says of the endpoint. Of one that is another by now it says nothing.
    fn learn(&mut self, told: &Told, probe: bool, now: Timestamp) {
        let verdict = told.attempt.verdict();
        if told.outdated {
            self.progress.counts.failed += u64::from(verdict != Verdict::Delivered);
            if probe {
                self.breaker.undecided();
            }
            return;
        }
        if verdict == Verdict::Delivered {
            self.breaker.succeeded();
            self.pace.taken();
            return;
        }
        self.progress.counts.failed += 1;
        let was_tripped = self.breaker.is_tripped();
        self.breaker.failed(probe, now);
        if self.breaker.is_tripped() && !was_tripped {
            let why = told.attempt.failure();
            tracing::warn!(webhook = %self.endpoint.id, why, "a webhook fails again and again: it is tried less often until it answers");
        }
        match verdict {
            Verdict::Failed { overloaded: true } => self.pace.slow_down(told.attempt.retry_after, now),
            Verdict::Gone => self.disable(),
            Verdict::Failed { overloaded: false } | Verdict::Delivered => {}
        }
    }

    fn land_fresh(&mut self, taken: Vec<(Ticket, Fresh)>, told: &Told, now: Timestamp) {
        let (tickets, events): (Vec<Ticket>, Vec<Event>) =
            taken.into_iter().map(|(ticket, fresh)| (ticket, fresh.event)).unzip();
        let Some(first) = events.first() else { return };
        let row = MessageRow { position: first.position.0, part: 0 };
        let message = Message::of(&events, now);
        let outcome = self.judged(&message, row, told, now);
        match outcome {
            Outcome::Delivered | Outcome::Test { .. } => self.queue.settle(tickets),
            Outcome::Dead => {
                self.queue.settle(tickets);
                self.bury(row, &message, told, now);
            }
            Outcome::Retry(due) => {
                let failure = told.attempt.failure();
                let deferred = Message { attempts: 1, due, failure, ..message.clone() };
                let behind = self.queue.defer(tickets, row, &deferred, now);
                self.pending.defer(row, deferred);
                self.write_behind(behind, now);
            }
        }
        // Behind its row, in the same commit.
        events.iter().for_each(|event| self.window.settle(event.position.0));
        self.count(&message, outcome);
        self.pending.settled(events.len(), now);
        self.note(told.delivery(&message.events, 1, outcome), now);
    }

    fn land_held(
        &mut self,
        (id, held): (Ticket, Held),
        message: Result<Option<Arc<Message>>, String>,
        told: &Told,
        probe: bool,
        now: Timestamp,
    ) {
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => {
                tracing::warn!(webhook = %self.endpoint.id, position = held.row.position, "a deferred message is not there");
                self.breaker.undecided();
                return self.queue.settle_held(id);
            }
            Err(error) => {
                tracing::error!(webhook = %self.endpoint.id, error, "a deferred message cannot be read");
                self.breaker.undecided();
                self.queue.give_back(id);
                return;
            }
        };
        self.learn(told, probe, now);
        let attempts = held.attempts + 1;
        if probe && told.at < held.due && told.attempt.verdict() != Verdict::Delivered {
            // It was tried before its time, for the endpoint's sake: the attempt costs the message nothing.
            self.queue.give_back(id);
            return self.note(told.delivery(&message.events, attempts, Outcome::Retry(held.due)), now);
        }
        let tried = Message { attempts: held.attempts, ..message.as_ref().clone() };
        let outcome = self.judged(&tried, held.row, told, now);
        match outcome {
            Outcome::Delivered | Outcome::Test { .. } => {
                self.pending.forget(held.row);
                self.queue.settle_held(id);
            }
            Outcome::Dead => {
                self.queue.settle_held(id);
                self.bury(held.row, &tried, told, now);
            }
            Outcome::Retry(due) => {
                self.pending
                    .defer(held.row, Message { attempts, due, failure: told.attempt.failure(), ..tried.clone() });
                let behind = self.queue.defer_held(id, due, now);
                self.write_behind(behind, now);
            }
        }
        self.count(&tried, outcome);
        self.pending.settled(tried.events.len(), now);
        self.note(told.delivery(&tried.events, attempts, outcome), now);
    }

    /// What becomes of a message after an attempt.
    fn judged(&self, message: &Message, row: MessageRow, told: &Told, now: Timestamp) -> Outcome {
        let verdict = told.attempt.verdict();
        let failed = Failed {
            attempts: message.attempts + 1,
            since: message.since,
            retry_after: told.attempt.retry_after,
            now,
            salt: row.position.rotate_left(20) ^ row.part ^ (u64::from(self.endpoint.number) << 48),
        };
        match (verdict, schedule::next_attempt(&self.endpoint.retry, &failed)) {
            (Verdict::Delivered, _) => Outcome::Delivered,
            (_, Some(due)) => Outcome::Retry(due),
            // Whoever resumes it will want what it did not take.
            (Verdict::Gone, None) => Outcome::Retry(now),
            (Verdict::Failed { .. }, None) => Outcome::Dead,
        }
    }

    fn bury(&mut self, row: MessageRow, message: &Message, told: &Told, now: Timestamp) {
        let failure = told.attempt.failure();
        tracing::warn!(webhook = %self.endpoint.id, message = told.id, why = failure, "a message was given up: it is among the dead letters");
        self.pending.give_up(row, &Message { attempts: message.attempts + 1, due: now, failure, ..message.clone() });
        self.progress.counts.letters += 1;
    }

    fn count(&mut self, message: &Message, outcome: Outcome) {
        let (events, counts) = (message.events.len() as u64, &mut self.progress.counts);
        match outcome {
            Outcome::Delivered => counts.delivered += events,
            Outcome::Dead => counts.dead += events,
            Outcome::Retry(_) | Outcome::Test { .. } => {}
        }
    }

    /// Writes messages down that are behind one that failed.
    pub fn write_behind(&mut self, behind: Vec<Behind>, now: Timestamp) {
        for Behind { row, event } in behind {
            self.pending.defer(row, Message::of(std::slice::from_ref(&event), now));
            self.window.settle(event.position.0);
            self.pending.settled(1, now);
        }
    }

    /// The receiver said that it wants nothing any more. Until that is noted nothing is sent.
    fn disable(&mut self) {
        if self.halted {
            return;
        }
        self.halted = true;
        let (endpoints, id) = (Arc::clone(&self.shared.ports.endpoints), self.endpoint.id.clone());
        tracing::warn!(webhook = %id, "the receiver answered 410: the webhook is disabled until somebody resumes it");
        tokio::spawn(async move {
            if let Err(error) = endpoints.disable(&id, "the receiver answered 410 Gone".to_owned()).await {
                tracing::error!(webhook = %id, %error, "a webhook could not be disabled");
            }
        });
    }

    /// Writes an attempt to the delivery log.
    fn note(&mut self, delivery: Delivery, now: Timestamp) {
        let number = self.endpoint.number;
        let (first, next) = &mut self.progress.attempts;
        self.pending.put(DELIVERIES, tables::numbered(number, *next), encode(&delivery));
        *next += 1;
        if *next - *first >= KEPT_ATTEMPTS + REMOVED_ATTEMPTS {
            let keep = *next - KEPT_ATTEMPTS;
            let (start, end) = (tables::numbered(number, *first), tables::numbered(number, keep));
            *first = keep;
            self.pending.commit = std::mem::take(&mut self.pending.commit).delete_range(DELIVERIES, start, end);
        }
        self.pending.settled(0, now);
    }
}

impl super::desk::Shared {
    /// The message of a row in `deferred`.
    async fn deferred(&self, number: u32, row: MessageRow) -> Result<Option<Arc<Message>>, Error> {
        let bytes = self.ports.kv.get(DEFERRED, &tables::message(number, row)).await?;
        Ok(bytes.map(|bytes| decode(&bytes)).transpose()?.map(Arc::new))
    }
}

/// An attempt, as it is written down.
struct Told {
    at: Timestamp,
    id: String,
    attempt: Attempt,
    /// Whether the endpoint was changed, paused or resumed meanwhile.
    outdated: bool,
}

impl Told {
    fn delivery(&self, events: &[super::rows::MessageEvent], attempt: u32, outcome: Outcome) -> Delivery {
        let failure = Some(self.attempt.failure()).filter(|failure| !failure.is_empty());
        Delivery {
            at: self.at,
            message: self.id.clone(),
            event: events.first().map(super::rows::MessageEvent::summary),
            events: u32::try_from(events.len()).unwrap_or(u32::MAX),
            attempt,
            status: self.attempt.status,
            millis: u64::try_from(self.attempt.latency.as_millis()).unwrap_or(u64::MAX),
            error: failure,
            answer: self.attempt.answer.clone(),
            outcome,
        }
    }
}

/// About how many bytes an event has in a message; seldom fewer than it really has.
fn size(event: &Event) -> usize {
    let change = &event.change;
    let cause = &change.cause;
    let key = change.key.as_ref().map_or(0, |key| key.as_str().len());
    let texts = event.rule_id.len() + cause.principal.len() + cause.source_address.len() + cause.request_id.len();
    EVENT_BYTES + 3 * key + 2 * texts
}
