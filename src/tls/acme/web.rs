//! HTTPS to an authority, with a bound on time and on bytes.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Error;

/// How long one request may take, its answer included.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of an answer. A chain has some thousand.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// The longest wait that an authority is taken at its word for. Let's Encrypt's limits are over a week.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A client of one authority. Clones share their connections.
#[derive(Clone)]
pub struct Web {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    retry_after: Arc<Mutex<Option<Duration>>>,
}

impl Web {
    /// Trusts the certificates of `ca_bundle`, or the system's. Blocks.
    pub fn new(ca_bundle: Option<&Path>) -> Result<Self, Error> {
        let configuration = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Roots(error.to_string()))?
            .with_root_certificates(roots(ca_bundle)?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(configuration).https_only().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), retry_after: Arc::default() })
    }

    /// What the last answer asked to wait that came with `Retry-After` in seconds; forgotten with this call.
    pub fn take_retry_after(&self) -> Option<Duration> {
        self.retry_after.lock().take()
    }
}

impl HttpClient for Web {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let web = self.clone();
        Box::pin(async move {
            let exchange = async {
                let (mut parts, body) = web.client.request(request).await.map_err(other)?.into_parts();
                let wait = bound_retry_after(&mut parts.headers);
                if parts.status.is_client_error() || parts.status.is_server_error() {
                    *web.retry_after.lock() = wait;
                }
                let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
                let body = body.map_err(instant_acme::Error::Other)?.to_bytes();
                Ok(BytesResponse { parts, body: Box::new(body) })
            };
            let late = |_| other(io::Error::new(io::ErrorKind::TimedOut, "the authority does not answer"));
            tokio::time::timeout(PATIENCE, exchange).await.map_err(late)?
        })
    }
}

/// The wait in seconds that `Retry-After` asks for, at most [`MAX_RETRY_AFTER`]. The header says no more then either:
/// instant-acme adds it to the time of day, which panics at what that cannot hold.
fn bound_retry_after(headers: &mut HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().trim_start_matches('+').to_owned();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let longest = MAX_RETRY_AFTER.as_secs();
    let seconds = text.parse().unwrap_or(longest).min(longest);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    Some(Duration::from_secs(seconds))
}

/// With its causes: hyper's own words are "client error (Connect)".
fn other(error: impl std::error::Error) -> instant_acme::Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    instant_acme::Error::Other(text.into())
}

fn roots(ca_bundle: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let certificates = match ca_bundle {
        Some(path) => {
            let failed = |error| Error::Roots(format!("{}: {error}", path.display()));
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(failed)?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    match roots.is_empty() {
        true => Err(Error::Roots("there are none".to_owned())),
        false => Ok(roots),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::certificate::tests::made_for;
    use super::*;

    #[test]
    fn a_wait_beyond_all_bounds_is_cut_before_anyone_adds_it() {
        let bounded = |value: &'static str| {
            let mut headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            let wait = bound_retry_after(&mut headers).map(|wait| wait.as_secs());
            (wait, headers[RETRY_AFTER].to_str().unwrap().to_owned())
        };
        assert_eq!(bounded("120"), (Some(120), "120".to_owned()));
        for endless in ["18446744073709551615", " +18446744073709551615 ", "99999999999999999999999"] {
            assert_eq!(bounded(endless), (Some(604_800), "604800".to_owned()), "{endless}");
        }
        let date = "Fri, 31 Dec 9999 23:59:59 GMT";
        assert_eq!(bounded(date), (None, date.to_owned()));
        assert_eq!(bound_retry_after(&mut HeaderMap::new()), None);
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        assert!(matches!(Web::new(Some(&path)), Err(Error::Roots(_))));
        std::fs::write(&path, "nothing").unwrap();
        assert!(matches!(Web::new(Some(&path)), Err(Error::Roots(_))));
        std::fs::write(&path, made_for(&["ca.test"]).0).unwrap();
        assert!(Web::new(Some(&path)).is_ok());
    }
}
