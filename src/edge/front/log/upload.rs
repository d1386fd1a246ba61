//! Puts log files into a bucket.

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::super::super::config::UploadOptions;
use crate::signer::{Credentials, Head, SignedBody, Signer};
use crate::tls::{Authorities, OutgoingError, client_configuration};

/// How long one upload may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Puts files below one prefix of one bucket.
pub struct Uploader {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    signer: Signer,
    options: UploadOptions,
}

/// Why a file is not in the bucket.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Signature(#[from] crate::signer::Error),
    #[error("the request is malformed: {0}")]
    Request(#[from] http::Error),
    #[error("the server cannot be asked: {0}")]
    Exchange(#[from] hyper_util::client::legacy::Error),
    #[error("the server answers {0}")]
    Refused(StatusCode),
    #[error("the server did not answer within {PATIENCE:?}")]
    Slow,
}

impl UploadError {
    /// Whether trying again is of no use: the server understood, and said no.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused(status) => status.is_client_error() && !matches!(status.as_u16(), 408 | 429),
            Self::Signature(_) | Self::Request(_) => true,
            Self::File(_) | Self::Exchange(_) | Self::Slow => false,
        }
    }
}

impl Uploader {
    /// Reads the machine's authorities where the endpoint speaks TLS; blocks.
    pub fn new(options: &UploadOptions) -> Result<Self, OutgoingError> {
        let secure = options.endpoint.scheme_str() == Some("https");
        let authorities = if secure { Authorities::Machine } else { Authorities::Nobody };
        let tls = client_configuration(&authorities, None)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let key = &options.signer;
        let credentials = Credentials {
            access_key: key.access_key_id.clone(),
            secret_key: key.secret_access_key.clone().into(),
            session_token: None,
        };
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            signer: Signer::new(key.region.clone(), &credentials),
            options: options.clone(),
        })
    }

    /// Puts the file at `path` under its own name.
    pub async fn put(&self, path: &Path) -> Result<(), UploadError> {
        let body = Bytes::from(tokio::fs::read(path).await?);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let request = self.request(&name, body)?;
        let exchange = timeout(PATIENCE, self.client.request(request)).await.map_err(|_| UploadError::Slow)??;
        if exchange.status().is_success() { Ok(()) } else { Err(UploadError::Refused(exchange.status())) }
    }

    fn request(&self, name: &str, body: Bytes) -> Result<Request<Full<Bytes>>, UploadError> {
        let UploadOptions { endpoint, bucket, prefix, .. } = &self.options;
        let authority = endpoint.authority().map(ToString::to_string).unwrap_or_default();
        let scheme = endpoint.scheme_str().unwrap_or("http");
        // Names of files, buckets and prefixes have no character that would have to be encoded.
        let uri = format!("{scheme}://{authority}/{bucket}/{prefix}{name}");
        let hash = hex::encode(digest::digest(&digest::SHA256, &body));
        let headers = [("host", authority)];
        let head = Head { method: "PUT", uri: &uri, headers: &headers, body: SignedBody::Sha256(hash) };
        let mut request = Request::builder().method(Method::PUT).uri(&uri).header(HOST, &headers[0].1);
        request = request.header(CONTENT_TYPE, "text/plain").header(CONTENT_ENCODING, "gzip");
        for (name, value) in self.signer.sign(&head, SystemTime::now())? {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body))?)
    }
}
