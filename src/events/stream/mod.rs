//! The change log as a stream: whoever may hear of changes follows it, from wherever he was.
//!
//! The log is the only queue that a stream has. A reader that is slow is behind in the log and takes no memory; one that
//! comes back names the position that it had, and misses nothing that the log still holds. What it does not hold any more
//! is told as a [`Gap`] and never passed over in silence.

mod filter;
pub mod lines;
mod places;
mod reader;
pub mod sse;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::record::Origin;
use crate::feed::Position;
use crate::store::Store;
use crate::store::change::Change;

pub use filter::{Filter, InvalidPattern, parse_patterns};
pub use places::{Full, Place};
pub use reader::{Ended, Gap, Heard, Lost, Reader};

use places::Places;

/// How many streams may be open at once, and how many of them may be one account's, or one address's without an account.
pub const MAX_STREAMS: usize = 256;
pub const MAX_STREAMS_OF_ONE: usize = 64;

/// How often a stream in which nothing happens says that it is alive.
pub const BEAT: Duration = Duration::from_secs(10);

/// Whoever listens: what he may hear is asked again while his stream runs.
pub trait Audience: 'static {
    /// Whether the listener may go on. Asked before anything is told, and at every beat; what [`Self::may_hear`] was
    /// answered before is forgotten by it.
    fn may_listen(&mut self) -> impl Future<Output = Result<bool, NotJudged>>;

    /// Whether the listener may hear of this change.
    fn may_hear(&mut self, change: &Change) -> impl Future<Output = Result<bool, NotJudged>>;
}

/// It could not be found out what a listener may hear: then he hears nothing.
#[derive(Debug, thiserror::Error)]
#[error("what a listener may hear cannot be found out: {0}")]
pub struct NotJudged(#[source] pub Box<dyn Error + Send + Sync>);

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what is committed from now on.
    Now,
    /// Behind a position that a stream told before.
    After(Position),
}

/// Everything that streams share.
pub struct Streams {
    store: Arc<Store>,
    origin: Origin,
    beat: Duration,
    places: Places,
    stopping: CancellationToken,
}

impl Streams {
    /// Streams beat every [`BEAT`], or more often where connections that are silent for `patience` are given up.
    pub fn new(store: Arc<Store>, origin: Origin, patience: Duration) -> Self {
        let places = Places::new(MAX_STREAMS, MAX_STREAMS_OF_ONE);
        Self { store, origin, beat: BEAT.min(patience / 2), places, stopping: CancellationToken::new() }
    }

    /// Takes a place for a stream of `listener`, who is anybody's name for himself that others cannot take.
    pub fn enter(&self, listener: &str) -> Result<Place, Full> {
        self.places.take(listener)
    }

    /// Where the log ends.
    pub fn head(&self) -> Position {
        Position { log: self.origin.log, offset: *self.store.log_head().borrow() }
    }

    /// Begins a stream of what passes the filter. It has begun when this returns: whatever is committed later is told.
    pub fn follow<A: Audience>(self: &Arc<Self>, place: Place, filter: Filter, start: Start, audience: A) -> Reader<A> {
        Reader::begin(Arc::clone(self), place, filter, start, audience)
    }

    /// Ends every stream in order, and those that come. Who reads them can go on at the next run.
    pub fn stop(&self) {
        self.stopping.cancel();
    }
}
