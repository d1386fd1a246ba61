//! The master key: what secrets are encrypted with at rest.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Error;

/// The length of a master key, in bytes.
pub const MASTER_KEY_BYTES: usize = 32;

/// The length of a fingerprint, in bytes before hex.
const FINGERPRINT_BYTES: usize = 16;

/// Encrypts and decrypts secrets with AES-256-GCM.
pub struct MasterKey {
    bytes: Zeroizing<[u8; MASTER_KEY_BYTES]>,
    cipher: LessSafeKey,
}

/// A secret at rest. It opens only with the master key and the name it was sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    nonce: [u8; NONCE_LEN],
    /// The ciphertext, then the 16-byte tag.
    bytes: Vec<u8>,
}

/// The secret does not open: another master key, another name, or changed bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct DoesNotOpen;

impl MasterKey {
    pub fn new(bytes: Zeroizing<[u8; MASTER_KEY_BYTES]>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &*bytes).expect("32 bytes are an AES-256 key");
        Self { bytes, cipher: LessSafeKey::new(key) }
    }

    /// A new random master key.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
        rand::fill(&mut *bytes).map_err(|_| Error::Random)?;
        Ok(Self::new(bytes))
    }

    /// The key's bytes, for writing it to its file.
    pub fn expose(&self) -> &[u8; MASTER_KEY_BYTES] {
        &self.bytes
    }

    /// Tells this key from any other, and tells nothing of it: 32 hex digits.
    pub fn fingerprint(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.bytes);
        let tag = hmac::sign(&key, b"brim master key fingerprint");
        hex::encode(&tag.as_ref()[..FINGERPRINT_BYTES])
    }

    /// Encrypts `secret`, bound to `name`. Random 96-bit nonces are safe for 2^32 secrets under one key
    /// (NIST SP 800-38D section 8.3).
    pub(crate) fn seal(&self, name: &str, secret: &str) -> Result<Sealed, Error> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| Error::Random)?;
        // Encrypted in place; room for the tag, so that the plain secret is not left behind by a reallocation.
        let mut bytes = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        bytes.extend_from_slice(secret.as_bytes());
        self.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut bytes)
            .expect("a secret is far below AES-GCM's limit of 64 GiB");
        Ok(Sealed { nonce, bytes })
    }

    /// Decrypts what was sealed under `name`.
    pub(crate) fn open(&self, name: &str, sealed: &Sealed) -> Result<Zeroizing<String>, DoesNotOpen> {
        let mut bytes = Zeroizing::new(sealed.bytes.clone());
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let plain = self.cipher.open_in_place(nonce, Aad::from(name), &mut bytes).map_err(|_| DoesNotOpen)?;
        let text = std::str::from_utf8(plain).map_err(|_| DoesNotOpen)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_with_its_key_its_name_and_its_bytes() {
        let master = MasterKey::generate().unwrap();
        let sealed = master.seal("BRIMA", "a-secret").unwrap();
        assert_eq!(*master.open("BRIMA", &sealed).unwrap(), "a-secret");
        assert_eq!(master.open("BRIMB", &sealed), Err(DoesNotOpen));
        assert_eq!(MasterKey::generate().unwrap().open("BRIMA", &sealed), Err(DoesNotOpen));
        for at in 0..sealed.bytes.len() {
            let mut tampered = sealed.clone();
            tampered.bytes[at] ^= 1;
            assert_eq!(master.open("BRIMA", &tampered), Err(DoesNotOpen), "byte {at}");
        }
    }

    #[test]
    fn the_plain_secret_is_not_in_the_sealed_bytes_and_nonces_differ() {
        let master = MasterKey::new(Zeroizing::new([7; MASTER_KEY_BYTES]));
        let first = master.seal("BRIMA", "a-secret").unwrap();
        assert!(!first.bytes.windows(4).any(|window| window == b"secr"));
        assert_ne!(first, master.seal("BRIMA", "a-secret").unwrap());
        assert_eq!(format!("{master:?}"), "MasterKey(hidden)");
    }
}
