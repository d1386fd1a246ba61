//! What an endpoint is to be sent: changes that were read of the log, and messages that wait for another attempt. Pure.

use std::collections::{BTreeSet, HashMap};

use super::lanes::{Lanes, Place, Ticket};
use super::rows::Message;
use crate::clock::Timestamp;
use crate::events::record::Event;
use crate::events::tables::MessageRow;

/// A change that was read of the log and is only in memory.
#[derive(Debug, Clone)]
pub struct Fresh {
    pub event: Event,
    /// When it was read.
    pub since: Timestamp,
}

/// A message with a row in `deferred`.
#[derive(Debug, Clone)]
pub struct Held {
    pub row: MessageRow,
    pub due: Timestamp,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the oldest of its changes was committed.
    at: Timestamp,
    tickets: Vec<Ticket>,
    /// How many of its tickets are behind others.
    waits: usize,
    /// How often it was sent as a probe before it was due.
    probes: u32,
}

/// A message to be written down without an attempt, because it is behind one that failed.
#[derive(Debug, Clone)]
pub struct Behind {
    pub row: MessageRow,
    pub event: Event,
}

/// The queue of one endpoint. What is taken out keeps its place before others of its key until it is told what became of it.
#[derive(Debug)]
pub struct Queue {
    lanes: Lanes,
    next: Ticket,
    fresh: HashMap<Ticket, Fresh>,
    /// Those of `fresh` that nobody is before.
    ready: BTreeSet<Ticket>,
    /// By the first of their tickets.
    held: HashMap<Ticket, Held>,
    /// Which message a ticket belongs to.
    message_of: HashMap<Ticket, Ticket>,
    /// Those of `held` that nobody is before and that are not under way.
    due: BTreeSet<(Timestamp, Ticket)>,
}

impl Queue {
    /// `ordered`: changes of one key go one after the other.
    pub fn new(ordered: bool) -> Self {
        Self {
            lanes: Lanes::new(ordered),
            next: 1,
            fresh: HashMap::new(),
            ready: BTreeSet::new(),
            held: HashMap::new(),
            message_of: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// How many messages have a row.
    pub fn held_len(&self) -> usize {
        self.held.len()
    }

    /// How many keys somebody waits for.
    #[cfg(test)]
    fn lanes_len(&self) -> usize {
        self.lanes.len()
    }

    /// How many changes could be sent at once.
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// Since when the oldest of them has been waiting for others.
    pub fn ready_since(&self) -> Option<Timestamp> {
        Some(self.fresh.get(self.ready.first()?)?.since)
    }

    /// When the first message is due.
    pub fn first_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// When the oldest change of a message that waits was committed.
    pub fn oldest_held(&self) -> Option<Timestamp> {
        self.held.values().map(|held| held.at).min()
    }

    /// Puts a change that was read. Gives it back where it is to be written down at once.
    pub fn push(&mut self, event: Event, now: Timestamp) -> Option<Behind> {
        let key = event.change.key.clone()?;
        let ticket = self.ticket();
        match self.lanes.enter(ticket, event.change.bucket_id, &key, false) {
            Place::First => _ = self.ready.insert(ticket),
            Place::Waits => {}
            Place::BehindWritten => return Some(self.write_behind(ticket, event, now)),
        }
        self.fresh.insert(ticket, Fresh { event, since: now });
        None
    }

    /// Puts a message whose row was written before, or is written in this moment.
    pub fn restore(&mut self, row: MessageRow, message: &Message) {
        let (mut tickets, mut waits) = (Vec::new(), 0);
        for change in message.events.iter().map(|event| &event.change) {
            let Some(key) = &change.key else { continue };
            let ticket = self.ticket();
            waits += usize::from(self.lanes.enter(ticket, change.bucket_id, key, true) != Place::First);
            tickets.push(ticket);
        }
        let at = message.events.iter().map(|event| event.change.at).min().unwrap_or(message.due);
        self.hold(Held { row, due: message.due, attempts: message.attempts, at, tickets, waits, probes: 0 });
    }

    /// Makes everything due that waits.
    pub fn all_due(&mut self, now: Timestamp) {
        for (id, held) in &mut self.held {
            let is_next = self.due.remove(&(held.due, *id));
            held.due = held.due.min(now);
            if is_next {
                self.due.insert((held.due, *id));
            }
        }
    }

    /// Takes changes for one message: the oldest ones, while `fits` says so of the next; at least one where there is one.
    pub fn take_ready(&mut self, mut fits: impl FnMut(usize, &Event) -> bool) -> Vec<(Ticket, Fresh)> {
        let mut taken = Vec::new();
        while let Some(ticket) = self.ready.first().copied() {
            let Some(fresh) = self.fresh.get(&ticket) else { break };
            if !fits(taken.len(), &fresh.event) && !taken.is_empty() {
                break;
            }
            self.ready.remove(&ticket);
            taken.extend(self.fresh.remove(&ticket).map(|fresh| (ticket, fresh)));
        }
        taken
    }

    /// Takes the message that has been due for the longest time.
    pub fn take_due(&mut self, now: Timestamp) -> Option<(Ticket, Held)> {
        let first = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        self.take(first)
    }

    /// Takes a message to find out by it whether the endpoint works: of those that were tried least often for that, the one
    /// that is due first, also before its time. So no message that is never taken keeps the others from being tried.
    pub fn take_probe(&mut self) -> Option<(Ticket, Held)> {
        let probes = |id: &Ticket| self.held.get(id).map_or(0, |held| held.probes);
        let first = self.due.iter().min_by_key(|(due, id)| (probes(id), *due)).copied()?;
        self.take(first)
    }

    fn take(&mut self, entry: (Timestamp, Ticket)) -> Option<(Ticket, Held)> {
        self.due.remove(&entry);
        self.held.get(&entry.1).map(|held| (entry.1, held.clone()))
    }

    /// Changes that were taken are delivered or given up.
    pub fn settle(&mut self, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            if let Some(next) = self.lanes.leave(ticket, false) {
                self.first(next);
            }
        }
    }

    /// A message that was taken is delivered or given up: its row is to be removed.
    pub fn settle_held(&mut self, id: Ticket) {
        let Some(held) = self.held.remove(&id) else { return };
        for ticket in held.tickets {
            self.message_of.remove(&ticket);
            if let Some(next) = self.lanes.leave(ticket, true) {
                self.first(next);
            }
        }
    }

    /// Changes that were taken have a row from now on, as one message. Gives those that must have one too.
    pub fn defer(&mut self, tickets: Vec<Ticket>, row: MessageRow, message: &Message, now: Timestamp) -> Vec<Behind> {
        for ticket in &tickets {
            self.lanes.written(*ticket);
        }
        let behind = self.write_all_behind(&tickets, now);
        let at = message.events.iter().map(|event| event.change.at).min().unwrap_or(now);
        self.hold(Held { row, due: message.due, attempts: message.attempts, at, tickets, waits: 0, probes: 0 });
        behind
    }

    /// A message that was taken waits for another attempt. Gives those that must have a row too.
    pub fn defer_held(&mut self, id: Ticket, due: Timestamp, now: Timestamp) -> Vec<Behind> {
        let Some(held) = self.held.get_mut(&id) else { return Vec::new() };
        (held.due, held.attempts, held.probes) = (due, held.attempts + 1, 0);
        self.due.insert((due, id));
        let tickets = held.tickets.clone();
        self.write_all_behind(&tickets, now)
    }

    /// A message that was taken before it was due is as it was: the attempt does not count.
    pub fn give_back(&mut self, id: Ticket) {
        if let Some(held) = self.held.get_mut(&id) {
            held.probes = held.probes.saturating_add(1);
            self.due.insert((held.due, id));
        }
    }

    /// Leaves out changes up to `position` that are neither taken nor written down.
    pub fn skip_to(&mut self, position: u64) {
        let skipped: Vec<Ticket> = self
            .fresh
            .iter()
            .filter(|(_, fresh)| fresh.event.position.0 <= position)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in &skipped {
            self.fresh.remove(ticket);
            self.ready.remove(ticket);
        }
        self.settle(skipped);
    }

    fn ticket(&mut self) -> Ticket {
        self.next += 1;
        self.next - 1
    }

    /// Nobody is before it any more.
    fn first(&mut self, ticket: Ticket) {
        if self.fresh.contains_key(&ticket) {
            self.ready.insert(ticket);
            return;
        }
        let Some(id) = self.message_of.get(&ticket) else { return };
        let Some(held) = self.held.get_mut(id) else { return };
        held.waits = held.waits.saturating_sub(1);
        if held.waits == 0 {
            self.due.insert((held.due, *id));
        }
    }

    fn hold(&mut self, held: Held) {
        let Some(id) = held.tickets.first().copied() else { return };
        self.message_of.extend(held.tickets.iter().map(|ticket| (*ticket, id)));
        if held.waits == 0 {
            self.due.insert((held.due, id));
        }
        self.held.insert(id, held);
    }

    /// Makes what is only in memory behind these tickets messages with rows.
    fn write_all_behind(&mut self, tickets: &[Ticket], now: Timestamp) -> Vec<Behind> {
        let behind: Vec<Ticket> = tickets.iter().flat_map(|ticket| self.lanes.behind(*ticket)).collect();
        let mut written = Vec::new();
        for ticket in behind {
            if let Some(fresh) = self.fresh.remove(&ticket) {
                self.ready.remove(&ticket);
                written.push(self.write_behind(ticket, fresh.event, now));
            }
        }
        written
    }

    /// It was not tried, so it is due as soon as nobody is before it.
    fn write_behind(&mut self, ticket: Ticket, event: Event, now: Timestamp) -> Behind {
        let row = MessageRow { position: event.position.0, part: 0 };
        let at = event.change.at;
        self.lanes.written(ticket);
        self.hold(Held { row, due: now, attempts: 0, at, tickets: vec![ticket], waits: 1, probes: 0 });
        Behind { row, event }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::events::rules::{EventName, RecordVersion};
    use crate::names::{AccountId, BucketId, BucketName, LogId, ObjectKey};
    use crate::store::Position;
    use crate::store::change::{Cause, Change, ChangeKind};

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn event(key: u8, position: u64) -> Event {
        let change = Change {
            at: NOW,
            account: AccountId::default(),
            bucket_id: BucketId(1),
            bucket: BucketName::parse("pail").unwrap(),
            key: Some(ObjectKey::parse(format!("k{key}")).unwrap()),
            version: None,
            kind: ChangeKind::Put,
            size: 0,
            etag: None,
            cache_tags: Vec::new(),
            cause: Cause::default(),
        };
        Event {
            rule_id: "rule".into(),
            version: RecordVersion::default(),
            name: EventName::of(ChangeKind::Put).unwrap(),
            change: Arc::new(change),
            position: Position(position),
            log: LogId([0; 16]),
            region: "".into(),
            host_id: "".into(),
        }
    }

    fn key_of(event: &Event) -> String {
        event.change.key.as_ref().unwrap().as_str().to_owned()
    }

    enum Flight {
        Fresh(Vec<(Ticket, Fresh)>),
        Held(Ticket, MessageRow),
    }

    /// A queue, its rows, and what should come of it.
    struct Model {
        queue: Queue,
        position: u64,
        flights: Vec<Flight>,
        rows: BTreeMap<MessageRow, Vec<Event>>,
        /// The positions of each key that are not settled.
        open: BTreeMap<String, Vec<u64>>,
    }

    impl Model {
        fn new() -> Self {
            let (flights, rows, open) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
            Self { queue: Queue::new(true), position: 0, flights, rows, open }
        }

        fn push(&mut self, key: u8) {
            self.position += 1;
            let event = event(key, self.position);
            self.open.entry(key_of(&event)).or_default().push(self.position);
            let behind = self.queue.push(event, NOW);
            self.write(behind.into_iter().collect());
        }

        fn write(&mut self, behind: Vec<Behind>) {
            for Behind { row, event } in behind {
                assert!(self.rows.insert(row, vec![event]).is_none(), "two messages in one row");
            }
        }

        /// Only the oldest of a key that is not settled may go.
        fn check(&self, events: &[Event]) {
            for event in events {
                assert_eq!(self.open[&key_of(event)][0], event.position.0, "one passed another of its key");
            }
        }

        fn send_fresh(&mut self, most: usize) {
            let taken = self.queue.take_ready(|count, _| count < most);
            if !taken.is_empty() {
                self.check(&taken.iter().map(|(_, fresh)| fresh.event.clone()).collect::<Vec<_>>());
                self.flights.push(Flight::Fresh(taken));
            }
        }

        fn send_held(&mut self, probe: bool) {
            let taken = if probe { self.queue.take_probe() } else { self.queue.take_due(NOW) };
            if let Some((id, held)) = taken {
                self.check(&self.rows[&held.row]);
                self.flights.push(Flight::Held(id, held.row));
            }
        }

        fn land(&mut self, index: usize, delivered: bool) {
            if self.flights.is_empty() {
                return;
            }
            let flight = self.flights.swap_remove(index % self.flights.len());
            match (flight, delivered) {
                (Flight::Fresh(taken), true) => {
                    self.settled(taken.iter().map(|(_, fresh)| fresh.event.clone()).collect());
                    self.queue.settle(taken.into_iter().map(|(ticket, _)| ticket));
                }
                (Flight::Fresh(taken), false) => {
                    let events: Vec<Event> = taken.iter().map(|(_, fresh)| fresh.event.clone()).collect();
                    let row = MessageRow { position: events[0].position.0, part: 0 };
                    let message = Message { attempts: 1, ..Message::of(&events, NOW) };
                    let tickets = taken.into_iter().map(|(ticket, _)| ticket).collect();
                    let behind = self.queue.defer(tickets, row, &message, NOW);
                    assert!(self.rows.insert(row, events).is_none(), "two messages in one row");
                    self.write(behind);
                }
                (Flight::Held(id, row), true) => {
                    let events = self.rows.remove(&row).unwrap();
                    self.settled(events);
                    self.queue.settle_held(id);
                }
                (Flight::Held(id, _), false) if index.is_multiple_of(5) => self.queue.give_back(id),
                (Flight::Held(id, _), false) => {
                    let behind = self.queue.defer_held(id, NOW, NOW);
                    self.write(behind);
                }
            }
            assert_eq!(self.queue.held_len(), self.rows.len());
            self.check_rows();
        }

        fn settled(&mut self, events: Vec<Event>) {
            for event in events {
                self.open.get_mut(&key_of(&event)).unwrap().retain(|position| *position != event.position.0);
            }
        }

        /// Whatever is in memory alone is read again after a crash: so nothing of its key behind it may have a row.
        fn check_rows(&self) {
            let written = |position: u64| self.rows.values().flatten().any(|event| event.position.0 == position);
            for positions in self.open.values() {
                let first_fresh = positions.iter().position(|position| !written(*position));
                let last_written = positions.iter().rposition(|position| written(*position));
                if let (Some(fresh), Some(written)) = (first_fresh, last_written) {
                    assert!(written < fresh, "a row behind what has none");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn keys_keep_their_order_and_everything_is_settled_once(steps in prop::collection::vec((0u8..6, 0u8..40), 0..300)) {
            let mut model = Model::new();
            for (what, number) in steps {
                match what {
                    0 | 1 => model.push(number % 5),
                    2 => model.send_fresh(usize::from(number % 3) + 1),
                    3 => model.send_held(number % 4 == 0),
                    4 => model.land(usize::from(number), true),
                    _ => model.land(usize::from(number), false),
                }
            }
            for _ in 0..2_000 {
                model.send_fresh(3);
                model.send_held(false);
                model.land(0, true);
            }
            prop_assert!(model.rows.is_empty() && model.flights.is_empty());
            prop_assert!(model.open.values().all(Vec::is_empty), "{:?}", model.open);
            prop_assert_eq!((model.queue.ready_len(), model.queue.held_len(), model.queue.lanes_len()), (0, 0, 0));
        }
    }

    #[test]
    fn probes_take_turns_among_messages_that_are_never_taken() {
        let mut queue = Queue::new(false);
        for position in 1..=3 {
            let message =
                Message { due: Timestamp::from_seconds(5_000 + position), ..Message::of(&[event(1, position)], NOW) };
            queue.restore(MessageRow { position, part: 0 }, &message);
        }
        assert!(queue.take_due(NOW).is_none());
        let mut probed = Vec::new();
        for _ in 0..4 {
            let (id, held) = queue.take_probe().unwrap();
            probed.push(held.row.position);
            queue.give_back(id);
        }
        assert_eq!(probed, [1, 2, 3, 1]);
    }
}
