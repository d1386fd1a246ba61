//! What a request must pass before it is looked up: HTTPS, addresses, rates, methods, signatures.

use http::{Method, Request, Response, StatusCode};

use super::super::engine::Body;
use super::super::rules::key::Target;
use super::super::rules::response_policy::Cors;
use super::super::site::{Behaviour, OriginKind, Secure};
use super::client::Client;
use super::rate::Limiter;
use super::reply;
use crate::clock::Timestamp;

/// The methods that are told where a behaviour lets all through.
const ALL: [Method; 7] =
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// A request at the gate.
pub struct AtGate<'r> {
    pub behaviour: &'r Behaviour,
    pub limiter: Option<&'r Limiter>,
    pub kind: OriginKind,
    pub client: Client,
    /// The host, without its port.
    pub bare_host: &'r str,
    pub target: Target<'r>,
    pub https_port: u16,
    pub now: Timestamp,
}

impl AtGate<'_> {
    /// The answer to a request that does not pass; `None` for one that does.
    pub fn refusal<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let access = &self.behaviour.access;
        if !access.admits(self.client.address) {
            return Some(reply::plain(StatusCode::FORBIDDEN, "You may not see this."));
        }
        if let Some(Err(wait)) = self.limiter.map(|limiter| limiter.take(self.client.address, self.now)) {
            return Some(reply::too_many(wait.as_secs_f64().ceil() as u64));
        }
        match access.secure {
            Secure::Redirect if !self.client.secure => return Some(self.to_https(request)),
            Secure::Required if !self.client.secure => {
                return Some(reply::plain(StatusCode::FORBIDDEN, "This is served over HTTPS alone."));
            }
            _ => {}
        }
        let method = request.method();
        if !self.behaviour.allows(method) {
            return Some(reply::method_not_allowed(self.methods()));
        }
        // A preflight comes without credentials: it is answered before a signature is asked for.
        if *method == Method::OPTIONS && self.answers_options(request) {
            return Some(reply::options(self.methods()));
        }
        self.unsigned(request)
    }

    fn to_https<B>(&self, request: &Request<B>) -> Response<Body> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        reply::to_https(request.method(), self.bare_host, self.https_port, target)
    }

    fn methods(&self) -> &[Method] {
        self.behaviour.methods.as_deref().unwrap_or(&ALL)
    }

    /// Whether OPTIONS are answered here: a bucket is never asked them, and a preflight is what the policy says.
    fn answers_options<B>(&self, request: &Request<B>) -> bool {
        let preflight = Cors::answers_preflight(request.method(), request.headers());
        self.kind == OriginKind::Bucket
            || self.behaviour.headers.cors.as_ref().is_some_and(|cors| cors.overrides && preflight)
    }

    fn unsigned<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let keys = self.behaviour.access.signed_by.as_ref()?;
        let checked = keys.check(&self.target, request.headers(), self.client.address, self.now);
        checked.err().map(|refused| {
            // The code alone: nothing of the signature or the policy.
            tracing::debug!(code = refused.code(), "a signed request was refused");
            reply::signature(&refused)
        })
    }
}
