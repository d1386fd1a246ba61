//! rustls's configuration of a client: whom it trusts, and who it says it is.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::private_file;

/// Whose certificates a client believes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authorities {
    /// Those that the machine trusts.
    #[default]
    Machine,
    /// Those in this file, in PEM, and no others.
    File(PathBuf),
    /// None: for clients that speak no TLS.
    Nobody,
}

/// What a client shows to servers that ask who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The client's certificate, then those in between up to the authority's, in PEM.
    pub chain: PathBuf,
    /// Its private key in PEM. Refused where other users can read it.
    pub key: PathBuf,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    #[error("this machine trusts no certificate authority")]
    NoAuthorities,
    #[error("the authorities in {}: {why}", path.display())]
    Authorities { path: PathBuf, why: String },
    #[error("the client certificate {}: {why}", path.display())]
    Identity { path: PathBuf, why: String },
    #[error("the key of the client certificate: {0}")]
    Key(#[from] private_file::Error),
    #[error("TLS cannot be configured")]
    Tls(#[from] rustls::Error),
}

/// Makes the configuration of a client: TLS 1.2 and 1.3 with rustls's own choice of suites. Reads the files; blocks.
pub fn client_configuration(
    authorities: &Authorities,
    identity: Option<&Identity>,
) -> Result<ClientConfig, OutgoingError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots(authorities)?);
    let Some(identity) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let (chain, key) = identity.read()?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

fn roots(authorities: &Authorities) -> Result<RootCertStore, OutgoingError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Authorities::Nobody => return Ok(roots),
        Authorities::Machine => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(OutgoingError::NoAuthorities);
            }
        }
        Authorities::File(path) => {
            let wrong = |why: String| OutgoingError::Authorities { path: path.clone(), why };
            for certificate in certificates(path).map_err(wrong)? {
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
        }
    }
    Ok(roots)
}

impl Identity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), OutgoingError> {
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |why: String| OutgoingError::Identity { path, why }
        };
        let chain = certificates(&self.chain).map_err(wrong(&self.chain))?;
        let missing = || wrong(&self.key)(io::Error::from(io::ErrorKind::NotFound).to_string());
        let key = private_file::read(&self.key)?.ok_or_else(missing)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(&self.key)(error.to_string()))?;
        Ok((chain, key))
    }
}

/// The certificates of a file: at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if found.is_empty() { Err("there is none".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::tests::made_for;
    use super::*;

    #[test]
    fn a_file_without_authorities_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let fault = || client_configuration(&Authorities::File(file.clone()), None).unwrap_err().to_string();
        assert!(fault().contains("ca.pem"));
        std::fs::write(&file, "nothing").unwrap();
        assert!(fault().contains("there is none"));
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(fault().contains("ca.pem"));
        std::fs::write(&file, made_for(&["a.test"]).0).unwrap();
        assert!(client_configuration(&Authorities::File(file.clone()), None).is_ok());
    }

    #[test]
    fn a_client_certificate_needs_a_key_of_its_own_that_others_cannot_read() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { chain: dir.path().join("chain.pem"), key: dir.path().join("key.pem") };
        let made = || client_configuration(&Authorities::Nobody, Some(&identity));
        assert!(made().unwrap_err().to_string().contains("chain.pem"));
        let (chain, key) = made_for(&["client.test"]);
        std::fs::write(&identity.chain, &chain).unwrap();
        assert!(made().unwrap_err().to_string().contains("key.pem"));
        private_file::write(&identity.key, key.as_bytes()).unwrap();
        assert!(made().unwrap().client_auth_cert_resolver.has_certs());
        private_file::write(&identity.key, made_for(&["other.test"]).1.as_bytes()).unwrap();
        assert!(made().is_err(), "a key of another certificate");
        std::fs::set_permissions(&identity.key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(made().unwrap_err().to_string().contains("key"));
    }
}
