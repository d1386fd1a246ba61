//! Signing keys, derived from secrets once per day, region and service.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use moka::sync::Cache;

use super::encoding::lower_hex;

/// How many derived keys are remembered when nothing else is said.
pub const DEFAULT_CAPACITY: u64 = 4096;

/// A bounded cache of derived signing keys. Cheap to clone; clones share the keys.
///
/// Keys are found by a digest that covers the secret too, so a changed secret never meets an old key.
#[derive(Clone)]
pub struct SigningKeys(Cache<[u8; digest::SHA256_OUTPUT_LEN], SigningKey>);

/// A derived key of version 4, good for one day, region and service.
#[derive(Clone)]
pub(super) struct SigningKey(Arc<hmac::Key>);

/// Where a signature of version 4 is valid: the part of the credential behind the access key id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// `YYYYMMDD`.
    pub date: String,
    pub region: String,
    pub service: String,
}

/// The last part of every credential scope.
pub(super) const TERMINATOR: &str = "aws4_request";

impl SigningKeys {
    /// A cache of at most `capacity` keys.
    pub fn new(capacity: u64) -> Self {
        Self(Cache::new(capacity))
    }

    /// The key for this scope, derived if it is not remembered.
    pub(super) fn get(&self, access_key_id: &str, secret: &str, scope: &Scope) -> SigningKey {
        let name = fingerprint([access_key_id, secret, &scope.date, &scope.region, &scope.service]);
        self.0.get_with(name, || SigningKey::derive(secret, scope))
    }
}

impl Default for SigningKeys {
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Chains four HMACs, see <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
    fn derive(secret: &str, scope: &Scope) -> Self {
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        for part in [&scope.date, &scope.region, &scope.service, TERMINATOR] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        Self(Arc::new(key))
    }

    /// The signature of the concatenated `parts`, as 64 hex digits in lower case.
    pub fn sign(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        lower_hex(context.sign().as_ref())
    }
}

impl Scope {
    /// `YYYYMMDD/region/service/aws4_request`, as strings to sign want it.
    pub fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// A digest that differs when any part differs: each part is preceded by its length.
fn fingerprint(parts: [&str; 5]) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    sha256_array(context.finish())
}

/// The digest as an array, which its algorithm must be SHA-256 for.
pub(super) fn sha256_array(digest: digest::Digest) -> [u8; digest::SHA256_OUTPUT_LEN] {
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn scope(region: &str, service: &str) -> Scope {
        Scope { date: "20150830".into(), region: region.into(), service: service.into() }
    }

    #[test]
    fn the_documented_key_signs_the_documented_text() {
        let text = b"AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
            f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let keys = SigningKeys::default();
        for _ in 0..2 {
            let key = keys.get("AKID", SECRET, &scope("us-east-1", "iam"));
            assert_eq!(key.sign(&[text]), "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
        }
    }

    #[test]
    fn a_remembered_key_is_not_used_for_another_secret_or_scope() {
        let keys = SigningKeys::default();
        let signatures = [
            keys.get("AKID", SECRET, &scope("us-east-1", "iam")).sign(&[b"x"]),
            keys.get("AKID", "another", &scope("us-east-1", "iam")).sign(&[b"x"]),
            keys.get("AKID", SECRET, &scope("us-east-1i", "am")).sign(&[b"x"]),
        ];
        assert!(signatures[0] != signatures[1] && signatures[0] != signatures[2]);
    }
}
