//! What a process tells about itself: log, metrics, and the ids that tie a request to its log line.

pub mod log;
pub mod metrics;
mod request_id;

pub use request_id::{HostId, RequestId};
