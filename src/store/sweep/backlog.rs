//! How much waits for the sweeper.

use crate::kv::{Scan, Table};
use crate::store::Store;
use crate::store::error::Error;
use crate::store::tables::SWEEP;

impl Store {
    /// Gives how many entries the sweep queue has, from a look at some twenty of its positions: gaps count as entries.
    pub async fn sweep_backlog(&self) -> Result<u64, Error> {
        let first = self.first_swept().await?;
        if !self.reaches(SWEEP, first).await? {
            return Ok(0);
        }
        // The last entry is at `first + below` or behind it, and before `first + above`.
        let (mut below, mut above) = (0, 1u64);
        while self.reaches(SWEEP, first.saturating_add(above)).await? {
            (below, above) = (above, above.saturating_mul(2));
        }
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            match self.reaches(SWEEP, first.saturating_add(middle)).await? {
                true => below = middle,
                false => above = middle,
            }
        }
        Ok(below + 1)
    }

    /// Whether the queue has an entry at `position` or behind it.
    async fn reaches(&self, queue: Table, position: u64) -> Result<bool, Error> {
        let start = position.to_be_bytes().to_vec();
        let page = self.kv.scan(Scan { table: queue, start, end: Vec::new(), limit: 1, group: None }).await?;
        Ok(!page.items.is_empty())
    }
}
