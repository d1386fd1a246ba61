//! The way of a request: what is stored, whether it may be used, and what else is to be done.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{Method, Request};
use hyper::body::Body as HttpBody;

use super::Engine;
use super::answer::{Answer, Found, Outcome, Viewer};
use super::ask::Ask;
use super::failure::Failure;
use super::opened::facts;
use super::pages::Page;
use super::pass::{is_presigned, wants_tunnel};
use super::stored::Told;
use crate::edge::cache::{self, DiskCandidate, Hit};
use crate::edge::origin::BoxError;
use crate::edge::rules::age;
use crate::edge::rules::cache_status::Forward;
use crate::edge::rules::conditional::{self, Selected};
use crate::edge::rules::reuse::{Reuse, Standing, reuse};
use crate::edge::site::{Behaviour, Mode, Site};

/// What is to be done for a request.
pub(super) enum Next {
    /// Send this.
    Use(Hit, Found),
    /// Send this, and have it fetched anew meanwhile.
    UseAndRefresh(Hit),
    /// See what a file holds first.
    Load(DiskCandidate),
    /// Ask the origin whether this still holds.
    Validate(Hit),
    Fetch(Forward),
    /// Put the request to the origin as it came.
    PassOn,
    /// Say that nothing is stored: the client wants nothing else.
    Refuse,
}

impl Engine {
    pub(super) async fn answer_request<B>(
        &self,
        site: &Arc<Site>,
        behaviour: &Arc<Behaviour>,
        viewer: &Viewer,
        request: Request<B>,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let page = Page::of_request(behaviour, &request);
        let answer = self.answer_plainly(site, behaviour, viewer, request).await;
        match page {
            Some(page) => page.replace(self, site, behaviour, viewer, answer).await,
            None => answer,
        }
    }

    /// Answers without error pages.
    async fn answer_plainly<B>(
        &self,
        site: &Arc<Site>,
        behaviour: &Arc<Behaviour>,
        viewer: &Viewer,
        request: Request<B>,
    ) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if !is_looked_up(site, behaviour, &request) {
            return Box::pin(self.pass(site, behaviour, viewer, request)).await;
        }
        self.answer_from_cache(site, behaviour, viewer, request.into_parts().0).await
    }

    /// Answers a GET or HEAD without body that may be answered from what is stored.
    pub(super) async fn answer_from_cache(
        &self,
        site: &Arc<Site>,
        behaviour: &Arc<Behaviour>,
        viewer: &Viewer,
        parts: http::request::Parts,
    ) -> Answer {
        let method = parts.method.clone();
        let ask = match Ask::new(self, site, behaviour, viewer, parts) {
            Ok(ask) => Arc::new(ask),
            Err(failure) => return failure.answer(&method, None, Outcome::of(Found::Error)),
        };
        let next = self.look(&ask);
        if let Next::Use(hit, found) = &next
            && let Some(answer) = self.answer_at_once(&ask, hit, *found)
        {
            return answer;
        }
        Box::pin(self.go_on(ask, next)).await
    }

    /// Looks for what is stored, and says what is to be done.
    pub(super) fn look(&self, ask: &Ask) -> Next {
        match self.0.cache.lookup(&ask.key, &ask.headers) {
            cache::Found::Stored(hit) => self.judge(ask, hit),
            cache::Found::Disk(candidate) => Next::Load(candidate),
            cache::Found::Miss => nothing(ask, Forward::UriMiss),
            cache::Found::VaryMiss => nothing(ask, Forward::VaryMiss),
        }
    }

    fn judge(&self, ask: &Ask, hit: Hit) -> Next {
        if fails_precondition(ask, &hit) {
            return Next::PassOn;
        }
        match reuse(hit.stored.freshness(), self.standing(ask, &hit), &ask.directives) {
            Reuse::Fresh => Next::Use(hit, Found::Hit),
            Reuse::StaleAsAsked => Next::Use(hit, Found::StaleHit),
            Reuse::StaleWhileRevalidate => Next::UseAndRefresh(hit),
            Reuse::Revalidate => Next::Validate(hit),
            Reuse::GatewayTimeout => Next::Refuse,
        }
    }

    /// How a stored response stands at the moment of a request.
    pub(super) fn standing(&self, ask: &Ask, hit: &Hit) -> Standing {
        let age = age::current(hit.stored.initial_age(), hit.stored.response_time(), ask.arrived);
        Standing { age, soft_purged: hit.soft_purged, feed_live: self.feed_is_live() }
    }

    pub(super) fn feed_is_live(&self) -> bool {
        self.0.feed.as_ref().is_some_and(|feed| feed.is_live())
    }

    async fn go_on(&self, ask: Arc<Ask>, mut next: Next) -> Answer {
        if let Next::Load(candidate) = next {
            next = match candidate.load().await {
                Some(hit) => self.judge(&ask, hit),
                None => nothing(&ask, Forward::UriMiss),
            };
        }
        match next {
            Next::Use(hit, found) => self.answer_stored_or_fetch(&ask, hit, found).await,
            Next::UseAndRefresh(hit) => {
                self.refresh(&ask, &hit);
                self.answer_stored_or_fetch(&ask, hit, Found::StaleHit).await
            }
            Next::Validate(hit) => self.fetch(&ask, Forward::Stale, Some(hit)).await,
            Next::Fetch(why) => self.fetch(&ask, why, None).await,
            Next::PassOn => self.pass_on(&ask, Forward::Request).await,
            Next::Refuse | Next::Load(_) => {
                Failure::OnlyIfCached.answer(&ask.method, Some(Forward::Request), Outcome::of(Found::Error))
            }
        }
    }

    /// Answers with what is stored; where its bytes turn out to be gone, with what the origin has.
    async fn answer_stored_or_fetch(&self, ask: &Arc<Ask>, hit: Hit, found: Found) -> Answer {
        let told = Told::hit(ask, &hit.stored, found);
        match self.answer_stored(ask, &hit.stored, told).await {
            Some(answer) => answer,
            None => {
                self.0.cache.remove(&ask.key);
                self.fetch(ask, Forward::Partial, None).await
            }
        }
    }

    /// Answers with what is in memory, if nothing has to be waited for.
    fn answer_at_once(&self, ask: &Arc<Ask>, hit: &Hit, found: Found) -> Option<Answer> {
        self.answer_from_memory(ask, &hit.stored, || Told::hit(ask, &hit.stored, found))
    }
}

/// Whether a request may be answered from what is stored: no other methods, no bodies, no tunnels.
fn is_looked_up<B: HttpBody>(site: &Site, behaviour: &Behaviour, request: &Request<B>) -> bool {
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    read && behaviour.cached.enabled
        && site.mode == Mode::Normal
        && !wants_tunnel(site, request.version(), request.headers())
        && !has_body(request.headers())
        && !is_presigned(site, behaviour, request.uri())
}

/// Whether the client wants another response than the stored one: the origin may have it (RFC 9111 section 4.3.2).
fn fails_precondition(ask: &Ask, hit: &Hit) -> bool {
    if !conditional::has_preconditions(&ask.headers) {
        return false;
    }
    let (stored, headers) = (&hit.stored, hit.stored.head().to_headers());
    let facts = facts(stored.status(), &headers, stored.response_time(), Some(stored.body().length()));
    conditional::select(&ask.method, &ask.headers, &facts) == Selected::PreconditionFailed
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

fn nothing(ask: &Ask, why: Forward) -> Next {
    if ask.directives.only_if_cached { Next::Refuse } else { Next::Fetch(why) }
}
