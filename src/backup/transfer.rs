//! Putting the blobs of a store in another place: linked where that is possible, copied otherwise, several at a time.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::Error;
use crate::blob::{self, BlobId, BlobRef, BlobTree, Scrutiny};
use crate::kv::Kv;
use crate::report::{Finding, Place, Report, Severity, Stopped, Unit};
use crate::store::blob_walk::{BlobPage, BlobWalk, UnreadableRow};

/// How many blobs are worked on at a time: enough to keep a disk busy while others are being synced.
const AT_A_TIME: usize = 8;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(200);

/// Where blobs come from, where they go, and how.
pub struct Transfer {
    pub from: BlobTree,
    pub to: BlobTree,
    /// How closely they are looked at where they can be hard links; `None` where they are to be copies.
    pub link: Option<Scrutiny>,
    /// Another place where some of them are already, to be linked from there.
    pub base: Option<Base>,
    /// Whether files in `to` may be from an attempt that was cut off. They are kept if they are whole.
    pub resumed: bool,
    /// Whether damaged blobs are copied as they are; they count as damaged all the same.
    pub salvage: bool,
}

/// An older backup.
pub struct Base {
    pub tree: BlobTree,
    /// How closely its files have to be looked at.
    pub scrutiny: Scrutiny,
}

/// What became of the blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placed {
    pub linked: u64,
    pub copied: u64,
    /// Those that were there already.
    pub kept: u64,
    /// The sum of their lengths.
    pub bytes: u64,
    /// Those that are missing or damaged where they came from, and those of records that do not decode.
    pub damaged: u64,
}

impl Placed {
    /// How many blobs are in their place.
    pub fn count(&self) -> u64 {
        self.linked + self.copied + self.kept
    }
}

/// How a blob got where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Linked,
    Copied,
    Kept,
    /// Another record pointed at it before.
    Known,
}

/// What the threads share.
struct Work {
    transfer: Transfer,
    /// The blobs that a thread is at: records can share a blob.
    under_way: Mutex<HashSet<BlobId>>,
    /// The files of an attempt that was cut off, as long as nobody has looked at them. All others are of this run.
    unverified: Mutex<HashSet<BlobId>>,
    done_bytes: AtomicU64,
    stopped: AtomicBool,
}

type Outcome = (BlobRef, Result<Way, blob::Error>);

impl Transfer {
    /// Puts every blob that the records in `kv` point at where it belongs. Damaged blobs are findings, and counted, and so
    /// are records that do not decode; the others are placed all the same. Durable but for the names ([`BlobTree::sync`]). `kv` must not change meanwhile.
    pub async fn run(self, kv: Arc<dyn Kv>, report: &Report) -> Result<Placed, Error> {
        let total = bytes_of(kv.clone(), report).await?;
        let work = Arc::new(Work::new(self)?);
        let _stop = StopOnDrop(work.clone());
        let mut running = Running { work: work.clone(), tasks: JoinSet::new(), report, total, damaged: HashSet::new() };
        let mut placed = Placed::default();
        let mut walk = BlobWalk::new(kv);
        while let Some(page) = walk.next().await? {
            for row in page.unreadable {
                placed.damaged += 1;
                report.finding(unreadable(row)).await?;
            }
            for blob in page.blobs {
                if running.tasks.len() == AT_A_TIME {
                    running.settle_one(&mut placed).await?;
                }
                let work = work.clone();
                running.tasks.spawn_blocking(move || (blob, work.place(blob)));
            }
        }
        while !running.tasks.is_empty() {
            running.settle_one(&mut placed).await?;
        }
        Ok(placed)
    }
}

/// The blobs that are being placed.
struct Running<'r> {
    work: Arc<Work>,
    tasks: JoinSet<Outcome>,
    report: &'r Report,
    total: u64,
    /// Those that were told of: another record may point at the same blob.
    damaged: HashSet<BlobId>,
}

impl Running<'_> {
    /// Waits until one of the blobs is placed, and tells progress meanwhile.
    async fn settle_one(&mut self, placed: &mut Placed) -> Result<(), Error> {
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                _ = tick.tick() => self.tell()?,
                ended = self.tasks.join_next() => return match ended {
                    None => Ok(()),
                    Some(Ok((blob, outcome))) => self.count(blob, outcome, placed).await,
                    // Only a runtime that shuts down, or a bug, ends a task without its outcome.
                    Some(Err(lost)) => Err(blob::Error::Io(io::Error::other(lost)).into()),
                },
            }
        }
    }

    fn tell(&self) -> Result<(), Stopped> {
        let done = self.work.done_bytes.load(Ordering::Relaxed);
        self.report.progress("copying blobs", done, Some(self.total), Unit::Bytes)
    }

    async fn count(
        &mut self,
        blob: BlobRef,
        outcome: Result<Way, blob::Error>,
        placed: &mut Placed,
    ) -> Result<(), Error> {
        let counter = match outcome {
            Ok(Way::Known) => return Ok(()),
            Ok(Way::Linked) => &mut placed.linked,
            Ok(Way::Copied) => &mut placed.copied,
            Ok(Way::Kept) => &mut placed.kept,
            Err(error @ (blob::Error::Corrupt(_) | blob::Error::Missing(_))) => {
                if !self.damaged.insert(blob.id) {
                    return Ok(());
                }
                placed.damaged += 1;
                return Ok(self.report.finding(damage(blob, &error)).await?);
            }
            Err(error) => return Err(error.into()),
        };
        *counter += 1;
        placed.bytes += blob.length;
        Ok(())
    }
}

impl Work {
    fn new(transfer: Transfer) -> Result<Self, blob::Error> {
        let earlier = if transfer.resumed { transfer.to.ids()? } else { HashSet::new() };
        Ok(Self {
            transfer,
            under_way: Mutex::default(),
            unverified: Mutex::new(earlier),
            done_bytes: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        })
    }

    /// Puts one blob in its place. Blocks.
    fn place(&self, blob: BlobRef) -> Result<Way, blob::Error> {
        if !self.under_way.lock().insert(blob.id) {
            self.done_bytes.fetch_add(blob.length, Ordering::Relaxed);
            return Ok(Way::Known);
        }
        let way = self.place_first(blob);
        self.under_way.lock().remove(&blob.id);
        if !matches!(way, Ok(Way::Copied)) {
            // Copies were counted as they went.
            self.done_bytes.fetch_add(blob.length, Ordering::Relaxed);
        }
        way
    }

    fn place_first(&self, blob: BlobRef) -> Result<Way, blob::Error> {
        let Transfer { from, to, link, base, salvage, .. } = &self.transfer;
        if to.has(blob.id) {
            if !self.unverified.lock().remove(&blob.id) {
                return Ok(Way::Known);
            }
            if to.check(blob, Scrutiny::Bytes).is_ok() {
                return Ok(Way::Kept);
            }
            to.remove(blob.id)?;
        }
        if let Some(base) = base
            && base.tree.check(blob, base.scrutiny).is_ok()
            && to.link(blob.id, &base.tree)?
        {
            return Ok(Way::Linked);
        }
        if let Some(scrutiny) = *link
            && from.check(blob, scrutiny).is_ok()
            && to.link(blob.id, from)?
        {
            return Ok(Way::Linked);
        }
        match to.copy(blob, from, &|bytes| self.told(bytes)) {
            Ok(()) => Ok(Way::Copied),
            Err(error @ blob::Error::Corrupt(_)) if *salvage => {
                if let Err(lost) = to.copy_damaged(blob, from) {
                    tracing::warn!(blob = %blob.id, error = %lost, "nothing of a damaged blob can be copied");
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn told(&self, bytes: u64) -> io::Result<()> {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        match self.stopped.load(Ordering::Relaxed) {
            true => Err(io::Error::new(io::ErrorKind::Interrupted, "copying was stopped")),
            false => Ok(()),
        }
    }
}

/// Ends the copies under way when nobody waits for them any more.
struct StopOnDrop(Arc<Work>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

async fn bytes_of(kv: Arc<dyn Kv>, report: &Report) -> Result<u64, Error> {
    let (mut count, mut bytes) = (0, 0u64);
    let mut walk = BlobWalk::new(kv);
    while let Some(BlobPage { blobs, .. }) = walk.next().await? {
        count += blobs.len() as u64;
        bytes = blobs.iter().fold(bytes, |bytes, blob| bytes.saturating_add(blob.length));
        report.progress("counting blobs", count, None, Unit::Rows)?;
    }
    Ok(bytes)
}

fn damage(blob: BlobRef, error: &blob::Error) -> Finding {
    Finding {
        kind: "backup.blob".to_owned(),
        severity: Severity::Damage,
        place: Place { blob: Some(blob.id.to_string()), ..Place::default() },
        problem: error.to_string(),
        meaning: "the objects that it belongs to cannot be copied whole".to_owned(),
        advice: "`brim fsck` and `brim scrub` on the data directory name them; upload them again or delete them"
            .to_owned(),
        repaired: None,
    }
}

fn unreadable(UnreadableRow { place, row }: UnreadableRow) -> Finding {
    Finding {
        kind: "backup.record".to_owned(),
        severity: Severity::Damage,
        place,
        problem: format!("a record does not decode: {row}"),
        meaning: "what it describes cannot be read, neither here nor in the copy; its bytes are not copied".to_owned(),
        advice:
            "make sure that no newer brim wrote here; restore what it describes from an older backup, or upload it \
                 again"
                .to_owned(),
        repaired: None,
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::kv::{Commit, MemoryKv, Profile, Table};
    use crate::report::Note;
    use crate::store::tables::{self, CURRENT, PARTS};

    #[tokio::test]
    async fn records_that_do_not_decode_are_damage_and_end_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let other = Table { id: 0, name: "other", profile: Profile::Records };
        let kv = MemoryKv::new(&[&[other], &tables::TABLES[..]].concat());
        let planted = Commit::new()
            .put(CURRENT, &b"\0\0\0\0\0\0\0\x07key"[..], "garbage")
            .put(CURRENT, "short", "garbage")
            .put(PARTS, &b"an upload's id..\0\x03"[..], "");
        kv.commit(planted).await.unwrap();
        let transfer = Transfer {
            from: BlobTree::at(&directory.path().join("from")),
            to: BlobTree::make(&directory.path().join("to")).unwrap(),
            link: None,
            base: None,
            resumed: false,
            salvage: false,
        };
        let (report, mut notes) = Report::new(CancellationToken::new());
        let placed = transfer.run(Arc::new(kv), &report).await.unwrap();
        assert_eq!(placed, Placed { damaged: 3, ..Placed::default() });
        let mut places = Vec::new();
        while let Ok(note) = notes.try_recv() {
            if let Note::Finding(finding) = note {
                places.push((finding.place.bucket, finding.place.key, finding.place.part));
            }
        }
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(places, [(text("bucket number 7"), text("key"), None), (None, None, None), (None, None, Some(3))]);
    }
}
