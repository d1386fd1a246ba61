//! The change log and the sweep queue: positions follow each other, entries decode, and nothing lies before the beginning.

use bytes::Bytes;

use super::fault::{Fault, Kind, Mend};
use super::{Check, PAGE};
use crate::kv::{Scan, Table};
use crate::report::{Place, Unit};
use crate::store::change::Change;
use crate::store::codec::{decode, encode};
use crate::store::error::Error;
use crate::store::lineage::GAP;
use crate::store::record::Target;
use crate::store::sweep::{FIRST_LOG, FIRST_SWEEP, queue_position};
use crate::store::tables::{LOG, META, SWEEP};
use crate::store::walk::Walk;

impl Check<'_> {
    /// Every position from the log's beginning to its end has an entry that decodes.
    pub(super) async fn log(&mut self) -> Result<(), Error> {
        let first = self.store.first_logged().await?;
        self.nothing_before(LOG, first, FIRST_LOG, Kind::LogRemainder).await?;
        let mut walk = Walk::over(LOG, PAGE).from(first.to_be_bytes().to_vec());
        let mut expected = first;
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking the change log", self.summary.log_entries, Unit::Rows)?;
            for (row, value) in rows {
                self.summary.log_entries += 1;
                let position = queue_position(&row)?;
                // The trim may have passed the walk.
                if !follows(position, expected) && self.store.first_logged().await? < position {
                    let detail = format!("positions {expected} to {}", position.saturating_sub(1));
                    self.tell(Fault::new(Kind::LogGap, Place::default(), detail)).await?;
                }
                if decode::<Change>(&value).is_err() {
                    let detail = format!("position {position} of the change log");
                    self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
                }
                expected = position.saturating_add(1);
            }
        }
    }

    /// Every entry of the sweep queue decodes. Its positions may have gaps where a repair took an entry off.
    pub(super) async fn queue(&mut self) -> Result<(), Error> {
        let first = self.store.first_swept().await?;
        self.nothing_before(SWEEP, first, FIRST_SWEEP, Kind::SweepRemainder).await?;
        let mut walk = Walk::over(SWEEP, PAGE).from(first.to_be_bytes().to_vec());
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

    /// `first` was read before: what is trimmed meanwhile only moves it on.
    async fn nothing_before(&mut self, queue: Table, first: u64, name: &'static [u8], kind: Kind) -> Result<(), Error> {
        let end = first.to_be_bytes().to_vec();
        let before = Scan { table: queue, start: Vec::new(), end, limit: 1, group: None };
        let page = self.store.kv.scan(before).await?;
        let Some(crate::kv::Item::Row { key, .. }) = page.items.first() else { return Ok(()) };
        let position = queue_position(key)?;
        let lower = Mend::Put(META, Bytes::from_static(name), encode(&position));
        let detail = format!("it begins at {first}, and there is an entry at {position}");
        self.tell(Fault::new(kind, Place::default(), detail).mended_by(lower)).await
    }
}

/// Whether `position` comes next, or begins the line of a store that was restored: each restore leaves out as many
/// positions as [`GAP`] says.
fn follows(position: u64, expected: u64) -> bool {
    position.checked_sub(expected).is_some_and(|ahead| ahead % GAP == 0)
}
