//! The heart of the edge: looks a request up, decides whether what is stored may be used, and serves, revalidates or fetches.
//!
//! A hit is answered in the task of its connection, from memory, without waiting for anything. Everything else is a *fill*: a
//! task of its own asks the origin, tells those who wait what came (`collapse`), and appends the body to a stream that each
//! of them reads at his own pace (`stream`). What is complete goes to the cache; what is cut off goes nowhere. What cannot be
//! shared releases those who wait to fetches of their own, side by side, and is remembered, so that nobody waits next time.

mod answer;
mod ask;
mod body;
mod budget;
mod collapse;
mod compress;
mod confirm;
mod failure;
mod fetch;
mod fill;
mod judge;
mod lookup;
mod opened;
mod pages;
mod pass;
mod pump;
mod runs;
mod serve;
mod slices;
mod stored;
mod stream;
mod tail;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;

pub use answer::{Answer, Found, OriginPart, Outcome, Viewer};
pub use body::{Body, BodyError};

use self::budget::Budget;
use self::collapse::Table;
use self::compress::Compressing;
use self::fill::{FillKey, Head};
use self::runs::Runs;
use super::cache::{Cache, DiskError, Purge, Sequence};
use super::origin::BoxError;
use super::rules::target::CDN_CACHE_CONTROL;
use super::rules::update::BRIM_DEPENDS;
use super::site::{Behaviour, Site};
use crate::clock::Clock;
use crate::feed::FeedState;

/// What the engine works with.
#[derive(Debug)]
pub struct Parts {
    pub cache: Arc<Cache>,
    pub clock: Clock,
    /// The lease of the change feed; `None` where no feed is configured.
    pub feed: Option<Arc<FeedState>>,
    pub limits: Limits,
    /// The name of this edge in `Via` and `CDN-Loop`: a token, its own among all that a request may come through.
    pub name: String,
}

/// Bounds on what is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of bodies that all fills hold together, beside what the cache holds.
    pub fill_memory: u64,
    /// The longest body, in bytes, that is stored in one piece. Longer ones are stored in slices, or not at all.
    pub whole: u64,
}

/// Answers requests out of the cache and from origins. Clones share everything.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cache: Arc<Cache>,
    clock: Clock,
    feed: Option<Arc<FeedState>>,
    limits: Limits,
    name: String,
    compressing: Compressing,
    budget: Budget,
    fills: Table<FillKey, Head>,
    runs: Runs,
}

/// What is being fetched just now, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay {
    /// Responses that others could come along with.
    pub fills: usize,
    /// Bodies of which slices are being fetched.
    pub sliced: usize,
    /// Bytes that fills hold.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fill_memory: 128 * 1024 * 1024, whole: 8 * 1024 * 1024 }
    }
}

impl Engine {
    pub fn new(parts: Parts) -> Self {
        let Parts { cache, clock, feed, limits, name } = parts;
        Self(Arc::new(Shared {
            cache,
            clock,
            feed,
            limits,
            name,
            compressing: Compressing::default(),
            budget: Budget::new(limits.fill_memory),
            fills: Table::new(),
            runs: Runs::default(),
        }))
    }

    /// Answers a request that passed the gate. The request's path and query are those that are looked up and asked for: what a
    /// signed URL added is gone. Its `Host` is the viewer's business; `viewer.host` counts.
    ///
    /// Must be called within a Tokio runtime. Dropping the future or the answer's body never leaves anything half-stored.
    pub async fn answer<B>(
        &self,
        site: &Arc<Site>,
        behaviour: &Arc<Behaviour>,
        viewer: &Viewer,
        request: Request<B>,
    ) -> Answer
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut answer = self.answer_request(site, behaviour, viewer, request).await;
        if self.relays() && !viewer.edge && answer.response.headers_mut().remove(BRIM_DEPENDS).is_some() {
            answer.response.headers_mut().remove(CDN_CACHE_CONTROL);
        }
        answer
    }

    /// Whether edges read the feed here. What only these are told is kept then, and taken out for all others.
    fn relays(&self) -> bool {
        self.0.feed.as_ref().is_some_and(|feed| feed.relays())
    }

    /// Purges: no request that begins after this returned is answered with what a purge is about, nor comes along with a fetch
    /// that began before.
    ///
    /// # Errors
    /// [`DiskError::NotRecorded`] where the purge is in force but would not outlive a crash: it must not be acknowledged.
    pub async fn purge(&self, purges: &[Purge]) -> Result<Sequence, DiskError> {
        // The rules first: whoever finds nothing stored from here on begins a fetch that no purge of these is about.
        let purged = self.0.cache.purge(purges).await;
        self.detach(purges);
        purged
    }

    /// What is stored.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.0.cache
    }

    /// What is being fetched just now.
    pub fn under_way(&self) -> UnderWay {
        let shared = &self.0;
        UnderWay { fills: shared.fills.len(), sliced: shared.runs.len(), bytes: shared.budget.taken() }
    }
}
