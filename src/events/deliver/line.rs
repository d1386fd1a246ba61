//! Connections to one receiver: where they go, who is at the other end, and those that are kept.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::events::endpoint::{Endpoint, EndpointUrl, Host, Origin, Reach, Unreachable};
use crate::tls::client_configuration;

/// How long a connection that nobody uses is kept: less than servers keep them (Node's 5 s), so that it is seldom closed under a
/// request.
const KEPT: Duration = Duration::from_secs(4);
/// How long one of several addresses may take to answer.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// The most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;
/// The longest head of an answer, in bytes, and the most headers in it.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("{name} does not resolve: {source}")]
    Resolve { name: String, source: io::Error },
    #[error("{0} has no address")]
    NoAddress(String),
    #[error(transparent)]
    Forbidden(#[from] Unreachable),
    #[error("no connection to {address}: {source}")]
    Connect { address: SocketAddr, source: io::Error },
    #[error("TLS with {name}: {source}")]
    Tls { name: String, source: io::Error },
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
}

/// A connection. Dropped, it is closed, whatever is under way.
pub struct Line {
    pub sender: SendRequest<Full<Bytes>>,
    peer: SocketAddr,
    /// Whether an answer came over it before.
    pub used: bool,
    _driver: AbortOnDropHandle<()>,
}

/// Connects to one receiver, and keeps what can be used again.
pub struct Lines {
    url: EndpointUrl,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// `None`: the endpoint may be anywhere.
    reach: Option<Reach>,
    kept: Mutex<Vec<(Line, Instant)>>,
    most: usize,
}

impl Lines {
    /// Reads the files that the endpoint's TLS names. Fails with why that is not possible.
    pub async fn new(endpoint: &Endpoint, reach: &Reach) -> Result<Self, String> {
        let (url, tls) = (endpoint.url.clone(), endpoint.tls.clone());
        let tls = match url.is_tls() {
            false => None,
            true => {
                let made = move || client_configuration(&tls.authorities, tls.identity.as_ref());
                let configuration = tokio::task::spawn_blocking(made).await.map_err(|error| error.to_string())?;
                Some((connector(configuration.map_err(|error| error.to_string())?), server_name(&url)?))
            }
        };
        let reach = (endpoint.origin == Origin::Tenant).then(|| reach.clone());
        Ok(Self { url, tls, reach, kept: Mutex::default(), most: endpoint.concurrency })
    }

    /// A connection: a kept one, or one made now. An endpoint of a tenant is looked up in any case, and every address that its
    /// name has must be one that it may be at.
    pub async fn get(&self, fresh: bool) -> Result<Line, LineError> {
        let addresses = match &self.reach {
            Some(reach) => Some(self.checked(reach).await?),
            None => None,
        };
        let kept = if fresh { None } else { self.take(addresses.as_deref()) };
        match (kept, addresses) {
            (Some(line), _) => Ok(line),
            (None, Some(addresses)) => self.connect(&addresses).await,
            (None, None) => self.connect(&self.resolve().await?).await,
        }
    }

    /// Keeps a connection whose answer was read to its end.
    pub fn keep(&self, mut line: Line) {
        line.used = true;
        let mut kept = self.kept.lock();
        if kept.len() < self.most && !line.sender.is_closed() {
            kept.push((line, Instant::now()));
        }
    }

    /// Closes what nobody has used for long enough.
    pub fn close_idle(&self) {
        self.kept.lock().retain(|(line, since)| since.elapsed() < KEPT && !line.sender.is_closed());
    }

    fn take(&self, addresses: Option<&[SocketAddr]>) -> Option<Line> {
        self.close_idle();
        let mut kept = self.kept.lock();
        let at = kept.iter().rposition(|(line, _)| addresses.is_none_or(|found| found.contains(&line.peer)))?;
        Some(kept.remove(at).0)
    }

    async fn checked(&self, reach: &Reach) -> Result<Vec<SocketAddr>, LineError> {
        reach.check_url(&self.url)?;
        let addresses = self.resolve().await?;
        for address in &addresses {
            reach.check(address.ip())?;
        }
        Ok(addresses)
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, LineError> {
        let port = self.url.port();
        let name = match self.url.host() {
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, port)]),
            Host::Name(name) => name.as_str(),
        };
        let found = lookup_host((name, port)).await;
        let found = found.map_err(|source| LineError::Resolve { name: name.to_owned(), source })?;
        let addresses: Vec<SocketAddr> = found.take(MAX_ADDRESSES).collect();
        if addresses.is_empty() { Err(LineError::NoAddress(name.to_owned())) } else { Ok(addresses) }
    }

    /// Tries one address after the other: those that were checked, and no others.
    async fn connect(&self, addresses: &[SocketAddr]) -> Result<Line, LineError> {
        let mut last = LineError::NoAddress(self.url.host().to_string());
        for address in addresses {
            let connecting = timeout(CONNECT_TIME, TcpStream::connect(address)).await;
            let connected = connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
                Ok(stream) => return self.speak(stream, *address).await,
                Err(source) => last = LineError::Connect { address: *address, source },
            }
        }
        Err(last)
    }

    async fn speak(&self, stream: TcpStream, peer: SocketAddr) -> Result<Line, LineError> {
        match &self.tls {
            None => shake_hands(stream, peer).await,
            Some((connector, name)) => {
                let wrong = |source| LineError::Tls { name: self.url.host().to_string(), source };
                let stream = connector.connect(name.clone(), stream).await.map_err(wrong)?;
                shake_hands(stream, peer).await
            }
        }
    }
}

fn connector(configuration: ClientConfig) -> TlsConnector {
    TlsConnector::from(Arc::new(configuration))
}

fn server_name(url: &EndpointUrl) -> Result<ServerName<'static>, String> {
    match url.host() {
        Host::Address(address) => Ok(ServerName::from(*address)),
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned()).map_err(|error| error.to_string()),
    }
}

async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
) -> Result<Line, LineError> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // What goes wrong on it is told to the request that is under way.
    let driver = tokio::spawn(async move { _ = connection.await });
    Ok(Line { sender, peer, used: false, _driver: AbortOnDropHandle::new(driver) })
}
