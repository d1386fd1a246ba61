//! The listener for operators: `/healthz`, `/metrics`, `/sites` and `/purge`. Whoever reaches it may use it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::site::{Authority, Mode};
use super::Front;
use crate::feed::{Purge, Scope, Target};
use crate::telemetry::metrics;

/// Connections at once; who comes then waits.
const MAX_CONNECTIONS: usize = 64;
/// How long a request's head, and its document, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest document, in bytes.
const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// The most items of one purge.
const MAX_ITEMS: usize = 3000;

/// Whether the edge is to be sent requests; if not, why.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The running listener.
pub struct Admin {
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

/// A purge, as operators write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The id of a site, or
    site: Option<String>,
    /// a host; neither is everything.
    host: Option<String>,
    /// `/path`, `/begin*` or `#tag`; none is all of it.
    #[serde(default)]
    items: Vec<String>,
    #[serde(default)]
    soft: bool,
}

/// A site, as operators see it.
#[derive(Serialize)]
struct Shown<'s> {
    id: &'s str,
    hosts: Vec<String>,
    mode: &'static str,
    behaviours: Vec<String>,
    /// Origins that failed so often that they are left alone for a moment.
    suspended: Vec<String>,
}

impl Admin {
    /// Answers on `listener` until stopped.
    pub fn start(listener: TcpListener, front: Arc<Front>, ready: Readiness) -> Self {
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let task = tokio::spawn(async move {
            stopped.run_until_cancelled(accept(listener, front, ready)).await;
        });
        Self { stopping, task }
    }

    pub async fn stop(self) {
        self.stopping.cancel();
        // It does not panic, and nobody aborts it.
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, front: Arc<Front>, ready: Readiness) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (front, ready) = (Arc::clone(&front), Arc::clone(&ready));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (front, ready) = (Arc::clone(&front), Arc::clone(&ready));
                async move { Ok::<_, Infallible>(answer(&front, &ready, request).await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            // Who breaks off was not interested any more.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

async fn answer(front: &Front, ready: &Readiness, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    match (request.uri().path(), read) {
        ("/healthz", true) => match ready() {
            Ok(()) => text(StatusCode::OK, "ok\n"),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        ("/metrics", true) => {
            let mut response = text(StatusCode::OK, metrics::render());
            let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, format);
            response
        }
        ("/sites", true) => sites(front),
        ("/purge", false) if *request.method() == Method::POST => purge(front, request).await,
        ("/healthz" | "/metrics" | "/sites" | "/purge", _) => {
            text(StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed here.\n")
        }
        _ => text(StatusCode::NOT_FOUND, "There are /healthz, /metrics, /sites and /purge.\n"),
    }
}

fn sites(front: &Front) -> Response<Full<Bytes>> {
    let table = front.table();
    let shown: Vec<Shown<'_>> = table
        .sites
        .all()
        .iter()
        .map(|served| Shown {
            id: served.site.id.as_str(),
            hosts: served.site.hosts.iter().map(ToString::to_string).collect(),
            mode: match served.site.mode {
                Mode::Normal => "normal",
                Mode::Bypass => "bypass",
                Mode::Maintenance(_) => "maintenance",
            },
            behaviours: served.site.behaviours.iter().map(|behaviour| behaviour.path.to_string()).collect(),
            suspended: served.site.origins.suspended().map(|which| format!("{which:?}").to_lowercase()).collect(),
        })
        .collect();
    json(StatusCode::OK, &shown)
}

async fn purge(front: &Front, request: Request<Incoming>) -> Response<Full<Bytes>> {
    // A page of a browser could send a form to this address; it cannot give it this type.
    let is_json =
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json || !request.headers().contains_key(HOST) {
        return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send JSON as application/json.\n");
    }
    let body = Limited::new(request.into_body(), MAX_DOCUMENT_BYTES).collect();
    let Ok(Ok(body)) = tokio::time::timeout(PATIENCE, body).await else {
        return text(StatusCode::BAD_REQUEST, "The document is too long, or did not come.\n");
    };
    let purges = match serde_json::from_slice::<Asked>(&body.to_bytes()) {
        Ok(asked) => asked.purges(front),
        Err(error) => Err(wrong(error.to_string())),
    };
    let purges = match purges {
        Ok(purges) => purges,
        Err((status, why)) => return text(status, format!("{why}\n")),
    };
    let count = purges.len();
    match front.purger.purge(purges).await {
        Ok(()) => json(StatusCode::OK, &serde_json::json!({ "purged": count })),
        Err(failure) => {
            tracing::error!(%failure, "a purge is not known to be done");
            text(failure.status(), format!("{failure}\n"))
        }
    }
}

impl Asked {
    fn purges(self, front: &Front) -> Result<Vec<Purge>, Unfit> {
        if self.items.len() > MAX_ITEMS {
            return Err(wrong(format!("at most {MAX_ITEMS} items can be purged at once")));
        }
        let (soft, items) = (self.soft, self.items);
        let scope = scope(front, self.site, self.host)?;
        if items.is_empty() {
            return Ok(vec![Purge { scope, target: Target::All, soft }]);
        }
        let item = |item: String| match Target::parse(&item) {
            Ok(target) => Ok(Purge { scope: scope.clone(), target, soft }),
            Err(error) => Err(wrong(format!("{item:?}: {error}"))),
        };
        items.into_iter().map(item).collect()
    }
}

/// What is purged of: a site or a host that is served here, or everything. Where purges go through the server to all edges, it
/// is the server's to say what everything is.
fn scope(front: &Front, site: Option<String>, host: Option<String>) -> Result<Scope, Unfit> {
    let table = front.table();
    match (site, host) {
        (Some(_), Some(_)) => Err(wrong("give site or host, not both".to_owned())),
        (Some(site), None) if table.sites.of_id(&site).is_some() => Ok(Scope::Site(site)),
        (Some(site), None) => Err(missing(format!("there is no site {site:?}: /sites lists those that there are"))),
        (None, Some(host)) => {
            let authority = Authority::parse(&host).map_err(|error| wrong(format!("host {host:?}: {error}")))?;
            match table.sites.of_host(&authority.host) {
                Some(_) => Ok(Scope::Host(written(authority))),
                None => Err(missing(format!("no site has the host {host:?}: /sites lists those that there are"))),
            }
        }
        (None, None) if front.purger.follower.is_some() => {
            Err(wrong("give site or host: what all edges hold is purged on the server, with brim purge".to_owned()))
        }
        (None, None) => Ok(Scope::Everything),
    }
}

/// Why nothing can be purged, and with which status that is said.
type Unfit = (StatusCode, String);

fn wrong(why: String) -> Unfit {
    (StatusCode::BAD_REQUEST, why)
}

fn missing(why: String) -> Unfit {
    (StatusCode::NOT_FOUND, why)
}

/// A host as keys have it: in one form, with its port where one is given that is nobody's default.
fn written(authority: Authority<'_>) -> String {
    let plain = authority.port.is_none_or(|port| port == 80 || port == 443);
    if plain { authority.host.into_owned() } else { authority.without_default_port(true).into_owned() }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn json(status: StatusCode, document: &impl Serialize) -> Response<Full<Bytes>> {
    let mut response = text(status, serde_json::to_vec(document).unwrap_or_default());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
