//! An endpoint over HTTP: connections in, requests to whoever answers them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::{Extensions, HttpService, Request};
use actix_server::{Server, ServerHandle};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::{App, HttpRequest, HttpResponse, web};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, counted};
use super::stream::Stream;
use crate::config::ServerConfig;
use crate::process::LeastRate;
use crate::telemetry::metrics;
use crate::tls::Handshakes;
use crate::transport::head::Secured;

/// How long a client whose request was refused may go on sending before its connection is closed.
const LINGER: Duration = Duration::from_secs(5);

/// What answers the requests of an endpoint. Clones share what they have.
pub trait Endpoint: Clone + Send + Sync + 'static {
    /// What the endpoint is called where it tells of itself.
    const NAME: &'static str;

    /// Answers one request.
    fn answer(&self, http: HttpRequest, payload: web::Payload) -> impl Future<Output = HttpResponse>;

    /// Judges a head that says `Expect: 100-continue`, before its body is asked for.
    fn admit_early(&self, request: Request) -> impl Future<Output = Result<Request, HttpResponse>>;
}

/// Where an endpoint listens, and whether it speaks TLS there.
pub struct Socket {
    pub listener: TcpListener,
    pub tls: Option<Handshakes>,
}

/// A running endpoint.
pub struct HttpListener {
    name: &'static str,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
    stopping: CancellationToken,
}

/// Bounds of a connection.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    keep_alive: Duration,
    head_timeout: Duration,
    /// How long bytes that were sent may stay unacknowledged, a full window of the client's included.
    stall: Duration,
    /// The least bytes a second that a client must take of an answer.
    rate: u64,
}

/// Counts a connection while it lives.
struct Counted(::metrics::Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl HttpListener {
    /// Serves on `sockets` until stopped; the bound on connections is for all of them together. Needs a tokio runtime.
    pub fn start<E: Endpoint>(sockets: Vec<Socket>, endpoint: E, config: &ServerConfig) -> io::Result<Self> {
        let bounds = Bounds::of(config);
        let stopping = CancellationToken::new();
        let workers = config.process.workers;
        let mut server = Server::build()
            .workers(workers)
            .max_concurrent_connections(config.limits.connections.div_ceil(workers))
            .shutdown_timeout(config.process.shutdown_grace.as_secs())
            .disable_signals();
        for Socket { listener, tls } in sockets {
            let (endpoint, stop) = (endpoint.clone(), stopping.clone());
            server = server.listen(E::NAME, listener, move || {
                let (endpoint, stop, stopped, tls) = (endpoint.clone(), stop.clone(), stop.clone(), tls.clone());
                let early = endpoint.clone();
                let app = App::new()
                    .default_service(web::to(move |http: HttpRequest, payload: web::Payload| {
                        let endpoint = endpoint.clone();
                        async move { endpoint.answer(http, payload).await }
                    }))
                    .into_factory()
                    .map_err(|error: actix_web::Error| error.error_response());
                let http = HttpService::build()
                    .graceful_shutdown_signal(move || stop.clone().cancelled_owned())
                    .keep_alive(bounds.keep_alive)
                    .client_request_timeout(bounds.head_timeout)
                    .client_disconnect_timeout(LINGER)
                    .on_connect_ext(move |stream: &Stream, extensions| connected(stream, extensions, bounds.stall))
                    // `100 Continue` is sent when this succeeds: a refused upload is never received.
                    .expect(fn_service(move |request| {
                        let early = early.clone();
                        async move { early.admit_early(request).await }
                    }))
                    .h1(apply_fn_factory(map_config(app, |_| AppConfig::default()), counted));
                fn_service(move |stream: TcpStream| accepted(stream, tls.clone(), stopped.clone(), bounds))
                    .and_then(http)
            })?;
        }
        let server = server.run();
        Ok(Self { name: E::NAME, handle: server.handle(), task: tokio::spawn(server), stopping })
    }

    /// Stops listening, lets requests in flight end within the grace, and closes idle connections.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, listener = self.name, "the listener ended badly");
        }
    }
}

/// How long nothing may be sent and nothing asked on a connection before it is given up.
pub fn silence(config: &ServerConfig) -> Duration {
    Bounds::of(config).between_requests()
}

impl Bounds {
    fn of(config: &ServerConfig) -> Self {
        let limits = &config.limits;
        Self {
            keep_alive: limits.keep_alive,
            head_timeout: limits.head_timeout,
            stall: limits.body_idle_timeout,
            rate: limits.transfer_rate,
        }
    }

    fn bounded(self, stream: TcpStream) -> io::Result<Connection> {
        Connection::new(stream, self.between_requests(), self.least_rate())
    }

    /// How long nothing may be asked and nothing answered: keeping alive, then sending a head. An answer may stand still
    /// for as long as any body.
    fn between_requests(self) -> Duration {
        self.keep_alive.saturating_add(self.head_timeout).max(self.stall)
    }

    /// A client may stand still for as long as any body, so less than that is no time to judge by.
    fn least_rate(self) -> LeastRate {
        LeastRate { bytes: self.rate, window: self.stall }
    }
}

/// actix awaits this beside the next connections: a handshake keeps nobody waiting.
async fn accepted(
    stream: TcpStream,
    tls: Option<Handshakes>,
    stopping: CancellationToken,
    bounds: Bounds,
) -> Result<(Stream, Option<SocketAddr>), actix_http::error::DispatchError> {
    let peer = stream.peer_addr().ok();
    let stream = match tls {
        None => Stream::Plain(bounds.bounded(stream)?),
        Some(tls) => {
            let shaking = stopping.run_until_cancelled(tls.shake(stream, |stream| bounds.bounded(stream)));
            let stopped = || io::Error::other("the server stops");
            Stream::Tls(Box::new(shaking.await.ok_or_else(stopped)??))
        }
    };
    Ok((stream, peer))
}

fn connected(stream: &Stream, extensions: &mut Extensions, stall: Duration) {
    let connection = stream.connection();
    if stream.is_secure() {
        extensions.insert(Secured);
    }
    extensions.insert(connection.activity());
    let gauge = metrics::connections();
    gauge.increment(1.0);
    extensions.insert(Counted(gauge));
    let stall = u32::try_from(stall.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(connection.stream(), stall) {
        tracing::debug!(%error, "a connection cannot be bounded in time");
    }
}
