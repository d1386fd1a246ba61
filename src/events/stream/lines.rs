//! A stream as MinIO's clients read it: a line of JSON for every event, and white space or empty lists in between.
//!
//! <https://github.com/minio/minio/blob/master/cmd/listen-notification-handlers.go>

use bytes::Bytes;

use super::reader::{Gap, Heard};
use crate::events::record::{Format, render};

/// The media type that MinIO gives.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// What says that nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    /// White space before the next line: what clients get that ask for nothing else.
    Space,
    /// A line without records, for clients that ask for `ping`.
    Line,
}

/// This protocol has no word for changes that are lost: the stream has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untellable(pub Gap);

/// What a client is sent for what its listener hears.
pub fn write(heard: &Heard, ping: Ping) -> Result<Bytes, Untellable> {
    match heard {
        // The head of the answer is on its way when its first byte is.
        Heard::Open(_) => Ok(Bytes::from_static(b" ")),
        Heard::Beat(_) => Ok(Bytes::from_static(match ping {
            Ping::Space => b" ",
            Ping::Line => b"{\"Records\":null}\n",
        })),
        Heard::Gap(gap) => Err(Untellable(*gap)),
        Heard::Events(events) => {
            let mut lines = Vec::new();
            for event in events {
                lines.extend_from_slice(&render(Format::Minio, std::slice::from_ref(event)).body);
                lines.push(b'\n');
            }
            Ok(lines.into())
        }
    }
}
