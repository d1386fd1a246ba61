//! Whether an edge may trust what it holds: asked with every request, so without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::moment::Moment;

/// The lease of an edge, and how far it has read.
#[derive(Debug, Default)]
pub struct FeedState {
    /// When the lease ends, in milliseconds; 0 before the first.
    until: AtomicU64,
    offset: AtomicU64,
    /// The id of the key by which the feed is read.
    key: String,
    /// The authority of whoever gives it.
    provider: String,
    /// Whether edges read the feed here.
    relays: bool,
    pass: ArcSwapOption<String>,
    /// Whether anything may be held of which the feed will not tell.
    unwatched: AtomicBool,
}

impl FeedState {
    /// An edge that trusts nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An edge that trusts nothing yet, and reads the feed of `provider`, a host maybe with a port, by the key with this id.
    pub fn of(key: &str, provider: &str) -> Self {
        // An earlier run may have left something.
        let unwatched = AtomicBool::new(true);
        Self { key: key.to_owned(), provider: provider.to_owned(), unwatched, ..Self::default() }
    }

    /// The same, where edges read the feed here: they are to be told what answers depend on.
    pub fn relaying(self) -> Self {
        Self { relays: true, ..self }
    }

    pub fn relays(&self) -> bool {
        self.relays
    }

    /// The id of the key by which the feed is read, for [`EDGE_HEADER`](super::EDGE_HEADER).
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether what follows the feed may be trusted now. Costs a look at the clock.
    pub fn is_live(&self) -> bool {
        self.is_live_at(Moment::now())
    }

    pub fn is_live_at(&self, now: Moment) -> bool {
        now.as_millis() < self.until.load(Ordering::Acquire)
    }

    /// What is left of the lease; zero where there is none.
    pub fn left(&self, now: Moment) -> Duration {
        Moment::from_millis(self.until.load(Ordering::Acquire)).since(now)
    }

    /// The offset that everything up to was applied; 0 before anything was.
    pub fn offset(&self) -> u64 {
        self.offset.load(Ordering::Acquire)
    }

    /// Notes that everything up to `offset` was applied.
    pub fn applied(&self, offset: u64) {
        self.offset.store(offset, Ordering::Release);
    }

    /// Extends the lease; one that goes on longer stays.
    pub fn extend(&self, until: Moment) {
        self.until.fetch_max(until.as_millis(), Ordering::AcqRel);
    }

    /// What `origin` recognises this edge by, to be sent to it as [`PASS_HEADER`](super::PASS_HEADER); `None` where it is not
    /// the shield that gives the feed.
    pub fn pass_for(&self, origin: &str) -> Option<Arc<String>> {
        if self.is_of(origin) { self.pass.load_full() } else { None }
    }

    /// Whether `origin`, a host maybe with a port, is who gives the feed.
    pub fn is_of(&self, origin: &str) -> bool {
        origin == self.provider
    }

    /// Notes that something is held under the tag [`UNWATCHED`](super::UNWATCHED).
    pub fn note_unwatched(&self) {
        self.unwatched.store(true, Ordering::Release);
    }

    /// Tells whether [`Self::note_unwatched`] was called since this was asked last, or may have been in an earlier run.
    pub fn take_unwatched(&self) -> bool {
        self.unwatched.swap(false, Ordering::AcqRel)
    }

    pub fn set_pass(&self, pass: &str) {
        if self.pass.load().as_ref().is_none_or(|known| **known != pass) {
            self.pass.store(Some(Arc::new(pass.to_owned())));
        }
    }

    /// Ends the lease at once.
    pub fn end(&self) {
        self.until.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_until_its_end_and_is_never_shortened_by_a_late_answer() {
        let state = FeedState::new();
        let at = Moment::from_millis;
        assert!(!state.is_live_at(at(0)));
        state.extend(at(100));
        assert!(state.is_live_at(at(99)) && !state.is_live_at(at(100)));
        state.extend(at(50));
        assert!(state.is_live_at(at(99)));
        assert_eq!((state.left(at(90)), state.left(at(200))), (Duration::from_millis(10), Duration::ZERO));
        state.end();
        assert!(!state.is_live_at(at(1)));
    }
}
