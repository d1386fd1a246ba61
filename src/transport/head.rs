//! The head of a request, out of actix.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, Uri};

use crate::http::head::Head;

/// Stands among the data of a connection that is TLS.
#[derive(Debug, Clone, Copy)]
pub struct Secured;

/// The head as the rest of Brim knows it: raw path, raw query, raw values.
pub fn head_of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Head {
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Head {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
    }
}

/// Whether the request came over TLS.
pub fn is_secure(http: &HttpRequest) -> bool {
    http.conn_data::<Secured>().is_some()
}

/// The address of whoever the connection is with, without its port; empty where it is unknown.
pub fn source_address(http: &HttpRequest) -> String {
    http.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default()
}
