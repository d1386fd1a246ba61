//! The change log and the sweep queue: positions follow each other, entries decode, and nothing lies before the beginning.

use bytes::Bytes;

use super::fault::{Fault, Kind, Mend};
use super::{Check, PAGE};
use crate::kv::{Item, Scan, Table};
use crate::report::{Place, Unit};
use crate::store::codec::{decode, encode};
use crate::store::error::Error;
use crate::store::lineage::GAP;
use crate::store::log::Logged;
use crate::store::record::Target;
use crate::store::sweep::{FIRST_LOG, FIRST_SWEEP, queue_position};
use crate::store::tables::{LOG, META, SWEEP};
use crate::store::walk::Walk;

impl Check<'_> {
    /// Every position from the log's beginning to its end has an entry that decodes.
    pub(super) async fn log(&mut self) -> Result<(), Error> {
        let first = self.beginning(LOG, FIRST_LOG, Kind::LogRemainder).await?;
        let mut walk = Walk::over(LOG, PAGE).from(start(first));
        let mut expected = first;
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking the change log", self.summary.log_entries, Unit::Rows)?;
            for (row, value) in rows {
                self.summary.log_entries += 1;
                let Ok(position) = queue_position(&row) else {
                    self.tell(no_position(LOG, &row)).await?;
                    continue;
                };
                if let Some(expected) = expected {
                    self.no_gap(expected, position).await?;
                }
                if Logged::decode(&value).is_err() {
                    let detail = format!("position {position} of the change log");
                    self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
                }
                expected = Some(position.saturating_add(1));
            }
        }
    }

    async fn no_gap(&mut self, expected: u64, position: u64) -> Result<(), Error> {
        // The trim may have passed the walk.
        if follows(position, expected) || self.first(FIRST_LOG).await?.is_some_and(|first| first >= position) {
            return Ok(());
        }
        let detail = format!("positions {expected} to {}", position.saturating_sub(1));
        self.tell(Fault::new(Kind::LogGap, Place::default(), detail)).await
    }

    /// Every entry of the sweep queue decodes. Its positions may have gaps where a repair took an entry off.
    pub(super) async fn queue(&mut self) -> Result<(), Error> {
        let first = self.beginning(SWEEP, FIRST_SWEEP, Kind::SweepRemainder).await?;
        let mut walk = Walk::over(SWEEP, PAGE).from(start(first));
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking the sweep queue", self.summary.queued, Unit::Rows)?;
            for (row, value) in rows {
                self.summary.queued += 1;
                if queue_position(&row).is_err() || decode::<Target>(&value).is_err() {
                    let detail = format!("row {} holds {}", hex::encode(&row), hex::encode(&value));
                    let fault = Fault::new(Kind::SweepEntry, Place::default(), detail);
                    self.tell(fault.mended_by(Mend::Delete(SWEEP, row))).await?;
                }
            }
        }
    }

    /// Gives where a queue begins, before which there is nothing: what is trimmed meanwhile only moves it on. `None` where
    /// the row `name`, which says it, does not decode: then the walk begins before every entry.
    async fn beginning(&mut self, queue: Table, name: &'static [u8], kind: Kind) -> Result<Option<u64>, Error> {
        let Some(first) = self.first(name).await? else {
            let detail = format!("where table `{}` begins", queue.name);
            self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
            return Ok(None);
        };
        let end = first.to_be_bytes().to_vec();
        let before = Scan { table: queue, start: Vec::new(), end, limit: PAGE, group: None };
        for item in self.store.kv.scan(before).await?.items {
            let Item::Row { key, .. } = item else { continue };
            let Ok(position) = queue_position(&key) else {
                self.tell(no_position(queue, &key)).await?;
                continue;
            };
            let lower = Mend::Put(META, Bytes::from_static(name), encode(&position));
            let detail = format!("it begins at {first}, and there is an entry at {position}");
            self.tell(Fault::new(kind, Place::default(), detail).mended_by(lower)).await?;
            break;
        }
        Ok(Some(first))
    }

    /// What the row `name` says; `None` where it does not decode.
    pub(super) async fn first(&self, name: &[u8]) -> Result<Option<u64>, Error> {
        match self.store.first(name).await {
            Err(Error::Record(_)) => Ok(None),
            first => first.map(Some),
        }
    }
}

fn no_position(queue: Table, row: &[u8]) -> Fault {
    let detail = format!("row {} of table `{}`", hex::encode(row), queue.name);
    Fault::new(Kind::UnreadableRecord, Place::default(), detail)
}

/// The row that a walk from `first` begins at: before every row where that is not known.
pub(super) fn start(first: Option<u64>) -> Vec<u8> {
    first.map(|first| first.to_be_bytes().to_vec()).unwrap_or_default()
}

/// Whether `position` comes next, or begins the line of a store that was restored: each restore leaves out as many
/// positions as [`GAP`] says.
fn follows(position: u64, expected: u64) -> bool {
    position.checked_sub(expected).is_some_and(|ahead| ahead % GAP == 0)
}
