//! The metrics of the edge: handles registered once a site, so that a request costs a few additions.

use http::StatusCode;
use metrics::{Counter, Histogram};

use super::super::engine::{Found, Outcome};
use crate::telemetry::metrics as registry;

/// Every way in which an answer comes about.
const RESULTS: [Found; 6] = [Found::Hit, Found::StaleHit, Found::RefreshHit, Found::Miss, Found::Pass, Found::Error];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Handles for the requests of one site. They stay for as long as the process runs.
pub struct Measures {
    requests: [[Counter; CLASSES.len()]; RESULTS.len()],
    sent: Counter,
    received: Counter,
    collapsed: Counter,
    origin_seconds: Histogram,
}

impl Measures {
    /// Registers the series of `site`, at zero.
    pub fn new(site: &str) -> Self {
        let requests = RESULTS.map(|result| CLASSES.map(|class| registry::edge_requests(site, result.label(), class)));
        Self {
            requests,
            sent: registry::edge_counter(registry::EDGE_SENT, site),
            received: registry::edge_counter(registry::EDGE_RECEIVED, site),
            collapsed: registry::edge_counter(registry::EDGE_COLLAPSED, site),
            origin_seconds: registry::edge_origin_seconds(site),
        }
    }

    pub fn record(&self, status: StatusCode, outcome: Outcome, sent: u64, received: u64) {
        let result = RESULTS.iter().position(|result| *result == outcome.result);
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1);
        // Statuses from 600 on, which an origin may make up, count as errors of its own.
        let class = class.min(CLASSES.len() - 1);
        if let Some(counter) = result.and_then(|result| self.requests.get(result)?.get(class)) {
            counter.increment(1);
        }
        self.sent.increment(sent);
        if received > 0 {
            self.received.increment(received);
        }
        if outcome.collapsed {
            self.collapsed.increment(1);
        }
        if let Some(origin) = outcome.origin {
            self.origin_seconds.record(origin.first_byte);
        }
    }
}
