//! The origins of a site: the first, and the one that is asked when it fails.

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::endpoint::{Answer, Endpoint, is_repeatable};
use super::error::FetchError;
use super::received::Received;
use super::sent::OriginBody;
use super::settings::{Settings, SettingsError};
use super::tunnel::{Switched, switched};
use crate::clock::{Clock, Timestamp};
use crate::feed::FeedState;

/// Where the answers of a site come from. Keeps connections; to be shared.
pub struct Origins {
    primary: Endpoint,
    failover: Option<(Endpoint, Vec<StatusCode>)>,
}

/// What origins may have to know of who asked.
#[derive(Debug, Clone, Copy)]
pub struct ViewerFacts<'v> {
    /// The host that was asked for, with its port where one was named.
    pub host: &'v str,
    /// Whether it was asked over TLS.
    pub secure: bool,
    /// What the edge follows, if it does: origins are told by whom, so that they say what their answers depend on.
    pub feed: Option<&'v FeedState>,
}

/// Which origin answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Primary,
    Failover,
}

/// An answer, its body yet to come.
pub struct Fetched {
    pub response: Response<Received>,
    /// When the request that was answered was sent: RFC 9111 section 4.2.3.
    pub request_time: Timestamp,
    /// When the head of the answer was there.
    pub response_time: Timestamp,
    pub which: Which,
    /// Whether the origin was told who follows the feed, and is one that may say what its answers depend on.
    pub fed: bool,
    /// Whether the feed is to tell of what the origin answers: it is a bucket or a website, or the shield that gives the feed.
    pub watched: bool,
}

/// What came of asking for another protocol.
pub enum Upgrade {
    /// The origin goes over to it.
    Switched(Switched),
    /// It answers as it would any request.
    Refused(Fetched),
}

impl Origins {
    /// Reads the files that the settings name; blocks. Nothing is sent.
    pub fn new(settings: &Settings, clock: &Clock) -> Result<Self, SettingsError> {
        let primary = Endpoint::new(&settings.primary, clock.clone())?;
        let failover = match &settings.failover {
            Some(failover) => Some((Endpoint::new(&failover.origin, clock.clone())?, failover.statuses.clone())),
            None => None,
        };
        Ok(Self { primary, failover })
    }

    /// Asks the first origin and, where it fails a request that may be sent again, the second. The target's scheme and
    /// authority say nothing; headers go as they are but for those of the connection, `Host`, and what is signed.
    ///
    /// Waits no longer for each origin than its limits say. An answer of the first origin that counts as a failure is given
    /// where the second gives none at all.
    pub async fn fetch(&self, request: Request<OriginBody>, viewer: &ViewerFacts<'_>) -> Result<Fetched, FetchError> {
        let (head, body) = request.into_parts();
        let repeatable = is_repeatable(&head.method, &body);
        let first = self.primary.ask(&head, body, viewer).await;
        let first = first.map(|answer| answer.fetched(Which::Primary, &self.primary));
        match &self.failover {
            Some((endpoint, statuses)) if repeatable && has_failed(&first, statuses) => {
                fail_over(first, endpoint, &head, viewer).await
            }
            _ => first,
        }
    }

    /// Asks the first origin for the protocol that `request` names in `Upgrade`. Sent once, without a body.
    pub async fn upgrade<B>(&self, request: Request<B>, viewer: &ViewerFacts<'_>) -> Result<Upgrade, FetchError> {
        let (head, _) = request.into_parts();
        let answer = self.primary.ask_upgrade(&head, viewer).await?;
        if answer.response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Upgrade::Refused(answer.fetched(Which::Primary, &self.primary)));
        }
        Ok(Upgrade::Switched(switched(answer, self.primary.limits()).await?))
    }

    /// Which origins could not be reached so often that they are left alone for a moment.
    pub fn suspended(&self) -> impl Iterator<Item = Which> {
        let failover = self.failover.iter().map(|(endpoint, _)| (endpoint, Which::Failover));
        let all = std::iter::once((&self.primary, Which::Primary)).chain(failover);
        all.filter(|(endpoint, _)| endpoint.is_suspended()).map(|(_, which)| which)
    }
}

async fn fail_over(
    first: Result<Fetched, FetchError>,
    endpoint: &Endpoint,
    head: &Parts,
    viewer: &ViewerFacts<'_>,
) -> Result<Fetched, FetchError> {
    match (endpoint.ask(head, super::sent::empty(), viewer).await, first) {
        (Ok(answer), _) => Ok(answer.fetched(Which::Failover, endpoint)),
        (Err(_), Ok(first)) => Ok(first),
        (Err(second), Err(_)) => Err(second),
    }
}

/// Whether the second origin is to be asked.
fn has_failed(first: &Result<Fetched, FetchError>, statuses: &[StatusCode]) -> bool {
    match first {
        Ok(fetched) => statuses.contains(&fetched.response.status()),
        Err(error) => error.is_the_origins(),
    }
}

impl Answer {
    fn fetched(self, which: Which, endpoint: &Endpoint) -> Fetched {
        let Self { response, place, request_time, response_time, fed, watched } = self;
        let silence = endpoint.limits().between_bytes;
        let response = response.map(|body: Incoming| Received::new(body, silence, place));
        Fetched { response, request_time, response_time, which, fed, watched }
    }
}
