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
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    last: Option<(Instant, Space)>,
    /// Bytes that bodies on their way will take, or took so recently that `last` may not know.
    promised: u64,
    /// Whether `last` was below the reserve.
    full: bool,
    /// Those of `promised` that were taken or given up; the next look at the file system knows of them.
    released: u64,
}

/// Room for a body that has not been taken from the file system yet. Drop it when the file system knows, or when the body
/// does not come.
pub struct Promise {
    state: Arc<Mutex<State>>,
    bytes: u64,
}

/// Released bytes during one look at the file system: forgotten if it succeeds, put back if it fails or is given up.
struct Settling {
    state: Arc<Mutex<State>>,
    bytes: u64,
    seen: bool,
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.state.lock().released += self.bytes;
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        match self.seen {
            true => state.promised -= self.bytes,
            false => state.released += self.bytes,
        }
    }
}

impl State {
    /// Notes what the file system told; whether it turned from having room to having none, or back.
    fn saw(&mut self, space: Space, full: bool) -> bool {
        self.last = Some((Instant::now(), space));
        std::mem::replace(&mut self.full, full) != full
    }
}

impl Reserve {
    /// The bytes that must stay free where the file system has `total`.
    pub fn of(self, total: u64) -> u64 {
        self.bytes.max(total / 100 * u64::from(self.percent))
    }
}

impl SpaceGuard {
    pub fn new(blobs: Arc<dyn Blobs>, reserve: Reserve) -> Self {
        Self { blobs, reserve, state: Arc::default() }
    }

    /// Fails with [`Error::Full`] if `incoming` more bytes, with those promised to others, would eat into the reserve.
    pub async fn admit(&self, incoming: u64) -> Result<(), Error> {
        let space = self.space().await?;
        self.judge(space, self.state.lock().promised.saturating_add(incoming))
    }

    /// As [`Self::admit`], and keeps the room for the caller: bodies that come together may not share it.
    pub async fn promise(&self, bytes: u64) -> Result<Promise, Error> {
        let space = self.space().await?;
        let mut state = self.state.lock();
        self.judge(space, state.promised.saturating_add(bytes))?;
        state.promised += bytes;
        Ok(Promise { state: Arc::clone(&self.state), bytes })
    }

    /// As [`Self::admit`] for nothing, by what was last seen.
    pub fn last_verdict(&self) -> Result<(), Error> {
        let last = self.state.lock().last;
        last.map_or(Ok(()), |(_, space)| self.judge(space, 0))
    }

    fn judge(&self, space: Space, incoming: u64) -> Result<(), Error> {
        let needed = self.reserve.of(space.total).saturating_add(incoming);
        if space.free < needed { Err(Error::Full) } else { Ok(()) }
    }

    /// The room of the file system, at most a second old.
    pub async fn space(&self) -> Result<Space, Error> {
        let last = self.state.lock().last;
        match last {
            Some((at, space)) if at.elapsed() < FRESH => Ok(space),
            _ => self.look().await,
        }
    }

    async fn look(&self) -> Result<Space, Error> {
        let bytes = std::mem::take(&mut self.state.lock().released);
        let mut settling = Settling { state: Arc::clone(&self.state), bytes, seen: false };
        let space = self.blobs.space().await?;
        let full = self.judge(space, 0).is_err();
        let turned = self.state.lock().saw(space, full);
        settling.seen = true;
        if turned {
            self.log_turn(space, full);
        }
        Ok(space)
    }

    /// One line when uploads begin to be refused, and one when they are taken again.
    fn log_turn(&self, space: Space, full: bool) {
        let (free, reserve) = (space.free, self.reserve.of(space.total));
        match full {
            true => tracing::warn!(
                free,
                reserve,
                "free space is below the reserve: uploads are refused until there is more"
            ),
            false => tracing::warn!(free, reserve, "free space is above the reserve again: uploads are taken"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{Fault, FaultyBlobs, MemoryBlobs};

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

    #[test]
    fn a_full_disk_is_told_once_and_its_end_once() {
        let mut state = State::default();
        let space = Space { free: 0, total: 0 };
        let turns = [false, true, true, true, false, false].map(|full| state.saw(space, full));
        assert_eq!(turns, [false, true, false, false, true, false]);
    }

    #[tokio::test]
    async fn bodies_that_come_together_do_not_share_the_room() {
        let guard = SpaceGuard::new(Arc::new(MemoryBlobs::with_capacity(1000)), Reserve { bytes: 100, percent: 0 });
        let first = guard.promise(600).await.unwrap();
        assert!(matches!(guard.promise(301).await, Err(Error::Full)));
        assert!(matches!(guard.admit(301).await, Err(Error::Full)));
        let second = guard.promise(300).await.unwrap();
        drop((first, second));
        assert!(matches!(guard.promise(1).await, Err(Error::Full)), "the file system was not looked at since");
        guard.look().await.unwrap();
        assert!(guard.promise(900).await.is_ok());
    }

    #[tokio::test]
    async fn a_look_that_fails_forgets_no_promise() {
        let blobs = Arc::new(FaultyBlobs::new(MemoryBlobs::with_capacity(1000)));
        let guard = SpaceGuard::new(blobs.clone(), Reserve { bytes: 0, percent: 0 });
        drop(guard.promise(600).await.unwrap());
        blobs.fail_at(blobs.calls() + 1, Fault::Io);
        assert!(guard.look().await.is_err());
        assert!(matches!(guard.promise(401).await, Err(Error::Full)));
        guard.look().await.unwrap();
        assert!(guard.promise(1000).await.is_ok());
    }
}
