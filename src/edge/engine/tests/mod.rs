//! The engine in front of an origin that does as it is told.

mod collapsing;
mod failing;
mod passing;
mod purging;
mod reading;
mod revalidating;
mod slicing;
mod watching;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;

use super::{Answer, Body, BodyError, Engine, Found, Limits, Outcome, Parts, Viewer};
use crate::clock::{Clock, Timestamp};
use crate::edge::cache::{Cache, CacheOptions, Purge, Scope, SiteId, What};
use crate::edge::origin::scripted::{Scripted, Seen, Step};
use crate::edge::origin::{Kind, Location, Origin, Origins, Settings, Signing, empty};
use crate::edge::rules::compress::Compression;
use crate::edge::rules::key::KeyPolicy;
use crate::edge::rules::pages::Pages;
use crate::edge::rules::response_policy::ResponsePolicy;
use crate::edge::rules::ttl::{ErrorTtls, TtlPolicy};
use crate::edge::site::{Access, Behaviour, Cached, HostPattern, Mode, OriginKind, PathPattern, Presigned, Site};
use crate::feed::FeedState;
use crate::names::BucketName;
use crate::signer::Credentials;

/// An engine, its site, and the origin behind it.
pub struct Edge {
    pub engine: Engine,
    pub site: Arc<Site>,
    pub origin: Scripted,
    pub clock: Clock,
}

/// What a client got, all of it.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub outcome: Outcome,
}

impl Edge {
    pub fn new(script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::with(script, |_| (), Limits::default())
    }

    pub fn answers(answers: Vec<Vec<Step>>) -> Self {
        Self::new(move |seen| answers[seen.number.min(answers.len() - 1)].clone())
    }

    pub fn with(
        script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
        change: impl FnOnce(&mut Behaviour),
        limits: Limits,
    ) -> Self {
        Self::of_kind(OriginKind::Http, script, change, limits)
    }

    /// In front of the bucket `pail`.
    pub fn bucket(
        script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
        change: impl FnOnce(&mut Behaviour),
    ) -> Self {
        Self::of_kind(OriginKind::Bucket, script, change, Limits::default())
    }

    fn of_kind(
        kind: OriginKind,
        script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static,
        change: impl FnOnce(&mut Behaviour),
        limits: Limits,
    ) -> Self {
        let origin = Scripted::start(script);
        // Ahead of no date that an origin could send by itself: tests send none.
        let clock = Clock::fixed(Timestamp::from_seconds(1_800_000_000));
        let cache = Cache::open(CacheOptions { memory: 64 << 20, disk: None }, clock.clone()).unwrap();
        let location: Location = origin.url().parse().unwrap();
        let of_bucket = Kind::Bucket {
            name: BucketName::parse("pail").unwrap(),
            signing: Signing { region: "us-east-1".to_owned(), credentials: credentials() },
        };
        let of_origin = if kind == OriginKind::Bucket { of_bucket } else { Kind::Http };
        let settings = Settings { primary: Origin::at(location, of_origin), failover: None };
        let mut behaviour = behaviour();
        change(&mut behaviour);
        let site = Site {
            id: SiteId::new("site"),
            hosts: vec![HostPattern::Any],
            mode: Mode::Normal,
            kind,
            origin_headers: vec![(
                http::HeaderName::from_static("x-origin-secret"),
                http::HeaderValue::from_static("of the site"),
            )],
            origins: Arc::new(Origins::new(&settings, &clock).unwrap()),
            behaviours: vec![Arc::new(behaviour)],
        };
        let parts = Parts { cache, clock: clock.clone(), feed: None, limits, name: "edge-1".into() };
        Self { engine: Engine::new(parts), site: Arc::new(site), origin, clock }
    }

    /// The same, where the edge follows a feed.
    pub fn fed_by(mut self, feed: &Arc<FeedState>) -> Self {
        let (cache, clock, feed) = (Arc::clone(self.engine.cache()), self.clock.clone(), Some(Arc::clone(feed)));
        self.engine = Engine::new(Parts { cache, clock, feed, limits: Limits::default(), name: "edge-1".into() });
        self
    }

    /// Asks, and gives the answer when its head is there.
    pub fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> impl Future<Output = Answer> + use<> {
        let mut request = Request::new(empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let (engine, site) = (self.engine.clone(), Arc::clone(&self.site));
        async move {
            let viewer = Viewer {
                address: "192.0.2.1".parse().unwrap(),
                secure: false,
                host: Arc::from("www.example.com"),
                edge: false,
            };
            let behaviour = Arc::clone(site.behaviour(request.uri().path()));
            engine.answer(&site, &behaviour, &viewer, request).await
        }
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        read(self.ask(Method::GET, path, headers).await).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Got {
        self.get_with(path, &[]).await
    }

    /// Has a client ask, in a task of its own, and waits until it waits for the origin.
    pub async fn begin(&self, path: &str, headers: &[(&str, &str)]) -> tokio::task::JoinHandle<Answer> {
        let task = tokio::spawn(self.ask(Method::GET, path, headers));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        task
    }

    /// Waits until the origin has seen so many requests.
    pub async fn until_seen(&self, count: usize) {
        until(|| self.origin.seen().len() >= count).await;
        assert_eq!(self.origin.seen().len(), count);
    }

    pub async fn purge(&self, what: What, soft: bool) {
        let scope = Scope::Site(SiteId::new("site"));
        self.engine.purge(&[Purge { scope, what, soft }]).await.unwrap();
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn requests(&self) -> usize {
        self.origin.seen().len()
    }
}

impl Got {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn found(&self) -> Found {
        self.outcome.result
    }
}

/// A behaviour that follows the origin's headers alone.
pub fn behaviour() -> Behaviour {
    Behaviour {
        path: PathPattern::every(),
        methods: None,
        access: Access::default(),
        cached: Cached {
            enabled: true,
            ttl: TtlPolicy::default(),
            errors: ErrorTtls::default(),
            honour_requests: false,
            store_set_cookie: false,
            slices: true,
        },
        key: KeyPolicy::verbatim(),
        compression: Compression::default(),
        pages: Pages::default(),
        headers: ResponsePolicy::default(),
        tag_headers: Vec::new(),
        presigned: Presigned::Refuse,
        bucket_query: Vec::new(),
        cache_status: true,
    }
}

/// Reads an answer to its end.
pub async fn read(answer: Answer) -> Result<Got, BodyError> {
    let (parts, body) = answer.response.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    Ok(Got { status: parts.status, headers: parts.headers, body, outcome: answer.outcome })
}

/// The next piece of a body.
pub async fn next(body: &mut Body) -> Option<Result<Bytes, BodyError>> {
    body.frame().await.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
}

/// Waits until something holds that other threads bring about.
pub async fn until(holds: impl Fn() -> bool) {
    for _ in 0..5000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never came about");
}

/// Bytes that differ from place to place.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ (at / 1021) as u8).collect()
}

fn credentials() -> Credentials {
    Credentials { access_key: "AKID".to_owned(), secret_key: "secret".to_owned().into(), session_token: None }
}
