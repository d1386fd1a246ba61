//! What comes to an endpoint: its rows when it begins, then the log.

use std::sync::Arc;

use super::breaker::Gate;
use super::desk::Shared;
use super::dispatcher::{Dispatcher, MAX_DEFERRED, WINDOW};
use super::error::Error;
use super::rows::{Gap, GapReason, Message, Progress};
use crate::clock::Timestamp;
use crate::events::endpoint::Endpoint;
use crate::events::record::Event;
use crate::events::rules::EventName;
use crate::events::tables::{self, CURSORS, DEFERRED, REPLAYS};
use crate::kv::{Commit, CommitError, Item, Kv, Scan, Table};
use crate::store::Position;
use crate::store::change::Change;
use crate::store::codec::decode;

/// Rows that are read at a time.
const PAGE: usize = 500;

impl Shared {
    /// Waits for whatever a dispatcher that was dropped gave to the engine: this commit comes behind it.
    pub async fn settle_commits(&self) -> Result<(), Error> {
        match self.ports.kv.commit(Commit::new()).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    /// Up to here everybody has read, as it is written down: those that the file may declare again too.
    pub async fn lowest_written(&self) -> Result<u64, Error> {
        let (mut scan, mut lowest) = (Scan::prefix(CURSORS, b"", PAGE), self.head());
        loop {
            let page = self.ports.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                let progress: Progress = decode(&value)?;
                if progress.log == self.log {
                    lowest = lowest.min(progress.position);
                }
                scan.start = [&key[..], b"\0"].concat();
            }
            if !page.more {
                return Ok(lowest);
            }
        }
    }

    /// Where an endpoint is. One whose log is another than the store's goes on at the end of this one: nothing says which of the
    /// changes it knows.
    pub async fn progress(&self, endpoint: &Endpoint) -> Result<Progress, Error> {
        let row = self.ports.kv.get(CURSORS, &tables::endpoint(endpoint.number)).await?;
        // The end of the log as it was when the run began: later changes are told.
        let (end, at) = (self.begun_at, self.ports.clock.now());
        let mut progress = match row {
            Some(bytes) => decode(&bytes)?,
            None => Progress::new(self.log, endpoint.created_at.0),
        };
        let why = match (progress.log == self.log, progress.position <= self.head()) {
            (true, true) => return Ok(progress),
            (true, false) => GapReason::Trimmed,
            (false, _) => GapReason::Restored,
        };
        tracing::warn!(webhook = %endpoint.id, ?why, "the log is not the one that the webhook was told of: it goes on at its end, and what was before is not told");
        // How many of them it was told of before, nobody knows: all count that there are, and one at least.
        let entries = end.saturating_sub(self.ports.store.log_start().await?.0).max(1);
        progress.counts.skipped += entries;
        progress.gap = Some(Gap { at, why, entries, to: end });
        (progress.log, progress.position) = (self.log, end);
        Ok(progress)
    }
}

impl Dispatcher {
    /// Takes up what the rows say: messages that wait, and replays.
    pub async fn restore(&mut self) -> Result<(), Error> {
        let (kv, number) = (Arc::clone(&self.shared.ports.kv), self.endpoint.number);
        let cursor = self.window.cursor();
        let (queue, known, log) = (&mut self.queue, &mut self.known, self.shared.log);
        each_row(&*kv, DEFERRED, number, |key, value| {
            let message: Message = decode(value)?;
            let Some(row) = tables::parse_message(key) else { return Ok(()) };
            queue.restore(row, &message);
            if message.log == log && row.part == 0 {
                known.extend(message.events.iter().map(|event| event.position).filter(|position| *position > cursor));
            }
            Ok(())
        })
        .await?;
        let jobs = &mut self.jobs;
        each_row(&*kv, REPLAYS, number, |key, value| {
            if let Some(sequence) = tables::parse_numbered(key) {
                jobs.push_back((sequence, decode(value)?));
            }
            Ok(())
        })
        .await
    }

    /// Whether there is room for more of the log, and use for it.
    pub fn may_read(&self) -> bool {
        let idle = self.queue.ready_len() == 0 && self.queue.held_len() == 0;
        let open = match self.breaker.gate(self.now()) {
            Gate::Open => true,
            // Something is needed that decides.
            Gate::Probe => idle,
            Gate::Shut(_) => false,
        };
        open && self.may_send() && self.window.len() < WINDOW && self.queue.held_len() < MAX_DEFERRED
    }

    /// Reads a page of the log.
    pub async fn fill(&mut self) -> Result<(), Error> {
        let after = self.window.read_to();
        if !self.may_read() || after >= self.shared.head() {
            return Ok(());
        }
        let Some(page) = self.shared.pages.read(&self.shared.ports.store, after).await? else {
            return self.lose_place().await;
        };
        let now = self.now();
        for (position, change) in page.behind(after) {
            // What has a row is settled, though the cursor was not there yet.
            if self.known.remove(position) {
                continue;
            }
            if let Some(event) = self.event(Position(*position), change) {
                self.window.open(*position);
                let behind = self.queue.push(event, now);
                self.write_behind(behind.into_iter().collect(), now);
            }
        }
        self.window.advance(page.next);
        self.pending.passed(now);
        Ok(())
    }

    /// What a change is to this endpoint, by the rules that held when it was committed.
    pub fn event(&self, position: Position, change: &Arc<Change>) -> Option<Event> {
        let (name, key, target) = (EventName::of(change.kind)?, change.key.as_ref()?, self.target.as_ref()?);
        if change.account != self.endpoint.id.account {
            return None;
        }
        let rules = self.shared.ports.rules.rules_at(change.bucket_id, position)?;
        let rule = rules.matching(name, key, target)?;
        Some(Event::new(rule, name, Arc::clone(change), position, &self.shared.origin))
    }

    /// The log does not go back so far any more: goes on where it begins.
    async fn lose_place(&mut self) -> Result<(), Error> {
        let start = self.shared.ports.store.log_start().await?.0;
        let to = if start > self.window.read_to() { start } else { self.shared.head() };
        self.leave_out(to, GapReason::Trimmed);
        Ok(())
    }

    /// Leaves out what is not settled up to `to`. Never silently.
    pub fn leave_out(&mut self, to: u64, why: GapReason) {
        let now = self.now();
        let entries = to.saturating_sub(self.window.cursor());
        self.queue.skip_to(to);
        self.window.skip_to(to);
        self.progress.counts.skipped += entries;
        self.progress.gap = Some(Gap { at: now, why, entries, to });
        tracing::warn!(webhook = %self.endpoint.id, entries, ?why, "a webhook was so far behind that entries of the log are left out");
        self.pending.settled(1, now);
    }

    /// When the first entry behind `after` was committed; `None` at the end of the log.
    pub async fn time_behind(&self, after: u64) -> Result<Option<Timestamp>, Error> {
        let page = self.shared.ports.store.read_log(Position(after), 1).await?;
        Ok(page.and_then(|page| page.rows.first().map(|(_, row)| row.at())))
    }

    /// The last position behind `after` whose entry is older than `time`, by halving; `after` where there is none.
    pub async fn last_before(&self, after: u64, time: Timestamp) -> Result<u64, Error> {
        let (mut old, mut young) = (after, self.shared.head().saturating_add(1));
        while young - old > 1 {
            let middle = old + (young - old) / 2;
            match self.time_behind(middle - 1).await? {
                Some(at) if at < time => old = middle,
                _ => young = middle,
            }
        }
        Ok(old)
    }
}

/// Shows every row of an endpoint, in order.
pub(super) async fn each_row(
    kv: &dyn Kv,
    table: Table,
    number: u32,
    mut show: impl FnMut(&[u8], &[u8]) -> Result<(), crate::store::Error>,
) -> Result<(), Error> {
    let mut scan = Scan::prefix(table, &tables::endpoint(number), PAGE);
    loop {
        let page = kv.scan(scan.clone()).await?;
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            show(&key, &value)?;
            scan.start = [&key[..], b"\0"].concat();
        }
        if !page.more {
            return Ok(());
        }
    }
}
