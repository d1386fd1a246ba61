//! Blobs on their way into packs: those that wait are written and synced together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::super::{BlobId, Error, Shared};
use super::address::PackId;
use super::batch::OpenPack;
use super::format::{Entry, MAX_BODY_BYTES};
use super::{probe, remove};

/// How many bytes are written together, unless one entry alone has more.
const BATCH_BYTES: u64 = 4 << 20;

/// How many entries are written together.
const BATCH_ENTRIES: usize = 256;

/// What [`Packs::appended_to`] says where no pack is open.
const NONE: u64 = u64::MAX;

/// The packs of an engine.
pub(in super::super) struct Packs {
    /// The largest body that is packed; 0 if none is.
    threshold: u64,
    queue: Mutex<Queue>,
    /// The number of the pack that is appended to.
    appended_to: AtomicU64,
}

struct Queue {
    waiting: Vec<Waiting>,
    /// Whether a thread is at work. It takes whoever waits when it is done with those before.
    at_work: bool,
    /// The pack to go on with, while nobody is at work.
    open: Option<OpenPack>,
    /// The pack that is made next; `None` once there are no more numbers.
    next: Option<PackId>,
}

struct Waiting {
    entry: Entry,
    done: oneshot::Sender<Result<Kept, Error>>,
}

/// A blob that was packed and is durable: dropped before it is taken over, it is removed again.
pub(in super::super) struct Kept {
    shared: Option<Arc<Shared>>,
    id: BlobId,
}

/// The one thread at work. Dropped early, because it panicked or never ran, everyone who waits hears of it.
struct Turn {
    shared: Arc<Shared>,
    over: bool,
}

impl Packs {
    /// Packs bodies of up to `threshold` bytes, if the file system in `directory` can free a part of a file.
    pub(in super::super) fn open(directory: &std::path::Path, run: u64, threshold: u64) -> Self {
        let threshold = threshold.min(MAX_BODY_BYTES);
        let threshold = if threshold > 0 && probe::can_free_parts(directory) { threshold } else { 0 };
        let next = Some(PackId { run, number: 0 });
        let queue = Mutex::new(Queue { waiting: Vec::new(), at_work: false, open: None, next });
        Self { threshold, queue, appended_to: AtomicU64::new(NONE) }
    }

    pub(in super::super) fn threshold(&self) -> u64 {
        self.threshold
    }

    /// Whether this pack is the one that is appended to.
    pub(super) fn appends_to(&self, pack: PackId, run: u64) -> bool {
        pack.run == run && self.appended_to.load(Ordering::SeqCst) == pack.number
    }

    /// Gives a number to a new pack; from here on it is not removed, however empty it is.
    pub(super) fn begin_pack(&self) -> Result<PackId, Error> {
        let mut queue = self.queue.lock();
        let pack = queue.next.ok_or(Error::Full)?;
        queue.next = pack.next();
        self.appended_to.store(pack.number, Ordering::SeqCst);
        Ok(pack)
    }

    /// Nothing is appended to the pack any more.
    pub(super) fn end_pack(&self) {
        self.appended_to.store(NONE, Ordering::SeqCst);
    }
}

impl Kept {
    /// Leaves the blob to whoever asked for it.
    pub(in super::super) fn take_over(mut self) -> BlobId {
        self.shared = None;
        self.id
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let (Some(shared), id) = (self.shared.take(), self.id) else { return };
        let remove = move || {
            if let Err(error) = remove::remove(&shared, id) {
                tracing::warn!(blob = %id, %error, "an unfinished blob stays for the sweeper");
            }
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            // Without a runtime nobody minds waiting.
            Err(_) => remove(),
        }
    }
}

/// Packs a blob, together with whatever else waits. It is durable when this returns; if the future is dropped before, the
/// blob never existed.
pub(in super::super) async fn append(shared: &Arc<Shared>, entry: Entry) -> Result<Kept, Error> {
    shared.syncs.check()?;
    let (done, outcome) = oneshot::channel();
    let begins = {
        let mut queue = shared.packs.queue.lock();
        queue.waiting.push(Waiting { entry, done });
        !std::mem::replace(&mut queue.at_work, true)
    };
    if begins {
        let turn = Turn { shared: shared.clone(), over: false };
        drop(spawn_blocking(move || turn.work()));
    }
    outcome.await.unwrap_or_else(|_| Err(Error::Io(std::io::Error::other("the thread that packs blobs ended"))))
}

impl Turn {
    /// Writes batches until nobody waits. Blocks.
    fn work(mut self) {
        let packs = &self.shared.packs;
        let mut open = packs.queue.lock().open.take();
        loop {
            let batch = {
                let mut queue = packs.queue.lock();
                if queue.waiting.is_empty() {
                    queue.open = open;
                    queue.at_work = false;
                    self.over = true;
                    return;
                }
                next_batch(&mut queue.waiting)
            };
            let entries: Vec<_> = batch.iter().map(|waiting| &waiting.entry).collect();
            match OpenPack::append(&self.shared, &mut open, &entries) {
                Ok(ids) => batch.into_iter().zip(ids).for_each(|(waiting, id)| {
                    // To nobody: then what was to be kept is dropped with the message, and removed.
                    let _ = waiting.done.send(Ok(Kept { shared: Some(self.shared.clone()), id }));
                }),
                Err(error) => batch.into_iter().for_each(|waiting| {
                    let _ = waiting.done.send(Err(again(&error)));
                }),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.over {
            let mut queue = self.shared.packs.queue.lock();
            queue.at_work = false;
            queue.waiting.clear();
        }
    }
}

/// Takes those that have waited longest, as many as are written together.
fn next_batch(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut bytes = 0;
    let fit = waiting.iter().take(BATCH_ENTRIES).take_while(|waiting| {
        bytes += waiting.entry.bytes();
        bytes <= BATCH_BYTES
    });
    let count = fit.count().max(1);
    waiting.drain(..count).collect()
}

/// The same error once more, for the next of those who waited together.
fn again(error: &Error) -> Error {
    match error {
        Error::Full => Error::Full,
        Error::ReadOnly(reason) => Error::ReadOnly(reason.clone()),
        Error::Io(error) => Error::Io(std::io::Error::new(error.kind(), error.to_string())),
        Error::Corrupt(id) => Error::Corrupt(*id),
        Error::Missing(id) => Error::Missing(*id),
    }
}
