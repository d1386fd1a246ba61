//! A stream as server-sent events.
//!
//! Every event has an id, the position of its change, and so has a beat: a reader that comes back with the last id that it
//! saw (`Last-Event-ID`) has read the log up to there, whatever of it was for him.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use bytes::Bytes;
use serde::Serialize;

use super::reader::{Ended, Gap, Heard, Lost};
use crate::events::record::{Format, render};
use crate::feed::Position;

/// The media type of server-sent events.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// What readers that come back by themselves wait before they do, in milliseconds.
const RETRY: u64 = 1000;

#[derive(Serialize)]
struct Opened {
    position: Position,
}

#[derive(Serialize)]
struct Missing {
    reason: &'static str,
    from: Position,
    to: Position,
    /// How many positions were passed over; unknown between two logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
}

#[derive(Serialize)]
struct End {
    reason: &'static str,
}

/// What a reader is sent for what its listener hears.
pub fn write(heard: &Heard) -> Bytes {
    match heard {
        Heard::Open(position) => {
            let opened = event(Some(*position), "open", &json(&Opened { position: *position }));
            format!("retry: {RETRY}\n{opened}").into()
        }
        Heard::Beat(position) => format!(": nothing happened\nid: {position}\n\n").into(),
        Heard::Gap(gap) => event(Some(gap.to), "gap", &json(&missing(gap))).into(),
        Heard::Events(events) => {
            let mut text = String::new();
            for one in events {
                let position = Position { log: one.log, offset: one.position.0 };
                let record = render(Format::S3, std::slice::from_ref(one));
                text.push_str(&event(Some(position), one.name.as_str(), &String::from_utf8_lossy(&record.body)));
            }
            text.into()
        }
    }
}

/// What a reader is sent last, so that it knows whether to come back.
pub fn write_end(ended: &Ended) -> Bytes {
    let reason = match ended {
        Ended::Stopping => "stopping",
        Ended::NotAllowed => "denied",
        Ended::NotJudged(_) | Ended::Store(_) => "error",
    };
    event(None, "end", &json(&End { reason })).into()
}

/// `data` is one line: what JSON writes has no line breaks, those in texts are escaped.
fn event(id: Option<Position>, name: &str, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n")
}

fn missing(gap: &Gap) -> Missing {
    let (reason, lost) = match gap.why {
        Lost::Trimmed => ("trimmed", Some(gap.to.offset.saturating_sub(gap.from.offset))),
        Lost::OtherLog => ("other-log", None),
    };
    Missing { reason, from: gap.from, to: gap.to, lost }
}

/// Structures of texts and numbers are always JSON.
fn json(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_default()
}
