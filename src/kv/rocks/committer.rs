//! The one thread that writes.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rocksdb::{WriteBatch, WriteOptions};
use tokio::sync::oneshot;

use super::super::{CommitError, Committed, Error};
use super::batch::{Merge, Positions};
use super::open::{Database, engine_error};
use super::options::Durability;
use super::queue::{Company, Queue, Request, Taken};
use super::slot::Slot;

/// How long a relaxed commit may stay unsynced.
const RELAXED_SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// How coarse a file system's times are at most.
const CLOCK_TICK: Duration = Duration::from_millis(10);

/// How often the disk is asked for room while there is none.
const ROOM_INTERVAL: Duration = Duration::from_secs(1);

/// A batch waits for company at most this share of the time that the batch before it took, and at most so long.
const COMPANY_SHARE: u32 = 4;
const COMPANY_PATIENCE: Duration = Duration::from_micros(500);

/// Drains the queue, a batch at a time, until it is closed.
pub(super) struct Committer {
    slot: Arc<Slot>,
    queue: Arc<Queue>,
    durability: Durability,
    options: WriteOptions,
    positions: Positions,
    /// When the oldest commit that is not synced has to be.
    sync_due: Option<Instant>,
    /// When the directory's entries had changed last, as far as relaxed commits have seen.
    directory_changed: Option<SystemTime>,
}

/// What a caller will hear, and where.
type Answer = (oneshot::Sender<Result<Committed, CommitError>>, Result<Committed, CommitError>);

impl Committer {
    pub fn new(slot: Arc<Slot>, queue: Arc<Queue>, durability: Durability) -> Result<Self, Error> {
        let positions = Positions::load(&*slot.read()?)?;
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Strict);
        Ok(Self { slot, queue, durability, options, positions, sync_due: None, directory_changed: None })
    }

    pub fn run(mut self) {
        let mut requests = Vec::new();
        let mut company = Company::none();
        loop {
            match self.queue.take(&mut requests, self.sync_due, company) {
                Taken::Commits => company = self.commit(&mut requests),
                Taken::Nothing => {}
                Taken::Paused => self.recover(),
                Taken::Closed => break,
            }
            if self.sync_due.is_some_and(|due| due <= Instant::now()) {
                self.sync_or_fail();
            }
        }
        if self.sync_due.is_some() {
            self.sync_or_fail();
        }
    }

    /// Judges, writes and answers one batch, and says for whom the next one should wait.
    fn commit(&mut self, requests: &mut Vec<Request>) -> Company {
        let began = Instant::now();
        let mut answers = Vec::with_capacity(requests.len());
        let written = self.apply(requests, &mut answers);
        if let Err(error) = &written {
            // First of all, so that whoever hears of the failure finds the engine read-only.
            self.stop_writing(error);
        }
        let answered = answers.len();
        // Conflicts too are answered after the write: the value that one tells may be from this batch.
        for (answer, verdict) in answers {
            let verdict = written.clone().map_err(CommitError::from).and(verdict);
            // The caller may be gone; its commit stands.
            let _ = answer.send(verdict);
        }
        self.company(answered, began.elapsed())
    }

    /// The callers just answered are likely to come back at once. Without waiting for them, those that queued up during
    /// the sync and those that it served would take turns, and each sync would serve half of the callers.
    fn company(&self, answered: usize, took: Duration) -> Company {
        if self.durability == Durability::Relaxed {
            return Company::none();
        }
        let patience = (took / COMPANY_SHARE).min(COMPANY_PATIENCE);
        Company { commits: answered + self.queue.len(), until: Instant::now() + patience }
    }

    fn apply(&mut self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) -> Result<(), Error> {
        let durable = requests.iter().any(|request| request.commit.durable);
        let slot = Arc::clone(&self.slot);
        let database = slot.read()?;
        let mut merge = Merge::new(&database, &mut self.positions)?;
        for request in requests.drain(..) {
            let verdict = merge.add(request.commit);
            answers.push((request.answer, verdict));
        }
        let changed = merge.changed();
        let batch = merge.finish();
        let writing = database.resident.write(changed.into_iter());
        self.write(&database, batch)?;
        drop(writing);
        if durable && self.durability == Durability::Relaxed { self.sync(&database) } else { Ok(()) }
    }

    fn write(&mut self, database: &Database, batch: WriteBatch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        database.rocks.write_opt(batch, &self.options).map_err(engine_error)?;
        if self.durability == Durability::Strict {
            return Ok(());
        }
        if self.log_may_have_changed() {
            // Before any later commit: a disk may keep the new file and lose the old one's end.
            return self.sync(database);
        }
        self.sync_due.get_or_insert_with(|| Instant::now() + RELAXED_SYNC_INTERVAL);
        Ok(())
    }

    /// Whether the log may go on in another file since this was last asked: making or renaming one changes the directory.
    fn log_may_have_changed(&mut self) -> bool {
        let changed = fs::metadata(self.slot.path()).and_then(|directory| directory.modified()).ok();
        let before = std::mem::replace(&mut self.directory_changed, changed);
        // Two changes within one tick of the kernel's clock have the same time.
        let is_old = changed.is_some_and(|at| at.elapsed().is_ok_and(|age| age > CLOCK_TICK));
        !is_old || changed != before
    }

    /// Syncs what relaxed commits left. A failure ends all writing: the next sync could succeed without the lost pages.
    fn sync_or_fail(&mut self) {
        let slot = Arc::clone(&self.slot);
        if let Err(error) = slot.read().and_then(|database| self.sync(&database)) {
            self.stop_writing(&error);
        }
    }

    fn sync(&mut self, database: &Database) -> Result<(), Error> {
        self.sync_due = None;
        database.rocks.flush_wal(true).map_err(engine_error)
    }

    /// Refuses commits: until there is room again, or, after any other failure, for good.
    fn stop_writing(&mut self, error: &Error) {
        self.sync_due = None;
        match error {
            Error::Full(_) => {
                tracing::warn!(%error, "the metadata engine only reads until the disk has room");
                self.queue.pause(error.to_string());
            }
            _ => {
                tracing::error!(%error, "the metadata engine only reads until a restart");
                self.queue.fail(error.to_string());
            }
        }
    }

    /// Waits for room, opens the database anew and takes commits again; gives up when the queue is closed.
    fn recover(&mut self) {
        let mut told = String::new();
        while !self.queue.is_closed_within(ROOM_INTERVAL) {
            match self.try_recover() {
                Ok(true) => {
                    tracing::info!("the disk has room: the metadata engine writes again");
                    return self.queue.resume();
                }
                Ok(false) => {}
                Err(error) => {
                    let reason = error.to_string();
                    if reason != told {
                        tracing::error!(error = %reason, "the metadata engine could not be opened anew; it is tried again");
                        told = reason;
                    }
                }
            }
        }
    }

    fn try_recover(&mut self) -> Result<bool, Error> {
        if !self.slot.has_room()? {
            return Ok(false);
        }
        self.slot.reopen()?;
        // A commit of unknown outcome may have taken positions.
        self.positions = Positions::load(&*self.slot.read()?)?;
        Ok(true)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.queue.fail("the committer panicked".to_owned());
        }
    }
}
