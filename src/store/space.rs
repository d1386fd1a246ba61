//! The reserve: when free space falls below it, nothing new is taken, and deleting still works.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::error::Error;
use crate::blob::{Blobs, Space};

/// How long an answer of the file system is good for.
const FRESH: Duration = Duration::from_secs(1);

/// How much room must stay free: the larger of a number of bytes and a share of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    pub bytes: u64,
    pub percent: u8,
}

/// Watches the free space.
pub struct SpaceGuard {
    blobs: Arc<dyn Blobs>,
    reserve: Reserve,
    last: Mutex<Option<(Instant, Space)>>,
}

impl Reserve {
    fn of(self, total: u64) -> u64 {
        self.bytes.max(total / 100 * u64::from(self.percent))
    }
}

impl SpaceGuard {
    pub fn new(blobs: Arc<dyn Blobs>, reserve: Reserve) -> Self {
        Self { blobs, reserve, last: Mutex::new(None) }
    }

    /// Fails with [`Error::Full`] if `incoming` more bytes would eat into the reserve.
    pub async fn admit(&self, incoming: u64) -> Result<(), Error> {
        let space = self.space().await?;
        let needed = self.reserve.of(space.total).saturating_add(incoming);
        if space.free < needed { Err(Error::Full) } else { Ok(()) }
    }

    /// The room of the file system, at most a second old.
    pub async fn space(&self) -> Result<Space, Error> {
        let last = *self.last.lock();
        if let Some((at, space)) = last
            && at.elapsed() < FRESH
        {
            return Ok(space);
        }
        let space = self.blobs.space().await?;
        *self.last.lock() = Some((Instant::now(), space));
        Ok(space)
    }
}
