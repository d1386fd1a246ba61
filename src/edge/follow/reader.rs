//! What a page does to an edge: pure order, whoever holds what is dropped.

use std::sync::Arc;

use bytes::Bytes;

use super::holder::{Gone, Holder, HolderError, gone};
use super::relay::Relay;
use crate::feed::{Entry, FeedState, Moment, Page, Position, UNWATCHED, VERSION};

/// Where an edge is in the log, and what follows from that.
pub struct Reader {
    holder: Arc<dyn Holder>,
    state: Arc<FeedState>,
    relay: Option<Arc<Relay>>,
    at: Option<Position>,
    /// The position that was saved last, and when.
    saved: Option<Position>,
    saved_at: Moment,
}

/// How often the position is saved at most, in milliseconds: a crash has what came since dropped again.
const SAVE_EVERY: u64 = 1000;

/// Why a page was not taken. What it said is not acknowledged; the lease goes on as it was.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("the server speaks version {0} of the feed")]
    Version(u32),
    #[error("the server left out what is between {at} and {from}")]
    Gap { at: u64, from: u64 },
    #[error(transparent)]
    Holder(#[from] HolderError),
}

impl Reader {
    /// Goes on from what the holder saved.
    pub fn new(holder: Arc<dyn Holder>, state: Arc<FeedState>, relay: Option<Arc<Relay>>) -> Self {
        let at = holder.cursor().and_then(|cursor| read_cursor(&cursor, state.key()));
        Self { holder, state, relay, at, saved: at, saved_at: Moment::default() }
    }

    pub fn at(&self) -> Option<Position> {
        self.at
    }

    /// Takes a page that answers the poll sent at `sent`: drops what is gone, moves on, and only then extends the lease. A page
    /// that came before, or late, changes nothing that it should not.
    pub async fn take(&mut self, page: Page, sent: Moment) -> Result<(), NotTaken> {
        if page.version != VERSION {
            return Err(NotTaken::Version(page.version));
        }
        match self.at.filter(|at| at.log == page.log && !page.flush) {
            None => self.begin_anew(&page).await?,
            Some(at) if page.from > at.offset => return Err(NotTaken::Gap { at: at.offset, from: page.from }),
            Some(at) => self.go_on(at, &page).await?,
        }
        if let Some(lease) = page.lease {
            self.drop_unwatched().await?;
            self.state.extend(sent.plus(std::time::Duration::from_millis(lease)));
        }
        if let Some(pass) = page.pass {
            self.state.set_pass(&pass);
        }
        self.save(sent, false).await;
        Ok(())
    }

    /// Drops what was kept while the feed was not followed and of which it will not tell.
    async fn drop_unwatched(&self) -> Result<(), NotTaken> {
        if !self.state.take_unwatched() {
            return Ok(());
        }
        let dropped = self.holder.drop_all(vec![Gone::Dependents(UNWATCHED.to_owned())]).await;
        dropped.inspect_err(|_| self.state.note_unwatched())?;
        Ok(())
    }

    /// Another log, or a place in it that nobody knows any more: nothing that is held can be trusted.
    async fn begin_anew(&mut self, page: &Page) -> Result<(), NotTaken> {
        self.state.end();
        if let Some(relay) = &self.relay {
            relay.end();
        }
        self.state.take_unwatched();
        self.holder.flush().await.inspect_err(|_| self.state.note_unwatched())?;
        self.moved(Position { log: page.log, offset: page.next });
        if let Some(relay) = &self.relay {
            relay.begin(page.log, page.next);
        }
        Ok(())
    }

    async fn go_on(&mut self, at: Position, page: &Page) -> Result<(), NotTaken> {
        let new = || page.entries.iter().filter(|entry| entry.offset > at.offset).cloned();
        self.apply(new().collect()).await?;
        if page.next > at.offset {
            self.moved(Position { offset: page.next, ..at });
            if let Some(relay) = &self.relay {
                relay.publish(new(), page.next);
            }
        }
        Ok(())
    }

    async fn apply(&self, entries: Vec<Entry>) -> Result<(), NotTaken> {
        let mut all = Vec::with_capacity(entries.len());
        for entry in entries {
            match gone(entry) {
                Some(gone) => all.extend(gone),
                None => return Ok(self.holder.flush().await?),
            }
        }
        if !all.is_empty() {
            self.holder.drop_all(all).await?;
        }
        Ok(())
    }

    fn moved(&mut self, to: Position) {
        self.at = Some(to);
        self.state.applied(to.offset);
    }

    /// Saves the position where it is another one and time has passed, or at once.
    pub async fn save(&mut self, now: Moment, at_once: bool) {
        let due = at_once || now.since(self.saved_at).as_millis() >= u128::from(SAVE_EVERY);
        if let Some(at) = self.at.filter(|_| due && self.at != self.saved) {
            self.holder.save_cursor(Bytes::from(format!("{at} {}", self.state.key()))).await;
            (self.saved, self.saved_at) = (Some(at), now);
        }
    }
}

/// The position that was saved, if it was that of the same reader: another one may hear of other buckets.
fn read_cursor(cursor: &[u8], key: &str) -> Option<Position> {
    let (position, reader) = std::str::from_utf8(cursor).ok()?.split_once(' ')?;
    position.parse().ok().filter(|_| reader == key)
}
