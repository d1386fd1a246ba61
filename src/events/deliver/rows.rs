//! What is kept of deliveries.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::events::operate::EventSummary;
use crate::events::record::{Event, Origin};
use crate::events::rules::{EventName, RecordVersion};
use crate::names::LogId;
use crate::store::Position;
use crate::store::change::Change;

/// How far an endpoint has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The log that `position` is in.
    pub log: LogId,
    /// Everything up to here was delivered, is in `deferred` or `dead_letters`, or is nothing to the endpoint.
    pub position: u64,
    pub counts: Counts,
    /// The last piece of the log that was left out.
    pub gap: Option<Gap>,
    /// The kept attempts: from the first of these numbers to before the second.
    pub attempts: (u64, u64),
    /// Tells the messages of replays apart, over all of them.
    pub next_part: u64,
}

/// What became of changes, since the endpoint was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Changes that were delivered.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Changes that were given up.
    pub dead: u64,
    /// Entries of the log that were left out, whether or not the endpoint would have heard of them.
    pub skipped: u64,
    /// Messages among the dead letters.
    pub letters: u64,
    /// Dead letters that made room for newer ones.
    pub forgotten: u64,
}

/// A piece of the log that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub at: Timestamp,
    pub why: GapReason,
    /// How many entries; 0 where nobody knows.
    pub entries: u64,
    /// Where the endpoint went on: behind this position.
    pub to: u64,
}

/// Why a piece of the log was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// It was further behind than its limit of entries.
    Entries,
    /// It was further behind than its limit of age.
    Age,
    /// The log did not go back so far any more.
    Trimmed,
    /// The store was restored from a backup: its log is another one.
    Restored,
}

/// A message that waits for another attempt, or was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub log: LogId,
    pub events: Vec<MessageEvent>,
    /// The message's id where it does not follow from the positions.
    pub id: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the next attempt is due; of a message that was given up: when that was.
    pub due: Timestamp,
    /// From when on its age counts.
    pub since: Timestamp,
    /// Why the last attempt failed; empty before one did.
    pub failure: String,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageEvent {
    pub position: u64,
    pub rule_id: String,
    pub version: RecordVersion,
    pub change: Change,
}

/// One attempt, as the delivery log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub at: Timestamp,
    /// The message's id.
    pub message: String,
    /// The first of the changes; `None` for a test.
    pub event: Option<EventSummary>,
    /// How many changes it told of.
    pub events: u32,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    pub millis: u64,
    /// What went wrong.
    pub error: Option<String>,
    /// The beginning of the answer's body, without control characters.
    pub answer: String,
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Delivered,
    /// There is another attempt at this time.
    Retry(Timestamp),
    Dead,
    /// It was a test, with this result.
    Test {
        delivered: bool,
    },
}

impl Progress {
    /// That of an endpoint which has heard of nothing yet.
    pub fn new(log: LogId, position: u64) -> Self {
        Self { log, position, counts: Counts::default(), gap: None, attempts: (0, 0), next_part: 1 }
    }
}

impl Message {
    /// A message of these events, to be tried at `due`.
    pub fn of(events: &[Event], due: Timestamp) -> Self {
        let first = events.first();
        Self {
            log: first.map_or(LogId([0; 16]), |event| event.log),
            events: events.iter().map(MessageEvent::of).collect(),
            id: None,
            attempts: 0,
            due,
            since: events.iter().map(|event| event.change.at).min().unwrap_or(due),
            failure: String::new(),
        }
    }

    /// The events, to be told again; those whose kind is nobody's event any more are left out.
    pub fn events(&self, origin: &Origin) -> Vec<Event> {
        let event = |kept: &MessageEvent| {
            Some(Event {
                rule_id: Arc::from(kept.rule_id.as_str()),
                version: kept.version,
                name: EventName::of(kept.change.kind)?,
                change: Arc::new(kept.change.clone()),
                position: Position(kept.position),
                log: self.log,
                region: Arc::clone(&origin.region),
                host_id: Arc::clone(&origin.host_id),
            })
        };
        self.events.iter().filter_map(event).collect()
    }
}

impl MessageEvent {
    pub fn summary(&self) -> EventSummary {
        EventSummary {
            name: EventName::of(self.change.kind).map(|name| name.to_string()).unwrap_or_default(),
            bucket: self.change.bucket.as_str().to_owned(),
            key: self.change.key.as_ref().map(|key| key.as_str().to_owned()).unwrap_or_default(),
            position: self.position,
        }
    }

    fn of(event: &Event) -> Self {
        Self {
            position: event.position.0,
            rule_id: event.rule_id.as_ref().to_owned(),
            version: event.version,
            change: event.change.as_ref().clone(),
        }
    }
}
