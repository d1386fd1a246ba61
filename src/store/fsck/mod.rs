//! The check of references: every record has its bytes and its reference, every reference its record, and whatever else
//! there is waits for the sweeper. `scrub` looks at the bytes themselves.
//!
//! Tables are walked a page at a time, and what a row needs elsewhere is looked up row by row, so that memory does not grow
//! with the store. While a server runs, rows change between two looks: a fault is told only if a second look, with the
//! bytes leased and the row unchanged before and behind it, finds it too.

mod confirm;
mod examine;
mod fault;
mod mend;
mod queues;
mod records;
mod references;
mod suspects;
mod versions;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use self::examine::told;
use self::fault::{Fault, Kind};
use self::suspects::Suspects;
use super::Store;
use super::error::Error;
use super::held::BucketNames;
use super::record::{CompletedRecord, RenamedRecord};
use super::tables::{
    BUCKETS, COMPLETED, CONFIGURATIONS, CURRENT, DISTRIBUTIONS, DOMAINS, HEADS, INLINE, LOG, NOTIFICATIONS, OFFSETS,
    PARTS, REFS, RENAMED, SWEEP, UPLOADS, VERSIONS,
};
use crate::kv::Table;
use crate::report::{Place, Report, Severity, Unit};

/// How many rows are read at a time.
const PAGE: usize = 500;
/// How many rows are looked at side by side, so that a disk has something to choose from.
const AT_ONCE: usize = 16;

/// How to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether others use the store meanwhile. Then blobs of this run are not judged: they may be on their way.
    pub serving: bool,
    /// Whether to mend what can be mended without losing a byte. Only while nobody else uses the store.
    pub repair: bool,
}

/// What was looked at, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub buckets: u64,
    pub objects: u64,
    /// Versions and delete markers, those that are current included.
    #[serde(default)]
    pub versions: u64,
    pub uploads: u64,
    pub parts: u64,
    pub references: u64,
    pub inline_values: u64,
    pub blobs: u64,
    pub log_entries: u64,
    /// What waits for the sweeper: entries of its queue.
    pub queued: u64,
    /// Findings that mean loss.
    pub damage: u64,
    /// Findings that mean none.
    pub untidy: u64,
    /// Findings of both kinds that were mended.
    pub repaired: u64,
}

/// A check under way.
struct Check<'a> {
    store: &'a Store,
    report: &'a Report,
    options: Options,
    summary: Summary,
    /// `None` where the table of buckets cannot be read.
    names: Option<BucketNames>,
    suspects: Suspects,
    /// Set when a table or the blobs' directory could not be read to its end: from there on nothing is mended, for what looks unreferenced may
    /// only be unread.
    unread: bool,
}

impl Store {
    /// Checks every row and every blob against all others and tells each fault to `report`.
    ///
    /// Fails with [`Error::Interrupted`] when told to stop. What cannot be read is a finding, not an error.
    pub async fn fsck(&self, options: Options, report: &Report) -> Result<Summary, Error> {
        let mut check = Check {
            store: self,
            report,
            options,
            summary: Summary::default(),
            names: None,
            suspects: Suspects::default(),
            unread: false,
        };
        check.all().await?;
        Ok(check.summary)
    }
}

impl Check<'_> {
    /// References are made again before anything is judged by its having none.
    async fn all(&mut self) -> Result<(), Error> {
        let read = self.buckets().await;
        self.unless_unread(BUCKETS, read).await?;
        let read = self.records(CURRENT).await;
        self.unless_unread(CURRENT, read).await?;
        let read = self.records(VERSIONS).await;
        self.unless_unread(VERSIONS, read).await?;
        let read = self.records(HEADS).await;
        self.unless_unread(HEADS, read).await?;
        let read = self.configurations().await;
        self.unless_unread(CONFIGURATIONS, read).await?;
        let read = self.domains().await;
        self.unless_unread(DOMAINS, read).await?;
        let read = self.distributions().await;
        self.unless_unread(DISTRIBUTIONS, read).await?;
        let read = self.notifications().await;
        self.unless_unread(NOTIFICATIONS, read).await?;
        let read = self.uploads().await;
        self.unless_unread(UPLOADS, read).await?;
        let read = self.records(PARTS).await;
        self.unless_unread(PARTS, read).await?;
        let read = self.offsets().await;
        self.unless_unread(OFFSETS, read).await?;
        let read = self.answers::<CompletedRecord>(COMPLETED).await;
        self.unless_unread(COMPLETED, read).await?;
        let read = self.answers::<RenamedRecord>(RENAMED).await;
        self.unless_unread(RENAMED, read).await?;
        let read = self.references().await;
        self.unless_unread(REFS, read).await?;
        let read = self.queue().await;
        self.unless_unread(SWEEP, read).await?;
        let read = self.inline_values().await;
        self.unless_unread(INLINE, read).await?;
        let read = self.blobs().await;
        self.unless_unread(REFS, read).await?;
        let read = self.settle_suspects().await;
        self.unless_unread(SWEEP, read).await?;
        let read = self.log().await;
        self.unless_unread(LOG, read).await
    }

    /// Makes a finding of what ended the walk over `table`, or over what it is compared with: the other tables are still
    /// worth a look.
    async fn unless_unread(&mut self, table: Table, read: Result<(), Error>) -> Result<(), Error> {
        let (kind, detail) = match read {
            Err(error @ (Error::Kv(_) | Error::Record(_))) => {
                (Kind::UnreadableTable, format!("table `{}`, {}", table.name, told(&error)))
            }
            Err(Error::Blob(error)) => (Kind::UnreadableDirectory, told(&error)),
            read => return read,
        };
        self.unread = true;
        self.tell(Fault::new(kind, Place::default(), detail)).await
    }

    /// Tells a fault that was confirmed, mended if that is asked for and possible.
    async fn tell(&mut self, fault: Fault) -> Result<(), Error> {
        let mut finding = fault.finding();
        if self.options.repair && !self.options.serving && !self.unread {
            finding.repaired = self.mend(fault.mend).await?;
        }
        match finding.severity {
            Severity::Damage => self.summary.damage += 1,
            Severity::Untidy => self.summary.untidy += 1,
        }
        self.summary.repaired += u64::from(finding.repaired.is_some());
        Ok(self.report.finding(finding).await?)
    }

    fn progress(&self, phase: &str, done: u64, unit: Unit) -> Result<(), Error> {
        Ok(self.report.progress(phase, done, None, unit)?)
    }
}

/// The outcomes of `looks`, in their order; some of them are under way at a time.
async fn side_by_side<T>(looks: Vec<impl Future<Output = T>>) -> Vec<T> {
    stream::iter(looks).buffered(AT_ONCE).collect().await
}
