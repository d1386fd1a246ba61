//! What is told of a request: one line in the log, and its share in the metrics.

use std::sync::Arc;
use std::time::Instant;

use super::Service;
use crate::store;
use crate::telemetry::RequestId;
use crate::telemetry::metrics::Measured;
use crate::transport::download::Tally;

/// The most bytes of a path that the log shows.
const SHOWN_PATH_BYTES: usize = 1024;

/// One request's line and counts: written when this is dropped, which for a streamed answer is when its last byte is sent
/// or the client is gone.
pub struct Line {
    service: Arc<Service>,
    start: Instant,
    id: RequestId,
    /// The bucket; `None` where the host names none that there is.
    pub site: Option<String>,
    host: String,
    path: String,
    pub status: u16,
    sent: u64,
}

impl Line {
    /// `path` is the raw path, without a query.
    pub fn new(service: Arc<Service>, id: RequestId, host: String, path: &str) -> Self {
        let path = path.get(..SHOWN_PATH_BYTES).unwrap_or(path);
        Self { service, start: Instant::now(), id, site: None, host, path: path.to_owned(), status: 0, sent: 0 }
    }

    pub fn id(&self) -> RequestId {
        self.id
    }
}

impl Tally for Line {
    fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    fn cut_short(&mut self, error: &store::Error) {
        let (site, path, request_id) = (self.site.as_deref(), self.path.as_str(), self.id.as_str());
        tracing::error!(site, path, request_id, %error, "a download was cut short");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        tracing::info!(
            site = self.site.as_deref().unwrap_or("-"),
            host = self.host,
            path = self.path,
            status = self.status,
            bytes_out = self.sent,
            ms = duration.as_micros() as f64 / 1000.0,
            request_id = self.id.as_str(),
            "page"
        );
        let (status, sent) = (self.status, self.sent);
        self.service.metrics.record(Measured { operation: 0, status, duration, received: 0, sent });
        self.service.traffic.record(self.site.as_deref(), status, sent);
    }
}
