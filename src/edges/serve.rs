//! Between actix and the feed: signed documents in, documents out.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Edges;
use super::poll::Asker;
use super::refusal::Refusal;
use crate::auth::Claim;
use crate::feed::{MAX_REQUEST_BYTES, PATH, PURGE_PATH, SERVICE};
use crate::guard::{NotSigned, Origin};
use crate::http::head::Head;
use crate::telemetry::RequestId;
use crate::telemetry::metrics::Measured;
use crate::transport::head::{head_of, is_secure};
use crate::transport::pace::Pace;
use crate::transport::whole::{NotRead, read_whole};

impl Edges {
    /// Whether a request is for this transport. No bucket has such a name, but a bucket in a host may have such a key: the
    /// service in the scope of the signature tells the two apart.
    pub fn is_addressed(&self, head: &Head) -> bool {
        self.claim(head).is_some()
    }

    fn claim(&self, head: &Head) -> Option<Claim> {
        let is_path = head.path == PATH || head.path == PURGE_PATH;
        if head.method != "POST" || !is_path {
            return None;
        }
        self.signers.claim(head, SERVICE)
    }

    /// The response to a head that is refused before its body is asked for; `None` where the body may come.
    pub async fn refuse_early(&self, head: &Head) -> Option<HttpResponse> {
        let claim = self.claim(head)?;
        let refusal = match check_announced(head) {
            Err(refusal) => refusal,
            Ok(()) => self.signers.key_of(&claim).await.err()?.into(),
        };
        Some(refuse(&refusal, RequestId::new()))
    }
}

/// Answers one request, of which [`Edges::is_addressed`] is true.
pub async fn handle(http: HttpRequest, payload: web::Payload, edges: Arc<Edges>) -> HttpResponse {
    let (start, id) = (Instant::now(), RequestId::new());
    let head = head_of(http.method(), http.uri(), http.headers());
    let origin = Origin::of(http.peer_addr(), is_secure(&http));
    let mut received = 0;
    let answered = edges.answer(&head, origin, payload, id, &mut received).await;
    let (status, response, sent) = match answered {
        Ok(document) => {
            let sent = document.len() as u64;
            (200, HttpResponse::Ok().content_type("application/json").body(document), sent)
        }
        Err(refusal) => (refusal.code().0, refuse(&refusal, id), 0),
    };
    let operation = usize::from(head.path == PURGE_PATH);
    let duration = start.elapsed();
    edges.metrics.record(Measured { operation, status, duration, received, sent });
    response
}

impl Edges {
    async fn answer(
        &self,
        head: &Head,
        origin: Origin,
        payload: web::Payload,
        id: RequestId,
        received: &mut u64,
    ) -> Result<Vec<u8>, Refusal> {
        check_announced(head)?;
        let claim = self.claim(head).ok_or(NotSigned::UnknownKey)?;
        let key = self.signers.key_of(&claim).await?;
        let body = self.body(payload, received).await?;
        self.signers.verify(&claim, head, &body, &key)?;
        self.run(head, &Asker { key: &key, token: claim.session_token(), origin }, &body, id).await
    }

    async fn body(&self, payload: web::Payload, received: &mut u64) -> Result<Vec<u8>, Refusal> {
        let mut room = self.memory.room();
        let mut pace = Pace::new(self.options.body_idle, self.options.min_rate);
        let body = read_whole(payload, MAX_REQUEST_BYTES, &mut pace, &mut room).await?;
        *received = body.len() as u64;
        Ok(body)
    }

    async fn run(&self, head: &Head, asker: &Asker<'_>, body: &[u8], id: RequestId) -> Result<Vec<u8>, Refusal> {
        if head.path == PURGE_PATH {
            return write(&self.purge_for(asker.key, asker.origin, read(body)?, id.as_str()).await?);
        }
        write(&self.poll(asker, read(body)?).await?)
    }
}

fn check_announced(head: &Head) -> Result<(), Refusal> {
    let Some(text) = head.headers.text("content-length")? else { return Ok(()) };
    match text.parse::<usize>() {
        Ok(length) if length <= MAX_REQUEST_BYTES => Ok(()),
        _ => Err(NotRead::TooLarge.into()),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Malformed(error.to_string()))
}

fn write(document: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(document).map_err(|error| Refusal::Malformed(error.to_string()))
}

fn refuse(refusal: &Refusal, id: RequestId) -> HttpResponse {
    let (status, code) = refusal.code();
    match status {
        500.. => tracing::error!(request_id = id.as_str(), code, error = %refusal, "an edge was refused"),
        _ => tracing::info!(request_id = id.as_str(), code, error = %refusal, "an edge was refused"),
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(refusal.document())
}
