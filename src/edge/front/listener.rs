//! Connections: accepted within a bound, spoken to within bounds, and let go in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::Front;
use super::activity::Activity;
use super::draining::{Draining, Stopping};
use super::link::Link;
use super::log::Tls;
use super::proxy;
use super::service::serve;
use super::socket::{Patience, Socket};
use crate::edge::config::LimitsOptions;
use crate::process::LeastRate;
use crate::telemetry::metrics;
use crate::tls::{HTTP_2, Handshakes};

/// The most header fields of a request.
const MAX_HEADERS: usize = 100;
/// The pause after the system would not give a connection: it has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What one HTTP/2 request may send ahead of being read, and all of a connection together.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What of one HTTP/2 answer is taken from its body ahead of being sent.
const SEND_BUFFER: usize = 64 << 10;
/// HTTP/2 requests that a client took back before they were looked at: more of them end the connection.
/// (Rapid reset, CVE-2023-44487.)
const PENDING_RESETS: usize = 20;
/// HTTP/2 requests that were refused because of mistakes of the client: more of them end the connection.
const OWN_RESETS: usize = 100;
/// How often HTTP/2 clients are asked whether they are still there, while requests run.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How much of HTTP/1.1 is read ahead; at least the largest head.
const MIN_READ_BUFFER: usize = 16 << 10;

/// Where connections come in.
pub struct Listening {
    pub listener: TcpListener,
    /// `None` speaks plain HTTP.
    pub tls: Option<Handshakes>,
    /// Whether HTTP/2 is spoken without TLS.
    pub h2c: bool,
    /// Whether trusted proxies begin with the PROXY protocol.
    pub proxied: bool,
}

/// The running listeners.
pub struct Listener {
    tasks: JoinSet<()>,
    stopping: Stopping,
    connections: TaskTracker,
}

/// What the connections of one listener share.
struct Shared {
    front: Arc<Front>,
    tls: Option<Handshakes>,
    h2c: bool,
    proxied: bool,
    patience: Patience,
    protocols: Protocols,
    stopping: Stopping,
}

/// hyper's settings, made once.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    either: auto::Builder<TokioExecutor>,
}

/// Counts a connection while it lives.
struct Counted {
    gauge: ::metrics::Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge.decrement(1.0);
    }
}

impl Listener {
    /// Serves on every socket until stopped; the bound on connections is for all of them together.
    pub fn start(sockets: Vec<Listening>, front: &Arc<Front>, limits: &LimitsOptions) -> Self {
        let (stopping, connections) = (Stopping::default(), TaskTracker::new());
        let room = Arc::new(Semaphore::new(limits.connections));
        let mut tasks = JoinSet::new();
        for Listening { listener, tls, h2c, proxied } in sockets {
            let shared = Shared {
                front: Arc::clone(front),
                tls,
                h2c,
                proxied,
                patience: patience(limits),
                protocols: Protocols::new(limits),
                stopping: stopping.clone(),
            };
            tasks.spawn(accept(listener, Arc::new(shared), Arc::clone(&room), connections.clone()));
        }
        Self { tasks, stopping, connections }
    }

    /// Takes no further connections and no further requests, and lets those under way end within `grace`.
    pub async fn stop(mut self, grace: Duration) {
        self.stopping.stop();
        while self.tasks.join_next().await.is_some() {}
        self.connections.close();
        if tokio::time::timeout(grace, self.connections.wait()).await.is_err() {
            tracing::warn!(
                connections = self.connections.len(),
                "requests did not end within the grace: their connections are cut"
            );
        }
    }
}

fn patience(limits: &LimitsOptions) -> Patience {
    let least = LeastRate { bytes: limits.transfer_rate, window: limits.body_idle_timeout };
    Patience { head: limits.head_timeout, idle: limits.keep_alive, least }
}

impl Protocols {
    fn new(limits: &LimitsOptions) -> Self {
        let mut http1 = http1::Builder::new();
        // The socket keeps the time of heads, without a timer for each request.
        http1.max_buf_size(limits.head_size.max(MIN_READ_BUFFER)).max_headers(MAX_HEADERS).header_read_timeout(None);
        http1.max_header_size(limits.head_size);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        let head_size = u32::try_from(limits.head_size).unwrap_or(u32::MAX);
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(head_size)
            .max_pending_accept_reset_streams(PENDING_RESETS)
            .max_local_error_reset_streams(OWN_RESETS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(limits.body_idle_timeout);
        let mut either = auto::Builder::new(TokioExecutor::new());
        either.http1().max_buf_size(limits.head_size.max(MIN_READ_BUFFER)).max_headers(MAX_HEADERS);
        either
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(head_size)
            .max_pending_accept_reset_streams(PENDING_RESETS)
            .max_local_error_reset_streams(OWN_RESETS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER);
        Self { http1, http2, either }
    }
}

/// Takes connections until told to stop. Whoever comes when there is no room waits in the system's queue.
async fn accept(listener: TcpListener, shared: Arc<Shared>, room: Arc<Semaphore>, connections: TaskTracker) {
    let stopping = shared.stopping.clone();
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let Some(Some((permit, accepted))) = stopping.or(next).await else { return };
        match accepted {
            Ok((stream, peer)) => {
                let gauge = metrics::edge_connections();
                gauge.increment(1.0);
                let counted = Counted { gauge, _permit: permit };
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    if let Err(error) = connection(stream, peer, shared).await {
                        tracing::debug!(%peer, %error, "a connection ended badly");
                    }
                    drop(counted);
                });
            }
            // The client is gone again; or there are no descriptors, and trying at once would not help.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One connection, from the PROXY protocol to its end. Until its client sends something, next to nothing is kept for it.
async fn connection(mut stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) -> Result<(), Failure> {
    let peer = if shared.proxied { Box::pin(proxied(&mut stream, peer, &shared)).await? } else { peer };
    bound(&stream, shared.patience.least.window);
    let mut first = [0];
    let knock = tokio::time::timeout(shared.patience.head, stream.peek(&mut first));
    match shared.stopping.or(knock).await {
        // It is read by whoever speaks with the client.
        Some(Ok(Ok(came))) if came > 0 => {}
        // Gone, overdue, or the edge stops.
        _ => return Ok(()),
    }
    match shared.tls.clone() {
        Some(tls) => Box::pin(secure(stream, peer, tls, shared)).await,
        None => Box::pin(plain(stream, peer, shared)).await,
    }
}

async fn plain(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) -> Result<(), Failure> {
    let activity = Arc::new(Activity::default());
    let socket = Socket::new(stream, Arc::clone(&activity), shared.patience)?;
    let speaks = if shared.h2c { Speaks::Either } else { Speaks::Http1 };
    speak(socket, Link::new(peer, None, None, activity), speaks, &shared).await
}

async fn secure(stream: TcpStream, peer: SocketAddr, tls: Handshakes, shared: Arc<Shared>) -> Result<(), Failure> {
    let activity = Arc::new(Activity::default());
    let socket = |stream| Socket::new(stream, Arc::clone(&activity), shared.patience);
    let shaking = Box::pin(tls.shake(stream, socket));
    let Some(shaken) = shared.stopping.or(shaking).await else { return Ok(()) };
    let stream = Box::new(shaken?);
    let session = stream.get_ref().1;
    let server_name = session.server_name().map(|name| name.to_ascii_lowercase().into_boxed_str());
    let speaks = if session.alpn_protocol() == Some(HTTP_2) { Speaks::Http2 } else { Speaks::Http1 };
    let link = Link::new(peer, Some(spoken(session)), server_name, activity);
    speak(stream, link, speaks, &shared).await
}

/// Who the client is, where a trusted proxy may say so.
async fn proxied(stream: &mut TcpStream, peer: SocketAddr, shared: &Shared) -> Result<SocketAddr, Failure> {
    let address = peer.ip().to_canonical();
    if !shared.front.table().proxies.trusted.iter().any(|net| net.contains(&address)) {
        return Ok(peer);
    }
    let told = tokio::time::timeout(shared.patience.head, proxy::read(stream)).await;
    Ok(told.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.unwrap_or(peer))
}

/// What was sent and stays unacknowledged for too long ends the connection: the client's machine is gone.
fn bound(stream: &TcpStream, window: Duration) {
    let window = u32::try_from(window.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, window) {
        tracing::debug!(%error, "a connection cannot be bounded in time");
    }
}

/// What a client speaks.
#[derive(Clone, Copy)]
enum Speaks {
    Http1,
    Http2,
    /// What it begins with.
    Either,
}

async fn speak<S>(stream: S, link: Link, speaks: Speaks, shared: &Shared) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Shared { protocols, stopping, .. } = shared;
    let (front, link) = (Arc::clone(&shared.front), Arc::new(link));
    // In a box: an idle connection keeps room for what its service returns.
    let service = service_fn(move |request| Box::pin(serve(Arc::clone(&front), Arc::clone(&link), request)));
    let io = TokioIo::new(stream);
    match speaks {
        Speaks::Http1 => {
            let connection = protocols.http1.serve_connection(io, service).with_upgrades();
            Draining::new(connection, stopping).await
        }
        Speaks::Http2 => Draining::new(protocols.http2.serve_connection(io, service), stopping).await,
        Speaks::Either => {
            let connection = protocols.either.serve_connection_with_upgrades(io, service).into_owned();
            Draining::new(connection, stopping).await
        }
    }
}

fn spoken(session: &rustls::ServerConnection) -> Tls {
    let protocol = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("-");
    Tls { protocol, cipher: openssl_name(cipher) }
}

/// The names that logs have by custom: TLS 1.3 suites as RFC 8446 calls them.
fn openssl_name(name: &'static str) -> &'static str {
    match name {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        other => other,
    }
}
