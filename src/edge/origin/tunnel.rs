//! Tunnels: bytes both ways between a viewer and an origin that went over to another protocol, such as WebSocket.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::response::Parts;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::select;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};

use super::endpoint::Answer;
use super::error::FetchError;
use super::settings::Limits;

/// How much is on its way in one direction, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// An origin that goes over to the protocol it was asked for.
pub struct Switched {
    /// Its 101, for the viewer.
    pub head: Parts,
    pub tunnel: Tunnel,
}

/// The origin's end of a tunnel. Dropping it closes the connection.
pub struct Tunnel {
    origin: TokioIo<Upgraded>,
    silence: Duration,
    _place: OwnedSemaphorePermit,
}

/// What went through a tunnel, in bytes.
#[derive(Debug, Default)]
pub struct Carried {
    to_origin: AtomicU64,
    to_viewer: AtomicU64,
    /// Milliseconds from the tunnel's start to the last of it.
    last: AtomicU64,
}

impl Carried {
    pub fn to_origin(&self) -> u64 {
        self.to_origin.load(Ordering::Relaxed)
    }

    pub fn to_viewer(&self) -> u64 {
        self.to_viewer.load(Ordering::Relaxed)
    }
}

/// Takes the connection over. The origin has sent its 101.
pub(super) async fn switched(answer: Answer, limits: &Limits) -> Result<Switched, FetchError> {
    let Answer { mut response, place, .. } = answer;
    let origin = timeout(limits.connect, hyper::upgrade::on(&mut response)).await;
    let origin = origin.map_err(|_| FetchError::Slow(limits.connect))?;
    let origin = origin.map_err(|error| FetchError::Broken(error.into()))?;
    let (head, _) = response.into_parts();
    let tunnel = Tunnel { origin: TokioIo::new(origin), silence: limits.tunnel_silence, _place: place };
    Ok(Switched { head, tunnel })
}

impl Tunnel {
    /// Carries bytes both ways until both sides are done, one breaks, or nothing moved for too long. What went through
    /// until then is in `carried`.
    pub async fn run(self, viewer: impl AsyncRead + AsyncWrite, carried: &Carried) -> io::Result<()> {
        let start = Instant::now();
        let (from_origin, to_origin) = split(self.origin);
        let (from_viewer, to_viewer) = split(viewer);
        let up = carry(from_viewer, to_origin, &carried.to_origin, (start, &carried.last));
        let down = carry(from_origin, to_viewer, &carried.to_viewer, (start, &carried.last));
        let both = async { tokio::try_join!(up, down).map(|((), ())| ()) };
        select! {
            done = both => done,
            () = silence(start, &carried.last, self.silence) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Carries bytes one way until there are no more, and says so to the other side.
async fn carry(
    from: impl AsyncRead,
    to: impl AsyncWrite,
    count: &AtomicU64,
    (start, last): (Instant, &AtomicU64),
) -> io::Result<()> {
    let (mut from, mut to) = (std::pin::pin!(from), std::pin::pin!(to));
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        count.fetch_add(read as u64, Ordering::Relaxed);
        last.store(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Returns when nothing moved for `most`.
async fn silence(start: Instant, last: &AtomicU64, most: Duration) {
    loop {
        let end = start + Duration::from_millis(last.load(Ordering::Relaxed)) + most;
        if end <= Instant::now() {
            return;
        }
        sleep_until(end).await;
    }
}
