//! Every bucket's rules, and those of before: what a reader of the log asks for each change.
//!
//! A change goes by the rules that held when it was committed, however late somebody reads of it. So what was replaced is kept
//! until nobody can come across a change of its time any more. All of it is in memory: at most some 64 KiB a bucket, once readers
//! are up to date.

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

    /// Forgets what no reader asks for any more who has read up to `lowest`, here and in the store.
    pub async fn prune(&self, store: &Store, lowest: Position) -> Result<(), Error> {
        let known: Vec<BucketId> = self.buckets.read().keys().copied().collect();
        for bucket in known {
            self.learn_of_end(store, bucket).await?;
            self.prune_bucket(store, bucket, lowest).await?;
        }
        Ok(())
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
