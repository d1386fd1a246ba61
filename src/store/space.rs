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
        self.judge(space, incoming)
    }

    /// As [`Self::admit`] for nothing, by what was last seen.
    pub fn last_verdict(&self) -> Result<(), Error> {
        let last = *self.last.lock();
        last.map_or(Ok(()), |(_, space)| self.judge(space, 0))
    }

    fn judge(&self, space: Space, incoming: u64) -> Result<(), Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::MemoryBlobs;

    #[tokio::test]
    async fn uploads_stop_before_the_reserve_is_touched() {
        let guard = |bytes, percent| {
            let blobs = Arc::new(MemoryBlobs::with_capacity(1000));
            SpaceGuard::new(blobs, Reserve { bytes, percent })
        };
        assert!(guard(0, 0).admit(1000).await.is_ok());
        assert!(matches!(guard(0, 0).admit(1001).await, Err(Error::Full)));
        assert!(guard(100, 5).admit(900).await.is_ok());
        assert!(matches!(guard(100, 5).admit(901).await, Err(Error::Full)));
        assert!(matches!(guard(10, 50).admit(501).await, Err(Error::Full)), "the larger of both counts");
        let full = guard(2000, 0);
        assert!(full.last_verdict().is_ok(), "nothing was seen yet");
        assert!(full.admit(0).await.is_err() && full.last_verdict().is_err());
    }
}
