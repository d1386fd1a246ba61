//! Between actix and the operations: requests in, documents out, one log line a request.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::batch::MAX_BODY_BYTES;
use super::call::{Answer, Call};
use super::error::{ApiError, Code};
use super::route::{Operation, Route, VERSION};
use super::{Service, distributions, invalidations};
use crate::auth::Claim;
use crate::guard::Origin;
use crate::http::head::Head;
use crate::telemetry::RequestId;
use crate::telemetry::metrics::Measured;
use crate::transport::head::{head_of, is_secure};
use crate::transport::pace::Pace;
use crate::transport::whole::read_whole;

/// The service in the scope of signatures.
const SERVICE: &str = "cloudfront";

/// One request's line in the log and its share in the metrics: written when this is dropped.
struct Line {
    service: Arc<Service>,
    start: Instant,
    id: RequestId,
    operation: Operation,
    status: u16,
    received: u64,
    sent: u64,
}

impl Line {
    fn new(service: Arc<Service>) -> Self {
        let (start, id, operation) = (Instant::now(), RequestId::new(), Operation::Unknown);
        Self { service, start, id, operation, status: 0, received: 0, sent: 0 }
    }

    fn respond(&mut self, answer: Answer) -> HttpResponse {
        (self.status, self.sent) = (answer.status, answer.document.len() as u64);
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.append_header(("x-amzn-requestid", self.id.as_str())).append_header(("server", "Brim"));
        for header in answer.headers {
            response.append_header(header);
        }
        response.content_type("text/xml").body(answer.document)
    }

    fn refuse(&mut self, error: &ApiError) -> HttpResponse {
        let id = self.id.as_str();
        if let Some(cause) = &error.source {
            match error.status() {
                500.. => tracing::error!(request_id = id, code = error.code.as_str(), %cause, "request failed"),
                _ => tracing::debug!(request_id = id, code = error.code.as_str(), %cause, "request refused"),
            }
        }
        self.respond(Answer { status: error.status(), headers: Vec::new(), document: error.document(id) })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        tracing::info!(
            op = self.operation.name(),
            bucket = "-",
            status = self.status,
            bytes_in = self.received,
            bytes_out = self.sent,
            ms = duration.as_micros() as f64 / 1000.0,
            request_id = self.id.as_str(),
            "request"
        );
        let (operation, status) = (self.operation.index(), self.status);
        let (received, sent) = (self.received, self.sent);
        self.service.metrics.record(Measured { operation, status, duration, received, sent });
    }
}

impl Service {
    /// Whether a request is for this transport. A bucket may be called as the API's version is: the service in the scope of
    /// the signature tells the two apart.
    pub fn is_addressed(&self, head: &Head) -> bool {
        self.claim(head).is_some()
    }

    fn claim(&self, head: &Head) -> Option<Claim> {
        if !head.path.starts_with(VERSION) {
            return None;
        }
        self.signers.claim(head, SERVICE)
    }

    /// The response to a head that is refused before its body is asked for; `None` where the body may come.
    pub async fn refuse_early(self: &Arc<Self>, head: &Head) -> Option<HttpResponse> {
        let claim = self.claim(head)?;
        let refused: ApiError = match check_announced(head) {
            Err(error) => error,
            Ok(()) => self.signers.key_of(&claim).await.err()?.into(),
        };
        Some(Line::new(Arc::clone(self)).refuse(&refused))
    }
}

/// Whether a path may be one of this API's.
pub fn may_be_addressed(path: &str) -> bool {
    path.starts_with(VERSION)
}

/// Answers one request, of which [`Service::is_addressed`] is true.
pub async fn handle(http: HttpRequest, payload: web::Payload, service: Arc<Service>) -> HttpResponse {
    let mut line = Line::new(Arc::clone(&service));
    let head = head_of(http.method(), http.uri(), http.headers());
    let origin = Origin::of(http.peer_addr(), is_secure(&http));
    match service.answer(&head, origin, payload, &mut line).await {
        Ok(answer) => line.respond(answer),
        Err(error) => line.refuse(&error),
    }
}

impl Service {
    async fn answer(
        &self,
        head: &Head,
        origin: Origin,
        payload: web::Payload,
        line: &mut Line,
    ) -> Result<Answer, ApiError> {
        check_announced(head)?;
        let claim = self.claim(head).ok_or_else(|| ApiError::new(Code::InvalidClientTokenId))?;
        let key = self.signers.key_of(&claim).await?;
        let mut room = self.memory.room();
        let mut pace = Pace::new(self.options.body_idle, self.options.min_rate);
        let body = read_whole(payload, MAX_BODY_BYTES, &mut pace, &mut room).await?;
        line.received = body.len() as u64;
        self.signers.verify(&claim, head, &body, &key)?;
        let route = Route::parse(&head.method, &head.path)?;
        line.operation = route.operation;
        let call = Call { service: self, operation: route.operation, key, head, body: &body, origin, id: line.id };
        match route.operation {
            Operation::CreateInvalidation => invalidations::create_invalidation(&call, &route).await,
            Operation::GetInvalidation => invalidations::get_invalidation(&call, &route).await,
            Operation::ListInvalidations => invalidations::list_invalidations(&call, &route).await,
            Operation::GetDistribution => distributions::get_distribution(&call, &route).await,
            Operation::GetDistributionConfig => distributions::get_distribution_config(&call, &route).await,
            Operation::ListDistributions => distributions::list_distributions(&call).await,
            Operation::Unknown => Err(ApiError::new(Code::NotImplemented)),
        }
    }
}

fn check_announced(head: &Head) -> Result<(), ApiError> {
    let Some(text) = head.headers.text("content-length")? else { return Ok(()) };
    match text.parse::<usize>() {
        Ok(length) if length <= MAX_BODY_BYTES => Ok(()),
        _ => Err(ApiError::new(Code::BatchTooLarge)),
    }
}
