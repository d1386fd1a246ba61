//! Who is calling: verification of AWS signatures, for any service name.
//!
//! Pure: time, secrets and bodies are arguments. The order of a request is [`parse`] (no secret needed), looking up the
//! secret of [`Claim::access_key_id`], [`verify`], and then holding the body to the [`Payload`] that came out, through a
//! [`ChunkDecoder`] if it is chunked. Requests without a signature go to [`payload_of_anonymous`].

mod chunk;
mod claim;
mod date;
mod encoding;
mod error;
mod form;
#[cfg(test)]
mod fuzz;
mod keys;
mod payload;
mod query;
#[cfg(test)]
mod testing;
mod v2;
mod v4;

use std::time::Duration;

use crate::clock::Timestamp;
use crate::http::head::Head;

use claim::Signature;

pub use chunk::{ChunkDecoder, ChunkPlan, Trailers};
pub use claim::{Claim, parse};
pub use error::{Error, Mismatch};
pub use form::{FormClaim, parse_form};
pub use keys::{DEFAULT_CAPACITY, SigningKeys};
pub use payload::{Payload, payload_of_anonymous};

/// What is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The only region S3 requests may be signed for; `None` accepts any. Other services' regions are never checked.
    pub region: Option<String>,
    /// Whether signature version 2 is accepted, which awscli version 1 and boto3 still presign with by default.
    pub signature_v2: bool,
    /// How far the client's clock may be off, in either direction.
    pub max_skew: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { region: None, signature_v2: true, max_skew: Duration::from_secs(15 * 60) }
    }
}

impl Options {
    fn check_skew(&self, request: Timestamp, now: Timestamp) -> Result<(), Error> {
        let skew = now.since(request).max(request.since(now));
        if skew > self.max_skew {
            return Err(Error::TooSkewed { request, server: now, max_skew: self.max_skew });
        }
        Ok(())
    }
}

/// A secret and the cache its derived keys live in.
#[derive(Clone, Copy)]
struct Secret<'s> {
    secret: &'s str,
    keys: &'s SigningKeys,
}

/// Verifies that `claim`, parsed from this `head`, was signed with `secret`, and gives what the body is claimed to be.
///
/// For S3: whatever else the body holds must be checked against the [`Payload`] before it counts. `bucket_in_host` is
/// the bucket of a virtual-hosted request, which version 2 signs as part of the path.
pub fn verify(
    claim: &Claim,
    head: &Head,
    bucket_in_host: Option<&str>,
    secret: &str,
    now: Timestamp,
    options: &Options,
    keys: &SigningKeys,
) -> Result<Payload, Error> {
    match &claim.signature {
        Signature::V4(signature) => signature.verify(head, Secret { secret, keys }, now, options),
        Signature::V2(signature) => {
            signature.verify(head, bucket_in_host, secret, now, options)?;
            payload_of_anonymous(head)
        }
    }
}

/// Whether signatures of version 2 cover the query parameter `name`. One that chooses what a request does must be covered,
/// or whoever has a presigned URL could have it do something else.
pub fn is_signed_by_v2(name: &str) -> bool {
    v2::is_signed(name)
}

/// Verifies a request of a service other than S3, which signs its body without saying so in a header.
///
/// `body_sha256` is the digest of the whole body as it was received; when this returns, the body is proven too.
pub fn verify_with_body(
    claim: &Claim,
    head: &Head,
    body_sha256: &[u8; 32],
    secret: &str,
    now: Timestamp,
    options: &Options,
    keys: &SigningKeys,
) -> Result<(), Error> {
    match &claim.signature {
        Signature::V4(signature) => {
            signature.verify_with_body(head, body_sha256, Secret { secret, keys }, now, options)
        }
        // The version 2 of other services is another scheme altogether; S3's leaves the body out.
        Signature::V2(_) => Err(Error::SignatureV2Refused),
    }
}
