//! Why a stream is refused.

use serde::Serialize;

use super::LISTEN_BUCKET;
use crate::auth;
use crate::events::stream::{Full, InvalidPattern, NotJudged};
use crate::feed::InvalidPosition;
use crate::guard::NotSigned;
use crate::http::head::InvalidHeader;
use crate::store;
use crate::transport::sentence;

/// A refusal: what the client is told, and what the log is.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("the parameter {0} is not known: a stream takes bucket, prefix, suffix, events and after")]
    Parameter(String),
    #[error("{0} is not the name of a bucket")]
    Bucket(String),
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    #[error(transparent)]
    Position(#[from] InvalidPosition),
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    #[error("{principal} is not allowed {action} on {resource}")]
    Denied { principal: String, action: &'static str, resource: String },
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    NotJudged(#[from] NotJudged),
    #[error(transparent)]
    Store(#[from] store::Error),
}

#[derive(Serialize)]
pub struct Document {
    code: &'static str,
    message: String,
}

impl Refusal {
    /// The status and the code of the answer.
    pub fn code(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) | Self::Parameter(_) | Self::Bucket(_) => (400, "InvalidRequest"),
            Self::Pattern(_) | Self::Position(_) | Self::Header(_) => (400, "InvalidRequest"),
            Self::Denied { .. } => (403, "AccessDenied"),
            Self::NotSigned(NotSigned::UnknownKey) => (403, "InvalidAccessKeyId"),
            Self::NotSigned(NotSigned::Auth(auth::Error::TooSkewed { .. })) => (403, "RequestTimeTooSkewed"),
            Self::NotSigned(NotSigned::Auth(_)) => (403, "SignatureDoesNotMatch"),
            Self::Store(store::Error::NoSuchBucket(_)) => (404, "NoSuchBucket"),
            Self::Full(_) => (503, "SlowDown"),
            Self::NotSigned(NotSigned::Identity(_)) | Self::NotJudged(_) | Self::Store(_) => (500, "InternalError"),
        }
    }

    /// What the client is told: nothing of what went wrong within.
    pub fn document(&self) -> Document {
        let (status, code) = self.code();
        let message =
            if status == 500 { "Something went wrong within the server.".into() } else { sentence(&self.to_string()) };
        Document { code, message }
    }

    /// The caller may not listen to what he asks for.
    pub fn denied(caller: &crate::access::Caller, bucket: Option<&crate::names::BucketName>) -> Self {
        let principal = caller.principal.arn().unwrap_or_default();
        match bucket {
            Some(bucket) => {
                Self::Denied { principal, action: LISTEN_BUCKET, resource: format!("arn:aws:s3:::{bucket}") }
            }
            None => Self::Denied { principal, action: super::LISTEN, resource: "arn:aws:s3:::*".to_owned() },
        }
    }
}
