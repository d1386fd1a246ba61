//! S3's errors: every code that Brim answers with, and the body that carries it.

use std::borrow::Cow;
use std::error::Error;

use super::xml::read::MalformedXml;
use super::xml::write::Writer;
use crate::http::conditional::{Condition, InvalidSourceCondition, InvalidWriteCondition, Names};
use crate::transport::error_codes;

error_codes! {
    /// A code that clients switch on.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
    AccessControlListNotSupported 400 "The bucket does not allow ACLs"
    AccessDenied 403 "Access Denied"
    AccessForbidden 403 "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
    AuthorizationHeaderMalformed 400 "The authorization header you provided is invalid."
    AuthorizationQueryParametersError 400 "Error parsing the X-Amz-Credential parameter."
    BadDigest 400 "The Content-MD5 you specified did not match what we received."
    BadRequest 400 "Bad Request"
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
    BucketAlreadyOwnedByYou 409 "Your previous request to create the named bucket succeeded and you already own it."
    BucketNotEmpty 409 "The bucket you tried to delete is not empty."
    ConditionalRequestConflict 409 "The conditional request cannot succeed due to a conflicting operation against this resource."
    CredentialsNotSupported 400 "This request does not support credentials."
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed size"
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed size"
    ExpiredToken 400 "The provided token has expired."
    IdempotencyParameterMismatch 400 "Parameters on this idempotent request are inconsistent with parameters used in previous request(s)."
    IllegalLocationConstraintException 400 "The specified location-constraint is not valid"
    IllegalVersioningConfigurationException 400 "The Versioning element must be specified"
    IncompleteBody 400 "You did not provide the number of bytes specified by the Content-Length HTTP header"
    IncorrectNumberOfFilesInPostRequest 400 "POST requires exactly one file upload per request."
    InsufficientStorage 507 "There is not enough free storage left to complete the request."
    InternalError 500 "We encountered an internal error. Please try again."
    InvalidAccessKeyId 403 "The AWS Access Key Id you provided does not exist in our records."
    InvalidArgument 400 "Invalid Argument"
    InvalidBucketAclWithObjectOwnership 400 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
    InvalidBucketName 400 "The specified bucket is not valid."
    InvalidBucketState 409 "The request is not valid with the current state of the bucket."
    InvalidDigest 400 "The Content-MD5 you specified was invalid."
    InvalidEncryptionAlgorithmError 400 "The encryption request you specified is not valid. The valid value is AES256."
    InvalidLocationConstraint 400 "The specified location-constraint is not valid"
    InvalidObjectState 403 "The operation is not valid for the current state of the object."
    InvalidPart 400 "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    InvalidPartNumber 416 "The requested partnumber is not satisfiable"
    InvalidPartOrder 400 "The list of parts was not in ascending order. Parts must be ordered by part number."
    InvalidPolicyDocument 400 "The content of the form does not meet the conditions specified in the policy document."
    InvalidRange 416 "The requested range is not satisfiable"
    InvalidRedirectLocation 400 "The website redirect location is not valid."
    InvalidRequest 400 "Invalid Request"
    InvalidSecurity 403 "The provided security credentials are not valid."
    InvalidStorageClass 400 "The storage class you specified is not valid"
    InvalidTag 400 "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation."
    InvalidTargetBucketForLogging 400 "The target bucket for logging does not exist, is not owned by you, or does not have the appropriate grants for the log-delivery group."
    InvalidToken 400 "The provided token is malformed or otherwise invalid."
    InvalidURI 400 "Couldn't parse the specified URI."
    KeyTooLongError 400 "Your key is too long"
    MalformedACLError 400 "The XML you provided was not well-formed or did not validate against our published schema"
    MalformedPOSTRequest 400 "The body of your POST request is not well-formed multipart/form-data."
    MalformedPolicy 400 "Policies must be valid JSON and the first byte must be '{'"
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema."
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema"
    MaxMessageLengthExceeded 400 "Your request was too big."
    MaxPostPreDataLengthExceeded 400 "Your POST request fields preceding the upload file were too large."
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size"
    MethodNotAllowed 405 "The specified method is not allowed against this resource."
    MissingContentLength 411 "You must provide the Content-Length HTTP header."
    MissingRequestBodyError 400 "Request Body is empty"
    MissingSecurityHeader 400 "Your request was missing a required header"
    NoSuchBucket 404 "The specified bucket does not exist"
    NoSuchBucketPolicy 404 "The bucket policy does not exist"
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist"
    NoSuchConfiguration 404 "The specified configuration does not exist."
    NoSuchKey 404 "The specified key does not exist."
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist"
    NoSuchObjectLockConfiguration 404 "The specified object does not have a ObjectLock configuration"
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found"
    NoSuchTagSet 404 "The TagSet does not exist"
    NoSuchUpload 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    NoSuchVersion 404 "The specified version does not exist."
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration"
    NotImplemented 501 "A header you provided implies functionality that is not implemented"
    NotModified 304 "Not Modified"
    ObjectLockConfigurationNotFoundError 404 "Object Lock configuration does not exist for this bucket"
    OperationAborted 409 "A conflicting conditional operation is currently in progress against this resource. Please try again."
    OwnershipControlsNotFoundError 404 "The bucket ownership controls were not found"
    PermanentRedirect 301 "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold"
    ReplicationConfigurationNotFoundError 404 "The replication configuration was not found"
    RequestHeaderSectionTooLarge 400 "Your request header section exceeds the maximum allowed size."
    RequestIsNotMultiPartContent 400 "Bucket POST must be of the enclosure-type multipart/form-data."
    RequestTimeTooSkewed 403 "The difference between the request time and the current time is too large."
    RequestTimeout 400 "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."
    ServerSideEncryptionConfigurationNotFoundError 404 "The server side encryption configuration was not found"
    ServiceUnavailable 503 "Please reduce your request rate."
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    SlowDown 503 "Please reduce your request rate."
    TemporaryRedirect 307 "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests."
    TooManyBuckets 400 "You have attempted to create more buckets than allowed"
    UnexpectedContent 400 "This request does not support content"
    UnresolvableGrantByEmailAddress 400 "The email address you provided does not match any account on record."
    UserKeyMustBeSpecified 400 "The bucket POST must contain the specified field name. If it is specified, check the order of the fields."
    XAmzContentChecksumMismatch 400 "The provided checksum does not match what was computed."
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed."
}

/// An error as the client is told it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", .code.as_str())]
pub struct S3Error {
    pub code: Code,
    pub message: Cow<'static, str>,
    /// Further elements of the body, in order.
    pub details: Vec<(&'static str, String)>,
    /// Headers that the answer has besides.
    pub headers: Vec<(String, String)>,
    /// What caused it: for the log, never shown to the client.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl S3Error {
    /// An error with the code's own message.
    pub const fn new(code: Code) -> Self {
        Self { code, message: Cow::Borrowed(code.message()), details: Vec::new(), headers: Vec::new(), source: None }
    }

    /// An error with a message of its own, which the client reads: nothing internal.
    pub fn with_message(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::new(code) }
    }

    /// An InvalidArgument about one parameter or header, as S3 words it.
    pub fn invalid_argument(message: impl Into<Cow<'static, str>>, name: &str, value: &str) -> Self {
        Self::with_message(Code::InvalidArgument, message).detail("ArgumentName", name).detail("ArgumentValue", value)
    }

    /// A NotImplemented about a header.
    pub fn header_not_implemented(header: &str) -> Self {
        let message = format!("{}: {header}", Code::NotImplemented.message());
        Self::with_message(Code::NotImplemented, message).detail("Header", header)
    }

    /// A PreconditionFailed that names the header whose condition does not hold.
    pub fn precondition_failed(names: Names, condition: Condition) -> Self {
        Self::new(Code::PreconditionFailed).detail("Condition", names.shown(condition))
    }

    /// An InternalError whose cause goes to the log.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::InternalError).caused_by(source)
    }

    /// Adds an element to the body.
    pub fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
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

    /// Gives the `Error` document. Answers to HEAD, and 304, have no body.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses>
    pub fn body(&self, resource: &str, request_id: &str, host_id: &str) -> Vec<u8> {
        let mut writer = Writer::with_attributes("Error", &[]);
        writer.text("Code", self.code.as_str()).text("Message", &self.message);
        for (name, value) in &self.details {
            writer.text(name, value);
        }
        writer.text("Resource", resource).text("RequestId", request_id).text("HostId", host_id);
        writer.finish()
    }
}

impl From<Code> for S3Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<MalformedXml> for S3Error {
    fn from(error: MalformedXml) -> Self {
        match error {
            MalformedXml::TooLarge(bytes) => {
                Self::new(Code::MaxMessageLengthExceeded).detail("MaxMessageLengthBytes", bytes.to_string())
            }
            error => Self::new(Code::MalformedXML).caused_by(error),
        }
    }
}

impl From<InvalidSourceCondition> for S3Error {
    fn from(_: InvalidSourceCondition) -> Self {
        let message = "A condition on the source is neither a date nor a list of entity tags.";
        Self::with_message(Code::InvalidArgument, message)
    }
}

impl From<InvalidWriteCondition> for S3Error {
    fn from(error: InvalidWriteCondition) -> Self {
        match error {
            InvalidWriteCondition::IfNoneMatchTag | InvalidWriteCondition::Both => {
                Self::header_not_implemented(error.header())
            }
            InvalidWriteCondition::IfMatch => {
                Self::with_message(Code::InvalidRequest, "The If-Match header is not a list of entity tags.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_have_statuses_of_errors() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for code in Code::ALL {
            let status = code.status();
            assert!((400..=599).contains(&status) || [301, 304, 307].contains(&status), "{code:?}");
            assert!(!code.message().is_empty(), "{code:?}");
        }
    }

    #[test]
    fn clients_get_the_statuses_that_they_expect() {
        for (code, status) in [
            (Code::NotModified, 304),
            (Code::EntityTooLarge, 400),
            (Code::RequestTimeTooSkewed, 403),
            (Code::NoSuchTagSet, 404),
            (Code::MethodNotAllowed, 405),
            (Code::BucketNotEmpty, 409),
            (Code::MissingContentLength, 411),
            (Code::PreconditionFailed, 412),
            (Code::InvalidPartNumber, 416),
            (Code::NotImplemented, 501),
            (Code::SlowDown, 503),
            (Code::InsufficientStorage, 507),
        ] {
            assert_eq!(code.status(), status, "{code:?}");
        }
    }

    #[test]
    fn the_body_has_code_message_details_and_identifiers_in_this_order() {
        let error = S3Error::new(Code::NoSuchKey).detail("Key", "a<b\u{1}").detail("VersionId", "v");
        let body = String::from_utf8(error.body("/bucket/a<b", "R1", "H1")).unwrap();
        assert_eq!(
            body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
             <Message>The specified key does not exist.</Message><Key>a&lt;b&#x1;</Key><VersionId>v</VersionId>\
             <Resource>/bucket/a&lt;b</Resource><RequestId>R1</RequestId><HostId>H1</HostId></Error>"
        );
    }

    #[test]
    fn the_cause_is_kept_for_the_log_and_never_shown() {
        let error = S3Error::internal(std::io::Error::other("secret path"));
        assert!(error.source().unwrap().to_string().contains("secret path"));
        let body = String::from_utf8(error.body("/", "r", "h")).unwrap();
        assert!(!body.contains("secret") && !error.to_string().contains("secret"));
    }

    #[test]
    fn errors_of_the_layers_below_become_codes() {
        assert_eq!(S3Error::from(MalformedXml::TooDeep).code, Code::MalformedXML);
        assert_eq!(S3Error::from(MalformedXml::TooLarge(1)).code, Code::MaxMessageLengthExceeded);
        let both = S3Error::from(InvalidWriteCondition::Both);
        assert_eq!((both.status(), both.details), (501, vec![("Header", "If-None-Match".to_owned())]));
        assert_eq!(S3Error::from(InvalidWriteCondition::IfMatch).status(), 400);
        let failed = S3Error::precondition_failed(Names::CopySource, Condition::IfMatch);
        let detail = ("Condition", "x-amz-copy-source-If-Match".to_owned());
        assert_eq!((failed.status(), failed.details), (412, vec![detail]));
    }
}
