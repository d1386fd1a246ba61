//! Requests that are passed on to the origin, and answers that go to one client alone.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, UPGRADE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Body as HttpBody;
use hyper_util::rt::TokioIo;

use super::Engine;
use super::answer::{Answer, Found, OriginPart, Outcome, Viewer};
use super::ask::{Ask, hop, path_and_query};
use super::body::Body;
use super::failure::Failure;
use super::opened::facts;
use super::serve::{Cut, Head};
use crate::clock::Timestamp;
use crate::edge::cache::{Purge, Scope, What};
use crate::edge::origin::{BoxError, Carried, Fetched, OriginBody, Received, Upgrade, Verbatim, ViewerFacts, empty};
use crate::edge::rules::bucket_request::{self, bucket_request};
use crate::edge::rules::cache_status::{CacheStatus, Forward};
use crate::edge::rules::conditional::{self, Selected};
use crate::edge::rules::key::{self, Selection, Target, purge_path};
use crate::edge::rules::update::BRIM_DEPENDS;
use crate::edge::rules::{hygiene, invalidate, list};
use crate::edge::site::{Behaviour, OriginKind, Presigned, Site};

/// A request that is passed on, but for its body.
struct Passing<'p> {
    site: &'p Arc<Site>,
    behaviour: &'p Arc<Behaviour>,
    viewer: &'p Viewer,
    parts: Parts,
    why: Forward,
}

impl Engine {
    /// Passes a request on that is not looked up.
    pub(super) async fn pass<B>(
        &self,
        site: &Arc<Site>,
        behaviour: &Arc<Behaviour>,
        viewer: &Viewer,
        mut request: Request<B>,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        let why = if read { Forward::Bypass } else { Forward::Method };
        let tunnel = wants_tunnel(site, request.version(), request.headers());
        let upgraded = tunnel.then(|| hyper::upgrade::on(&mut request));
        let (parts, body) = request.into_parts();
        let passing = Passing { site, behaviour, viewer, parts, why };
        if let Some(upgraded) = upgraded {
            return self.upgrade(passing, upgraded).await;
        }
        let body = if body.is_end_stream() { empty() } else { body.map_err(Into::into).boxed_unsync() };
        self.pass_parts(passing, body).await
    }

    /// Passes a request on as the client made it, with its conditions and ranges, and stores nothing of the answer.
    pub(super) async fn pass_on(&self, ask: &Ask, why: Forward) -> Answer {
        let mut parts = Request::new(()).into_parts().0;
        parts.method = ask.method.clone();
        parts.version = ask.version;
        parts.uri = Uri::from(ask.target.clone());
        parts.headers = ask.headers.clone();
        let passing = Passing { site: &ask.site, behaviour: &ask.behaviour, viewer: &ask.viewer, parts, why };
        let mut answer = self.pass_parts(passing, empty()).await;
        if answer.outcome.result == Found::Pass {
            answer.outcome.result = Found::Miss;
        }
        answer
    }

    async fn pass_parts(&self, passing: Passing<'_>, body: OriginBody) -> Answer {
        let outcome = Outcome::of(Found::Pass);
        let request = match passing.to_origin(self, body, false) {
            Ok(request) => request,
            Err(failure) => return failure.answer(&passing.parts.method, Some(passing.why), outcome),
        };
        let facts = ViewerFacts { feed: self.0.feed.as_deref(), ..passing.facts() };
        match passing.site.origins.fetch(request, &facts).await {
            Ok(fetched) => self.passed(&passing, fetched).await,
            Err(error) => Failure::from(error).answer(&passing.parts.method, Some(passing.why), outcome),
        }
    }

    async fn passed(&self, passing: &Passing<'_>, fetched: Fetched) -> Answer {
        let Fetched { response, request_time, response_time, fed, .. } = fetched;
        let (parts, body) = response.into_parts();
        self.invalidate(passing, parts.status, &parts.headers).await;
        let first_byte = response_time.since(request_time);
        let origin = OriginPart { first_byte, status: Some(parts.status) };
        let mut head = Head { status: parts.status, headers: parts.headers };
        hygiene::to_client(&mut head.headers, fed || passing.site.kind.is_signed());
        hygiene::add_via(&mut head.headers, parts.version, &self.0.name);
        if passing.behaviour.cache_status {
            CacheStatus::forward(passing.why).append_to(&mut head.headers);
        }
        head.answer(Body::Passed(Box::new(body)), Outcome { origin: Some(origin), ..Outcome::of(Found::Pass) })
    }

    /// Hands an answer to the one who had it fetched, though it was not fetched in his own words: without his conditions.
    pub(super) fn hand_over(
        &self,
        ask: &Ask,
        (status, version, headers): (StatusCode, Version, HeaderMap),
        body: Received,
        arrived: Timestamp,
        origin: OriginPart,
        detail: &'static str,
    ) -> Answer {
        let mut head = Head { status, headers };
        let fed = self.0.feed.is_some() && head.headers.contains_key(BRIM_DEPENDS);
        hygiene::to_client(&mut head.headers, fed || ask.site.kind.is_signed());
        hygiene::add_via(&mut head.headers, version, &self.0.name);
        let selected = match conditional::has_conditions(&ask.headers) {
            // Without a length there are no ranges: the whole may be sent in their place.
            true => conditional::select(&ask.method, &ask.headers, &facts(status, &head.headers, arrived, None)),
            false => Selected::Whole,
        };
        let cut = head.cut(&ask.method, selected, None);
        if ask.behaviour.cache_status {
            CacheStatus::forward(Forward::UriMiss).detail(detail).append_to(&mut head.headers);
        }
        let body = if matches!(cut, Cut::Nothing) { Body::Empty } else { Body::Passed(Box::new(body)) };
        head.answer(body, Outcome { origin: Some(origin), ..Outcome::of(Found::Miss) })
    }

    /// Drops what a request that may have changed something makes invalid (RFC 9111 section 4.4).
    async fn invalidate(&self, passing: &Passing<'_>, status: StatusCode, headers: &HeaderMap) {
        let Passing { site, viewer, parts, .. } = passing;
        for invalid in invalidate::invalidated(&parts.method, &passing.target(), status, headers) {
            let behaviour = site.behaviour(&invalid.path);
            let query = key::forwarded_query(&behaviour.key, invalid.query.as_deref());
            let target = Target {
                secure: viewer.secure,
                host: &viewer.host,
                path: &invalid.path,
                query: invalid.query.as_deref(),
            };
            if behaviour.key.headers.is_empty() && behaviour.key.cookies == Selection::None {
                let key = key::primary(&behaviour.key, &target, &parts.headers);
                // First what is on its way, which would be stored behind our back otherwise.
                self.0.fills.void(|fill| fill.primary == key);
                self.0.cache.remove(&key);
                continue;
            }
            let path = match &query {
                Some(query) => format!("{}?{query}", invalid.path),
                None => invalid.path.clone(),
            };
            let purge = Purge::hard(Scope::Host(viewer.host.to_string()), What::Path(purge_path(&path).into_owned()));
            // In force even where it could not be recorded: nothing is acknowledged here.
            if let Err(error) = self.purge(&[purge]).await {
                tracing::warn!(%error, "an invalidation was not recorded");
            }
        }
    }

    /// Asks the origin for another protocol, and carries bytes both ways if it agrees.
    async fn upgrade(&self, passing: Passing<'_>, upgraded: hyper::upgrade::OnUpgrade) -> Answer {
        let outcome = Outcome::of(Found::Pass);
        let request = match passing.to_origin(self, empty(), true) {
            Ok(request) => request,
            Err(failure) => return failure.answer(&passing.parts.method, Some(passing.why), outcome),
        };
        match passing.site.origins.upgrade(request, &passing.facts()).await {
            Ok(Upgrade::Refused(fetched)) => self.passed(&passing, fetched).await,
            Ok(Upgrade::Switched(switched)) => {
                tokio::spawn(async move {
                    let Ok(viewer) = upgraded.await else { return };
                    let ended = switched.tunnel.run(TokioIo::new(viewer), &Carried::default()).await;
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a tunnel broke");
                    }
                });
                Answer { response: Response::from_parts(switched.head, Body::Empty), outcome }
            }
            Err(error) => Failure::from(error).answer(&passing.parts.method, Some(passing.why), outcome),
        }
    }
}

impl Passing<'_> {
    fn target(&self) -> Target<'_> {
        Target {
            secure: self.viewer.secure,
            host: &self.viewer.host,
            path: self.parts.uri.path(),
            query: self.parts.uri.query(),
        }
    }

    fn facts(&self) -> ViewerFacts<'_> {
        ViewerFacts { host: &self.viewer.host, secure: self.viewer.secure, feed: None }
    }

    fn to_origin(&self, engine: &Engine, body: OriginBody, upgrade: bool) -> Result<Request<OriginBody>, Failure> {
        if hygiene::loops(&self.parts.headers, &engine.0.name) {
            return Err(Failure::Loop);
        }
        let mut headers =
            hygiene::to_origin(&self.parts.headers, &hop(engine, self.viewer, self.parts.version, upgrade));
        let mut uri = self.parts.uri.clone();
        let verbatim = is_presigned(self.site, self.behaviour, &uri);
        if !verbatim && self.site.kind == OriginKind::Bucket {
            let allowed = &self.behaviour.bucket_query;
            let asked = bucket_request(&self.parts.method, &self.target(), &self.parts.headers, allowed)?;
            uri = Uri::from(path_and_query(asked.path, asked.query.as_deref())?);
            bucket_request::remove_unsigned(&mut headers);
        }
        let mut request = Request::new(body);
        if verbatim {
            request.extensions_mut().insert(Verbatim);
        } else {
            self.site.add_origin_headers(&mut headers);
        }
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Whether a request asks for another protocol that it may get: only HTTP/1.1 has upgrades (RFC 9110 section 7.8), and no bucket
/// has. HTTP/2 is this connection's own affair (RFC 9113 section 3.1 has no `h2c` any more), and is passed over.
pub(super) fn wants_tunnel(site: &Site, version: Version, headers: &HeaderMap) -> bool {
    let other = |protocol: &[u8]| !protocol.eq_ignore_ascii_case(b"h2c") && !protocol.eq_ignore_ascii_case(b"h2");
    version == Version::HTTP_11
        && site.kind != OriginKind::Bucket
        && headers.contains_key(UPGRADE)
        && list::field(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
        && list::field(headers, &UPGRADE).any(other)
}

/// Whether a request carries a signature of its own for a bucket, and the behaviour has it go there as it came.
pub(super) fn is_presigned(site: &Site, behaviour: &Behaviour, uri: &Uri) -> bool {
    site.kind == OriginKind::Bucket
        && behaviour.presigned == Presigned::Pass
        && bucket_request::is_presigned(uri.query())
}
