//! How fast a client takes what it is sent.
//!
//! A socket takes some megabytes before it is full, and wakes its writer only when a third of that is free again: what the
//! client takes shows in what its system has acknowledged, not in what ours took over.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The least that a client must take.
#[derive(Debug, Clone, Copy)]
pub struct LeastRate {
    /// Bytes a second; 0 is no bound.
    pub bytes: u64,
    /// The time over which it is averaged. Only time counts in which the client keeps the server waiting.
    pub window: Duration,
}

/// Watches what one connection sends.
pub struct Uptake {
    least: LeastRate,
    /// What the socket took over so far, in bytes.
    sent: u64,
    /// Since when the socket has no room.
    blocked: Option<Instant>,
    /// How long it had none in this window, before `blocked`.
    waited: Duration,
    /// What was acknowledged when this window began, in bytes of `sent`.
    acknowledged: u64,
    /// When the window is judged, if the socket has no room until then.
    due: Option<Pin<Box<Sleep>>>,
}

impl Uptake {
    pub fn new(least: LeastRate) -> Self {
        Self { least, sent: 0, blocked: None, waited: Duration::ZERO, acknowledged: 0, due: None }
    }

    /// The socket took `bytes` more.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
        self.due = None;
        if let Some(since) = self.blocked.take() {
            self.waited += since.elapsed();
        }
    }

    /// The socket has no room: is ready with the error once its client took too little, and wakes the task for that.
    pub fn poll_blocked(&mut self, socket: BorrowedFd<'_>, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.least.bytes == 0 {
            return Poll::Pending;
        }
        loop {
            let since = *self.blocked.get_or_insert_with(Instant::now);
            let left = self.least.window.saturating_sub(self.waited);
            let due = self.due.get_or_insert_with(|| Box::pin(sleep_until(since + left)));
            if due.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if let Err(error) = self.judge(socket) {
                return Poll::Ready(error);
            }
        }
    }

    /// Ends a window and begins the next one.
    fn judge(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let acknowledged = self.sent.saturating_sub(unacknowledged(socket)?);
        let taken = acknowledged.saturating_sub(self.acknowledged);
        let least = u128::from(self.least.bytes) * self.least.window.as_millis() / 1000;
        if u128::from(taken) < least {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes too little"));
        }
        (self.acknowledged, self.waited, self.blocked, self.due) = (acknowledged, Duration::ZERO, None, None);
        Ok(())
    }
}

/// What a TCP socket took over and its peer has not acknowledged, in bytes: `SIOCOUTQ` of tcp(7).
fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and the call writes one int, which `bytes` is.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { Ok(u64::try_from(bytes).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}
