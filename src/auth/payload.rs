//! What a request says about its body: the forms of `x-amz-content-sha256`.

use crate::http::head::Head;

use super::chunk::{ChunkPlan, ChunkSigner};
use super::error::Error;

/// What the body is claimed to be. The caller must hold the body to it.
#[derive(Debug)]
pub enum Payload {
    /// The body has this SHA-256; any other is answered with 400 `XAmzContentSHA256Mismatch`.
    Sha256([u8; 32]),
    /// Nothing is claimed.
    Unsigned,
    /// The body is in `aws-chunked` framing and goes through a [`super::ChunkDecoder`] before anything else.
    Chunked(ChunkPlan),
}

/// The payload of a request without a signature: what `x-amz-content-sha256` says is held against the body all the same.
///
/// Signed chunks are refused with [`Error::UnsignedSeed`]: there is no request signature that they could continue.
pub fn payload_of_anonymous(head: &Head) -> Result<Payload, Error> {
    match head.headers.text(CONTENT_SHA256)? {
        Some(text) => ContentSha256::parse(text)?.payload(head, None),
        None => Ok(Payload::Unsigned),
    }
}

pub(super) const CONTENT_SHA256: &str = "x-amz-content-sha256";
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The parsed value of `x-amz-content-sha256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentSha256 {
    Digest([u8; 32]),
    Unsigned,
    SignedChunks { trailer: bool },
    UnsignedChunks,
}

impl ContentSha256 {
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            UNSIGNED_PAYLOAD => Ok(Self::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Self::SignedChunks { trailer: false }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(Self::SignedChunks { trailer: true }),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::UnsignedChunks),
            _ if text.starts_with("STREAMING-AWS4-ECDSA-") => Err(Error::UnsupportedContentSha256(text.to_owned())),
            _ => {
                let mut digest = [0; 32];
                hex::decode_to_slice(text, &mut digest).map_err(|_| Error::InvalidContentSha256(text.to_owned()))?;
                Ok(Self::Digest(digest))
            }
        }
    }

    /// The payload of `head`; `signer` continues the request's signature and is there if that is of version 4.
    pub fn payload(self, head: &Head, signer: Option<ChunkSigner>) -> Result<Payload, Error> {
        match self {
            Self::Digest(digest) => Ok(Payload::Sha256(digest)),
            Self::Unsigned => Ok(Payload::Unsigned),
            Self::UnsignedChunks => Ok(Payload::Chunked(ChunkPlan::parse(head, None, true)?)),
            Self::SignedChunks { trailer } => {
                let signer = signer.ok_or(Error::UnsignedSeed)?;
                Ok(Payload::Chunked(ChunkPlan::parse(head, Some(signer), trailer)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anonymous(value: &str) -> Result<Payload, Error> {
        let headers = [(CONTENT_SHA256, value), ("x-amz-decoded-content-length", "3")];
        payload_of_anonymous(&Head { headers: headers.into_iter().collect(), ..Head::default() })
    }

    #[test]
    fn an_anonymous_body_is_held_to_what_its_head_claims() {
        assert!(matches!(payload_of_anonymous(&Head::default()), Ok(Payload::Unsigned)));
        assert!(matches!(anonymous("UNSIGNED-PAYLOAD"), Ok(Payload::Unsigned)));
        for digest in ["aB".repeat(32), "AB".repeat(32)] {
            assert!(matches!(anonymous(&digest), Ok(Payload::Sha256(digest)) if digest == [0xab; 32]));
        }
        assert!(matches!(anonymous("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), Ok(Payload::Chunked(_))));
    }

    #[test]
    fn signed_chunks_need_a_signed_request() {
        for mode in ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"] {
            assert!(matches!(anonymous(mode), Err(Error::UnsignedSeed)));
        }
    }

    #[test]
    fn unknown_forms_are_refused_rather_than_stored_raw() {
        for mode in ["", "x", "unsigned-payload", "STREAMING-UNSIGNED-PAYLOAD", &"a".repeat(63), &"g".repeat(64)] {
            assert!(matches!(anonymous(mode), Err(Error::InvalidContentSha256(value)) if value == mode));
        }
        for mode in ["STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"] {
            assert!(matches!(anonymous(mode), Err(Error::UnsupportedContentSha256(value)) if value == mode));
        }
    }
}
