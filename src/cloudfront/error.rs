//! The errors of CloudFront's API, and the document that carries them.

use std::borrow::Cow;
use std::error::Error;

use crate::auth;
use crate::feed::InvalidItem;
use crate::guard::NotSigned;
use crate::http::head::InvalidHeader;
use crate::store::{self, distributions};
use crate::transport::whole::NotRead;
use crate::transport::{error_codes, sentence};
use crate::xml::Writer;
use crate::xml::read::MalformedXml;

/// The namespace of the API's documents.
pub const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";

error_codes! {
    /// A code that clients switch on.
    ///
    /// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html> and the errors of the others.
    AccessDenied 403 "Access denied."
    BatchTooLarge 413 "Invalidation batch specified is too large."
    ExpiredToken 403 "The security token included in the request is expired"
    InconsistentQuantities 400 "The value of Quantity and the size of Items don't match."
    InternalError 500 "We encountered an internal error. Please try again."
    InvalidArgument 400 "An argument is invalid."
    InvalidClientTokenId 403 "The security token included in the request is invalid."
    MalformedInput 400 "The input is malformed."
    MissingBody 400 "This operation requires a body. Ensure that the body is present and the Content-Type header is set."
    NoSuchDistribution 404 "The specified distribution does not exist."
    NoSuchInvalidation 404 "The specified invalidation does not exist."
    NotImplemented 501 "The request asks for something that is not implemented."
    RequestExpired 400 "The request has expired."
    RequestTimeout 408 "The body of the request did not come in time."
    ServiceUnavailable 503 "Service is unavailable. Please try again."
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    TooManyInvalidationsInProgress 400 "You have exceeded the maximum number of allowable InProgress invalidation batch requests, or invalidation objects."
}

/// An error as the client is told it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", .code.as_str())]
pub struct ApiError {
    pub code: Code,
    pub message: Cow<'static, str>,
    /// What caused it: for the log, never shown to the client.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error with the code's own message.
    pub const fn new(code: Code) -> Self {
        Self { code, message: Cow::Borrowed(code.message()), source: None }
    }

    /// An error with a message of its own, which the client reads: nothing internal.
    pub fn with_message(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::new(code) }
    }

    fn caused_by(code: Code, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(code) }
    }

    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// Gives the `ErrorResponse` document.
    pub fn document(&self, request_id: &str) -> Vec<u8> {
        let fault = if self.status() < 500 { "Sender" } else { "Receiver" };
        let mut writer = Writer::with_attributes("ErrorResponse", &[("xmlns", NAMESPACE)]);
        writer.nest("Error", |error| {
            error.text("Type", fault).text("Code", self.code.as_str()).text("Message", &self.message);
        });
        writer.text("RequestId", request_id);
        writer.finish()
    }
}

impl From<NotSigned> for ApiError {
    fn from(error: NotSigned) -> Self {
        match error {
            NotSigned::UnknownKey => Self::new(Code::InvalidClientTokenId),
            NotSigned::Auth(error @ auth::Error::TooSkewed { .. }) => {
                Self::with_message(Code::RequestExpired, sentence(&error.to_string()))
            }
            NotSigned::Auth(error) => Self::caused_by(Code::SignatureDoesNotMatch, error),
            NotSigned::Identity(crate::identity::Error::ExpiredToken) => Self::new(Code::ExpiredToken),
            NotSigned::Identity(crate::identity::Error::InvalidToken) => Self::new(Code::InvalidClientTokenId),
            NotSigned::Identity(error) => Self::caused_by(Code::InternalError, error),
        }
    }
}

impl From<NotRead> for ApiError {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::TooLarge => Self::new(Code::BatchTooLarge),
            NotRead::Late => Self::new(Code::RequestTimeout),
            NotRead::Incomplete(cause) => Self::caused_by(Code::MalformedInput, cause),
            NotRead::NoRoom(_) => Self::new(Code::ServiceUnavailable),
        }
    }
}

impl From<InvalidHeader> for ApiError {
    fn from(error: InvalidHeader) -> Self {
        Self::with_message(Code::MalformedInput, sentence(&error.to_string()))
    }
}

impl From<MalformedXml> for ApiError {
    fn from(error: MalformedXml) -> Self {
        Self::with_message(Code::MalformedInput, sentence(&error.to_string()))
    }
}

impl From<InvalidItem> for ApiError {
    fn from(error: InvalidItem) -> Self {
        let message = "Your request contains one or more invalid invalidation paths.";
        Self { source: Some(error.into()), ..Self::with_message(Code::InvalidArgument, message) }
    }
}

impl From<distributions::Error> for ApiError {
    fn from(error: distributions::Error) -> Self {
        match error {
            distributions::Error::NoSuchDistribution => Self::new(Code::NoSuchDistribution),
            distributions::Error::ReferenceTaken => Self::with_message(
                Code::InvalidArgument,
                "Your request contains a caller reference that was used for a previous invalidation batch for the same \
                 distribution.",
            ),
            distributions::Error::Store(error) => error.into(),
            distributions::Error::TooMany | distributions::Error::TooManyOfAccount => {
                Self::caused_by(Code::InternalError, error)
            }
        }
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        Self::caused_by(Code::InternalError, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_have_statuses_of_errors() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(Code::ALL.iter().all(|code| (400..=599).contains(&code.status()) && !code.message().is_empty()));
    }

    #[test]
    fn the_document_is_what_clients_read() {
        let document = String::from_utf8(ApiError::new(Code::NoSuchDistribution).document("R1")).unwrap();
        assert_eq!(
            document,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Error><Type>Sender</Type>\
             <Code>NoSuchDistribution</Code><Message>The specified distribution does not exist.</Message></Error>\
             <RequestId>R1</RequestId></ErrorResponse>"
        );
    }
}
