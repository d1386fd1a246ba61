//! A request in the engine's terms, and what an origin is asked for it.

use std::ops::Range;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, COOKIE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};

use super::Engine;
use super::answer::Viewer;
use super::failure::Failure;
use crate::clock::Timestamp;
use crate::edge::cache::{Sequence, Variation};
use crate::edge::origin::{OriginBody, ViewerFacts, empty};
use crate::edge::rules::bucket_request::{self, bucket_request};
use crate::edge::rules::compress::Compression;
use crate::edge::rules::conditional;
use crate::edge::rules::directives::RequestDirectives;
use crate::edge::rules::hygiene::{self, Hop};
use crate::edge::rules::key::{self, KeyPolicy, PrimaryKey, Selection, Target};
use crate::edge::rules::store::SetCookies;
use crate::edge::rules::update;
use crate::edge::rules::vary::{Vary, normal_accept_encoding};
use crate::edge::site::{Behaviour, OriginKind, Site};

/// A GET or HEAD that is looked up.
pub(super) struct Ask {
    pub site: Arc<Site>,
    pub behaviour: Arc<Behaviour>,
    pub viewer: Viewer,
    pub method: Method,
    pub version: Version,
    pub headers: HeaderMap,
    /// What the origin is asked for: of the request's path and query what the key has.
    pub target: PathAndQuery,
    pub key: PrimaryKey,
    /// What the client says to caches, where the behaviour lets that count.
    pub directives: RequestDirectives,
    pub arrived: Timestamp,
    /// The last purge when the request arrived.
    pub sequence: Sequence,
}

impl Ask {
    pub fn new(
        engine: &Engine,
        site: &Arc<Site>,
        behaviour: &Arc<Behaviour>,
        viewer: &Viewer,
        mut parts: Parts,
    ) -> Result<Self, Failure> {
        update::remove_connection_named(&mut parts.headers);
        let (key, target) = identify(site, behaviour, viewer, &parts)?;
        let directives = match behaviour.cached.honour_requests {
            true => RequestDirectives::parse(&parts.headers),
            false => RequestDirectives::default(),
        };
        Ok(Self {
            site: Arc::clone(site),
            behaviour: Arc::clone(behaviour),
            viewer: viewer.clone(),
            method: parts.method,
            version: parts.version,
            headers: parts.headers,
            target,
            key,
            directives,
            arrived: engine.0.clock.now(),
            sequence: engine.0.cache.sequence(),
        })
    }

    /// How a response with this `vary` is chosen for requests like this one.
    pub fn variation(&self, vary: Vary) -> Variation {
        Variation::of(vary, &self.headers, true)
    }

    /// The value of the request's `Range`, where it has one.
    pub fn range(&self) -> Option<&str> {
        self.headers.get(RANGE).and_then(|value| value.to_str().ok())
    }

    /// Whether answers are compressed here.
    pub fn compresses(&self) -> bool {
        self.behaviour.compression != Compression::default()
    }

    pub fn facts(&self) -> ViewerFacts<'_> {
        ViewerFacts { host: &self.viewer.host, secure: self.viewer.secure, feed: None }
    }

    /// What becomes of answers that set cookies.
    pub fn set_cookies(&self) -> SetCookies {
        if self.behaviour.cached.store_set_cookie { SetCookies::Store } else { SetCookies::WhereShared }
    }

    /// The request that fetches what is to be stored: without the client's conditions and range. `validate` are the stored
    /// fields of a response that the origin is to confirm; `part` are the bytes that it is to send, those of the
    /// representation with this entity tag where one is named.
    pub fn to_origin(
        &self,
        engine: &Engine,
        validate: Option<&HeaderMap>,
        part: Option<(&Range<u64>, Option<&str>)>,
    ) -> Request<OriginBody> {
        let mut headers = hygiene::to_origin(&self.headers, &hop(engine, &self.viewer, self.version, false));
        conditional::remove_conditions(&mut headers);
        self.fit_to_key(&mut headers);
        self.site.add_origin_headers(&mut headers);
        if let Some(stored) = validate {
            update::ask_to_validate(stored, &mut headers);
        }
        if let Some((bytes, tag)) = part {
            let range = format!("bytes={}-{}", bytes.start, bytes.end.saturating_sub(1));
            headers.insert(RANGE, HeaderValue::try_from(range).expect("digits and a hyphen are visible ASCII"));
            if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
                headers.insert(IF_RANGE, tag);
            }
        }
        let mut request = Request::new(empty());
        *request.uri_mut() = Uri::from(self.target.clone());
        *request.headers_mut() = headers;
        request
    }

    /// Shows the origin of cookies and codings what is in the key, so that nobody is answered by what another one sent.
    fn fit_to_key(&self, headers: &mut HeaderMap) {
        if self.site.kind == OriginKind::Bucket {
            bucket_request::remove_unsigned(headers);
            return;
        }
        if matches!(self.behaviour.key.cookies, Selection::Listed(_) | Selection::AllBut(_)) {
            let cookies = key::forwarded_cookies(&self.behaviour.key, &self.headers);
            headers.remove(COOKIE);
            headers.extend(cookies.map(|cookies| (COOKIE, cookies)));
        }
        // Everybody who means the same gets the same variant.
        let codings = normal_accept_encoding(&self.headers);
        headers.remove(ACCEPT_ENCODING);
        if !codings.is_empty() {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(codings));
        }
    }
}

/// Who this edge is, and for whom it asks.
pub(super) fn hop<'r>(engine: &'r Engine, viewer: &'r Viewer, version: Version, upgrade: bool) -> Hop<'r> {
    Hop { client: viewer.address, secure: viewer.secure, host: &viewer.host, version, id: &engine.0.name, upgrade }
}

/// Gives the key of a request, and the path and query that its origin is to be asked for.
fn identify(
    site: &Site,
    behaviour: &Behaviour,
    viewer: &Viewer,
    parts: &Parts,
) -> Result<(PrimaryKey, PathAndQuery), Failure> {
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let mut target = Target { secure: viewer.secure, host: &viewer.host, path, query };
    if site.kind == OriginKind::Bucket {
        let asked = bucket_request(&parts.method, &target, &parts.headers, &behaviour.bucket_query)?;
        let Some(query) = asked.query else {
            target.query = None;
            return Ok((key::primary(&behaviour.key, &target, &parts.headers), path_and_query(path, None)?));
        };
        // What a bucket is asked changes its answer, so it counts whatever the policy says of queries.
        let policy = KeyPolicy { query: Selection::All, ..behaviour.key.clone() };
        target.query = Some(&query);
        return Ok((key::primary(&policy, &target, &parts.headers), path_and_query(path, Some(&query))?));
    }
    let key = key::primary(&behaviour.key, &target, &parts.headers);
    if let (Selection::All, false, Some(target)) =
        (&behaviour.key.query, behaviour.key.sort_query, parts.uri.path_and_query())
    {
        return Ok((key, target.clone()));
    }
    let query = key::forwarded_query(&behaviour.key, query);
    Ok((key, path_and_query(path, query.as_deref())?))
}

pub(super) fn path_and_query(path: &str, query: Option<&str>) -> Result<PathAndQuery, Failure> {
    let text = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    PathAndQuery::try_from(text).map_err(|_| Failure::Target)
}
