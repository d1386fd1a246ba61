//! Why a request came to nothing, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong. Messages end with what to do, where that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Settings(String),
    #[error("{endpoint} cannot be reached: is a server running there? --endpoint-url names another")]
    Unreachable {
        endpoint: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("no secure connection to {endpoint} comes about: --ca-bundle names the authorities to trust")]
    Insecure {
        endpoint: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("the connection to {endpoint} broke")]
    Broken {
        endpoint: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("{endpoint} did not answer within {time:?}")]
    Slow { endpoint: String, time: Duration },
    #[error(transparent)]
    Service(Box<ServiceError>),
    #[error("{what} is not an answer of S3: is the endpoint right?")]
    Answer {
        what: String,
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    #[error("more than {most} objects are below {prefix}")]
    TooMany { most: usize, prefix: String },
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
    #[error("{}: cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} changed while it was uploaded", .0.display())]
    Changed(PathBuf),
    #[error("the request cannot be put together")]
    Request(#[source] Box<dyn StdError + Send + Sync>),
}

/// An error that the service answered.
#[derive(Debug)]
pub struct ServiceError {
    /// S3's name of what was asked for.
    pub operation: &'static str,
    /// The bucket, and the key if there is one.
    pub target: String,
    pub status: u16,
    /// S3's code; made of the status where the answer has no body.
    pub code: String,
    pub message: String,
}

impl Error {
    /// Whether the same request may succeed a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Slow { .. } => true,
            Self::Service(error) => {
                matches!(error.status, 408 | 429 | 500 | 502 | 503 | 504) || error.code == "ConditionalRequestConflict"
            }
            _ => false,
        }
    }

    /// The service's answer, where it is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the service says that the key may not do this.
    pub fn is_denied(&self) -> bool {
        self.service().is_some_and(|error| error.status == 403 && ["AccessDenied", "Forbidden"].contains(&&*error.code))
    }
}

impl ServiceError {
    fn advice(&self) -> Option<&'static str> {
        Some(match self.code.as_str() {
            "AccessDenied" | "Forbidden" => "the key lacks a permission for it",
            "InvalidAccessKeyId" => "the server does not know this key: --profile or AWS_ACCESS_KEY_ID names another",
            "SignatureDoesNotMatch" => "the secret key does not belong to the access key",
            "ExpiredToken" => "the temporary credentials have expired: get new ones",
            "RequestTimeTooSkewed" => "set this machine's clock",
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                "--region names the server's region"
            }
            "NoSuchBucket" => "`brim site init` makes the bucket",
            "SlowDown" | "ServiceUnavailable" | "InternalError" => "try again later",
            _ => return None,
        })
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} ({})", self.operation, self.target, printable(&self.code), self.status)?;
        if !self.message.is_empty() {
            write!(f, ": {}", printable(&self.message))?;
        }
        match self.advice() {
            Some(advice) => write!(f, " [{advice}]"),
            None => Ok(()),
        }
    }
}

impl StdError for ServiceError {}

/// What a service says goes to a terminal: without control characters.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str) -> Error {
        let (operation, target) = ("PutObject", "site/.brim/current".to_owned());
        let (code, message) = (code.to_owned(), "Access\u{1b} Denied".to_owned());
        Error::Service(Box::new(ServiceError { operation, target, status, code, message }))
    }

    #[test]
    fn errors_show_the_services_words_and_what_to_do() {
        assert_eq!(
            answered(403, "AccessDenied").to_string(),
            "PutObject site/.brim/current: AccessDenied (403): Access  Denied [the key lacks a permission for it]"
        );
        assert!(answered(403, "AccessDenied").is_denied() && !answered(403, "SignatureDoesNotMatch").is_denied());
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, code, passing) in [
            (503, "SlowDown", true),
            (500, "InternalError", true),
            (409, "ConditionalRequestConflict", true),
            (409, "OperationAborted", false),
            (412, "PreconditionFailed", false),
            (403, "AccessDenied", false),
            (501, "NotImplemented", false),
        ] {
            assert_eq!(answered(status, code).is_passing(), passing, "{code}");
        }
        assert!(Error::Slow { endpoint: "e".into(), time: Duration::ZERO }.is_passing());
        assert!(!Error::Changed("f".into()).is_passing());
    }
}
