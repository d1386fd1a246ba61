//! From an accepted socket to TLS, within bounds: a time for the whole handshake, and a number of them at once.
//!
//! Each handshake is a task of its own, so that a slow client keeps nobody waiting. A client that speaks plain HTTP to the
//! port gets an answer that it understands.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::telemetry::metrics;

/// RFC 8446 section 5.1: what every handshake begins with.
const HANDSHAKE: u8 = 22;
/// How long a client that spoke plain HTTP may take to hang up.
const LINGER: Duration = Duration::from_secs(1);
/// The most bytes of a request in the clear that are read and thrown away, so that the answer is not lost in a reset.
const MAX_DISCARDED: usize = 64 * 1024;

const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 68\r\n\
    Connection: close\r\n\
    \r\n\
    This port speaks HTTPS: use an address that begins with \"https://\".\n";

/// Makes TLS of the connections of one listener. Clones share the bound.
#[derive(Clone)]
pub struct Handshakes {
    listener: &'static str,
    acceptor: TlsAcceptor,
    patience: Duration,
    room: Arc<Semaphore>,
}

/// Why a connection ended before TLS was agreed on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no handshake in time")]
    Slow,
    #[error("too many handshakes at once")]
    Busy,
    #[error("plain HTTP on a port for HTTPS")]
    PlainHttp,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Handshakes {
    /// Handshakes may take `patience` each, and there are at most `most` at once. Further clients are hung up on: those who
    /// are served already are not to suffer from those who only knock.
    pub fn new(listener: &'static str, configuration: Arc<ServerConfig>, patience: Duration, most: usize) -> Self {
        for reason in ["slow", "busy", "plain-http", "failed"] {
            // So that every series exists, at zero, from the start.
            metrics::tls_failed(listener, reason).increment(0);
        }
        let room = Arc::new(Semaphore::new(most));
        Self { listener, acceptor: TlsAcceptor::from(configuration), patience, room }
    }

    /// Agrees on TLS with the client of `stream`; `bounded` makes a connection of the socket.
    pub async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: TcpStream,
        bounded: impl FnOnce(TcpStream) -> io::Result<S>,
    ) -> io::Result<TlsStream<S>> {
        let peer = stream.peer_addr();
        let failure = match self.try_shake(stream, bounded).await {
            Ok(stream) => return Ok(stream),
            Err(failure) => failure,
        };
        metrics::tls_failed(self.listener, failure.reason()).increment(1);
        tracing::debug!(listener = self.listener, ?peer, %failure, "no TLS");
        Err(io::Error::other(failure))
    }

    async fn try_shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: TcpStream,
        bounded: impl FnOnce(TcpStream) -> io::Result<S>,
    ) -> Result<TlsStream<S>, Failure> {
        let _permit = self.room.try_acquire().map_err(|_| Failure::Busy)?;
        let shaking = async {
            if speaks_http(&stream).await? {
                explain(stream).await;
                return Err(Failure::PlainHttp);
            }
            Ok(self.acceptor.accept(bounded(stream)?).await?)
        };
        timeout(self.patience, shaking).await.map_err(|_| Failure::Slow)?
    }
}

impl Failure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Busy => "busy",
            Self::PlainHttp => "plain-http",
            Self::Io(_) => "failed",
        }
    }
}

/// Whether the first byte is a letter of a method.
async fn speaks_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let read = stream.peek(&mut first).await?;
    Ok(read == 1 && first[0] != HANDSHAKE && first[0].is_ascii_uppercase())
}

/// Says what the port is for, and waits a moment for the client to have read it: bytes that are left unread would have the
/// system reset the connection, and the answer with it.
async fn explain(mut stream: TcpStream) {
    let explaining = async {
        stream.write_all(PLAIN_HTTP).await?;
        stream.shutdown().await?;
        let (mut discarded, mut buffer) = (0, [0; 4096]);
        while discarded < MAX_DISCARDED {
            match tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await? {
                0 => break,
                bytes => discarded += bytes,
            }
        }
        io::Result::Ok(())
    };
    // Whether or not it was read: the connection ends.
    let _ = timeout(LINGER, explaining).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_explanation_has_the_length_that_it_announces() {
        let text = std::str::from_utf8(PLAIN_HTTP).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
