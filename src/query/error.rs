//! The errors of IAM, STS and SNS: every code that Brim answers with, and the document that carries it.

use std::borrow::Cow;
use std::error::Error;

use super::action::Api;
use crate::transport::error_codes;
use crate::xml::Writer;

error_codes! {
    /// A code that clients switch on.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html> and the errors of each action.
    AccessDenied 403 "Access denied."
    AuthorizationError 403 "Authorization error."
    ConcurrentModification 409 "The entity was modified by another request at the same time. Submit the request again."
    DeleteConflict 409 "Cannot delete entity, must detach or delete what belongs to it first."
    EntityAlreadyExists 409 "The entity already exists."
    ExpiredToken 403 "The security token included in the request is expired"
    IncompleteSignature 400 "The request signature does not conform to AWS standards."
    InternalError 500 "The request processing has failed because of an unknown error, exception or failure."
    InternalFailure 500 "The request processing has failed because of an unknown error, exception or failure."
    InvalidAction 400 "The action or operation requested is invalid."
    InvalidClientTokenId 403 "The security token included in the request is invalid."
    InvalidInput 400 "An invalid or out-of-range value was supplied for an input parameter."
    InvalidParameter 400 "Invalid parameter"
    LimitExceeded 409 "The request would exceed a limit of the account."
    MalformedInput 400 "A parameter is malformed."
    MalformedPolicyDocument 400 "Syntax errors in policy."
    MalformedQueryString 404 "The query string contains a syntax error."
    MissingAction 400 "The request is missing an action."
    MissingAuthenticationToken 403 "Request is missing Authentication Token"
    NoSuchEntity 404 "The request was rejected because it referenced an entity that does not exist."
    NotFound 404 "The requested resource does not exist."
    NotImplemented 501 "The request asks for something that is not implemented."
    PackedPolicyTooLarge 400 "The session policies are too large."
    RequestEntityTooLarge 413 "The request is too large."
    RequestTimeout 408 "The body of the request did not come in time."
    ServiceUnavailable 503 "The request has failed due to a temporary failure of the server."
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    SubscriptionLimitExceeded 403 "Subscription limit exceeded."
    TopicLimitExceeded 403 "Topic limit exceeded."
    UnmodifiableEntity 400 "The entity cannot be modified."
    ValidationError 400 "The input fails to satisfy the constraints specified by an AWS service."
}

/// An error as the client is told it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", .code.as_str())]
pub struct QueryError {
    pub code: Code,
    pub message: Cow<'static, str>,
    /// What caused it: for the log, never shown to the client.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl QueryError {
    /// An error with the code's own message.
    pub const fn new(code: Code) -> Self {
        Self { code, message: Cow::Borrowed(code.message()), source: None }
    }

    /// An error with a message of its own, which the client reads: nothing internal.
    pub fn with_message(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::new(code) }
    }

    /// Keeps the cause for the log.
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// Gives the `ErrorResponse` document, in the namespace of `api`.
    pub fn document(&self, api: Api, request_id: &str) -> Vec<u8> {
        let fault = if self.status() < 500 { "Sender" } else { "Receiver" };
        let mut writer = Writer::with_attributes("ErrorResponse", &[("xmlns", api.namespace())]);
        writer.nest("Error", |error| {
            error.text("Type", fault).text("Code", self.code.as_str()).text("Message", &self.message);
        });
        writer.text("RequestId", request_id);
        writer.finish()
    }
}

impl From<Code> for QueryError {
    fn from(code: Code) -> Self {
        Self::new(code)
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
    fn the_document_says_whose_fault_it_is_and_keeps_the_cause_for_the_log() {
        let error = QueryError::with_message(Code::NoSuchEntity, "The user with name a<b cannot be found.");
        let document = String::from_utf8(error.document(Api::Iam, "R1")).unwrap();
        assert_eq!(
            document,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
             <Code>NoSuchEntity</Code><Message>The user with name a&lt;b cannot be found.</Message></Error>\
             <RequestId>R1</RequestId></ErrorResponse>"
        );
        let error = QueryError::new(Code::InternalFailure).caused_by(std::io::Error::other("secret path"));
        let document = String::from_utf8(error.document(Api::Sts, "R1")).unwrap();
        assert!(document.contains("<Type>Receiver</Type>") && document.contains("sts.amazonaws.com/doc/2011-06-15/"));
        assert!(!document.contains("secret") && !error.to_string().contains("secret"));
    }
}
