//! The access log: one line a request, in CloudFront's W3C format or as JSON.
//!
//! A request hands its record to a queue and goes on; a thread of its own writes. Where the queue is full, the record is
//! counted and lost: the log never slows requests down. Signatures, tokens and cookies are never written.

mod archive;
mod json;
mod record;
mod upload;
mod w3c;
mod writer;

pub use archive::{Archive, Archiver};
pub use record::{Record, Started, Tls};
pub use upload::Uploader;
pub use writer::{AccessLog, LogError, LogSender};
