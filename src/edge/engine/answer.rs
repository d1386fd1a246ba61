//! What the engine is asked, and what it says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::body::Body;

/// Who asks, and for which host.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The client's own address, after trusted proxies were taken into account.
    pub address: IpAddr,
    /// Whether the client came over TLS.
    pub secure: bool,
    /// The host in its one form: lower case, without the port where that is the protocol's own.
    pub host: Arc<str>,
    /// An edge that reads the feed here: it is told what answers depend on.
    pub edge: bool,
}

/// An answer on its way to a client, before the response header policy of its behaviour.
#[derive(Debug)]
pub struct Answer {
    pub response: http::Response<Body>,
    pub outcome: Outcome,
}

/// How an answer came about, for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub result: Found,
    /// Whether it came with a fetch that another request had begun.
    pub collapsed: bool,
    /// What the origin did for it, where it was asked.
    pub origin: Option<OriginPart>,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// Stored and fresh.
    Hit,
    /// Stored and stale: it is fetched anew meanwhile, or the origin failed.
    StaleHit,
    /// Stored, and the origin said that it is still right.
    RefreshHit,
    /// Fetched: nothing that could be used was stored.
    Miss,
    /// Fetched: the request, or what the site is set to, has nothing looked up.
    Pass,
    /// The edge's own answer to a request that cannot be answered: the origin failed, or it may not be asked this.
    Error,
}

/// What an origin answered, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginPart {
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// `None` where there was none.
    pub status: Option<StatusCode>,
}

impl OriginPart {
    /// Of an origin that did not answer.
    pub(super) const NONE: Self = Self { first_byte: Duration::ZERO, status: None };
}

impl Outcome {
    /// An outcome in which no origin had a part.
    pub const fn of(result: Found) -> Self {
        Self { result, collapsed: false, origin: None }
    }
}

impl Found {
    /// The word for it in logs and as a metric's label: those of CloudFront's `x-edge-result-type` in lower case, and some more.
    ///
    /// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html>
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::StaleHit => "stalehit",
            Self::RefreshHit => "refreshhit",
            Self::Miss => "miss",
            Self::Pass => "pass",
            Self::Error => "error",
        }
    }
}
