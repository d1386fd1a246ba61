//! Connections: plain, or TLS with the authorities that the machine or a given file trusts.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::Error;
use crate::tls::{Authorities, OutgoingError, client_configuration};

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
    let authorities = match (secure, ca_bundle) {
        (false, _) => Authorities::Nobody,
        (true, None) => Authorities::Machine,
        (true, Some(file)) => Authorities::File(file.to_owned()),
    };
    let tls = client_configuration(&authorities, None).map_err(|error| match error {
        OutgoingError::NoAuthorities => Error::Settings(format!("{error}: --ca-bundle names one")),
        error => Error::Settings(error.to_string()),
    })?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT);
    Ok(builder.build(connector.wrap_connector(tcp)))
}
