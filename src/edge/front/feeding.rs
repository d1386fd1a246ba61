//! Edges that read the feed from this one: their polls, and the purges that they hand in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::super::engine::Body;
use super::super::follow::{Relay, Relayed};
use super::{Front, reply};
use crate::feed::{MAX_REQUEST_BYTES, PASS_HEADER, PurgeAnswer};

/// How long the document of a poll may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a request is one of an edge behind this one.
pub fn is_for_the_feed(front: &Front, request: &Request<Incoming>) -> bool {
    relay(front).is_some() && Relay::is_addressed_by(request.method(), request.uri())
}

/// Whether a request is that of an edge behind this one, for its own viewer: then it brings what this edge gave it. That is
/// nobody else's to see.
pub fn is_edge(front: &Front, headers: &mut HeaderMap) -> bool {
    let Some(pass) = headers.remove(PASS_HEADER) else { return false };
    relay(front).is_some_and(|relay| relay.knows(pass.as_bytes()))
}

/// Answers it.
pub async fn answer(front: &Front, request: Request<Incoming>) -> Response<Body> {
    let Some(relay) = relay(front) else { return reply::empty(StatusCode::NOT_FOUND) };
    let (head, body) = request.into_parts();
    let body = match timeout(PATIENCE, Limited::new(body, MAX_REQUEST_BYTES).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return reply::plain(StatusCode::BAD_REQUEST, "The document is too long, or broke off."),
        Err(_) => return reply::plain(StatusCode::REQUEST_TIMEOUT, "The document came too slowly."),
    };
    match relay.answer(&head, &body).await {
        Relayed::Answer(status, document) => json(status, document),
        Relayed::Purges(purges) => hand_in(front, purges).await,
    }
}

fn relay(front: &Front) -> Option<&Arc<Relay>> {
    front.purger.follower.as_ref()?.relay()
}

async fn hand_in(front: &Front, purges: Vec<crate::feed::Purge>) -> Response<Body> {
    let Some(follower) = &front.purger.follower else { return reply::empty(StatusCode::NOT_FOUND) };
    match follower.purge(purges).await {
        Ok(position) => match serde_json::to_vec(&PurgeAnswer { position }) {
            Ok(document) => json(StatusCode::OK, document.into()),
            Err(_) => reply::empty(StatusCode::INTERNAL_SERVER_ERROR),
        },
        Err(failure) => {
            tracing::error!(%failure, "a purge of an edge behind this one is not known to be done");
            reply::plain(StatusCode::SERVICE_UNAVAILABLE, failure)
        }
    }
}

fn json(status: StatusCode, document: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(document));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
