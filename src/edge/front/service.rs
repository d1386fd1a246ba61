//! The steps of a request: what it asks for, whose site that is, the gate, the engine, the head of the answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, ORIGIN};
use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Incoming};

use super::super::engine::{Answer, Body, Found, Outcome, Viewer};
use super::super::rules::key::Target;
use super::super::site::{Behaviour, Mode};
use super::account::{Account, Logged};
use super::activity::Running;
use super::asked::{self, Bad};
use super::client::Client;
use super::gate::AtGate;
use super::link::{Link, Way};
use super::log::{Record, Started};
use super::sent::Sent;
use super::served::Table;
use super::upload::Upload;
use super::{Front, feeding, reply};
use crate::process::LeastRate;
use crate::tls::CHALLENGE_PATH;

/// The method that purges: no standard has it, every cache does.
const PURGE: &str = "PURGE";

/// Answers a request that came over `link`. Every failure is an answer.
pub async fn serve(
    front: Arc<Front>,
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<Sent>, Infallible> {
    let running = link.activity.begin();
    let table = front.table();
    // Whatever host it was sent to: it is for the edge itself.
    if asked::check(&request).is_ok() && feeding::is_for_the_feed(&front, &request) {
        return Ok(finish(feeding::answer(&front, request).await, running, Account::of_nobody()));
    }
    let arrived = match asked::check(&request) {
        Ok(()) => Arrived::of(&front, &link, &table, &request),
        Err(bad) => Err(Box::new(reply::plain(bad.status(), bad))),
    };
    let response = match arrived {
        Ok(arrived) => arrived.answer(&front, &link, &table, request, running).await,
        Err(refusal) => {
            front.refused.increment(1);
            finish(*refusal, running, Account::of_nobody())
        }
    };
    Ok(response)
}

/// The answer to a request that is no site's; in a box, since few are.
type Refusal = Box<Response<Body>>;

/// A request whose site is known.
struct Arrived {
    began: Instant,
    client: Client,
    way: Way,
}

impl Arrived {
    /// Finds out who asks, for which host, and whose that is.
    fn of(front: &Front, link: &Link, table: &Arc<Table>, request: &Request<Incoming>) -> Result<Self, Refusal> {
        let began = Instant::now();
        let client = Client::of(link.peer.ip(), link.is_secure(), request.headers(), &table.proxies.trusted);
        let way = way(link, client, table, request).map_err(|refusal| match refusal {
            Nowhere::Bad(bad) => reply::plain(bad.status(), bad),
            Nowhere::Nobody => reply::plain(StatusCode::NOT_FOUND, "No site is served here under this host."),
        });
        // A challenge comes before every rule: the site may not be there yet, nor HTTPS.
        if let Some(answer) = front.challenge(request) {
            return Err(Box::new(answer));
        }
        let way = way.map_err(Box::new)?;
        if front.disagrees(link, way.bare_host()) {
            let sentence = "This connection is for another host. Please make a new one.";
            return Err(Box::new(reply::plain(StatusCode::MISDIRECTED_REQUEST, sentence)));
        }
        Ok(Self { began, client, way })
    }

    async fn answer(
        self,
        front: &Arc<Front>,
        link: &Arc<Link>,
        table: &Arc<Table>,
        request: Request<Incoming>,
        running: Running,
    ) -> Response<Sent> {
        let received = (!request.body().is_end_stream()).then(|| Arc::new(AtomicU64::new(0)));
        let mut logged = self.begin_log(front, link, &request);
        let began = self.began;
        let Answer { response, outcome } = self.respond(front, table, request, received.clone()).await;
        if let Some(logged) = &mut logged {
            logged.record.answered(&response, began.elapsed());
        }
        let account = Account {
            served: Some(self.way.served),
            status: response.status(),
            outcome,
            sent: 0,
            broken: false,
            received,
            logged,
        };
        finish(response, running, account)
    }

    fn begin_log(&self, front: &Front, link: &Link, request: &Request<Incoming>) -> Option<Box<Logged>> {
        let sender = front.log.clone()?;
        let mut client = link.peer;
        if client.ip() != self.client.address {
            client = (self.client.address, 0).into();
        }
        let started = Started {
            at: front.clock.now(),
            site: self.way.served.site.id.as_str(),
            client,
            secure: self.client.secure,
            tls: link.tls,
            host: &self.way.host,
        };
        Some(Box::new(Logged { record: Record::begin(&started, request), began: self.began, sender }))
    }

    async fn respond(
        &self,
        front: &Arc<Front>,
        table: &Arc<Table>,
        mut request: Request<Incoming>,
        received: Option<Arc<AtomicU64>>,
    ) -> Answer {
        let served = &self.way.served;
        if request.method().as_str() == PURGE && !table.purge.tokens.is_empty() {
            return own(self.purge(front, table, &request).await);
        }
        if let Mode::Maintenance(maintenance) = &served.site.mode {
            return own(reply::maintenance(maintenance));
        }
        let place = served.site.place(request.uri().path());
        let behaviour = &served.site.behaviours[place];
        if let Some(mut refusal) = self.refusal(front, behaviour, place, &request) {
            behaviour.headers.apply(request.method(), request.headers(), refusal.headers_mut());
            return own(refusal);
        }
        if behaviour.access.signed_by.is_some()
            && let Some(target) = asked::without_signature(request.uri().path(), request.uri().query())
        {
            *request.uri_mut() = target;
        }
        self.ask_engine(front, table, behaviour, request, received).await
    }

    fn refusal(
        &self,
        front: &Front,
        behaviour: &Behaviour,
        place: usize,
        request: &Request<Incoming>,
    ) -> Option<Response<Body>> {
        let served = &self.way.served;
        let gate = AtGate {
            behaviour,
            limiter: served.limiters.get(place).and_then(Option::as_ref),
            kind: served.site.kind,
            client: self.client,
            bare_host: self.way.bare_host(),
            target: Target {
                secure: self.client.secure,
                host: &self.way.host,
                path: request.uri().path(),
                query: request.uri().query(),
            },
            https_port: front.https_port,
            now: front.clock.now(),
        };
        gate.refusal(request)
    }

    async fn ask_engine(
        &self,
        front: &Front,
        table: &Table,
        behaviour: &Arc<Behaviour>,
        mut request: Request<Incoming>,
        received: Option<Arc<AtomicU64>>,
    ) -> Answer {
        let edge = feeding::is_edge(front, request.headers_mut());
        let Client { address, secure, .. } = self.client;
        let viewer = Viewer { address, secure, host: Arc::clone(&self.way.host), edge };
        let policy = (!behaviour.headers.is_empty()).then(|| (request.method().clone(), of_cors(request.headers())));
        let site = &self.way.served.site;
        let mut answer = match received {
            None => front.engine.answer(site, behaviour, &viewer, request).await,
            Some(received) => {
                let limits = &table.limits;
                if request.body().size_hint().lower() > limits.request_body {
                    return own(reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than is taken."));
                }
                let least = LeastRate { bytes: limits.transfer_rate, window: limits.body_idle_timeout };
                let request = request.map(|body| Upload::new(body, limits.request_body, least, received));
                front.engine.answer(site, behaviour, &viewer, request).await
            }
        };
        if let Some((method, headers)) = policy {
            behaviour.headers.apply(&method, &headers, answer.response.headers_mut());
        }
        answer
    }

    async fn purge(&self, front: &Front, table: &Table, request: &Request<Incoming>) -> Response<Body> {
        let allowed =
            table.purge.from.is_empty() || table.purge.from.iter().any(|net| net.contains(&self.client.address));
        if !allowed || !super::purge::is_authorized(request.headers(), &table.purge.tokens) {
            return reply::plain(StatusCode::FORBIDDEN, "You may not purge.");
        }
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let site = self.way.served.site.id.as_str();
        let purges = match super::purge::asked(request.headers(), target, &self.way.host, site) {
            Ok(purges) => purges,
            Err((status, sentence)) => return reply::plain(status, sentence),
        };
        match front.purger.purge(purges).await {
            Ok(()) => reply::plain(StatusCode::OK, "Purged."),
            Err(failure) => {
                tracing::error!(%failure, "a purge is not known to be done");
                reply::plain(failure.status(), failure)
            }
        }
    }
}

/// Why a request has no site.
enum Nowhere {
    Bad(Bad),
    Nobody,
}

/// Whose the host of a request is. Mostly that of the request before, on the same connection.
fn way(link: &Link, client: Client, table: &Arc<Table>, request: &Request<Incoming>) -> Result<Way, Nowhere> {
    let raw = raw_host(request);
    if let Some(way) = raw.and_then(|raw| link.known(raw, client.secure, table)) {
        return Ok(way);
    }
    let authority = asked::authority(request).map_err(Nowhere::Bad)?;
    let served = table.sites.of_host(&authority.host).ok_or(Nowhere::Nobody)?;
    let host = authority.without_default_port(client.secure);
    let way = Way::new(raw.unwrap_or_default(), client.secure, table, &host, authority.host.len(), served);
    if raw.is_some() {
        link.remember(&way);
    }
    Ok(way)
}

/// The host as it was sent, where it is said in one place alone.
fn raw_host(request: &Request<Incoming>) -> Option<&str> {
    let mut fields = request.headers().get_all(HOST).iter();
    match (request.uri().authority(), fields.next(), fields.next()) {
        (Some(authority), None, _) => Some(authority.as_str()),
        (None, Some(field), None) => field.to_str().ok(),
        _ => None,
    }
}

/// What a response header policy looks at of a request.
fn of_cors(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD] {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

/// An answer of the front's own: nothing was looked up for it.
fn own(response: Response<Body>) -> Answer {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    Answer { response, outcome: Outcome::of(if failed { Found::Error } else { Found::Pass }) }
}

fn finish(response: Response<Body>, running: Running, mut account: Account) -> Response<Sent> {
    account.status = response.status();
    response.map(|body| Sent::new(body, running, account))
}

impl Front {
    /// The answer to a certificate authority that asks for a challenge of ours.
    fn challenge(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let token = request.uri().path().strip_prefix(CHALLENGE_PATH)?;
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            return None;
        }
        let answer = self.challenges.answer(token)?;
        tracing::info!(token, "an authority asked for a challenge");
        Some(reply::challenge(answer))
    }

    /// Whether a client over TLS was shown a certificate that is not for `host`: RFC 9110 section 7.4.
    fn disagrees(&self, link: &Link, host: &str) -> bool {
        if !link.is_secure() || link.server_name.as_deref() == Some(host) {
            return false;
        }
        let shown = self.certificates.shown(link.server_name.as_deref());
        let own = self.certificates.shown(Some(host));
        match (shown, own) {
            (Some(shown), Some(own)) => !Arc::ptr_eq(&shown, &own) && !shown.is_for(host),
            _ => false,
        }
    }
}
