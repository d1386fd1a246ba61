//! Signature version 4.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>, and for S3's deviations
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>.

mod canonical;
pub(super) mod credential;
mod header;
mod query;
mod signed_headers;
mod verify;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::clock::Timestamp;

use super::Options;
use super::error::Error;
use super::keys::Scope;

use signed_headers::SignedHeaders;

/// The one algorithm of version 4 that is supported.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A parsed signature of version 4, from either place.
#[derive(Clone)]
pub(super) struct Signature {
    pub access_key_id: String,
    pub scope: Scope,
    pub time: Timestamp,
    pub session_token: Option<String>,
    /// How long a presigned request is valid; `None` means the signature is in the header.
    pub lifetime: Option<Duration>,
    /// [`Self::time`] as it is signed: `YYYYMMDDTHHMMSSZ`.
    stamp: String,
    signed_headers: SignedHeaders,
    /// The value of `X-Amz-Content-Sha256` in the query of a presigned request.
    content_sha256: Option<String>,
    /// As given by the caller: to be compared, in constant time, and echoed.
    provided: String,
}

impl Signature {
    /// Whether the header `name`, in lower case, is signed.
    pub fn covers(&self, name: &str) -> bool {
        self.signed_headers.contains(name)
    }

    /// Refuses another region than the configured one. Only S3 has regions here; other services are global.
    pub fn check_region(&self, options: &Options) -> Result<(), Error> {
        match &options.region {
            Some(expected) if self.scope.service == "s3" && self.scope.region != *expected => Err(Error::WrongRegion {
                presigned: self.lifetime.is_some(),
                given: self.scope.region.clone(),
                expected: expected.clone(),
            }),
            _ => Ok(()),
        }
    }
}
