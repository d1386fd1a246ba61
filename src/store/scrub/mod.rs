//! Reading every byte to see that it is still as it was written.
//!
//! The walk goes along the references, which name every blob and every inline value once, however many objects share it.
//! Where the walk is stands in a row of its own: a scrub that was stopped goes on there, in this process or the next.

mod cursor;
mod pace;
mod verify;

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::cursor::Cursor;
use self::pace::Pace;
use super::Store;
use super::codec::decode;
use super::error::Error;
use super::held::BucketNames;
use super::record::{EntrySummary, ObjectRecord, Target, VersionSummary};
use super::tables::{self, CURRENT, REFS, VERSIONS};
use super::walk::Walk;
use crate::report::{Report, Unit};

/// How many rows are read at a time.
const PAGE: usize = 500;
/// How often the cursor is written: what a crash makes the next scrub read again.
const CURSOR_INTERVAL: Duration = Duration::from_secs(10);
/// Behind the references on inline values and blobs: those on uploads name no bytes of their own.
const END: &[u8] = b"m";

/// How to scrub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes to read per second; `None` sets no bound.
    pub rate: Option<NonZeroU64>,
    /// Begins anew where an earlier scrub was stopped.
    pub restart: bool,
}

/// What a scrub came to, from its beginning, over all the times that it was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// When it began, in RFC 3339.
    pub began: String,
    /// Whether an earlier scrub was gone on with.
    pub resumed: bool,
    pub blobs: u64,
    pub inline_values: u64,
    pub bytes: u64,
    /// Blobs and inline values that are not as they were written.
    pub damaged: u64,
}

/// What was scrubbed since the process started: counters for metrics.
#[derive(Debug, Default)]
pub struct Tally {
    bytes: AtomicU64,
    damaged: AtomicU64,
}

/// A scrub under way.
struct Scrub<'a> {
    store: &'a Store,
    report: &'a Report,
    names: BucketNames,
    cursor: Cursor,
    /// The bytes of the target under way: the cursor counts them once it is passed, for one that is stopped is read again.
    reading: u64,
    pace: Pace,
    written: Instant,
}

impl Tally {
    /// The bytes that were read and verified.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The blobs and inline values that were found damaged.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }
}

impl Store {
    /// Reads and verifies the bytes of every object and part, and tells what is damaged to `report`. One at a time: fails
    /// with [`Error::ScrubRuns`] while another is under way.
    ///
    /// Fails with [`Error::Interrupted`] when told to stop; the next scrub goes on from there.
    pub async fn scrub(&self, options: Options, report: &Report) -> Result<Summary, Error> {
        let _turn = self.scrubbing.try_lock().map_err(|_| Error::ScrubRuns)?;
        let left = if options.restart { None } else { Cursor::load(self).await? };
        let resumed = left.is_some();
        let cursor = match left {
            Some(cursor) => cursor,
            None => Cursor::new(self.clock.now(), self.measure(report).await?),
        };
        let names = BucketNames::load(&*self.kv).await?;
        let pace = Pace::new(options.rate);
        let mut scrub = Scrub { store: self, report, names, cursor, reading: 0, pace, written: Instant::now() };
        let walked = scrub.walk().await;
        if walked.is_ok() {
            scrub.cursor.ended = true;
        }
        // Also where the walk failed or was stopped: what was read need not be read again.
        let stored = scrub.cursor.store(self).await;
        walked.and(stored)?;
        Ok(scrub.cursor.summary(resumed))
    }

    /// What was scrubbed since the store was opened.
    pub fn scrubbed(&self) -> &Tally {
        &self.scrubbed
    }

    /// How many bytes all objects and versions have: about what there is to read. Copies share bytes, and open uploads are
    /// not counted.
    async fn measure(&self, report: &Report) -> Result<u64, Error> {
        let mut bytes = 0u64;
        let mut rows = 0;
        for (table, size_of) in [(CURRENT, object_size as fn(&[u8]) -> u64), (VERSIONS, version_size)] {
            let mut walk = Walk::over(table, PAGE);
            loop {
                let page = walk.next(&*self.kv).await?;
                if page.is_empty() {
                    break;
                }
                report.progress("measuring", rows, None, Unit::Rows)?;
                rows += page.len() as u64;
                bytes = page.iter().fold(bytes, |bytes, (_, value)| bytes.saturating_add(size_of(value)));
            }
        }
        Ok(bytes)
    }
}

/// The size of an object that is no version: those are counted as such.
fn object_size(row: &[u8]) -> u64 {
    let record = decode::<ObjectRecord>(row).ok().filter(|record| record.version.is_none());
    record.map_or(0, |record| record.summary.size)
}

fn version_size(row: &[u8]) -> u64 {
    match decode::<VersionSummary>(row).map(|version| version.entry) {
        Ok(EntrySummary::Object(summary)) => summary.size,
        Ok(EntrySummary::DeleteMarker(_)) | Err(_) => 0,
    }
}

impl Scrub<'_> {
    async fn walk(&mut self) -> Result<(), Error> {
        let mut last = None;
        let mut walk = Walk::over(REFS, PAGE).from(self.cursor.after.clone());
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for (row, _) in rows {
                if row.as_ref() >= END {
                    return Ok(());
                }
                self.progress()?;
                // A reference that does not decode is the finding of `fsck`.
                let Some((target, _)) = tables::parse_reference(&row) else { continue };
                if last.replace(target) != Some(target) {
                    self.verify(target).await?;
                }
                self.passed(target).await?;
            }
        }
    }

    /// Remembers that `target` is done with, in the cursor's row from time to time.
    async fn passed(&mut self, target: Target) -> Result<(), Error> {
        self.cursor.bytes += std::mem::take(&mut self.reading);
        self.cursor.after = super::bucket::behind_prefix(&tables::references(target));
        if self.written.elapsed() >= CURSOR_INTERVAL {
            self.written = Instant::now();
            self.cursor.store(self.store).await?;
        }
        Ok(())
    }

    fn progress(&self) -> Result<(), Error> {
        let bytes = self.cursor.bytes + self.reading;
        Ok(self.report.progress("scrubbing", bytes, Some(self.cursor.total), Unit::Bytes)?)
    }

    /// Counts bytes that were read, and waits where they came faster than they may.
    async fn read(&mut self, bytes: u64) -> Result<(), Error> {
        self.reading += bytes;
        self.store.scrubbed.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.progress()?;
        match self.pace.wait_after(bytes) {
            Some(wait) => Ok(self.report.pause(wait).await?),
            None => Ok(()),
        }
    }
}
