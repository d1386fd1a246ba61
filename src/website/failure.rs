//! Why a website has no file to give, in S3's words; and other layers' errors in them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CustomErrorDocSupport.html>

use std::borrow::Cow;
use std::error::Error;

use crate::transport::{error_codes, sentence};
use crate::{auth, guard, identity, store};

error_codes! {
    /// A code that error pages name.
    AccessDenied 403 "Access Denied"
    AuthorizationHeaderMalformed 400 "The authorization header you provided is invalid."
    AuthorizationQueryParametersError 400 "Error parsing the X-Amz-Credential parameter."
    ExpiredToken 400 "The provided token has expired."
    InternalError 500 "We encountered an internal error. Please try again."
    InvalidAccessKeyId 403 "The AWS Access Key Id you provided does not exist in our records."
    InvalidRange 416 "The requested range is not satisfiable"
    InvalidRequest 400 "Invalid Request"
    InvalidToken 400 "The provided token is malformed or otherwise invalid."
    InvalidURI 400 "Couldn't parse the specified URI."
    KeyTooLongError 400 "Your key is too long"
    MethodNotAllowed 405 "The specified method is not allowed against this resource."
    NoSuchBucket 404 "The specified bucket does not exist"
    NoSuchKey 404 "The specified key does not exist."
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration"
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold"
    RequestHeaderSectionTooLarge 400 "Your request header section exceeds the maximum allowed size."
    RequestTimeTooSkewed 403 "The difference between the request time and the current time is too large."
    ServiceUnavailable 503 "Please reduce your request rate."
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    SlowDown 503 "Please reduce your request rate."
    Unauthorized 401 "This site asks for a user and a password."
}

/// A failure as an error page tells it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", .code.as_str())]
pub struct Failure {
    pub code: Code,
    pub message: Cow<'static, str>,
    /// Further lines of the page, in order.
    pub details: Vec<(&'static str, String)>,
    /// Headers that the answer has besides.
    pub headers: Vec<(&'static str, String)>,
    /// What caused it: for the log, never shown.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with the code's own message.
    pub const fn new(code: Code) -> Self {
        Self { code, message: Cow::Borrowed(code.message()), details: Vec::new(), headers: Vec::new(), source: None }
    }

    /// A failure with a message of its own, which everyone reads: nothing internal.
    pub fn with_message(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::new(code) }
    }

    /// A failure of the server itself. The cause goes to the log.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(cause)), ..Self::new(Code::InternalError) }
    }

    /// There is no file of this name.
    pub fn missing(key: &str) -> Self {
        Self::new(Code::NoSuchKey).detail("Key", key)
    }

    pub fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// Whether a site may have something else to say to it: its own document, or a redirect.
    pub fn is_clients(&self) -> bool {
        (400..500).contains(&self.status())
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        match error {
            E::NoSuchBucket(ref bucket) => Self::new(Code::NoSuchBucket).detail("BucketName", bucket.as_str()),
            E::NoSuchKey(ref key) | E::DeleteMarker { ref key, .. } => Self::missing(key.as_str()),
            E::Contended => Self::new(Code::SlowDown),
            E::Stopped(_) => Self { source: Some(Box::new(error)), ..Self::new(Code::ServiceUnavailable) },
            other => Self::internal(other),
        }
    }
}

impl From<guard::Error> for Failure {
    fn from(error: guard::Error) -> Self {
        match error {
            guard::Error::Store(error) => error.into(),
            damaged @ guard::Error::Document(..) => Self::internal(damaged),
        }
    }
}

impl From<identity::Error> for Failure {
    fn from(error: identity::Error) -> Self {
        match error {
            identity::Error::InvalidToken => Self::new(Code::InvalidToken),
            identity::Error::ExpiredToken => Self::new(Code::ExpiredToken),
            other => Self::internal(other),
        }
    }
}

impl From<auth::Error> for Failure {
    fn from(error: auth::Error) -> Self {
        use auth::Error as E;
        let message = sentence(&error.to_string());
        let code = match error {
            E::SignatureDoesNotMatch(_) => return Self::new(Code::SignatureDoesNotMatch),
            E::TooSkewed { .. } => return Self::new(Code::RequestTimeTooSkewed),
            E::HeaderMalformed(_) | E::WrongRegion { presigned: false, .. } => Code::AuthorizationHeaderMalformed,
            E::QueryMalformed(_) | E::WrongRegion { presigned: true, .. } => Code::AuthorizationQueryParametersError,
            E::Undated
            | E::QueryIncomplete
            | E::InvalidExpires(_)
            | E::HeadersNotSigned(_)
            | E::NotYetValid { .. }
            | E::Expired { .. }
            | E::UnsignedSeed => Code::AccessDenied,
            _ => Code::InvalidRequest,
        };
        Self::with_message(code, message)
    }
}
