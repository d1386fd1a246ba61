//! Connections to one origin, wherever requests say that they go, and what is known of each.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Extensions, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::sent::BoxError;
use super::settings::{HostHeader, Origin, Protocols, SettingsError};

/// The most bytes that may come before an answer's head is there: room for the longest head, and for some answers before
/// the answer (1xx), of which an origin could send without end.
const MAX_BYTES_BEFORE_AN_ANSWER: u64 = 256 * 1024;

/// Connects to one origin.
#[derive(Clone)]
pub(super) struct Dial {
    connector: HttpsConnector<HttpConnector>,
    to: Uri,
    limit: Duration,
}

impl Dial {
    /// Connections with this configuration of TLS; `multiplexed` offers HTTP/2 where the origin may speak it.
    pub fn new(origin: &Origin, tls: ClientConfig, multiplexed: bool) -> Result<Self, SettingsError> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(origin.limits.connect));
        tcp.enforce_http(false);
        let name = origin.server_name.as_deref().unwrap_or(origin.location.host()).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|_| SettingsError::ServerName(name))?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        let negotiated = origin.protocols == Protocols::Negotiated && origin.host != HostHeader::Viewer;
        let connector = match multiplexed && negotiated {
            true => builder.enable_all_versions().wrap_connector(tcp),
            false => builder.enable_http1().wrap_connector(tcp),
        };
        Ok(Self { connector, to: origin.location.uri(), limit: origin.limits.connect })
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<Counted>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Counted>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (connecting, limit) = (self.connector.call(self.to.clone()), self.limit);
        Box::pin(async move {
            let stream = timeout(limit, connecting).await??;
            Ok(TokioIo::new(Counted { stream: TokioIo::new(stream), line: Line::default() }))
        })
    }
}

/// What is known of a connection. Clones speak of the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    answers: AtomicU64,
    /// Bytes that came since something was last sent.
    received: AtomicU64,
    /// Whether an answer's head is waited for.
    waiting: AtomicBool,
}

/// Too many bytes came, and no answer's head.
#[derive(Debug, thiserror::Error)]
#[error("more than {MAX_BYTES_BEFORE_AN_ANSWER} bytes came before an answer")]
pub(super) struct TooMuch;

impl Line {
    /// The connection that this is said of; `None` where nobody said so.
    pub fn of(connected: &Connected) -> Option<Self> {
        let mut extensions = Extensions::new();
        connected.get_extras(&mut extensions);
        extensions.remove()
    }

    /// Says that an answer is waited for.
    pub fn wait(&self) {
        self.0.waiting.store(true, Ordering::Relaxed);
    }

    /// Says that the head of an answer came.
    pub fn answered(&self) {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
        self.0.waiting.store(false, Ordering::Relaxed);
    }

    /// Whether answers came over it before.
    pub fn was_used(&self) -> bool {
        self.0.answers.load(Ordering::Relaxed) > 0
    }

    /// Whether nothing came since something was last sent.
    pub fn is_silent(&self) -> bool {
        self.0.received.load(Ordering::Relaxed) == 0
    }

    fn sent(&self) {
        self.0.received.store(0, Ordering::Relaxed);
    }

    fn received(&self, bytes: usize) -> io::Result<()> {
        let before = self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
        let too_much = before.saturating_add(bytes as u64) > MAX_BYTES_BEFORE_AN_ANSWER;
        if too_much && self.0.waiting.load(Ordering::Relaxed) { Err(io::Error::other(TooMuch)) } else { Ok(()) }
    }
}

/// A connection that counts.
pub(super) struct Counted {
    stream: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    line: Line,
}

impl Connection for Counted {
    fn connected(&self) -> Connected {
        self.stream.inner().connected().extra(self.line.clone())
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        Poll::Ready(self.line.received(into.filled().len() - before))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line.sent();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.sent();
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
