//! Other layers' errors in S3's words.

use super::error::{Code, S3Error};
use crate::http::date;
use crate::http::head::InvalidHeader;
use crate::transport::memory::NoRoom;
use crate::transport::sentence;
use crate::{auth, guard, identity, store};

impl From<InvalidHeader> for S3Error {
    fn from(error: InvalidHeader) -> Self {
        Self::with_message(Code::InvalidArgument, error.to_string())
    }
}

impl From<identity::Error> for S3Error {
    fn from(error: identity::Error) -> Self {
        match error {
            identity::Error::InvalidToken => Self::new(Code::InvalidToken),
            identity::Error::ExpiredToken => Self::new(Code::ExpiredToken),
            other => Self::internal(other),
        }
    }
}

impl From<NoRoom> for S3Error {
    fn from(_: NoRoom) -> Self {
        Self::new(Code::SlowDown)
    }
}

impl From<guard::Error> for S3Error {
    fn from(error: guard::Error) -> Self {
        match error {
            guard::Error::Store(error) => error.into(),
            damaged @ guard::Error::Document(..) => Self::internal(damaged),
        }
    }
}

impl From<store::Error> for S3Error {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        match error {
            E::NoSuchBucket(ref bucket) => Self::new(Code::NoSuchBucket).detail("BucketName", bucket.as_str()),
            E::BucketOwned(ref bucket) => {
                Self::new(Code::BucketAlreadyOwnedByYou).detail("BucketName", bucket.as_str())
            }
            E::BucketTaken(ref bucket) => Self::new(Code::BucketAlreadyExists).detail("BucketName", bucket.as_str()),
            E::BucketNotEmpty(ref bucket) => Self::new(Code::BucketNotEmpty).detail("BucketName", bucket.as_str()),
            E::BucketBusy(_) => Self::new(Code::OperationAborted),
            E::NoSuchKey(ref key) => Self::new(Code::NoSuchKey).detail("Key", key.as_str()),
            E::NoSuchVersion { ref key, version } => {
                Self::new(Code::NoSuchVersion).detail("Key", key.as_str()).detail("VersionId", version.to_string())
            }
            E::DeleteMarker { ref key, version, modified, named } => {
                // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html>
                let error = match named {
                    true => Self::new(Code::MethodNotAllowed)
                        .detail("ResourceType", "DeleteMarker")
                        .header("allow", "DELETE")
                        .header("last-modified", date::format_http(modified)),
                    false => Self::new(Code::NoSuchKey).detail("Key", key.as_str()),
                };
                error.header("x-amz-delete-marker", "true").header("x-amz-version-id", version.to_string())
            }
            E::NoSuchUpload(id) => Self::new(Code::NoSuchUpload).detail("UploadId", id.to_string()),
            E::PreconditionFailed => Self::new(Code::PreconditionFailed),
            E::SourceChanged => Self::new(Code::ConditionalRequestConflict),
            E::TokenReused => Self::new(Code::IdempotencyParameterMismatch),
            E::Contended => Self::new(Code::SlowDown),
            E::Backlog(full) => Self::with_message(Code::SlowDown, format!("{}.", sentence(&full.to_string()))),
            E::Digest(digest) => digest_mismatch(digest),
            E::ChecksumType(used) => Self::with_message(
                Code::InvalidRequest,
                format!(
                    "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
                    used.as_str()
                ),
            ),
            E::InvalidPart(number) => Self::new(Code::InvalidPart).detail("PartNumber", number.to_string()),
            E::InvalidPartOrder => Self::new(Code::InvalidPartOrder),
            E::PartTooSmall { number, size } => Self::new(Code::EntityTooSmall)
                .detail("ProposedSize", size.to_string())
                .detail("MinSizeAllowed", store::multipart::MIN_PART_BYTES.to_string())
                .detail("PartNumber", number.to_string()),
            E::TooLarge { limit } => Self::new(Code::EntityTooLarge).detail("MaxSizeAllowed", limit.to_string()),
            E::SizeMismatch { actual } => Self::with_message(
                Code::InvalidRequest,
                format!("The provided 'x-amz-mp-object-size' header does not match what was computed: {actual}"),
            ),
            E::Full => Self::new(Code::InsufficientStorage),
            E::CommitFull(_) => Self::new(Code::InsufficientStorage).caused_by(error),
            E::Stopped(_) => Self::new(Code::ServiceUnavailable).caused_by(error),
            E::Record(_)
            | E::RunWentBack { .. }
            | E::Aborted
            | E::Interrupted(_)
            | E::ScrubRuns
            | E::Kv(_)
            | E::Blob(_) => Self::internal(error),
        }
    }
}

fn digest_mismatch(digest: store::Digest) -> S3Error {
    match digest {
        store::Digest::Md5 => S3Error::new(Code::BadDigest),
        store::Digest::Sha256 => S3Error::new(Code::XAmzContentSHA256Mismatch),
        store::Digest::Checksum(algorithm) => S3Error::with_message(
            Code::BadDigest,
            format!("The {} you specified did not match the calculated checksum.", algorithm.as_str()),
        ),
    }
}

impl From<auth::Error> for S3Error {
    fn from(error: auth::Error) -> Self {
        use auth::Error as E;
        let message = sentence(&error.to_string());
        match error {
            E::SeveralMechanisms | E::UnsupportedAuthorization => {
                Self::with_message(Code::InvalidArgument, message).detail("ArgumentName", "Authorization")
            }
            E::SignatureV2Refused | E::MissingContentSha256 | E::UnsupportedTrailer(_) | E::MalformedChunk(_) => {
                Self::with_message(Code::InvalidRequest, message)
            }
            E::HeaderMalformed(_) => Self::with_message(Code::AuthorizationHeaderMalformed, message),
            E::QueryMalformed(_) => Self::with_message(Code::AuthorizationQueryParametersError, message),
            E::WrongRegion { presigned, expected, .. } => {
                let code = match presigned {
                    true => Code::AuthorizationQueryParametersError,
                    false => Code::AuthorizationHeaderMalformed,
                };
                Self::with_message(code, message).detail("Region", expected)
            }
            E::Undated | E::QueryIncomplete | E::InvalidExpires(_) | E::UnsignedSeed => {
                Self::with_message(Code::AccessDenied, message)
            }
            E::HeadersNotSigned(names) => {
                Self::with_message(Code::AccessDenied, message).detail("HeadersNotSigned", names.join(", "))
            }
            E::TooSkewed { request, server, max_skew } => Self::new(Code::RequestTimeTooSkewed)
                .detail("RequestTime", date::format_basic(request))
                .detail("ServerTime", date::format_iso8601(server))
                .detail("MaxAllowedSkewMilliseconds", max_skew.as_millis().to_string()),
            E::NotYetValid { server, .. } => {
                Self::with_message(Code::AccessDenied, message).detail("ServerTime", date::format_iso8601(server))
            }
            E::Expired { lifetime, expires, server } => {
                let expired = Self::with_message(Code::AccessDenied, message);
                let expired = match lifetime {
                    Some(lifetime) => expired.detail("X-Amz-Expires", lifetime.as_secs().to_string()),
                    None => expired,
                };
                expired
                    .detail("Expires", date::format_iso8601(expires))
                    .detail("ServerTime", date::format_iso8601(server))
            }
            E::SignatureDoesNotMatch(mismatch) => signature_mismatch(&mismatch),
            E::InvalidContentSha256(value) => Self::invalid_argument(message, "x-amz-content-sha256", &value),
            E::UnsupportedContentSha256(_) => Self::with_message(Code::NotImplemented, message),
            E::BodyDigestMismatch => Self::new(Code::XAmzContentSHA256Mismatch),
            E::InvalidHeader(error) => error.into(),
            E::FormFieldMissing(name) => Self::invalid_argument(message, name, ""),
            E::FormFieldInvalid { name, value, .. } => Self::invalid_argument(message, name, &value),
            E::MissingDecodedLength => Self::with_message(Code::MissingContentLength, message),
            E::InvalidDecodedLength(value) => Self::invalid_argument(message, "x-amz-decoded-content-length", &value),
            E::IncompleteBody { .. } => Self::new(Code::IncompleteBody),
            E::ChunkSignatureDoesNotMatch => Self::new(Code::SignatureDoesNotMatch),
            E::MalformedTrailer(_) => Self::with_message(Code::MalformedTrailerError, message),
        }
    }
}

/// What helps a caller to find out why its signature is wrong, as S3 shows it.
fn signature_mismatch(mismatch: &auth::Mismatch) -> S3Error {
    let string_to_sign = String::from_utf8_lossy(&mismatch.string_to_sign);
    let error = S3Error::new(Code::SignatureDoesNotMatch)
        .detail("AWSAccessKeyId", mismatch.access_key_id.as_str())
        .detail("StringToSign", string_to_sign)
        .detail("SignatureProvided", mismatch.signature_provided.as_str())
        .detail("StringToSignBytes", spaced_hex(&mismatch.string_to_sign));
    match &mismatch.canonical_request {
        Some(canonical) => error
            .detail("CanonicalRequest", String::from_utf8_lossy(canonical))
            .detail("CanonicalRequestBytes", spaced_hex(canonical)),
        None => error,
    }
}

fn spaced_hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}
