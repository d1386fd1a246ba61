//! One stream: where it is, and what its listener hears next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{Audience, Filter, NotJudged, Place, Start, Streams};
use crate::events::record::Event;
use crate::events::rules::RecordVersion;
use crate::feed::Position;
use crate::store::log::{LogPage, Logged};
use crate::store::{self, Position as Offset};

/// How many rows of the log are read at once: what of them is told is in memory together.
const PAGE: usize = 100;

/// What records name as the rule that chose them, as MinIO does: there is none.
const RULE: &str = "Config";

/// What a listener hears.
#[derive(Debug)]
pub enum Heard {
    /// The stream begins behind this position.
    Open(Position),
    /// Changes, in the order of their commits. There is at least one.
    Events(Vec<Event>),
    /// Nothing happened that the listener is to hear: everything up to here was read.
    Beat(Position),
    Gap(Gap),
}

/// Changes that the listener can never hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub why: Lost,
    /// The last position that the listener had, and the one behind which the stream goes on.
    pub from: Position,
    pub to: Position,
}

/// Why changes are lost to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The log was trimmed: the stream goes on with the oldest change that is left.
    Trimmed,
    /// The position is not of this log: it is that of another store, or this one was restored from a backup. The stream
    /// goes on where the log ends.
    OtherLog,
}

/// Why a stream ends other than by its listener.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error("the server stops")]
    Stopping,
    #[error("the listener may not listen any more")]
    NotAllowed,
    #[error(transparent)]
    NotJudged(#[from] NotJudged),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// One stream. Dropping it gives its place back.
pub struct Reader<A> {
    streams: Arc<Streams>,
    filter: Filter,
    audience: A,
    /// Everything up to here was read.
    read_to: u64,
    head: watch::Receiver<u64>,
    beat: Duration,
    next_beat: Instant,
    /// What is said before anything else.
    first: Option<Start>,
    rule: Arc<str>,
    _place: Place,
}

impl<A: Audience> Reader<A> {
    pub(super) fn begin(streams: Arc<Streams>, place: Place, filter: Filter, start: Start, audience: A) -> Self {
        let head = streams.store.log_head();
        let read_to = match start {
            Start::After(position) if position.log == streams.origin.log => position.offset,
            Start::After(_) | Start::Now => *head.borrow(),
        };
        let (beat, next_beat) = (streams.beat, Instant::now() + streams.beat);
        Self {
            streams,
            filter,
            audience,
            read_to,
            head,
            beat,
            next_beat,
            first: Some(start),
            rule: RULE.into(),
            _place: place,
        }
    }

    /// Has the stream beat this often, where that is more often than it would.
    pub fn beating(mut self, every: Duration) -> Self {
        self.beat = self.beat.min(every);
        self.next_beat = Instant::now() + self.beat;
        self
    }

    /// Waits for what the listener hears next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Heard, Ended> {
        if let Some(first) = self.begun() {
            return Ok(first);
        }
        loop {
            if self.streams.stopping.is_cancelled() {
                return Err(Ended::Stopping);
            }
            self.head.mark_unchanged();
            let page = self.streams.store.read_log(Offset(self.read_to), PAGE).await?;
            if !self.audience.may_listen().await? {
                return Err(Ended::NotAllowed);
            }
            let Some(page) = page else { return Ok(Heard::Gap(self.pass_gap().await?)) };
            let (next, more) = (page.next.0, page.more);
            let events = self.events_of(page).await?;
            self.read_to = next;
            let now = Instant::now();
            if !events.is_empty() || now >= self.next_beat {
                self.next_beat = now + self.beat;
                let position = self.position();
                return Ok(if events.is_empty() { Heard::Beat(position) } else { Heard::Events(events) });
            }
            if !more {
                self.wait().await;
            }
        }
    }

    /// What a stream says first: where it begins, or that it cannot begin where it was asked to.
    fn begun(&mut self) -> Option<Heard> {
        let to = self.position();
        Some(match self.first.take()? {
            Start::After(from) if from.log != to.log => Heard::Gap(Gap { why: Lost::OtherLog, from, to }),
            Start::After(_) | Start::Now => Heard::Open(to),
        })
    }

    fn position(&self) -> Position {
        Position { log: self.streams.origin.log, offset: self.read_to }
    }

    async fn events_of(&mut self, page: LogPage) -> Result<Vec<Event>, NotJudged> {
        let (mut events, origin) = (Vec::new(), &self.streams.origin);
        for (position, row) in page.rows {
            let Logged::Change(change) = row else { continue };
            let Some(name) = self.filter.named(&change) else { continue };
            if self.audience.may_hear(&change).await? {
                events.push(Event {
                    rule_id: Arc::clone(&self.rule),
                    version: RecordVersion::default(),
                    name,
                    change: Arc::new(change),
                    position,
                    log: origin.log,
                    region: Arc::clone(&origin.region),
                    host_id: Arc::clone(&origin.host_id),
                });
            }
        }
        Ok(events)
    }

    /// The log does not go on from where the stream is: finds where it can go on.
    async fn pass_gap(&mut self) -> Result<Gap, store::Error> {
        let (from, head) = (self.position(), *self.head.borrow());
        let (why, to) = match self.read_to > head {
            true => (Lost::OtherLog, head),
            false => (Lost::Trimmed, self.streams.store.log_begin().await?.0),
        };
        self.read_to = to;
        Ok(Gap { why, from, to: self.position() })
    }

    /// Until there may be something to say.
    async fn wait(&mut self) {
        tokio::select! {
            // The store, which tells, lives as long as the stream.
            _ = timeout_at(self.next_beat, self.head.changed()) => {}
            () = self.streams.stopping.cancelled() => {}
        }
    }
}
