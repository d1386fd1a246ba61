//! Who signed a request of a service other than S3, whose signatures cover the body.

use std::sync::Arc;

use aws_lc_rs::digest;

use crate::auth::{self, Claim, SigningKeys};
use crate::clock::Clock;
use crate::http::head::Head;
use crate::identity::{self, Identities, Key};

/// Finds and proves who signed. Shared by all requests of a service.
pub struct Signers {
    identities: Arc<Identities>,
    clock: Clock,
    options: auth::Options,
    keys: SigningKeys,
}

/// Why it is not known who signed.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    #[error("the key is not known, or disabled")]
    UnknownKey,
    #[error(transparent)]
    Auth(#[from] auth::Error),
    #[error(transparent)]
    Identity(#[from] identity::Error),
}

impl Signers {
    pub fn new(identities: Arc<Identities>, clock: Clock, options: auth::Options) -> Self {
        Self { identities, clock, options, keys: SigningKeys::new(auth::DEFAULT_CAPACITY) }
    }

    /// The claim of whoever signed this head for `service`; `None` where nobody did. Nothing of it is proven.
    pub fn claim(&self, head: &Head, service: &str) -> Option<Claim> {
        auth::parse(head, &self.options).ok().flatten().filter(|claim| claim.service() == service)
    }

    /// Whose key it claims to be, before a body is received. Fails for unknown and disabled ones.
    pub async fn key_of(&self, claim: &Claim) -> Result<Key, NotSigned> {
        let key = self.identities.authenticate(claim.access_key_id(), claim.session_token()).await?;
        key.ok_or(NotSigned::UnknownKey)
    }

    /// Proves that `key` signed the head and the body.
    pub fn verify(&self, claim: &Claim, head: &Head, body: &[u8], key: &Key) -> Result<(), NotSigned> {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        let (secret, now) = (key.secret.expose(), self.clock.now());
        Ok(auth::verify_with_body(claim, head, &hash, secret, now, &self.options, &self.keys)?)
    }
}
