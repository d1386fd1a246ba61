//! Every bucket's rules, and those of before: what a reader of the log asks for each change.
//!
//! A change goes by the rules that held when it was committed, however late somebody reads of it. So what was replaced is kept
//! until nobody can come across a change of its time any more. All of it is in memory: at most some 200 KiB a bucket, once
//! readers are up to date.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::Rules;
use crate::names::BucketId;
use crate::store::bucket::Bucket;
use crate::store::change::Cause;
use crate::store::notifications::{Epoch, PutNotification};
use crate::store::{Error, Position, Store};

/// The most states of one bucket's rules that are kept. More than these, between two looks of the slowest reader, are refused.
const MAX_EPOCHS: usize = 1000;

/// The most rules of one bucket that are kept for replays alone: of a document with one rule so many states, of one with a
/// hundred two. Beyond, a replay tells of what readers have yet to read, and of what is behind it.
const KEPT_RULES: usize = 200;

/// Rules by bucket, the oldest first. Cheap to ask, from anywhere.
#[derive(Debug, Default)]
pub struct RuleBook {
    buckets: RwLock<HashMap<BucketId, Vec<Reign>>>,
}

/// Rules, and from when on they held.
#[derive(Debug, Clone)]
struct Reign {
    generation: u64,
    /// The position of the change that began it: later ones go by it.
    since: Position,
    /// `None`: nothing is told.
    rules: Option<Arc<Rules>>,
}

impl RuleBook {
    /// Reads what is stored. Fails where a document does not decode.
    pub async fn load(store: &Store) -> Result<Self, Error> {
        let (mut buckets, mut after) = (HashMap::new(), None);
        loop {
            let page = store.notifications_page(after).await?;
            for (bucket, epochs) in page.buckets {
                let reigns = epochs.into_iter().map(Reign::of).collect::<Result<Vec<_>, _>>()?;
                after = Some(bucket);
                buckets.insert(bucket, reigns);
            }
            if !page.more {
                return Ok(Self { buckets: RwLock::new(buckets) });
            }
        }
    }

    /// Puts rules in place of those of the bucket, or removes them. `None`: they were these already, and nothing was written.
    /// Returns when it is durable; every change that is committed later goes by them. A caller that goes away does not cut the
    /// commit.
    pub async fn put(
        self: &Arc<Self>,
        store: &Arc<Store>,
        bucket: &Bucket,
        rules: Option<Rules>,
        cause: Cause,
    ) -> Result<Option<Position>, Error> {
        let id = bucket.record.id;
        let rules = rules.map(Arc::new);
        if self.current(id) == rules {
            return Ok(None);
        }
        self.make_room(store, id).await?;
        let (book, learned) = (Arc::clone(self), rules.clone());
        let put = PutNotification {
            bucket: bucket.clone(),
            document: rules.map(|rules| rules.encode()),
            cause,
            learn: Box::new(move |generation, since| book.learn(id, Reign { generation, since, rules: learned })),
        };
        let done = store.put_notification(put).await;
        if done.is_err() {
            self.settle(store, id).await;
        }
        done.map(Some)
    }

    /// The rules that a change of the bucket at this position goes by.
    pub fn rules_at(&self, bucket: BucketId, position: Position) -> Option<Arc<Rules>> {
        let buckets = self.buckets.read();
        let reigns = buckets.get(&bucket)?;
        let held = reigns.iter().rev().find(|reign| reign.since.0 < position.0)?;
        held.rules.clone()
    }

    /// The rules that the next change of the bucket goes by.
    pub fn current(&self, bucket: BucketId) -> Option<Arc<Rules>> {
        self.buckets.read().get(&bucket)?.last()?.rules.clone()
    }

    /// Forgets what nobody asks for any more, here and in the store. All readers have read up to `read`, and the log begins
    /// behind `start`: what lies between is asked for by replays alone, and kept for them up to 200
    /// rules of a bucket.
    pub async fn prune(&self, store: &Store, read: Position, start: Position) -> Result<(), Error> {
        let known: Vec<BucketId> = self.buckets.read().keys().copied().collect();
        for bucket in known {
            self.learn_of_end(store, bucket).await?;
            self.prune_bucket(store, bucket, start).await?;
            if self.replaced(bucket) > KEPT_RULES {
                self.prune_bucket(store, bucket, Position(read.0.max(start.0))).await?;
            }
        }
        Ok(())
    }

    /// How many rules of the bucket are kept that hold no more.
    fn replaced(&self, bucket: BucketId) -> usize {
        let buckets = self.buckets.read();
        let before = buckets.get(&bucket).and_then(|reigns| reigns.split_last()).map_or(&[][..], |(_, before)| before);
        before.iter().map(|reign| reign.rules.as_ref().map_or(1, |rules| rules.iter().count())).sum()
    }

    /// Where the bucket was deleted, the store knows of an end that nobody told this book.
    async fn learn_of_end(&self, store: &Store, bucket: BucketId) -> Result<(), Error> {
        let head = Position(*store.log_head().borrow());
        let Some(generation) = store.notification_end(bucket).await? else { return Ok(()) };
        // The end is somewhere before the head: taken for later than it was, it keeps a little longer what came before.
        self.learn(bucket, Reign { generation, since: head, rules: None });
        Ok(())
    }

    async fn prune_bucket(&self, store: &Store, bucket: BucketId, lowest: Position) -> Result<(), Error> {
        let Some(below) = self.buckets.read().get(&bucket).and_then(|reigns| needed_from(reigns, lowest)) else {
            return Ok(());
        };
        store.forget_notifications(bucket, below).await?;
        let mut buckets = self.buckets.write();
        if let Some(reigns) = buckets.get_mut(&bucket) {
            reigns.retain(|reign| reign.generation >= below);
            if reigns.is_empty() {
                buckets.remove(&bucket);
            }
        }
        Ok(())
    }

    /// Makes room for one more state, or fails with [`Error::Contended`]: somebody must read first, or retention pass.
    async fn make_room(&self, store: &Store, bucket: BucketId) -> Result<(), Error> {
        let kept = || self.buckets.read().get(&bucket).map_or(0, Vec::len);
        if kept() >= MAX_EPOCHS {
            self.prune_bucket(store, bucket, store.log_start().await?).await?;
        }
        if kept() >= MAX_EPOCHS { Err(Error::Contended) } else { Ok(()) }
    }

    /// Adds a state, unless it is known.
    fn learn(&self, bucket: BucketId, reign: Reign) {
        let mut buckets = self.buckets.write();
        let reigns = buckets.entry(bucket).or_default();
        if reigns.last().is_none_or(|last| last.generation < reign.generation) {
            reigns.push(reign);
        }
    }

    /// Brings the memory to what is stored after a commit whose outcome is not known.
    async fn settle(&self, store: &Store, bucket: BucketId) {
        let read = store.notification_epochs(bucket).await;
        let reigns = read.and_then(|epochs| epochs.into_iter().map(Reign::of).collect::<Result<Vec<_>, _>>());
        match reigns {
            Ok(reigns) if reigns.is_empty() => _ = self.buckets.write().remove(&bucket),
            Ok(reigns) => _ = self.buckets.write().insert(bucket, reigns),
            Err(error) => tracing::warn!(%error, "a bucket's rules cannot be read; those of before are used"),
        }
    }
}

impl Reign {
    fn of(epoch: Epoch) -> Result<Self, Error> {
        let decoded = epoch.document.map(|document| Rules::decode(&document)).transpose();
        let rules = decoded.map_err(|_| Error::Record("the rules of a bucket's notifications"))?;
        Ok(Self { generation: epoch.generation, since: epoch.since, rules: rules.map(Arc::new) })
    }
}

/// The first generation that a reader who has read up to `lowest` may ask for; `None` where that is the first there is. Where
/// nothing is told any more, it is the one behind the last.
fn needed_from(reigns: &[Reign], lowest: Position) -> Option<u64> {
    let held = reigns.iter().rposition(|reign| reign.since.0 <= lowest.0)?;
    let needed = match (&reigns[held].rules, reigns.get(held + 1)) {
        (Some(_), _) => reigns[held].generation,
        (None, Some(next)) => next.generation,
        (None, None) => reigns[held].generation + 1,
    };
    (needed > reigns[0].generation).then_some(needed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::rule;
    use super::*;
    use crate::kv::Fault;
    use crate::store::change::ChangeKind;
    use crate::store::log::Logged;
    use crate::store::tables::NOTIFICATIONS;
    use crate::store::tests::fixture::{Fixture, body};

    fn rules(id: &str) -> Option<Rules> {
        Some(Rules::new(vec![rule(id, "hooks", "s3:ObjectCreated:*", ("", ""))]).unwrap())
    }

    fn id(rules: Option<Arc<Rules>>) -> Option<String> {
        rules.map(|rules| rules.iter().next().unwrap().id.clone())
    }

    /// A store and its book.
    struct World {
        fixture: Fixture,
        book: Arc<RuleBook>,
    }

    impl World {
        async fn new() -> Self {
            Self::on(Fixture::new().await).await
        }

        async fn on(fixture: Fixture) -> Self {
            let book = Arc::new(RuleBook::load(&fixture.store).await.unwrap());
            Self { fixture, book }
        }

        async fn set(&self, name: &str, rules: Option<Rules>) -> Result<Option<Position>, Error> {
            let bucket = self.fixture.bucket(name).await;
            self.book.put(&self.fixture.store, &bucket, rules, Cause::default()).await
        }

        /// A change of an object.
        async fn write(&self, name: &str) -> Position {
            let bucket = self.fixture.bucket(name).await;
            self.fixture.put(&bucket, "key", &body(1, 9)).await.unwrap().position
        }

        async fn reopen(&self) -> Self {
            Self::on(self.fixture.reopen().await).await
        }

        fn head(&self) -> Position {
            Position(*self.fixture.store.log_head().borrow())
        }
    }

    #[tokio::test]
    async fn changes_go_by_the_rules_of_their_time_whenever_they_are_asked_for() {
        let world = World::new().await;
        let bucket = world.fixture.bucket("bucket").await.record.id;
        let mut expected = vec![(world.write("bucket").await, None)];
        for (set, name) in [(rules("first"), Some("first")), (rules("second"), Some("second")), (None, None)] {
            assert!(world.set("bucket", set).await.unwrap().is_some());
            expected.push((world.write("bucket").await, name.map(str::to_owned)));
            world.write("other").await;
        }
        let check = |world: &World| {
            for (position, name) in &expected {
                assert_eq!(id(world.book.rules_at(bucket, *position)), *name, "{position:?}");
            }
            assert_eq!(world.book.current(bucket), None);
        };
        check(&world);
        check(&world.reopen().await);
        assert_eq!(world.book.rules_at(BucketId(999), Position(1)), None);
    }

    #[tokio::test]
    async fn rules_that_are_there_already_are_not_written_again() {
        let world = World::new().await;
        assert_eq!(world.set("bucket", None).await.unwrap(), None);
        assert!(world.set("bucket", rules("a")).await.unwrap().is_some());
        assert_eq!(world.set("bucket", rules("a")).await.unwrap(), None);
        assert!(world.set("bucket", rules("b")).await.unwrap().is_some());
        assert_eq!(world.fixture.rows(NOTIFICATIONS).await.len(), 2);
    }

    #[tokio::test]
    async fn a_bucket_s_rules_outlive_it_until_they_are_forgotten() {
        let world = World::new().await;
        let bucket = world.fixture.bucket("bucket").await;
        world.set("bucket", rules("a")).await.unwrap();
        let written = world.write("bucket").await;
        world.fixture.delete(&bucket, "key").await.unwrap();
        world.fixture.delete_bucket("bucket").await.unwrap();
        let again = world.fixture.bucket("bucket").await.record.id;
        for world in [&world, &world.reopen().await] {
            assert_eq!(id(world.book.rules_at(bucket.record.id, written)), Some("a".to_owned()));
            assert_eq!(world.book.current(again), None, "a bucket of the same name is another one");
        }
        world.book.prune(&world.fixture.store, written, written).await.unwrap();
        assert!(
            world.book.rules_at(bucket.record.id, Position(written.0 + 1)).is_some(),
            "its reader is not past the end"
        );
        world.write("other").await;
        world.book.prune(&world.fixture.store, world.head(), world.head()).await.unwrap();
        assert!(world.book.buckets.read().is_empty());
        assert!(world.fixture.rows(NOTIFICATIONS).await.is_empty());
        world.fixture.check().await;
    }

    #[tokio::test]
    async fn a_bucket_that_was_deleted_is_forgotten_by_the_next_run_too() {
        let world = World::new().await;
        world.set("bucket", rules("a")).await.unwrap();
        world.fixture.delete_bucket("bucket").await.unwrap();
        let next = world.reopen().await;
        next.book.prune(&next.fixture.store, next.head(), next.head()).await.unwrap();
        assert!(next.book.buckets.read().is_empty() && next.fixture.rows(NOTIFICATIONS).await.is_empty());
    }

    #[tokio::test]
    async fn what_every_reader_has_read_is_kept_for_replays_as_long_as_the_log_has_it_and_it_is_not_much() {
        let world = World::new().await;
        let bucket = world.fixture.bucket("bucket").await.record.id;
        world.set("bucket", rules("a")).await.unwrap();
        let written = world.write("bucket").await;
        world.set("bucket", rules("b")).await.unwrap();
        let (store, book) = (&world.fixture.store, &world.book);
        book.prune(store, world.head(), Position(0)).await.unwrap();
        assert_eq!(id(book.rules_at(bucket, written)), Some("a".to_owned()));
        for round in 0..=KEPT_RULES {
            world.set("bucket", rules(&round.to_string())).await.unwrap();
        }
        book.prune(store, written, Position(0)).await.unwrap();
        assert!(book.buckets.read()[&bucket].len() > KEPT_RULES, "readers are not there yet");
        book.prune(store, world.head(), Position(0)).await.unwrap();
        assert_eq!(book.buckets.read()[&bucket].len(), 1);
    }

    #[tokio::test]
    async fn a_bucket_without_rules_has_nothing_to_keep() {
        let world = World::new().await;
        world.write("bucket").await;
        world.fixture.bucket("empty").await;
        world.fixture.delete_bucket("empty").await.unwrap();
        assert!(world.fixture.rows(NOTIFICATIONS).await.is_empty());
        world.set("bucket", rules("a")).await.unwrap();
        world.set("bucket", None).await.unwrap();
        world.book.prune(&world.fixture.store, world.head(), world.head()).await.unwrap();
        assert!(world.book.buckets.read().is_empty() && world.fixture.rows(NOTIFICATIONS).await.is_empty());
    }

    /// Whoever reads of new rules finds them in the book.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_reader_of_the_log_is_ahead_of_the_book() {
        let world = World::new().await;
        let bucket = world.fixture.bucket("bucket").await;
        let (store, book, id_of) = (world.fixture.store.clone(), world.book.clone(), bucket.record.id);
        let mut head = store.log_head();
        let reader = tokio::spawn(async move {
            let (mut after, mut seen) = (Position(0), 0);
            while seen < 200 {
                let page = store.read_log(after, 1000).await.unwrap().unwrap();
                for (position, row) in &page.rows {
                    if matches!(row, Logged::Change(change) if change.kind == ChangeKind::BucketNotification) {
                        assert_eq!(id(book.rules_at(id_of, Position(position.0 + 1))), Some(seen.to_string()));
                        seen += 1;
                    }
                }
                after = page.next;
                if !page.more {
                    let _ = tokio::time::timeout(std::time::Duration::from_millis(1), head.changed()).await;
                }
            }
        });
        for round in 0..200 {
            world.set("bucket", rules(&round.to_string())).await.unwrap();
        }
        reader.await.unwrap();
    }

    /// Book and store agree after whatever failed, and on one of the two states.
    #[tokio::test]
    async fn a_failing_store_leaves_the_old_rules_or_the_new_in_both() {
        for fault in [Fault::Refused, Fault::AnswerLost] {
            for call in 1.. {
                let world = World::new().await;
                let bucket = world.fixture.bucket("bucket").await;
                world.set("bucket", rules("old")).await.unwrap();
                world.fixture.kv.fail_at(call, fault);
                let outcome = world.book.put(&world.fixture.store, &bucket, rules("new"), Cause::default()).await;
                if world.fixture.kv.calls() < call {
                    assert!(outcome.is_ok() && call > 1);
                    break;
                }
                let next = world.reopen().await;
                let (kept, stored) =
                    (id(world.book.current(bucket.record.id)), id(next.book.current(bucket.record.id)));
                assert_eq!(kept, stored, "{fault:?} at call {call}: {outcome:?}");
                assert!(stored.as_deref() == Some("new") || outcome.is_err(), "{fault:?} at call {call}");
            }
        }
    }

    #[tokio::test]
    async fn more_states_than_can_be_kept_are_refused_until_the_log_is_trimmed() {
        let world = World::new().await;
        for round in 0..MAX_EPOCHS {
            world.set("bucket", rules(&round.to_string())).await.unwrap();
        }
        assert!(matches!(world.set("bucket", rules("x")).await, Err(Error::Contended)));
        world.fixture.clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
        world.write("other").await;
        world.fixture.store.trim_log().await.unwrap();
        assert!(world.set("bucket", rules("x")).await.unwrap().is_some());
        assert_eq!(world.fixture.rows(NOTIFICATIONS).await.len(), 2);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set(u8, Option<u8>),
        Write(u8),
        Delete(u8),
        Prune(u8),
        Trim,
        Reopen,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..2u8, prop::option::of(0..3u8)).prop_map(|(bucket, rules)| Step::Set(bucket, rules)),
            (0..2u8).prop_map(Step::Write),
            (0..2u8).prop_map(Step::Delete),
            (0..=100u8).prop_map(Step::Prune),
            Just(Step::Trim),
            Just(Step::Reopen),
        ]
    }

    /// What was true when each object was written, by a list that forgets nothing.
    async fn play(steps: Vec<Step>) {
        let mut world = World::new().await;
        let (mut lowest, mut set) = (0, HashMap::new());
        let mut written: Vec<(BucketId, Position, Option<String>)> = Vec::new();
        for step in steps {
            match step {
                Step::Set(bucket, given) => {
                    let name = format!("bucket-{bucket}");
                    let record = world.fixture.bucket(&name).await.record;
                    let given = given.map(|given| given.to_string());
                    world.set(&name, given.as_deref().and_then(rules)).await.unwrap();
                    set.insert(record.id, given);
                }
                Step::Write(bucket) => {
                    let name = format!("bucket-{bucket}");
                    let record = world.fixture.bucket(&name).await.record;
                    let position = world.write(&name).await;
                    written.push((record.id, position, set.get(&record.id).cloned().flatten()));
                }
                Step::Delete(bucket) => {
                    let bucket = world.fixture.bucket(&format!("bucket-{bucket}")).await;
                    world.fixture.delete(&bucket, "key").await.unwrap();
                    world.fixture.delete_bucket(bucket.record.name.as_str()).await.unwrap();
                }
                Step::Prune(percent) => {
                    lowest = lowest.max(world.head().0 * u64::from(percent) / 100);
                    world.book.prune(&world.fixture.store, Position(lowest), Position(lowest)).await.unwrap();
                }
                Step::Trim => {
                    world.fixture.clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
                    world.fixture.store.trim_log().await.unwrap();
                    lowest = lowest.max(world.fixture.store.log_start().await.unwrap().0);
                }
                Step::Reopen => world = world.reopen().await,
            }
            for (bucket, position, expected) in written.iter().filter(|(_, position, _)| position.0 > lowest) {
                assert_eq!(id(world.book.rules_at(*bucket, *position)), *expected, "{position:?}");
            }
        }
        world.fixture.check().await;
        world.book.prune(&world.fixture.store, world.head(), world.head()).await.unwrap();
        let rows = world.fixture.rows(NOTIFICATIONS).await.len();
        assert!(rows <= 2, "one row for each bucket that still tells something, and there are {rows}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn the_book_says_what_a_list_that_forgets_nothing_says(steps in prop::collection::vec(step(), 1..25)) {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(play(steps));
        }
    }
}
