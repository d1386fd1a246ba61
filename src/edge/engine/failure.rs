//! What the edge answers where it has nothing of an origin's to send.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};

use super::answer::{Answer, Found, Outcome};
use super::body::Body;
use crate::edge::origin::FetchError;
use crate::edge::rules::bucket_request::Refusal;
use crate::edge::rules::cache_status::{CacheStatus, Forward};

/// Why there is no answer of an origin's. Clones share the cause.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    #[error("the origin cannot be asked")]
    Fetch(#[source] Arc<FetchError>),
    #[error("the origin answered {0}, and what is stored is sent in its place")]
    Answered(StatusCode),
    #[error("the origin's answer is not one to this request")]
    Nonsense,
    #[error("the fetch ended early")]
    Lost,
    #[error("the request came through this edge before")]
    Loop,
    #[error("the client wants only what is stored, and nothing is")]
    OnlyIfCached,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the path cannot be asked for")]
    Target,
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Fetch(Arc::new(error))
    }
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::Fetch(error) => error.status(),
            Self::Answered(_) | Self::Nonsense | Self::Lost => StatusCode::BAD_GATEWAY,
            // RFC 8586 section 2 leaves the status open; RFC 5842 section 7.2 has the one for it.
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
            Self::Refused(refusal) => refusal.status(),
            Self::Target => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether what failed is the origin, so that a stale response is better than none.
    pub fn is_the_origins(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_the_origins(),
            Self::Answered(_) | Self::Nonsense | Self::Lost => true,
            Self::Loop | Self::OnlyIfCached | Self::Refused(_) | Self::Target => false,
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Self::Fetch(_) | Self::Answered(_) | Self::Nonsense | Self::Lost => "origin-failed",
            Self::Loop => "loop",
            Self::OnlyIfCached => "only-if-cached",
            Self::Refused(_) | Self::Target => "refused",
        }
    }

    /// The answer. What happened goes to the log; the client learns the status.
    pub fn answer(&self, method: &Method, why: Option<Forward>, mut outcome: Outcome) -> Answer {
        let status = self.status();
        match self {
            // Those that follow from failures, which were told.
            Self::Fetch(error) if matches!(**error, FetchError::Suspended) => {
                tracing::debug!(%error, "an origin is left alone");
            }
            Self::Fetch(error) => tracing::warn!(error = %Chain(error.as_ref()), "an origin failed"),
            other => tracing::debug!(error = %other, "a request was not answered"),
        }
        outcome.result = Found::Error;
        let text = format!("{} {}\n", status.as_str(), status.canonical_reason().unwrap_or_default());
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let said = why.map_or_else(CacheStatus::default, CacheStatus::forward).detail(self.detail());
        if why.is_some() {
            said.append_to(headers);
        }
        if method != Method::HEAD {
            *response.body_mut() = Body::whole(Bytes::from(text));
        }
        Answer { response, outcome }
    }
}

/// An error with its causes, for one line of a log.
struct Chain<'e>(&'e (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
