//! Sending once more: messages by their ids, what was given up, a piece of the log, or what is there now.
//!
//! A replay is a row that says what is to be sent and how far that has come. Step by step it becomes rows of `deferred`, which
//! are due at once; each step's rows and its place are one commit. So it goes on after a restart, sends nothing twice but what
//! was under way, and never takes the place of what is new.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dispatcher::{Dispatcher, MAX_DEFERRED};
use super::error::Error;
use super::rows::Message;
use crate::clock::Timestamp;
use crate::events::record::{Event, parse_message_id};
use crate::events::rules::EventName;
use crate::events::tables::{self, DEAD_LETTERS, MessageRow, REPLAYS};
use crate::kv::{Item, Scan};
use crate::names::{BucketName, ObjectKey};
use crate::store::bucket::Bucket;
use crate::store::change::{Cause, Change, ChangeKind};
use crate::store::codec::{decode, encode};
use crate::store::list::ListObjects;
use crate::store::{self, Position};

/// The most ids of one replay.
pub const MAX_REPLAYED_IDS: usize = 1000;
/// The most replays of an endpoint that are not at their end.
pub const MAX_REPLAYS: usize = 16;
/// How many rows, keys or ids a step looks at.
const STEP: usize = 256;
/// What a message can be about: more positions than any batch has.
const MAX_SPAN: u64 = 4096;

/// What is sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replay {
    /// These messages, from among the dead letters or out of the log.
    Messages(Vec<String>),
    /// Everything that was given up.
    DeadLetters,
    /// What the log has of this time (the end is exclusive), of one bucket or of all, with keys that begin with `prefix`. Under
    /// the ids that the changes have.
    Window { from: Timestamp, to: Timestamp, bucket: Option<BucketName>, prefix: String },
    /// A creation of every object that is there and that the bucket's rules tell the endpoint of.
    Present { bucket: BucketName, prefix: String },
}

/// A replay, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    replay: Replay,
    /// Up to here, in ids or positions.
    done: u64,
    /// Up to this row or key.
    after: Vec<u8>,
    /// Where the log ended when it was asked for.
    until: u64,
}

impl Dispatcher {
    /// Notes a replay. Gives how many messages there are to send, where that is known.
    pub async fn begin_replay(&mut self, replay: Replay) -> Result<Option<u64>, Error> {
        self.check(&replay).await?;
        if self.jobs.len() >= MAX_REPLAYS {
            return Err(Error::ManyReplays(MAX_REPLAYS));
        }
        let mut job = Job { replay, done: 0, after: Vec::new(), until: self.shared.head() };
        if let Replay::Window { from, .. } = &job.replay {
            job.done = self.last_before(self.shared.ports.store.log_start().await?.0, *from).await?;
        }
        let messages = match &job.replay {
            Replay::Messages(ids) => Some(ids.len() as u64),
            Replay::DeadLetters => Some(self.progress.counts.letters),
            Replay::Window { .. } | Replay::Present { .. } => None,
        };
        let sequence = self.jobs.back().map_or(0, |(last, _)| last + 1);
        let now = self.now();
        self.pending.put(REPLAYS, tables::numbered(self.endpoint.number, sequence), encode(&job));
        self.pending.settled(0, now);
        self.jobs.push_back((sequence, job));
        Ok(messages)
    }

    async fn check(&self, replay: &Replay) -> Result<(), Error> {
        match replay {
            Replay::Messages(ids) if ids.len() > MAX_REPLAYED_IDS => Err(Error::ManyMessages(MAX_REPLAYED_IDS)),
            Replay::Messages(ids) => match ids.iter().find(|id| self.place_of(id).is_none()) {
                Some(unknown) => Err(Error::NoSuchMessage(unknown.clone())),
                None => Ok(()),
            },
            Replay::Present { bucket, .. } => Ok(self.shared.ports.store.bucket(bucket).await.map(|_| ())?),
            Replay::Window { from, .. } => self.check_reach(*from).await,
            Replay::DeadLetters => Ok(()),
        }
    }

    /// Whether the log goes back to `from`, as far as it was ever written.
    async fn check_reach(&self, from: Timestamp) -> Result<(), Error> {
        let start = self.shared.ports.store.log_start().await?.0;
        let begins = if start == 0 { None } else { self.time_behind(start).await? };
        if begins.is_some_and(|begins| from < begins) { Err(Error::Trimmed(start + 1)) } else { Ok(()) }
    }

    /// Takes the first replay a step further, where there is room.
    pub async fn replay(&mut self) -> Result<(), Error> {
        if self.queue.held_len() > MAX_DEFERRED / 2 || !self.may_send() || self.breaker.is_tripped() {
            return Ok(());
        }
        let Some((sequence, mut job)) = self.jobs.front().cloned() else { return Ok(()) };
        let ended = match job.replay.clone() {
            Replay::Messages(ids) => self.replay_messages(&ids, &mut job).await?,
            Replay::DeadLetters => self.replay_letters(&mut job).await?,
            Replay::Window { to, bucket, prefix, .. } => self.replay_window(to, bucket, &prefix, &mut job).await?,
            Replay::Present { bucket, prefix } => self.replay_present(&bucket, &prefix, &mut job).await?,
        };
        let (row, now) = (tables::numbered(self.endpoint.number, sequence), self.now());
        match ended {
            true => {
                self.pending.delete(REPLAYS, row);
                self.jobs.pop_front();
            }
            false => {
                self.pending.put(REPLAYS, row, encode(&job));
                if let Some((_, first)) = self.jobs.front_mut() {
                    *first = job;
                }
            }
        }
        self.pending.settled(STEP, now);
        Ok(())
    }

    async fn replay_messages(&mut self, ids: &[String], job: &mut Job) -> Result<bool, Error> {
        let from = usize::try_from(job.done).unwrap_or(usize::MAX);
        for id in ids.iter().skip(from).take(STEP) {
            job.done += 1;
            let Some((row, last)) = self.place_of(id) else { continue };
            let letter = self.shared.ports.kv.get(DEAD_LETTERS, &tables::message(self.endpoint.number, row)).await?;
            match letter {
                Some(bytes) => self.revive(row, decode(&bytes)?),
                None if row.part == 0 => self.replay_logged(id, row.position, last).await?,
                None => tracing::warn!(webhook = %self.endpoint.id, message = %id, "there is no such message any more"),
            }
        }
        Ok(job.done >= ids.len() as u64)
    }

    /// Tells what the log has from `first` to `last` in one message, as it was told before.
    async fn replay_logged(&mut self, id: &str, first: u64, last: u64) -> Result<(), Error> {
        let limit = usize::try_from(last.saturating_sub(first)).unwrap_or(usize::MAX).saturating_add(1);
        let page = self.shared.ports.store.read_log(Position(first.saturating_sub(1)), limit).await?;
        let rows = page.map(|page| page.rows).unwrap_or_default();
        let events = rows.into_iter().filter_map(|(position, row)| match row {
            store::log::Logged::Change(change) => self.event(position, &Arc::new(change)),
            store::log::Logged::Purge(_) => None,
        });
        let events: Vec<Event> = events.collect();
        match events.is_empty() {
            false => self.send_again(&events, None),
            true => tracing::warn!(webhook = %self.endpoint.id, message = %id, "the log has this message no more"),
        }
        Ok(())
    }

    async fn replay_letters(&mut self, job: &mut Job) -> Result<bool, Error> {
        let prefix = tables::endpoint(self.endpoint.number);
        let start = std::mem::take(&mut job.after).max(prefix.to_vec());
        let page = self.shared.ports.kv.scan(Scan { start, ..Scan::prefix(DEAD_LETTERS, &prefix, STEP) }).await?;
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            job.after = [&key[..], b"\0"].concat();
            if let Some(row) = tables::parse_message(&key) {
                self.revive(row, decode(&value)?);
            }
        }
        Ok(!page.more)
    }

    async fn replay_window(
        &mut self,
        to: Timestamp,
        bucket: Option<BucketName>,
        prefix: &str,
        job: &mut Job,
    ) -> Result<bool, Error> {
        let Some(page) = self.shared.ports.store.read_log(Position(job.done), STEP).await? else {
            job.done = self.shared.ports.store.log_start().await?.0;
            return Ok(job.done >= job.until);
        };
        for (position, row) in page.rows {
            if position.0 > job.until || row.at() >= to {
                return Ok(true);
            }
            let store::log::Logged::Change(change) = row else { continue };
            let meant = bucket.as_ref().is_none_or(|bucket| *bucket == change.bucket);
            let meant = meant && change.key.as_ref().is_some_and(|key| key.as_str().starts_with(prefix));
            if let Some(event) = Some(Arc::new(change)).filter(|_| meant).and_then(|c| self.event(position, &c)) {
                self.send_again(&[event], None);
            }
        }
        job.done = page.next.0;
        Ok(!page.more)
    }

    async fn replay_present(&mut self, name: &BucketName, prefix: &str, job: &mut Job) -> Result<bool, Error> {
        // Before anything is read: a change that is committed meanwhile has a later position, and so comes behind this in the
        // order of sequencers.
        let head = self.shared.head();
        let bucket = match self.shared.ports.store.bucket(name).await {
            Ok(bucket) => bucket,
            Err(store::Error::NoSuchBucket(_)) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let after = String::from_utf8(std::mem::take(&mut job.after)).unwrap_or_default();
        let list = ListObjects { prefix: prefix.to_owned(), after, limit: STEP, ..ListObjects::default() };
        let page = self.shared.ports.store.list_objects(bucket.record.id, &list).await?;
        for (key, _) in page.objects {
            let Ok(key) = ObjectKey::parse(key) else { continue };
            if let Some(event) = self.present(&bucket, key, head).await? {
                let (part, position) = (self.progress.next_part, event.position.0);
                let id = format!("{}_{part:016x}", base_of(&event));
                debug_assert!(self.place_of(&id).is_some_and(|(row, _)| row == MessageRow { position, part }));
                self.send_again(&[event], Some(id));
            }
        }
        match page.next {
            Some(next) => job.after = next.into_bytes(),
            None => return Ok(true),
        }
        Ok(false)
    }

    /// The creation of an object that is there, where the rules in force tell the endpoint of it.
    async fn present(&self, bucket: &Bucket, key: ObjectKey, head: u64) -> Result<Option<Event>, Error> {
        let name = EventName::of(ChangeKind::Put);
        let (Some(name), Some(target)) = (name, self.target.as_ref()) else { return Ok(None) };
        let record = match self.shared.ports.store.object(bucket, &key).await {
            Ok(row) => row.record,
            // It was deleted meanwhile, which is told.
            Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(rules) = self.shared.ports.rules.current(bucket.record.id) else { return Ok(None) };
        let Some(rule) = rules.matching(name, &key, target) else { return Ok(None) };
        let change = Change {
            key: Some(key),
            size: record.summary.size,
            etag: Some(record.summary.etag),
            version: bucket.shown_version(record.version).map(|version| version.to_string()),
            ..Change::of_bucket(&bucket.record, ChangeKind::Put, record.summary.modified, Cause::default())
        };
        if change.account != self.endpoint.id.account {
            return Ok(None);
        }
        Ok(Some(Event::new(rule, name, Arc::new(change), Position(head), &self.shared.origin)))
    }

    /// Puts events among the messages that are due.
    fn send_again(&mut self, events: &[Event], id: Option<String>) {
        let (now, part) = (self.now(), self.progress.next_part);
        let Some(first) = events.first() else { return };
        self.progress.next_part += 1;
        let row = MessageRow { position: first.position.0, part };
        self.enqueue(row, Message { id, since: now, ..Message::of(events, now) });
    }

    /// Takes a dead letter back among the messages that are due.
    fn revive(&mut self, row: MessageRow, message: Message) {
        let now = self.now();
        self.pending.delete(DEAD_LETTERS, tables::message(self.endpoint.number, row));
        self.progress.counts.letters = self.progress.counts.letters.saturating_sub(1);
        self.enqueue(row, Message { attempts: 0, due: now, since: now, ..message });
    }

    fn enqueue(&mut self, row: MessageRow, message: Message) {
        self.queue.restore(row, &message);
        self.pending.defer(row, message);
    }

    /// Where the message of an id is or was, and the last position that it is about.
    fn place_of(&self, id: &str) -> Option<(MessageRow, u64)> {
        if let Some((log, first, last)) = parse_message_id(id) {
            let known = log == self.shared.log && first.0 <= last.0 && last.0 - first.0 < MAX_SPAN;
            return known.then_some((MessageRow { position: first.0, part: 0 }, last.0));
        }
        let (rest, part) = id.strip_prefix(STATE)?.rsplit_once('_')?;
        let (log, position, _) = parse_message_id(&format!("msg_{rest}"))?;
        let part = u64::from_str_radix(part, 16).ok().filter(|_| part.len() == 16)?;
        (log == self.shared.log).then_some((MessageRow { position: position.0, part }, position.0))
    }
}

/// What the ids of messages begin with that tell of what is there.
const STATE: &str = "msg_state_";

fn base_of(event: &Event) -> String {
    format!("{STATE}{}_{:016x}", event.log, event.position.0)
}
