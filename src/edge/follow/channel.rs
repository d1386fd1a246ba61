//! The way to whoever gives the feed: signed documents over one connection that stays.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::feed::{EdgeName, MAX_PAGE_BYTES, Refused, SERVICE};
use crate::signer::{Credentials, Head, SignedBody, Signer};
use crate::tls::{Authorities, OutgoingError, client_configuration};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an idle connection is kept: longer than from one poll to the next.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the feed is, and who reads it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Scheme, host and port of the server, or of an edge that relays.
    pub url: Uri,
    pub credentials: Credentials,
    pub region: String,
    /// What this edge is called.
    pub name: EdgeName,
    /// Certificates in PEM that the server is trusted by, in place of the machine's.
    pub ca_bundle: Option<PathBuf>,
    /// Whether edges may read the feed here.
    pub relay: bool,
}

/// Why the feed cannot be followed with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the feed's url has no host")]
    Host,
    #[error(transparent)]
    Tls(#[from] OutgoingError),
    #[error("the system gave no random bytes")]
    NoRandomBytes,
}

/// Why there was no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("the server refused: {status}{why}")]
    Refused { status: http::StatusCode, why: String },
    #[error("the server is not reached: {0}")]
    Unreachable(#[source] legacy::Error),
    #[error("the answer broke off: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("there was no answer within {0:?}")]
    Late(Duration),
    #[error("the answer is no document of the feed: {0}")]
    Malformed(#[source] serde_json::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends documents and receives documents.
pub struct Channel {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    signer: Signer,
    /// Scheme and authority.
    base: String,
    authority: String,
}

impl Channel {
    /// Makes the channel; nothing is sent. Reads the authorities' file; blocks.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let authority = settings.url.authority().ok_or(SettingsError::Host)?.to_string();
        let secure = settings.url.scheme_str() == Some("https");
        let authorities = match (secure, &settings.ca_bundle) {
            (false, _) => Authorities::Nobody,
            (true, None) => Authorities::Machine,
            (true, Some(file)) => Authorities::File(file.clone()),
        };
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.enforce_http(false);
        let tls = client_configuration(&authorities, None)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT);
        Ok(Self {
            client: builder.build(connector.wrap_connector(tcp)),
            signer: Signer::for_service(SERVICE, settings.region.clone(), &settings.credentials),
            base: format!("{}://{authority}", if secure { "https" } else { "http" }),
            authority,
        })
    }

    /// Sends a document to `path` and gives the answer's, within `time`.
    pub async fn exchange<T: DeserializeOwned>(
        &self,
        path: &str,
        document: &impl Serialize,
        time: Duration,
    ) -> Result<T, ChannelError> {
        let request = self.request(path, document)?;
        let (status, body) = timeout(time, self.send(request)).await.map_err(|_| ChannelError::Late(time))??;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(ChannelError::Malformed);
        }
        let refused = serde_json::from_slice::<Refused>(&body);
        let why = refused.map_or_else(|_| String::new(), |refused| format!(" {}: {}", refused.code, refused.message));
        Err(ChannelError::Refused { status, why })
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(http::StatusCode, Bytes), ChannelError> {
        let response = self.client.request(request).await.map_err(ChannelError::Unreachable)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_PAGE_BYTES).collect().await.map_err(ChannelError::Broken)?;
        Ok((status, body.to_bytes()))
    }

    fn request(&self, path: &str, document: &impl Serialize) -> Result<Request<Full<Bytes>>, ChannelError> {
        let body = serde_json::to_vec(document).map_err(|error| ChannelError::Request(error.into()))?;
        let uri = format!("{}{path}", self.base);
        let headers = [("host", self.authority.clone())];
        let sha256 = hex::encode(digest::digest(&digest::SHA256, &body));
        let head = Head { method: "POST", uri: &uri, headers: &headers, body: SignedBody::Sha256(sha256) };
        let signature = self.signer.sign(&head, SystemTime::now());
        let signature = signature.map_err(|error| ChannelError::Request(error.into()))?;
        let mut request = Request::builder().method(Method::POST).uri(&uri).header(header::HOST, &self.authority);
        for (name, value) in signature {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(body))).map_err(|error| ChannelError::Request(error.into()))
    }
}
