//! What can be wrong with a signature or a signed body, with all that an answer needs.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::http::head::InvalidHeader;

/// Why a request was not accepted as its caller's. Each variant names S3's status and error code.
///
/// No variant holds a secret or a signature that Brim computed.
/// Codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 400 `InvalidArgument`, with `ArgumentName` `Authorization` and the header's value as `ArgumentValue`.
    #[error(
        "only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
         parameter or the Authorization header should be specified"
    )]
    SeveralMechanisms,
    /// 400 `InvalidArgument`, with `ArgumentName` `Authorization` and the header's value as `ArgumentValue`.
    #[error("unsupported authorization type")]
    UnsupportedAuthorization,
    /// 400 `InvalidRequest`.
    #[error("the authorization mechanism you have provided is not supported; please use AWS4-HMAC-SHA256")]
    SignatureV2Refused,
    /// 400 `AuthorizationHeaderMalformed`.
    #[error("the authorization header is malformed; {0}")]
    HeaderMalformed(String),
    /// 400 `AuthorizationQueryParametersError`.
    #[error("{0}")]
    QueryMalformed(String),
    /// 400 `AuthorizationHeaderMalformed`, or `AuthorizationQueryParametersError` if presigned; with `Region` = `expected`.
    #[error("the region '{given}' is wrong; expecting '{expected}'")]
    WrongRegion { presigned: bool, given: String, expected: String },
    /// 403 `AccessDenied`.
    #[error("AWS authentication requires a valid Date or x-amz-date header")]
    Undated,
    /// 403 `AccessDenied`.
    #[error("query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")]
    QueryIncomplete,
    /// 403 `AccessDenied`.
    #[error("invalid date (should be seconds since epoch): {0}")]
    InvalidExpires(String),
    /// 403 `AccessDenied`, with `HeadersNotSigned`: the names, joined by a comma and a space.
    #[error("there were headers present in the request which were not signed: {}", .0.join(", "))]
    HeadersNotSigned(Vec<String>),
    /// 403 `RequestTimeTooSkewed`, with `RequestTime`, `ServerTime` and `MaxAllowedSkewMilliseconds`.
    #[error("the difference between the request time and the current time is too large")]
    TooSkewed { request: Timestamp, server: Timestamp, max_skew: Duration },
    /// 403 `AccessDenied`, with `ServerTime`.
    #[error("request is not valid yet")]
    NotYetValid { valid_from: Timestamp, server: Timestamp },
    /// 403 `AccessDenied`, with `X-Amz-Expires` (seconds; only of version 4), `Expires` and `ServerTime`.
    #[error("request has expired")]
    Expired { lifetime: Option<Duration>, expires: Timestamp, server: Timestamp },
    /// 403 `SignatureDoesNotMatch`, with the elements of [`Mismatch`].
    #[error("the request signature we calculated does not match the signature you provided")]
    SignatureDoesNotMatch(Box<Mismatch>),
    /// 400 `InvalidRequest`.
    #[error("missing required header for this request: x-amz-content-sha256")]
    MissingContentSha256,
    /// 400 `InvalidArgument`, with `ArgumentName` `x-amz-content-sha256` and this `ArgumentValue`.
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value"
    )]
    InvalidContentSha256(String),
    /// 501 `NotImplemented`: a form of payload that S3 knows and Brim does not (the ECDSA ones of SigV4A).
    #[error("the payload form {0} is not implemented")]
    UnsupportedContentSha256(String),
    /// 400 `XAmzContentSHA256Mismatch`.
    #[error("the provided x-amz-content-sha256 header does not match what was computed")]
    BodyDigestMismatch,
    /// 403 `AccessDenied`: chunk signatures continue the request's signature, and this request has none of version 4.
    #[error("signed chunks need a request that is signed with AWS4-HMAC-SHA256")]
    UnsignedSeed,
    /// 400 `InvalidArgument`.
    #[error(transparent)]
    InvalidHeader(#[from] InvalidHeader),
    /// 400 `InvalidArgument`, with `ArgumentName` the field as S3 spells it and an empty `ArgumentValue`.
    #[error("bucket POST must contain a field named '{0}'.  If it is specified, please check the order of the fields.")]
    FormFieldMissing(&'static str),
    /// 400 `InvalidArgument`, with this `ArgumentName` and `ArgumentValue`.
    #[error("{what}")]
    FormFieldInvalid { name: &'static str, value: String, what: String },
    /// 411 `MissingContentLength`.
    #[error("you must provide the x-amz-decoded-content-length HTTP header")]
    MissingDecodedLength,
    /// 400 `InvalidArgument`, with `ArgumentName` `x-amz-decoded-content-length` and this `ArgumentValue`.
    #[error("x-amz-decoded-content-length is not a length: {0}")]
    InvalidDecodedLength(String),
    /// 400 `InvalidRequest`.
    #[error("the value specified in the x-amz-trailer header is not supported: {0}")]
    UnsupportedTrailer(String),
    /// 400 `IncompleteBody`: the chunks hold more or fewer bytes than announced, or the body ends within a chunk.
    #[error("the body does not hold the {announced} bytes that x-amz-decoded-content-length announces")]
    IncompleteBody { announced: u64 },
    /// 400 `InvalidRequest`: the framing of the chunks is broken.
    #[error("the aws-chunked body is malformed: {0}")]
    MalformedChunk(&'static str),
    /// 403 `SignatureDoesNotMatch`: of a chunk or of the trailer. Nothing of the body may be kept.
    #[error("the chunk signature we calculated does not match the signature you provided")]
    ChunkSignatureDoesNotMatch,
    /// 400 `MalformedTrailerError`.
    #[error("the request contained trailing data that was not well-formed: {0}")]
    MalformedTrailer(&'static str),
}

/// What S3 shows a caller whose signature is wrong, so that he can find out why.
///
/// `Debug` leaves the texts out: they may carry session tokens and customer keys, and belong to the caller, not to logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// `AWSAccessKeyId`.
    pub access_key_id: String,
    /// `SignatureProvided`.
    pub signature_provided: String,
    /// `StringToSign`, and as hex pairs `StringToSignBytes`. Header values may make it other than UTF-8.
    pub string_to_sign: Vec<u8>,
    /// `CanonicalRequest` and `CanonicalRequestBytes`; version 2 has none.
    pub canonical_request: Option<Vec<u8>>,
}

impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mismatch").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
