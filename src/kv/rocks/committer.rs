//! The one thread that writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rocksdb::{WriteBatch, WriteOptions};
use tokio::sync::oneshot;

use super::super::{CommitError, Committed, Error};
use super::batch::{Merge, Positions};
use super::open::{Database, engine_error};
use super::options::Durability;
use super::queue::{Company, Queue, Request, Taken};

/// How long a relaxed commit may stay unsynced.
const RELAXED_SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// A batch waits for company at most this share of the time that the batch before it took, and at most so long.
const COMPANY_SHARE: u32 = 4;
const COMPANY_PATIENCE: Duration = Duration::from_micros(500);

/// Drains the queue, a batch at a time, until it is closed.
pub(super) struct Committer {
    database: Arc<Database>,
    queue: Arc<Queue>,
    durability: Durability,
    options: WriteOptions,
    positions: Positions,
    /// When the oldest commit that is not synced has to be.
    sync_due: Option<Instant>,
}

/// What a caller will hear, and where.
type Answer = (oneshot::Sender<Result<Committed, CommitError>>, Result<Committed, CommitError>);

impl Committer {
    pub fn new(database: Arc<Database>, queue: Arc<Queue>, durability: Durability) -> Result<Self, Error> {
        let positions = Positions::load(&database)?;
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Strict);
        Ok(Self { database, queue, durability, options, positions, sync_due: None })
    }

    pub fn run(mut self) {
        let mut requests = Vec::new();
        let mut company = Company::none();
        loop {
            match self.queue.take(&mut requests, self.sync_due, company) {
                Taken::Commits => company = self.commit(&mut requests),
                Taken::Nothing => {}
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
            self.queue.fail(error.to_string());
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
        let mut merge = Merge::new(&self.database, &mut self.positions)?;
        for request in requests.drain(..) {
            let verdict = merge.add(request.commit);
            answers.push((request.answer, verdict));
        }
        let batch = merge.finish();
        self.write(batch)?;
        if durable && self.durability == Durability::Relaxed { self.sync() } else { Ok(()) }
    }

    fn write(&mut self, batch: WriteBatch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.database.rocks.write_opt(batch, &self.options).map_err(engine_error)?;
        if self.durability == Durability::Relaxed && self.sync_due.is_none() {
            self.sync_due = Some(Instant::now() + RELAXED_SYNC_INTERVAL);
        }
        Ok(())
    }

    /// Syncs what relaxed commits left. A failure ends all writing: the next sync could succeed without the lost pages.
    fn sync_or_fail(&mut self) {
        if let Err(error) = self.sync() {
            self.queue.fail(error.to_string());
        }
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.sync_due = None;
        self.database.rocks.flush_wal(true).map_err(engine_error)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.queue.fail("the committer panicked".to_owned());
        }
    }
}
