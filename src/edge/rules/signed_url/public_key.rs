//! The public keys of signers.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The public half of a signer's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) kind: Kind,
    /// An RSA key as DER of `RSAPublicKey`, or an uncompressed point.
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    EcdsaP256,
}

/// With which digest a policy was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
}

/// A text that is no public key which signs URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("a public key is PEM: -----BEGIN PUBLIC KEY-----")]
    Pem,
    #[error("a public key is RSA with 2048 bits or more, or ECDSA on the curve P-256")]
    Kind,
}

impl PublicKey {
    /// Reads a key in PEM, as `openssl rsa -pubout` and `openssl ec -pubout` write it.
    pub fn from_pem(text: &str) -> Result<Self, InvalidKey> {
        let inner = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
        let inner = inner.and_then(|text| text.strip_suffix("-----END PUBLIC KEY-----")).ok_or(InvalidKey::Pem)?;
        let base64: String = inner.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(base64).map_err(|_| InvalidKey::Pem)?;
        Self::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7).
    fn from_der(der: &[u8]) -> Result<Self, InvalidKey> {
        use x509_parser::prelude::FromDer;
        use x509_parser::public_key::PublicKey as Parsed;
        let (rest, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(der).map_err(|_| InvalidKey::Kind)?;
        if !rest.is_empty() {
            return Err(InvalidKey::Kind);
        }
        let kind = match info.parsed() {
            Ok(Parsed::RSA(key)) if (2048..=8192).contains(&key.key_size()) => Kind::Rsa,
            Ok(Parsed::EC(point)) if point.data().len() == 65 && is_p256(&info) => Kind::EcdsaP256,
            _ => return Err(InvalidKey::Kind),
        };
        Ok(Self { kind, bytes: info.subject_public_key.data.to_vec() })
    }

    /// Whether the signer of this key signed `text`.
    pub fn verify(&self, hash: Hash, text: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.kind, hash) {
            (Kind::Rsa, Hash::Sha1) => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            (Kind::Rsa, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Kind::EcdsaP256, Hash::Sha1) => &signature::ECDSA_P256_SHA1_ASN1,
            (Kind::EcdsaP256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(text, signature).is_ok()
    }
}

/// `prime256v1` (RFC 5480 section 2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";

fn is_p256(info: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> bool {
    let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    curve.is_some_and(|curve| curve.to_id_string() == P256)
}
