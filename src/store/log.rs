//! Reading the change log: its rows, where it begins and ends, and hearing of new ones as they are committed.
//!
//! Positions are dense from the first to the last, so that one number says how far a reader has come. A log is trimmed at
//! its beginning, and a reader who was there has to begin anew.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, watch};

use super::change::{Cause, Change};
use super::codec::{decode, encode};
use super::error::Error;
use super::mutation::Mutation;
use super::sweep::{FIRST_LOG, queue_position};
use super::tables::{LOG, META};
use super::{Position, Store, lineage};
use crate::clock::Timestamp;
use crate::kv::{Item, Kv, Scan};
use crate::names::{AccountId, LogId};

/// What the row of a purge begins with. Rows of changes begin with the version of records, which is a small number.
const PURGE: u8 = 0x80;

/// A row of the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    Change(Change),
    Purge(PurgeRecord),
}

/// Somebody asked for what caches hold to be dropped: nothing that is stored changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeRecord {
    pub at: Timestamp,
    /// In whose caches; `None`: in everybody's.
    pub account: Option<AccountId>,
    /// What is to be dropped: opaque to the store, passed on to readers of the log.
    pub document: Vec<u8>,
    pub cause: Cause,
}

/// A piece of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    pub rows: Vec<(Position, Logged)>,
    /// Everything up to here was read.
    pub next: Position,
    /// Whether there was more.
    pub more: bool,
}

/// Keeps readers of the log from a change until memory says the same: closed while one is committed and learned.
#[derive(Debug, Default)]
pub(super) struct Gate(RwLock<()>);

impl Gate {
    pub async fn close(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write().await
    }

    async fn pass(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().await
    }
}

impl Logged {
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            Some((&PURGE, record)) => decode(record).map(Self::Purge),
            _ => decode(bytes).map(Self::Change),
        }
    }

    /// When it was committed.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Change(change) => change.at,
            Self::Purge(purge) => purge.at,
        }
    }
}

impl PurgeRecord {
    pub(super) fn encode(&self) -> Bytes {
        [&[PURGE][..], &encode(self)].concat().into()
    }
}

/// The last position of the log in `kv`; the one before its beginning where it is empty.
pub(super) async fn head(kv: &dyn Kv) -> Result<u64, Error> {
    let first: u64 = kv.get(META, FIRST_LOG).await?.map_or(Ok(1), |bytes| decode(&bytes))?;
    // No position is left out between the first and the last: halving finds the end.
    let (mut below, mut above) = (first.saturating_sub(1), u64::MAX);
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        let from = Scan { start: middle.to_be_bytes().to_vec(), ..Scan::prefix(LOG, b"", 1) };
        match kv.scan(from).await?.items.last() {
            Some(Item::Row { key, .. }) => below = queue_position(key)?,
            _ => above = middle,
        }
    }
    Ok(below)
}

impl Store {
    /// The id of the log: positions mean something only together with it.
    pub async fn log_id(&self) -> Result<LogId, Error> {
        lineage::log_id(&*self.kv).await?.ok_or(Error::Record("a store whose log has no id"))
    }

    /// Tells the last position of the log, and wakes whoever waits for the next one. What was committed is told before its
    /// caller hears of it.
    pub fn log_head(&self) -> watch::Receiver<u64> {
        self.log_head.subscribe()
    }

    /// Notes that the log goes up to `position` at least.
    pub(super) fn announce(&self, position: u64) {
        self.log_head.send_if_modified(|head| {
            let is_new = position > *head;
            *head = (*head).max(position);
            is_new
        });
    }

    /// Gives up to `limit` rows behind `after`; `None` where what is behind it was trimmed, or where the log does not go so
    /// far: then it is a position of another history.
    pub async fn read_log(&self, after: Position, limit: usize) -> Result<Option<LogPage>, Error> {
        let _passing = self.log_gate.pass().await;
        if !self.is_of_log(after).await? {
            return Ok(None);
        }
        let start = after.0.saturating_add(1).to_be_bytes().to_vec();
        let page = self.kv.scan(Scan { start, ..Scan::prefix(LOG, b"", limit) }).await?;
        let (mut rows, mut next) = (Vec::with_capacity(page.items.len()), after);
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            next = Position(queue_position(&key)?);
            rows.push((next, Logged::decode(&value)?));
        }
        // A trim may have passed meanwhile: then the rows do not follow.
        if rows.first().is_some_and(|(first, _)| first.0 != after.0 + 1) && self.first(FIRST_LOG).await? > after.0 + 1 {
            return Ok(None);
        }
        Ok(Some(LogPage { rows, next, more: page.more }))
    }

    /// Gives the position from which the oldest row that is left is read: everything before was trimmed.
    pub async fn log_begin(&self) -> Result<Position, Error> {
        Ok(Position(self.first(FIRST_LOG).await?.saturating_sub(1)))
    }

    async fn is_of_log(&self, position: Position) -> Result<bool, Error> {
        if position.0.saturating_add(1) < self.first(FIRST_LOG).await? {
            return Ok(false);
        }
        // A row may be read before its commit has told of it.
        Ok(position.0 <= *self.log_head.borrow() || self.kv.get(LOG, &position.0.to_be_bytes()).await?.is_some())
    }

    /// Appends a purge to the log.
    pub async fn append_purge(&self, purge: &PurgeRecord) -> Result<Position, Error> {
        match self.commit(Mutation::new().log_purge(purge)).await? {
            Ok(position) => Ok(position),
            Err(_) => Err(Error::Record("a commit without expectations met a conflict")),
        }
    }

    /// Whether this is the first run on its directory: nobody can have read the log before.
    pub fn is_first_run(&self) -> bool {
        self.blobs.run() <= 1
    }
}
