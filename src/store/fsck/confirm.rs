//! The second look at a row that seemed faulty.

use std::time::Duration;

use bytes::Bytes;

use super::Check;
use super::fault::Fault;
use crate::kv::Table;
use crate::store::codec::decode;
use crate::store::error::Error;
use crate::store::held::Held;
use crate::store::record::{ObjectRecord, PartRecord, Target};
use crate::store::tables::{CURRENT, HEADS, Owner, REFS, VERSIONS};

/// How often a row that keeps changing is looked at: one that changes so often is in use and well.
const ATTEMPTS: usize = 8;
/// How long a second look at a reference waits, so that what was under way at the first has ended.
const PAUSE: Duration = Duration::from_millis(50);

impl Check<'_> {
    /// Gives the faults of the row at `key` as they are while its bytes are leased and the row stays as it is.
    pub(super) async fn confirmed(&self, table: Table, key: &Bytes) -> Result<Vec<Fault>, Error> {
        let store = self.store;
        for _ in 0..ATTEMPTS {
            let inside = store.leases.enter().await;
            let Some(value) = store.kv.get(table, key).await? else { return Ok(Vec::new()) };
            let _lease = target_of(table, &value).map(|target| store.leases.lease(target));
            drop(inside);
            let faults = self.examine(table, key, &value).await?;
            if faults.is_empty() || store.kv.get(table, key).await?.as_ref() == Some(&value) {
                return Ok(faults);
            }
        }
        Ok(Vec::new())
    }

    /// Whether the reference is there and its owner, who holds something else or is gone, did not come back.
    pub(super) async fn is_stale(&self, row: &[u8], target: Target, owner: &Owner) -> Result<bool, Error> {
        let looks = if self.options.serving { 3 } else { 1 };
        for look in 0..looks {
            if look > 0 {
                self.report.pause(PAUSE).await?;
            }
            let held = match self.store.held(owner).await {
                // An owner whose record does not decode may well hold it.
                Err(Error::Record(_)) => return Ok(false),
                held => held?,
            };
            let owned = held.is_some_and(|held| held.data.target() == Some(target));
            if owned || self.store.kv.get(REFS, row).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn target_of(table: Table, value: &[u8]) -> Option<Target> {
    match table {
        CURRENT => decode::<ObjectRecord>(value).ok()?.data.target(),
        VERSIONS => Held::of_version(&decode(value).ok()?)?.data.target(),
        HEADS => None,
        _ => decode::<PartRecord>(value).ok()?.data.target(),
    }
}
