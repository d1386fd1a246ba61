//! Following, with a holder that notes what it is told and pages that a test makes up.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::holder::{Gone, Holder, HolderError};
use super::reader::{NotTaken, Reader};
use crate::clock::Timestamp;
use crate::feed::{Entry, FeedState, Moment, Page, Purge, Scope, Target, UNWATCHED, VERSION, What};
use crate::names::{BucketName, LogId};

const LOG: LogId = LogId([1; 16]);
const LEASE: u64 = 10_000;

#[derive(Default)]
struct Told {
    told: Mutex<Vec<String>>,
    cursor: Mutex<Option<Bytes>>,
    fails: Mutex<bool>,
}

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock())
    }

    fn note(&self, text: String) -> Result<(), HolderError> {
        if *self.fails.lock() {
            return Err(HolderError("the disk is gone".into()));
        }
        self.told.lock().push(text);
        Ok(())
    }
}

#[async_trait]
impl Holder for Told {
    async fn drop_all(&self, gone: Vec<Gone>) -> Result<(), HolderError> {
        for one in gone {
            let text = match one {
                Gone::Dependents(tag) => tag,
                Gone::Purged(purge) => format!("purge {}", purge.target),
            };
            self.note(text)?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), HolderError> {
        self.note("everything".to_owned())
    }

    fn cursor(&self) -> Option<Bytes> {
        self.cursor.lock().clone()
    }

    async fn save_cursor(&self, cursor: Bytes) {
        *self.cursor.lock() = Some(cursor);
    }
}

struct Bench {
    holder: Arc<Told>,
    state: Arc<FeedState>,
    reader: Reader,
}

impl Bench {
    fn new() -> Self {
        let (holder, state) = (Arc::new(Told::default()), Arc::new(FeedState::of("BRIMA", "server")));
        let reader = Reader::new(holder.clone(), state.clone(), None);
        Self { holder, state, reader }
    }

    /// An edge that begins where the log ends, at 10, at the time 0.
    async fn at_ten() -> Self {
        let mut bench = Self::new();
        bench.reader.take(Page { flush: true, ..page(10, 10, []) }, at(1)).await.unwrap();
        assert_eq!(bench.holder.take(), ["everything"]);
        bench
    }

    fn offset(&self) -> u64 {
        self.reader.at().map_or(0, |at| at.offset)
    }

    fn live_until(&self) -> u64 {
        self.state.left(at(0)).as_millis() as u64
    }
}

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn page<const N: usize>(from: u64, next: u64, entries: [Entry; N]) -> Page {
    Page {
        version: VERSION,
        log: LOG,
        from,
        flush: false,
        entries: entries.into(),
        next,
        lease: Some(LEASE),
        register: false,
        not_taken: Vec::new(),
        pass: None,
    }
}

fn entry(offset: u64, what: What) -> Entry {
    Entry { offset, at: Timestamp::from_millis(0), what }
}

fn object(offset: u64, key: &str, configuration: bool) -> Entry {
    let bucket = BucketName::parse("pail").unwrap();
    entry(offset, What::Object { bucket, key: key.to_owned(), configuration })
}

#[tokio::test]
async fn nothing_is_trusted_before_the_first_page_and_then_for_a_lease_from_when_it_was_asked_for() {
    let mut bench = Bench::new();
    assert_eq!((bench.reader.at(), bench.live_until()), (None, 0));
    bench.reader.take(Page { flush: true, ..page(10, 10, []) }, at(7)).await.unwrap();
    assert_eq!((bench.offset(), bench.live_until()), (10, 7 + LEASE));
    assert_eq!(bench.holder.take(), ["everything"], "what is held is of nobody knows when");
}

#[tokio::test]
async fn entries_are_dropped_in_order_and_a_site_s_rules_drop_what_depends_on_the_bucket() {
    let mut bench = Bench::at_ten().await;
    let purge = Purge { scope: Scope::Everything, target: Target::Prefix("/a".into()), soft: true };
    let bucket = BucketName::parse("pail").unwrap();
    let entries = [
        object(11, "about us", false),
        object(12, "_redirects", true),
        entry(13, What::Configuration { bucket }),
        entry(14, What::Purge { purges: vec![purge] }),
    ];
    bench.reader.take(page(10, 20, entries), at(100)).await.unwrap();
    assert_eq!(bench.holder.take(), ["pail/about%20us", "pail/_redirects", "pail", "pail", "purge /a*"]);
    assert_eq!((bench.offset(), bench.state.offset(), bench.live_until()), (20, 20, 100 + LEASE));
}

#[tokio::test]
async fn pages_that_come_twice_or_late_take_nothing_back() {
    let mut bench = Bench::at_ten().await;
    let first = page(10, 12, [object(11, "a", false), object(12, "b", false)]);
    bench.reader.take(first.clone(), at(100)).await.unwrap();
    bench.reader.take(page(12, 13, [object(13, "c", false)]), at(200)).await.unwrap();
    assert_eq!(bench.holder.take(), ["pail/a", "pail/b", "pail/c"]);
    bench.reader.take(first, at(100)).await.unwrap();
    assert_eq!(bench.holder.take(), Vec::<String>::new());
    assert_eq!((bench.offset(), bench.live_until()), (13, 200 + LEASE));
    // One that overlaps brings what is new in it.
    bench.reader.take(page(11, 14, [object(12, "b", false), object(14, "d", false)]), at(300)).await.unwrap();
    assert_eq!((bench.holder.take(), bench.offset()), (vec!["pail/d".to_owned()], 14));
}

#[tokio::test]
async fn a_gap_is_not_stepped_over() {
    let mut bench = Bench::at_ten().await;
    let gap = bench.reader.take(page(11, 15, [object(15, "a", false)]), at(500)).await;
    assert!(matches!(gap, Err(NotTaken::Gap { at: 10, from: 11 })));
    assert_eq!((bench.offset(), bench.live_until()), (10, 1 + LEASE));
}

#[tokio::test]
async fn another_log_a_flush_and_an_unknown_entry_drop_everything() {
    let mut bench = Bench::at_ten().await;
    let other = Page { log: LogId([2; 16]), lease: None, ..page(3, 3, []) };
    bench.reader.take(other, at(100)).await.unwrap();
    assert_eq!((bench.holder.take(), bench.offset(), bench.live_until()), (vec!["everything".to_owned()], 3, 0));

    let mut bench = Bench::at_ten().await;
    bench.reader.take(Page { flush: true, ..page(5, 5, []) }, at(100)).await.unwrap();
    assert_eq!((bench.holder.take(), bench.offset()), (vec!["everything".to_owned()], 5));

    let mut bench = Bench::at_ten().await;
    bench.reader.take(page(10, 12, [object(11, "a", false), entry(12, What::Unknown)]), at(100)).await.unwrap();
    assert_eq!((bench.holder.take(), bench.offset()), (vec!["everything".to_owned()], 12));
}

#[tokio::test]
async fn what_could_not_be_dropped_is_not_acknowledged_and_the_lease_runs_out() {
    let mut bench = Bench::at_ten().await;
    *bench.holder.fails.lock() = true;
    for _ in 0..2 {
        assert!(bench.reader.take(page(10, 11, [object(11, "a", false)]), at(5000)).await.is_err());
        assert_eq!((bench.offset(), bench.live_until()), (10, 1 + LEASE));
    }
    *bench.holder.fails.lock() = false;
    bench.reader.take(page(10, 11, [object(11, "a", false)]), at(6000)).await.unwrap();
    assert_eq!((bench.holder.take(), bench.offset()), (vec!["pail/a".to_owned()], 11));
}

#[tokio::test]
async fn what_was_kept_unwatched_is_dropped_before_the_lease_begins_again() {
    let mut bench = Bench::at_ten().await;
    bench.reader.take(page(10, 10, []), at(2000)).await.unwrap();
    assert_eq!(bench.holder.take(), [""; 0], "there was nothing");
    bench.state.note_unwatched();
    *bench.holder.fails.lock() = true;
    assert!(bench.reader.take(page(10, 10, []), at(20_000)).await.is_err());
    assert_eq!(bench.live_until(), 2000 + LEASE);
    *bench.holder.fails.lock() = false;
    bench.reader.take(page(10, 10, []), at(21_000)).await.unwrap();
    assert_eq!((bench.holder.take(), bench.live_until()), (vec![UNWATCHED.to_owned()], 21_000 + LEASE));
    bench.reader.take(page(10, 10, []), at(22_000)).await.unwrap();
    assert_eq!(bench.holder.take(), [""; 0]);
}

#[tokio::test]
async fn a_page_that_is_not_the_last_extends_no_lease() {
    let mut bench = Bench::at_ten().await;
    bench.reader.take(Page { lease: None, ..page(10, 11, [object(11, "a", false)]) }, at(5000)).await.unwrap();
    assert_eq!((bench.offset(), bench.live_until()), (11, 1 + LEASE));
}

#[tokio::test]
async fn a_newer_server_is_not_guessed_at() {
    let mut bench = Bench::at_ten().await;
    let newer = Page { version: VERSION + 1, ..page(10, 11, []) };
    assert!(matches!(bench.reader.take(newer, at(5000)).await, Err(NotTaken::Version(2))));
    assert_eq!(bench.offset(), 10);
}

#[tokio::test]
async fn the_position_is_saved_behind_what_was_dropped_and_gone_on_from() {
    let mut bench = Bench::at_ten().await;
    bench.reader.take(page(10, 11, [object(11, "a", false)]), at(2000)).await.unwrap();
    let saved = bench.holder.cursor().unwrap();
    assert_eq!(saved, format!("{LOG}:11 BRIMA"));
    bench.reader.take(page(11, 12, [object(12, "b", false)]), at(2500)).await.unwrap();
    assert_eq!(bench.holder.cursor().unwrap(), saved, "not with every page");
    bench.reader.save(at(2500), true).await;
    let next = Reader::new(bench.holder.clone(), bench.state.clone(), None);
    assert_eq!(next.at().unwrap().to_string(), format!("{LOG}:12"));
    let another = Arc::new(FeedState::of("BRIMB", "server"));
    assert_eq!(Reader::new(bench.holder.clone(), another, None).at(), None, "another key may hear of other buckets");
}
