//! Who fetches what: of those who want the same at the same time, one asks the origin, and the others come along.
//!
//! A fetch is found by its key until it is over, until it turns out that its answer cannot be shared, or until it is detached:
//! what a purge matches is nobody's to join any more, though those who joined before go on. The table holds no lock while
//! anybody waits.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::stream::{Follower, Stream, Writer, stream};

/// The fetches that are under way; clones share the table.
#[derive(Debug)]
pub struct Table<K, H>(Arc<Mutex<Fills<K, H>>>);

type Fills<K, H> = HashMap<K, Arc<Fill<K, H>>>;

/// One fetch, as those see it who follow.
#[derive(Debug)]
pub struct Fill<K, H> {
    key: K,
    stream: Arc<Stream>,
    head: watch::Receiver<Option<H>>,
    void: AtomicBool,
}

/// What the one has who fetches. Dropping it takes the fetch out of the table, and cuts the body off if it was not finished.
#[derive(Debug)]
pub struct Lead<K: Eq + Hash, H> {
    pub writer: Writer,
    head: watch::Sender<Option<H>>,
    listed: Listed<K, H>,
}

/// A fetch's place in the table, which is given up on drop.
#[derive(Debug)]
struct Listed<K: Eq + Hash, H> {
    table: Option<Table<K, H>>,
    fill: Arc<Fill<K, H>>,
}

/// What everybody has who follows, the one included who had the fetch begin.
#[derive(Debug)]
pub struct Seat<K, H> {
    pub fill: Arc<Fill<K, H>>,
    pub follower: Follower,
}

/// What came of a wish to fetch.
#[derive(Debug)]
pub enum Claim<K: Eq + Hash, H> {
    /// Nobody fetches this yet.
    Lead(Lead<K, H>, Seat<K, H>),
    Follow(Seat<K, H>),
}

impl<K: Clone + Eq + Hash, H: Clone> Table<K, H> {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Joins the fetch of `key`, or begins one. A fetch that cannot be joined any more, or whose head `usable` turns down, is
    /// no longer found by anybody.
    pub fn claim(&self, key: K, usable: impl Fn(&H) -> bool) -> Claim<K, H> {
        let mut fills = self.0.lock();
        if let Some(fill) = fills.get(&key) {
            let fits = fill.head.borrow().as_ref().is_none_or(usable);
            let joined = if fits { Stream::join(&fill.stream) } else { None };
            if let Some(follower) = joined {
                return Claim::Follow(Seat { fill: Arc::clone(fill), follower });
            }
        }
        let (lead, seat) = begin(key.clone(), Some(self.clone()));
        fills.insert(key, Arc::clone(&seat.fill));
        Claim::Lead(lead, seat)
    }

    /// Begins a fetch that nobody else finds.
    pub fn alone(key: K) -> (Lead<K, H>, Seat<K, H>) {
        begin(key, None)
    }

    /// Has nobody find those fetches any more of which `matches` is true: of the key, and of the head where that is known.
    /// Gives how many there were.
    pub fn detach(&self, matches: impl Fn(&K, Option<&H>) -> bool) -> usize {
        let mut fills = self.0.lock();
        let before = fills.len();
        fills.retain(|key, fill| !matches(key, fill.head.borrow().as_ref()));
        before - fills.len()
    }

    /// Detaches the fetches of which `matches` is true, and has nothing stored of what they bring.
    pub fn void(&self, matches: impl Fn(&K) -> bool) {
        self.0.lock().retain(|key, fill| {
            let matched = matches(key);
            if matched {
                fill.void.store(true, Ordering::Release);
            }
            !matched
        });
    }

    /// Gives how much is being fetched.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }
}

fn begin<K: Clone + Eq + Hash, H: Clone>(key: K, table: Option<Table<K, H>>) -> (Lead<K, H>, Seat<K, H>) {
    let (writer, follower) = stream();
    let (head, told) = watch::channel(None);
    let stream = Arc::clone(writer.stream());
    let fill = Arc::new(Fill { key, stream, head: told, void: AtomicBool::new(false) });
    let lead = Lead { writer, head, listed: Listed { table, fill: Arc::clone(&fill) } };
    (lead, Seat { fill, follower })
}

impl<K, H> Clone for Table<K, H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash, H> Lead<K, H> {
    /// Tells those who follow what came.
    pub fn open(&self, head: H) {
        self.head.send_replace(Some(head));
    }

    /// Whether what is fetched must not be stored.
    pub fn is_void(&self) -> bool {
        self.listed.fill.void.load(Ordering::Acquire)
    }

    /// Has nobody find the fetch any more. Those who follow already go on.
    pub fn leave_table(&mut self) {
        self.listed.leave();
    }

    /// The writer, and what has nobody find the fetch any more.
    pub fn parts(&mut self) -> (&Writer, impl FnOnce()) {
        let Self { writer, listed, .. } = self;
        (writer, || listed.leave())
    }

    /// Ends the body as it should end. What is to be found by others from now on was stored before.
    pub fn finish(self) {
        drop(self.listed);
        self.writer.finish();
    }
}

impl<K: Eq + Hash, H> Listed<K, H> {
    fn leave(&mut self) {
        let Some(table) = self.table.take() else { return };
        let mut fills = table.0.lock();
        if fills.get(&self.fill.key).is_some_and(|fill| Arc::ptr_eq(fill, &self.fill)) {
            fills.remove(&self.fill.key);
        }
    }
}

impl<K: Eq + Hash, H> Drop for Listed<K, H> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<K, H: Clone> Seat<K, H> {
    /// Waits for what came; `None` where the one who fetched stopped without a word.
    pub async fn head(&self) -> Option<H> {
        let mut head = self.fill.head.clone();
        let told = head.wait_for(Option::is_some).await.ok()?;
        told.clone()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;

    use super::super::stream::Step;
    use super::*;

    type Fills = Table<&'static str, u8>;

    fn claim(table: &Fills, key: &'static str) -> Claim<&'static str, u8> {
        table.claim(key, |_| true)
    }

    fn lead(claim: Claim<&'static str, u8>) -> (Lead<&'static str, u8>, Seat<&'static str, u8>) {
        match claim {
            Claim::Lead(lead, seat) => (lead, seat),
            Claim::Follow(_) => panic!("somebody else fetches"),
        }
    }

    fn follow(claim: Claim<&'static str, u8>) -> Seat<&'static str, u8> {
        match claim {
            Claim::Lead(..) => panic!("nobody else fetches"),
            Claim::Follow(seat) => seat,
        }
    }

    #[test]
    fn the_first_leads_and_the_others_follow_until_it_is_over() {
        let table = Fills::new();
        let (first, seat) = lead(claim(&table, "a"));
        let mut other = follow(claim(&table, "a"));
        lead(claim(&table, "b"));
        assert_eq!(other.head().now_or_never(), None);
        first.open(7);
        assert_eq!(seat.head().now_or_never(), Some(Some(7)));
        assert_eq!(other.head().now_or_never(), Some(Some(7)));
        first.writer.push(Bytes::from_static(b"x")).now_or_never().unwrap().unwrap();
        first.finish();
        assert_eq!(table.len(), 0);
        assert_eq!(other.follower.step().now_or_never(), Some(Step::Chunk(Bytes::from_static(b"x"))));
        assert_eq!(other.follower.step().now_or_never(), Some(Step::End));
        lead(claim(&table, "a"));
    }

    #[test]
    fn a_leader_that_stops_without_a_word_leaves_nothing_behind() {
        let table = Fills::new();
        let (first, mut seat) = lead(claim(&table, "a"));
        drop(first);
        assert_eq!(seat.head().now_or_never(), Some(None));
        assert_eq!(seat.follower.step().now_or_never(), Some(Step::Cut));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn what_is_detached_is_joined_by_nobody_and_its_end_leaves_its_successor_alone() {
        let table = Fills::new();
        let (old, _seat) = lead(claim(&table, "a"));
        let (_other, _seat) = lead(claim(&table, "b"));
        assert_eq!(table.detach(|key, head| *key == "a" && head.is_none()), 1);
        let (_new, _seat) = lead(claim(&table, "a"));
        follow(claim(&table, "a"));
        drop(old);
        follow(claim(&table, "a"));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn what_left_the_table_goes_on_for_those_who_follow() {
        let table = Fills::new();
        let (mut first, seat) = lead(claim(&table, "a"));
        first.leave_table();
        lead(claim(&table, "a"));
        first.open(1);
        assert_eq!(seat.head().now_or_never(), Some(Some(1)));
    }

    #[test]
    fn a_head_that_is_of_no_use_begins_anew() {
        let table = Fills::new();
        let (first, _seat) = lead(claim(&table, "a"));
        first.open(1);
        follow(table.claim("a", |head| *head == 1));
        lead(table.claim("a", |head| *head == 2));
    }
}
