//! One certificate with its key: the names it is for, and until when.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::Timestamp;

/// A chain of certificates and the key of its first one.
#[derive(Debug)]
pub struct Certificate {
    /// What the logs and metrics call it: its first name.
    pub label: String,
    /// Host names, lower case.
    pub exact: Vec<String>,
    /// What follows `*.` in its wildcards, lower case. RFC 9525 section 6.3: a wildcard stands for one whole label.
    pub wildcards: Vec<String>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub(super) certified: Arc<CertifiedKey>,
}

/// Why a chain and a key are no certificate that can be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("holds no certificate: expected PEM text, `-----BEGIN CERTIFICATE-----`")]
    NoChain,
    #[error("holds a certificate that cannot be read: {0}")]
    MalformedChain(String),
    #[error("holds no private key: expected PEM text, `-----BEGIN PRIVATE KEY-----`")]
    NoKey,
    #[error("holds a private key that cannot be read: {0}")]
    MalformedKey(String),
    #[error("the key does not belong to the first certificate of the chain: {0}")]
    Mismatch(rustls::Error),
    /// RFC 9525 section 6.3: the common name counts for nothing.
    #[error("the first certificate of the chain names no host: it needs subject alternative names")]
    NoNames,
}

impl Certificate {
    /// Whether one of its names is `host`, which is in lower case.
    pub fn is_for(&self, host: &str) -> bool {
        let below = |parent: &String| host.split_once('.').is_some_and(|(_, rest)| rest == parent);
        self.exact.iter().any(|name| name == host) || self.wildcards.iter().any(below)
    }

    /// Takes a chain, the certificate of the host first, and its key, both in PEM.
    ///
    /// A certificate for addresses alone is taken; only a client that sends no name can be shown it.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = chain_of(chain)?;
        let leaf = chain.first().ok_or(CertificateError::NoChain)?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(malformed)?;
        let names = Names::of(&parsed)?;
        let validity = parsed.validity();
        let (not_before, not_after) =
            (timestamp(validity.not_before.timestamp()), timestamp(validity.not_after.timestamp()));
        let certified = CertifiedKey::from_der(chain, key_of(key)?, &aws_lc_rs::default_provider());
        Ok(Self {
            label: names.label,
            exact: names.exact,
            wildcards: names.wildcards,
            not_before,
            not_after,
            certified: Arc::new(certified.map_err(of_key)?),
        })
    }

    /// Whether clients accept it at `now`, as far as its times say.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// The first certificate of the chain, in DER.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        // `from_pem` makes none without.
        &self.certified.cert[0]
    }
}

/// What a certificate says whom it is for.
struct Names {
    label: String,
    exact: Vec<String>,
    wildcards: Vec<String>,
}

impl Names {
    fn of(certificate: &X509Certificate) -> Result<Self, CertificateError> {
        let extension = certificate.subject_alternative_name().map_err(malformed)?;
        let listed = extension.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
        let (mut exact, mut wildcards, mut label) = (Vec::new(), Vec::new(), None);
        for name in listed {
            match name {
                GeneralName::DNSName(name) => {
                    let name = name.trim_end_matches('.').to_ascii_lowercase();
                    label.get_or_insert_with(|| name.clone());
                    match name.strip_prefix("*.") {
                        Some(parent) => wildcards.push(parent.to_owned()),
                        None => exact.push(name),
                    }
                }
                GeneralName::IPAddress(bytes) => {
                    label.get_or_insert_with(|| address(bytes));
                }
                _ => {}
            }
        }
        Ok(Self { label: label.ok_or(CertificateError::NoNames)?, exact, wildcards })
    }
}

/// RFC 5280 section 4.2.1.6: four or sixteen bytes.
fn address(bytes: &[u8]) -> String {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    let sixteen = || <[u8; 16]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    four.or_else(|_| sixteen()).unwrap_or_else(|_| "an address".to_owned())
}

fn chain_of(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertificateError::MalformedChain(error.to_string()))
}

fn key_of(pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => CertificateError::NoKey,
        other => CertificateError::MalformedKey(other.to_string()),
    })
}

fn of_key(error: rustls::Error) -> CertificateError {
    match error {
        rustls::Error::InconsistentKeys(_) => CertificateError::Mismatch(error),
        other => CertificateError::MalformedKey(other.to_string()),
    }
}

fn malformed(error: impl std::fmt::Display) -> CertificateError {
    CertificateError::MalformedChain(error.to_string())
}

/// A time before 1970 as 1970.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate that signs itself: its chain and its key in PEM.
    pub fn made_for(names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub fn certificate_for(names: &[&str]) -> Arc<Certificate> {
        let (chain, key) = made_for(names);
        Arc::new(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap())
    }

    fn refused(chain: &str, key: &str) -> CertificateError {
        Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err()
    }

    #[test]
    fn names_are_the_subject_alternative_ones_in_lower_case() {
        let certificate = certificate_for(&["WWW.Example.com", "*.Example.com", "10.0.0.1"]);
        assert_eq!(certificate.label, "www.example.com");
        assert_eq!(certificate.exact, ["www.example.com"]);
        assert_eq!(certificate.wildcards, ["example.com"]);
        assert_eq!(certificate_for(&["::1"]).label, "::1");
    }

    #[test]
    fn a_certificate_counts_from_its_first_to_its_last_moment() {
        let certificate = certificate_for(&["a.test"]);
        assert!(certificate.not_before < certificate.not_after);
        assert!(certificate.is_valid_at(certificate.not_before));
        assert!(!certificate.is_valid_at(certificate.not_after));
        assert!(!certificate.is_valid_at(Timestamp::from_seconds(0)));
    }

    #[test]
    fn every_fault_says_what_it_is() {
        let ((chain, key), (_, other)) = (made_for(&["a.test"]), made_for(&["a.test"]));
        assert!(matches!(refused("", &key), CertificateError::NoChain));
        assert!(matches!(refused(&key, &key), CertificateError::NoChain));
        assert!(matches!(refused(&chain, ""), CertificateError::NoKey));
        assert!(matches!(refused(&chain, &chain), CertificateError::NoKey));
        assert!(matches!(refused(&chain, &other), CertificateError::Mismatch(_)));
        assert!(matches!(refused(&chain[..chain.len() - 40], &key), CertificateError::MalformedChain(_)));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(garbage, &key), CertificateError::MalformedChain(_)));
        let garbage = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(refused(&chain, garbage), CertificateError::MalformedKey(_)));
        let (nameless, key) = made_for(&[]);
        assert!(matches!(refused(&nameless, &key), CertificateError::NoNames));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(chain in ".{0,200}", cut in 0usize..2000, flip in 0usize..2000) {
            let (pem, key) = made_for(&["a.test"]);
            let _ = Certificate::from_pem(chain.as_bytes(), key.as_bytes());
            let mut bytes = pem.into_bytes();
            let length = bytes.len();
            bytes[flip % length] ^= 1;
            let _ = Certificate::from_pem(&bytes[..cut % length], key.as_bytes());
            let _ = Certificate::from_pem(&bytes, key.as_bytes());
        }
    }
}
