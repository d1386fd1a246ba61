//! What operators see of deliveries and ask of those who make them.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::endpoint::EndpointId;
use crate::clock::Timestamp;
use crate::store;

/// The most rows of one page of a list.
pub const MAX_PAGE: usize = 100;

/// The upper bounds of the classes of [`EndpointStatus::latency`], in milliseconds; what takes longer is of one class more.
pub const LATENCY_BOUNDS: [u64; 10] = [5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000];

/// How an endpoint fares. Counts are from when it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// Events that the receiver took.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Events that were given up.
    pub dead: u64,
    /// Entries of the log that were left out, because the endpoint was too far behind.
    pub gap: u64,
    /// Entries of the log that are not read yet, whether or not they are for this endpoint.
    pub backlog: u64,
    /// Messages that wait for another attempt.
    pub deferred: u64,
    /// Messages that are under way.
    pub in_flight: u64,
    /// How old the oldest event is that is not delivered yet; `None` where there is none.
    pub oldest: Option<Duration>,
    pub breaker: Breaker,
    /// Attempts by how long they took, since the server started.
    pub latency: [u64; LATENCY_BOUNDS.len() + 1],
    /// The milliseconds of all these attempts together.
    pub latency_sum: u64,
}

/// Whether an endpoint is spared for failing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    #[default]
    Closed,
    /// Nothing is sent.
    Open,
    /// One message finds out whether it works again.
    HalfOpen,
}

/// One attempt, of the delivery log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its place in the log, for asking what is before it.
    pub sequence: u64,
    pub message: String,
    pub at: Timestamp,
    /// 1 for the first.
    pub attempt: u32,
    /// What happened to what: of the first event where there are several.
    pub event: Option<EventSummary>,
    /// How many events the message has.
    pub events: u32,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    pub took: Duration,
    /// Why it failed; `None` where the receiver took it.
    pub error: Option<String>,
    /// The beginning of the answer's body, what is no text replaced.
    pub answer: String,
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Delivered,
    /// There will be another attempt.
    Deferred,
    /// There will be none.
    Dead,
}

/// An event as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSummary {
    /// Such as `ObjectCreated:Put`.
    pub name: String,
    pub bucket: String,
    pub key: String,
    /// Its position in the change log.
    pub position: u64,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub message: String,
    pub event: Option<EventSummary>,
    pub events: u32,
    /// When it happened.
    pub at: Timestamp,
    /// When it was given up.
    pub given_up: Timestamp,
    pub attempts: u32,
    pub error: String,
}

/// One page of a list, and what to ask for the next one with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// `None` at the end.
    pub next: Option<String>,
}

/// What is to be sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Replay {
    /// Dead letters: those of these messages, which may as well be others that the log still has, or all.
    Dead { messages: Vec<String> },
    /// What the log still has of this time, of keys under the prefix where one is given, in one bucket or in all.
    Window { time: Range<Timestamp>, bucket: Option<String>, prefix: String },
    /// An `ObjectCreated` for every object that there is under a prefix.
    Present { bucket: String, prefix: String },
}

/// Why an operator's wish was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no webhook {0}")]
    NoSuch(EndpointId),
    #[error("there is no bucket {0}")]
    NoSuchBucket(String),
    /// The message of a test, or its receiver.
    #[error("{0}")]
    Undelivered(String),
    #[error("{0:?} asks for no page")]
    Page(String),
    #[error("a replay is under way: wait until it is done")]
    Replaying,
    #[error("the log does not reach back so far: it begins at position {0}")]
    Trimmed(u64),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Those who make deliveries, as operators know them.
#[async_trait]
pub trait Deliveries: Send + Sync + 'static {
    /// How the endpoint fares; `None` where there is none.
    fn status(&self, id: &EndpointId) -> Option<EndpointStatus>;

    /// Sends one test message, now, whatever the endpoint's state, and gives how it went. It is in no count, and not tried again.
    async fn test(&self, id: &EndpointId) -> Result<Attempt, Error>;

    /// The newest attempts first, `limit` of them at most ([`MAX_PAGE`]); only failed ones where `failed`.
    async fn attempts(
        &self,
        id: &EndpointId,
        after: Option<&str>,
        failed: bool,
        limit: usize,
    ) -> Result<Page<Attempt>, Error>;

    /// The oldest dead letters first, as [`attempts`](Self::attempts).
    async fn dead_letters(&self, id: &EndpointId, after: Option<&str>, limit: usize)
    -> Result<Page<DeadLetter>, Error>;

    /// Has something sent once more, behind what is to be sent already. Returns when that is durable, with how many messages
    /// there are to send where it is known.
    async fn replay(&self, id: &EndpointId, what: Replay) -> Result<Option<u64>, Error>;
}
