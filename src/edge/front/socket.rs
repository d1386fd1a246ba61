//! A client's socket within bounds of time: a request begins, and an answer is taken, in time, or the connection ends.
//!
//! One timer a connection, moved lazily: a request costs a look at the clock and nothing of the runtime's.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use crate::process::{LeastRate, Uptake};

/// How long a client may take for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the first byte of a request, or the beginning of the connection, to the end of the request's head.
    pub head: Duration,
    /// Without a request.
    pub idle: Duration,
    /// What it must take of answers.
    pub least: LeastRate,
}

/// A socket that reads as ended once its client is overdue.
pub struct Socket {
    stream: TcpStream,
    activity: Arc<Activity>,
    patience: Patience,
    uptake: Uptake,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
    deadline: Instant,
    /// Bytes read since the last request began.
    read: bool,
    /// Requests that had begun when `read` was looked at last.
    begun: u64,
    /// Bytes written since the timer judged last.
    written: u64,
}

/// What a client is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request's head, of which something may have come. The number of requests before tells one from the next.
    Head(u64),
    Idle(u64),
    /// To take what it is sent.
    Answer,
}

impl Socket {
    /// Takes an accepted socket. Small answers leave it at once: `TCP_NODELAY` is on.
    pub fn new(stream: TcpStream, activity: Arc<Activity>, patience: Patience) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let deadline = Instant::now() + patience.head;
        let (timer, uptake) = (Box::pin(sleep_until(deadline)), Uptake::new(patience.least));
        let phase = Phase::Head(0);
        Ok(Self { stream, activity, patience, uptake, timer, phase, deadline, read: true, begun: 0, written: 0 })
    }

    /// Is ready once the client is overdue; wakes the task for that.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let phase = self.current_phase();
        if phase != self.phase {
            self.phase = phase;
            self.deadline = Instant::now() + self.time_for(phase);
            if self.deadline < self.timer.deadline() {
                self.timer.as_mut().reset(self.deadline);
            }
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= self.deadline && self.is_over() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }

    fn current_phase(&mut self) -> Phase {
        let begun = self.activity.begun();
        if begun != self.begun {
            (self.begun, self.read) = (begun, false);
        }
        match (self.activity.is_running(), self.read) {
            (true, _) => Phase::Answer,
            (false, true) => Phase::Head(begun),
            (false, false) => Phase::Idle(begun),
        }
    }

    fn time_for(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Head(_) => self.patience.head,
            Phase::Idle(_) => self.patience.idle,
            Phase::Answer => self.patience.least.window,
        }
    }

    /// The deadline has come: whether that is the end. A client that takes answers gets another window.
    fn is_over(&mut self) -> bool {
        if self.phase != Phase::Answer {
            return true;
        }
        let least = u128::from(self.patience.least.bytes) * self.patience.least.window.as_millis() / 1000;
        let slow = u128::from(std::mem::take(&mut self.written)) < least;
        self.deadline = Instant::now() + self.patience.least.window;
        self.activity.was_blocked() && slow
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut socket.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                socket.read |= buffer.filled().len() > before;
                Poll::Ready(result)
            }
            // As if the client had hung up.
            Poll::Pending => socket.poll_overdue(cx).map(Ok),
        }
    }
}

impl Socket {
    fn note_written(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.uptake.sent(*bytes);
            self.written += *bytes as u64;
        }
    }

    fn judge(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.note_written(&written);
        match written {
            Poll::Pending => self.uptake.poll_blocked(self.stream.as_fd(), cx).map(Err),
            written => written,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let written = Pin::new(&mut socket.stream).poll_write(cx, bytes);
        socket.judge(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let written = Pin::new(&mut socket.stream).poll_write_vectored(cx, slices);
        socket.judge(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(60);
    const LONG: Duration = Duration::from_secs(20);

    async fn connected(patience: Patience) -> (TcpStream, Socket, Arc<Activity>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let activity = Arc::new(Activity::default());
        let socket = Socket::new(listener.accept().await.unwrap().0, Arc::clone(&activity), patience).unwrap();
        (client, socket, activity)
    }

    fn patience(head: Duration, idle: Duration, window: Duration) -> Patience {
        Patience { head, idle, least: LeastRate { bytes: 1024, window } }
    }

    #[tokio::test]
    async fn a_connection_without_a_request_ends_when_its_head_is_overdue() {
        let (_client, mut socket, _) = connected(patience(SHORT, LONG, LONG)).await;
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_head_that_trickles_in_does_not_move_its_deadline() {
        let (mut client, mut socket, _) = connected(patience(SHORT, LONG, LONG)).await;
        let began = Instant::now();
        let sending = tokio::spawn(async move {
            while client.write_all(b"a").await.is_ok() {
                tokio::time::sleep(SHORT / 6).await;
            }
        });
        let mut buffer = [0; 8];
        while socket.read(&mut buffer).await.unwrap() > 0 {
            assert!(began.elapsed() < LONG / 2, "it goes on for ever");
        }
        sending.abort();
    }

    #[tokio::test]
    async fn between_requests_there_is_time() {
        let (mut client, mut socket, activity) = connected(patience(SHORT, SHORT * 5, LONG)).await;
        client.write_all(b"head").await.unwrap();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 4);
        drop(activity.begin());
        let began = Instant::now();
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= SHORT * 4);
    }

    #[tokio::test]
    async fn a_request_that_waits_for_an_origin_is_not_the_clients_fault() {
        let (mut client, mut socket, activity) = connected(patience(SHORT, SHORT, SHORT)).await;
        let mut running = activity.begin();
        let mut byte = [0; 1];
        let waiting = tokio::time::timeout(SHORT * 5, socket.read(&mut byte)).await;
        assert!(waiting.is_err(), "the connection ended");
        running.set_upstream(false);
        assert_eq!(socket.read(&mut byte).await.unwrap(), 0, "now the client takes nothing");
        client.shutdown().await.unwrap();
    }
}
