//! Verification of a request's signature.

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::http::head::{Head, Headers};

use super::super::chunk::ChunkSigner;
use super::super::encoding::lower_hex;
use super::super::error::{Error, Mismatch};
use super::super::keys::SigningKey;
use super::super::payload::{CONTENT_SHA256, ContentSha256, Payload, UNSIGNED_PAYLOAD};
use super::super::{Options, Secret};
use super::{ALGORITHM, Signature, canonical};

/// Headers that the AWS SDKs send with a presigned request without having signed them; they change nothing.
/// What `x-amz-content-sha256` says is signed all the same, as the last line of the canonical request.
const UNSIGNED_IF_PRESIGNED: [&str; 3] = ["x-amz-user-agent", "x-amz-checksum-mode", CONTENT_SHA256];

impl Signature {
    /// Verifies an S3 request, whose body is described by `x-amz-content-sha256`.
    pub(in super::super) fn verify(
        &self,
        head: &Head,
        secret: Secret,
        now: Timestamp,
        options: &Options,
    ) -> Result<Payload, Error> {
        let given = head.headers.text(CONTENT_SHA256)?.or(self.content_sha256.as_deref());
        let payload_hash = match given {
            Some(text) => text,
            None if self.lifetime.is_some() => UNSIGNED_PAYLOAD,
            None => return Err(Error::MissingContentSha256),
        };
        let content = ContentSha256::parse(payload_hash)?;
        let key = self.check(head, payload_hash, secret, now, options)?;
        let signer = ChunkSigner::new(key, &self.stamp, &self.scope, self.provided.clone());
        content.payload(head, Some(signer))
    }

    /// Verifies a request of any other service, whose body is signed whether or not a header says so.
    pub(in super::super) fn verify_with_body(
        &self,
        head: &Head,
        body_sha256: &[u8; 32],
        secret: Secret,
        now: Timestamp,
        options: &Options,
    ) -> Result<(), Error> {
        let computed = lower_hex(body_sha256);
        let payload_hash = head.headers.text(CONTENT_SHA256)?.unwrap_or(&computed);
        if !payload_hash.eq_ignore_ascii_case(&computed) {
            return Err(Error::BodyDigestMismatch);
        }
        self.check(head, payload_hash, secret, now, options).map(drop)
    }

    /// Checks time, signed headers and signature, in this order; gives the key that the signature was made with.
    fn check(
        &self,
        head: &Head,
        payload_hash: &str,
        secret: Secret,
        now: Timestamp,
        options: &Options,
    ) -> Result<SigningKey, Error> {
        self.check_time(now, options)?;
        self.check_signed_headers(&head.headers)?;
        let canonical_request = canonical::request(head, self, payload_hash);
        let hash = lower_hex(digest::digest(&digest::SHA256, &canonical_request).as_ref());
        let string_to_sign = format!("{ALGORITHM}\n{}\n{}\n{hash}", self.stamp, self.scope.text());
        let key = secret.keys.get(&self.access_key_id, secret.secret, &self.scope);
        let expected = key.sign(&[string_to_sign.as_bytes()]);
        if bool::from(expected.as_bytes().ct_eq(self.provided.as_bytes())) {
            return Ok(key);
        }
        Err(Error::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: self.provided.clone(),
            string_to_sign: string_to_sign.into_bytes(),
            canonical_request: Some(canonical_request),
        })))
    }

    fn check_time(&self, now: Timestamp, options: &Options) -> Result<(), Error> {
        let Some(lifetime) = self.lifetime else {
            return options.check_skew(self.time, now);
        };
        if self.time > now.plus(options.max_skew) {
            return Err(Error::NotYetValid { valid_from: self.time, server: now });
        }
        let expires = self.time.plus(lifetime);
        if now > expires {
            return Err(Error::Expired { lifetime: Some(lifetime), expires, server: now });
        }
        Ok(())
    }

    /// Requires `host` and every `x-amz-*` header to be signed. An unsigned `x-amz-copy-source` on a presigned PUT, for
    /// one, would let whoever has the URL read with its signer's rights.
    fn check_signed_headers(&self, headers: &Headers) -> Result<(), Error> {
        let mut missing: Vec<String> = Vec::new();
        if !self.signed_headers.contains("host") {
            missing.push("host".to_owned());
        }
        for (name, _) in headers.iter() {
            let excused = self.lifetime.is_some() && UNSIGNED_IF_PRESIGNED.contains(&name);
            if name.starts_with("x-amz-") && !excused && !self.signed_headers.contains(name) {
                missing.push(name.to_owned());
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Error::HeadersNotSigned(missing)) }
    }
}
