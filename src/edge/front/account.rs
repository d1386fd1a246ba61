//! What is counted and logged of a request once its answer is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::StatusCode;

use super::super::engine::{Found, Outcome};
use super::log::{LogSender, Record};
use super::served::Served;

/// Counts and logs a request when it is dropped, which is when its answer was sent, or its client gone.
pub struct Account {
    /// `None` where no site answered.
    pub served: Option<Arc<Served>>,
    pub status: StatusCode,
    pub outcome: Outcome,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// Whether the body broke off.
    pub broken: bool,
    /// Bytes of the request's body; `None` where it has none.
    pub received: Option<Arc<AtomicU64>>,
    /// `None` where requests are not logged.
    pub logged: Option<Box<Logged>>,
}

/// What a line of the log is made of.
pub struct Logged {
    pub record: Record,
    pub began: Instant,
    pub sender: LogSender,
}

impl Account {
    /// Of a request that no site answered.
    pub fn of_nobody() -> Self {
        Self {
            served: None,
            status: StatusCode::OK,
            outcome: Outcome::of(Found::Error),
            sent: 0,
            broken: false,
            received: None,
            logged: None,
        }
    }

    fn received(&self) -> u64 {
        self.received.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let received = self.received();
        if let Some(served) = &self.served {
            served.measures.record(self.status, self.outcome, self.sent, received);
        }
        if let Some(logged) = self.logged.take() {
            let Logged { mut record, began, sender } = *logged;
            record.taken = began.elapsed();
            (record.status, record.outcome) = (self.status, self.outcome);
            (record.sent, record.received, record.broken) = (self.sent, received, self.broken);
            sender.send(record);
        }
    }
}
