//! Why a request of an edge is refused.

use super::MAX_EDGES_OF_ACCOUNT;
use crate::auth;
use crate::feed::{Full, InvalidItem, Refused};
use crate::guard::NotSigned;
use crate::http::head::InvalidHeader;
use crate::store::{self, distributions};
use crate::transport::sentence;
use crate::transport::whole::NotRead;

/// A refusal: what the edge is told, and what the log is.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("this is not a document of the feed: {0}")]
    Malformed(String),
    #[error("this server speaks version {} of the feed", crate::feed::VERSION)]
    Version,
    #[error(transparent)]
    Item(#[from] InvalidItem),
    #[error("an edge of another account goes by this name and run")]
    NotYours,
    #[error("the account has {MAX_EDGES_OF_ACCOUNT} live edges already")]
    TooManyEdges,
    #[error("{principal} is not allowed {action} on {resource}")]
    Denied { principal: String, action: &'static str, resource: String },
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    #[error(transparent)]
    NotRead(#[from] NotRead),
    #[error(transparent)]
    Full(#[from] Full),
    #[error("the server stops")]
    Stopping,
    #[error(transparent)]
    Distribution(#[from] distributions::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Refusal {
    /// The status and the code of the answer.
    pub fn code(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) | Self::Item(_) | Self::Header(_) => (400, "InvalidRequest"),
            Self::Version => (400, "UnknownVersion"),
            Self::Denied { .. } | Self::NotYours => (403, "AccessDenied"),
            Self::NotSigned(NotSigned::UnknownKey) => (403, "InvalidAccessKeyId"),
            Self::NotSigned(NotSigned::Auth(auth::Error::TooSkewed { .. })) => (403, "RequestTimeTooSkewed"),
            Self::NotSigned(NotSigned::Auth(_)) => (403, "SignatureDoesNotMatch"),
            Self::NotRead(NotRead::TooLarge) => (413, "TooLarge"),
            Self::NotRead(NotRead::Late | NotRead::Incomplete(_)) => (400, "IncompleteBody"),
            Self::NotRead(NotRead::NoRoom(_)) | Self::Full(_) | Self::TooManyEdges | Self::Stopping => {
                (503, "SlowDown")
            }
            Self::NotSigned(NotSigned::Identity(_)) | Self::Distribution(_) | Self::Store(_) => (500, "InternalError"),
        }
    }

    /// What the edge is told: nothing of what went wrong within.
    pub fn document(&self) -> Refused {
        let (status, code) = self.code();
        let message =
            if status == 500 { "Something went wrong within the server.".into() } else { sentence(&self.to_string()) };
        Refused { code: code.to_owned(), message }
    }
}
