//! Why an origin gave no answer, or no whole one.

use std::time::Duration;

use http::StatusCode;

use super::sent::BoxError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("no connection to the origin comes about")]
    Connect(#[source] BoxError),
    #[error("no connection to the origin comes about in time")]
    ConnectSlow,
    #[error("the origin did not answer within {0:?}")]
    Slow(Duration),
    #[error("the connection to the origin broke before it answered")]
    Broken(#[source] BoxError),
    #[error("the head of the origin's answer is too long")]
    HeadTooLong,
    #[error("what the origin sent is no answer of HTTP")]
    Garbage(#[source] BoxError),
    #[error("too many requests are at the origin")]
    Busy,
    #[error("the origin could not be reached again and again, and is left alone for a moment")]
    Suspended,
    #[error("the body of the request broke off")]
    Upload,
    #[error("the request cannot be sent to this origin")]
    Request(#[source] BoxError),
}

impl FetchError {
    /// What a viewer is answered where nothing better is known: RFC 9110 sections 15.5.1 and 15.6.3 to 15.6.5.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Connect(_) | Self::Broken(_) | Self::HeadTooLong | Self::Garbage(_) => StatusCode::BAD_GATEWAY,
            Self::ConnectSlow | Self::Slow(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy | Self::Suspended => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upload | Self::Request(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether another origin may do better, and a stale answer is better than none: not where the viewer's own request is
    /// what failed.
    pub fn is_the_origins(&self) -> bool {
        !matches!(self, Self::Upload | Self::Request(_))
    }

    /// Whether the origin cannot be reached: unlike all that goes wrong on a connection, this does not depend on what it was
    /// asked.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::ConnectSlow)
    }

    /// Whether the request came to nothing before the origin had a part in it.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Busy | Self::Suspended | Self::Upload | Self::Request(_))
    }
}

/// Why an answer's body ended before its end. What was received must not be taken for the whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the connection to the origin broke within the body")]
    Broken(#[source] BoxError),
    #[error("the origin sent nothing for {0:?} within the body")]
    Slow(Duration),
}
