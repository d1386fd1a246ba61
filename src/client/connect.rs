//! Connections: plain, or TLS with the authorities that the machine or a given file trusts.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Error;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that nobody uses is kept. Below what servers keep it, so that it is seldom closed under a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is sent with a request.
pub type Sent = UnsyncBoxBody<Bytes, std::io::Error>;
/// A pool of connections.
pub type Connections = legacy::Client<HttpsConnector<HttpConnector>, Sent>;

/// A pool for this endpoint's scheme. The machine's authorities are only looked for where TLS is spoken.
pub fn connections(secure: bool, ca_bundle: Option<&Path>) -> Result<Connections, Error> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.enforce_http(false);
    let roots = if secure { roots(ca_bundle)? } else { RootCertStore::empty() };
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
    let tls = tls.map_err(|error| Error::Request(error.into()))?;
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT);
    Ok(builder.build(connector.wrap_connector(tcp)))
}

fn roots(ca_bundle: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_bundle else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return match roots.is_empty() {
            true => {
                Err(Error::Settings("this machine trusts no certificate authority: --ca-bundle names one".to_owned()))
            }
            false => Ok(roots),
        };
    };
    let wrong = |why: String| Error::Settings(format!("the authorities in {}: {why}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("there is none".to_owned())) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_authorities_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        assert!(connections(true, Some(&file)).unwrap_err().to_string().contains("ca.pem"));
        std::fs::write(&file, "nothing").unwrap();
        assert!(connections(true, Some(&file)).unwrap_err().to_string().contains("there is none"));
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(connections(true, Some(&file)).is_err());
    }
}
