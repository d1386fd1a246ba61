//! The chain of chunk signatures: each covers the one before it, the first covers the request's.

use std::fmt;

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;

use super::super::encoding::lower_hex;
use super::super::error::Error;
use super::super::keys::{Scope, SigningKey};

/// The SHA-256 of nothing, which stands in a chunk's string to sign where headers of chunks once were meant to be.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Verifies the signatures of chunks and trailer, one after the other.
pub(in super::super) struct ChunkSigner {
    key: SigningKey,
    /// Time and scope, each with its line end, as strings to sign want them.
    context: String,
    /// The signature of the last chunk, or of the request.
    previous: String,
}

impl ChunkSigner {
    /// Starts behind a request with this verified signature, `seed`, made at `stamp`.
    pub fn new(key: SigningKey, stamp: &str, scope: &Scope, seed: String) -> Self {
        Self { key, context: format!("{stamp}\n{}\n", scope.text()), previous: seed }
    }

    /// Verifies the signature of the next chunk, whose bytes have this SHA-256.
    pub fn verify_chunk(&mut self, digest: &digest::Digest, provided: &str) -> Result<(), Error> {
        let text = format!("{EMPTY_SHA256}\n{}", lower_hex(digest.as_ref()));
        self.verify("AWS4-HMAC-SHA256-PAYLOAD\n", &text, provided)
    }

    /// Verifies the signature of the trailer, given as its lines in canonical form.
    pub fn verify_trailer(&mut self, canonical: &str, provided: &str) -> Result<(), Error> {
        let text = lower_hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        self.verify("AWS4-HMAC-SHA256-TRAILER\n", &text, provided)
    }

    fn verify(&mut self, algorithm: &str, text: &str, provided: &str) -> Result<(), Error> {
        let parts = [algorithm, &self.context, &self.previous, "\n", text];
        let expected = self.key.sign(&parts.map(str::as_bytes));
        if !bool::from(expected.as_bytes().ct_eq(provided.as_bytes())) {
            return Err(Error::ChunkSignatureDoesNotMatch);
        }
        self.previous = expected;
        Ok(())
    }
}

impl fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigner").finish_non_exhaustive()
    }
}
