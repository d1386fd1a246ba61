//! Between actix and the actions: requests in, documents out, one log line a request.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::action::{Api, Row, UNKNOWN};
use super::admission::Addressed;
use super::call::{Call, Origin};
use super::error::{Code, QueryError};
use super::form::Parameters;
use super::{Service, admission, body, ops};
use crate::auth::Claim;
use crate::http::head::Head;
use crate::telemetry::RequestId;
use crate::telemetry::metrics::Measured;
use crate::transport::head::{head_of, is_secure, source_address};
use crate::transport::pace::Pace;

/// One request's line in the log and its share in the metrics: written when this is dropped.
struct Line {
    service: Arc<Service>,
    start: Instant,
    id: RequestId,
    api: Api,
    /// The action, once it is known.
    row: Option<&'static Row>,
    status: u16,
    received: u64,
    sent: u64,
}

impl Line {
    fn new(service: Arc<Service>, api: Api) -> Self {
        let (start, id) = (Instant::now(), RequestId::new());
        Self { service, start, id, api, row: None, status: 0, received: 0, sent: 0 }
    }

    fn respond(&mut self, status: u16, document: Vec<u8>) -> HttpResponse {
        self.status = status;
        self.sent = document.len() as u64;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        HttpResponse::build(status)
            .append_header(("x-amzn-requestid", self.id.as_str()))
            .append_header(("server", "Brim"))
            // Answers hold secrets.
            .append_header(("cache-control", "no-store"))
            .content_type("text/xml")
            .body(document)
    }

    fn refuse(&mut self, error: &QueryError) -> HttpResponse {
        let id = self.id.as_str();
        if let Some(cause) = &error.source {
            if error.status() >= 500 {
                tracing::error!(request_id = id, code = error.code.as_str(), %cause, "request failed");
            } else {
                tracing::debug!(request_id = id, code = error.code.as_str(), %cause, "request refused");
            }
        }
        self.respond(error.status(), error.document(self.api, id))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        tracing::info!(
            op = self.row.map_or(UNKNOWN, |row| row.action.name()),
            bucket = "-",
            status = self.status,
            bytes_in = self.received,
            bytes_out = self.sent,
            ms = duration.as_micros() as f64 / 1000.0,
            request_id = self.id.as_str(),
            "request"
        );
        let operation = self.row.map_or(super::action::ROWS.len(), Row::index);
        let (status, received, sent) = (self.status, self.received, self.sent);
        self.service.metrics.record(Measured { operation, status, duration, received, sent });
    }
}

impl Service {
    /// Whether a request is for this transport. The others are S3's, and so is a form for a bucket (`to_bucket`, by its
    /// host) that is not signed.
    pub fn is_addressed(&self, head: &Head, to_bucket: bool) -> bool {
        let addressed = Addressed::parse(head, &self.options.auth);
        addressed.is_some_and(|addressed| addressed.claim.is_some() || !to_bucket)
    }

    /// The response to a head that is refused before its body is asked for; `None` where the body may come.
    pub async fn refuse_early(self: &Arc<Self>, head: &Head) -> Option<HttpResponse> {
        let Addressed { api, claim } = Addressed::parse(head, &self.options.auth)?;
        let refused = match (body::check_announced(head), claim) {
            (Err(error), _) => error,
            (Ok(()), Some(claim)) => self.key_of(&claim).await.err()?,
            (Ok(()), None) => QueryError::new(Code::MissingAuthenticationToken),
        };
        Some(Line::new(Arc::clone(self), api).refuse(&refused))
    }
}

/// Answers one request, of which [`Service::is_addressed`] is true.
pub async fn handle(http: HttpRequest, payload: web::Payload, service: Arc<Service>) -> HttpResponse {
    let head = head_of(http.method(), http.uri(), http.headers());
    let addressed = Addressed::parse(&head, &service.options.auth);
    let (api, claim) = addressed.map_or((Api::Iam, None), |addressed| (addressed.api, addressed.claim));
    let mut line = Line::new(Arc::clone(&service), api);
    let origin = Origin::of(&head, &source_address(&http), is_secure(&http));
    match service.answer(&head, claim.as_ref(), origin, payload, &mut line).await {
        Ok(document) => line.respond(200, document),
        Err(error) => line.refuse(&error),
    }
}

impl Service {
    async fn answer(
        &self,
        head: &Head,
        claim: Option<&Claim>,
        origin: Origin<'_>,
        payload: web::Payload,
        line: &mut Line,
    ) -> Result<Vec<u8>, QueryError> {
        body::check_announced(head)?;
        let claim = claim.ok_or_else(|| QueryError::new(Code::MissingAuthenticationToken))?;
        let key = self.key_of(claim).await?;
        let mut room = self.memory.room();
        let mut pace = Pace::new(self.options.body_idle, self.options.min_rate);
        let body = body::read(payload, &mut pace, &mut room).await?;
        line.received = body.len() as u64;
        self.verify(claim, head, &body, &key)?;
        let parameters = Parameters::parse(&head.query, &body)?;
        let row = Row::find(line.api, &parameters)?;
        line.row = Some(row);
        admission::check_session(line.api, &key)?;
        row.refuse_others(&parameters)?;
        let call = Call { service: self, row, key, parameters, id: line.id, origin };
        ops::run(&call).await
    }
}
