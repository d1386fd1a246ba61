//! What an operator says of sites: whose hosts they are, where they come from, and how each path of them behaves.
//!
//! Everything here is made once, from the configuration, and only read while requests are answered. A reload makes new
//! sites; requests under way keep those that they began with.

mod access;
mod behaviour;
mod host;
mod path;

use std::collections::HashMap;
use std::sync::Arc;

pub use access::{Access, Rate, Secure};
pub use behaviour::{Behaviour, Cached, Presigned};
pub use host::{Authority, BadAuthority, HostPattern};
pub use path::PathPattern;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::cache::SiteId;
use super::origin::Origins;

/// One site: what a distribution is to CloudFront.
pub struct Site {
    pub id: SiteId,
    /// Which hosts are this site. At least one.
    pub hosts: Vec<HostPattern>,
    pub mode: Mode,
    /// What the origins are. A second origin is of the same kind.
    pub kind: OriginKind,
    pub origins: Arc<Origins>,
    /// What requests to origins carry in place of the client's own headers.
    pub origin_headers: Vec<(HeaderName, HeaderValue)>,
    /// In the order in which they are tried. The last matches every path.
    pub behaviours: Vec<Arc<Behaviour>>,
}

/// What origins are, and so what they may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginKind {
    /// Any server of HTTP.
    Http,
    /// A bucket: GET and HEAD of objects alone, signed by the edge.
    Bucket,
    /// A website of Brim: signed by the edge.
    Website,
}

impl OriginKind {
    /// Whether the edge signs what it asks.
    pub fn is_signed(self) -> bool {
        self != Self::Http
    }
}

/// Whether a site is served as usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    Normal,
    /// Every request goes to the origin; nothing is looked up, nothing is stored.
    Bypass,
    /// Every request is answered 503, with this page.
    Maintenance(Arc<Maintenance>),
}

/// What is said while a site is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    pub page: bytes::Bytes,
    pub content_type: http::HeaderValue,
    /// `Retry-After`, in seconds.
    pub retry_after: u32,
}

impl Site {
    /// Puts the headers of this site's origins in a request to one. To be called last: no header of the client's takes them away.
    pub fn add_origin_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.origin_headers {
            headers.insert(name, value.clone());
        }
    }

    /// The first behaviour whose pattern matches `path`, as it was sent.
    pub fn behaviour(&self, path: &str) -> &Arc<Behaviour> {
        &self.behaviours[self.place(path)]
    }

    /// Where that behaviour is among the site's.
    pub fn place(&self, path: &str) -> usize {
        let last = self.behaviours.len() - 1;
        if last == 0 {
            return 0;
        }
        let path = path::comparable(path);
        self.behaviours.iter().position(|behaviour| behaviour.path.matches(&path)).unwrap_or(last)
    }
}

/// All sites, found by host. `S` is a site, or something that belongs to one.
pub struct Sites<S = Arc<Site>> {
    exact: HashMap<Box<str>, S>,
    /// By what follows `*.`.
    below: HashMap<Box<str>, S>,
    any: Option<S>,
    all: Vec<S>,
    site: fn(&S) -> &Site,
}

impl<S: Clone> Sites<S> {
    /// Makes the table. A host that two sites claim is the first one's: the configuration refuses that before. `site` gives
    /// the site that something belongs to.
    pub fn new(all: Vec<S>, site: fn(&S) -> &Site) -> Self {
        let (mut exact, mut below, mut any) = (HashMap::new(), HashMap::new(), None);
        for one in &all {
            for host in &site(one).hosts {
                let one = one.clone();
                match host {
                    HostPattern::Exact(name) => drop(exact.entry(name.as_str().into()).or_insert(one)),
                    HostPattern::Below(name) => drop(below.entry(name.as_str().into()).or_insert(one)),
                    HostPattern::Any => drop(any.get_or_insert(one)),
                }
            }
        }
        Self { exact, below, any, all, site }
    }

    /// Whose `host` is: in lower case, without port. The exact name counts first, then the longest `*.` above it, then `*`.
    pub fn of_host(&self, host: &str) -> Option<&S> {
        if let Some(site) = self.exact.get(host) {
            return Some(site);
        }
        if !self.below.is_empty() {
            let mut rest = host;
            while let Some((_, parent)) = rest.split_once('.') {
                if let Some(site) = self.below.get(parent) {
                    return Some(site);
                }
                rest = parent;
            }
        }
        self.any.as_ref()
    }

    pub fn of_id(&self, id: &str) -> Option<&S> {
        self.all.iter().find(|one| (self.site)(one).id.as_str() == id)
    }

    pub fn all(&self) -> &[S] {
        &self.all
    }
}
