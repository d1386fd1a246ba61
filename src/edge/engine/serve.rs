//! From what is stored, or on its way, to an answer: age, conditions, ranges, `Cache-Status`.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use http::{Method, Response, StatusCode};

use super::answer::{Answer, Outcome};
use super::ask::Ask;
use super::body::Body;
use crate::edge::rules::age;
use crate::edge::rules::cache_status::CacheStatus;
use crate::edge::rules::conditional::Selected;
use crate::edge::rules::ranges::Multipart;
use crate::http::range::{content_range, unsatisfied_content_range};

/// What of a body an answer has.
#[derive(Debug)]
pub(super) enum Cut {
    Nothing,
    Whole,
    Part(Range<u64>),
    Parts(Multipart),
}

/// The head of an answer as it is put together.
#[derive(Debug)]
pub(super) struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
}

impl Head {
    /// Makes it one of an answer from a cache.
    pub fn note(&mut self, ask: &Ask, age: Duration, said: &CacheStatus<'_>) {
        self.headers.insert(AGE, age::header(age));
        if ask.behaviour.cache_status {
            said.append_to(&mut self.headers);
        }
    }

    /// Makes it one of what the client gets of a body of `total` bytes, and gives what that is.
    pub fn cut(&mut self, method: &Method, selected: Selected, total: Option<u64>) -> Cut {
        let cut = match (selected, total) {
            (Selected::NotModified, _) => self.without_content(StatusCode::NOT_MODIFIED),
            (Selected::PreconditionFailed, _) => self.empty(StatusCode::PRECONDITION_FAILED),
            (Selected::NotSatisfiable, Some(total)) => {
                self.set(CONTENT_RANGE, unsatisfied_content_range(total));
                self.empty(StatusCode::RANGE_NOT_SATISFIABLE)
            }
            (Selected::Part(part), Some(total)) => self.one_part(part, total),
            (Selected::Parts(parts), Some(total)) => self.several_parts(&parts, total),
            // Ranges are not selected of what has no length.
            _ => Cut::Whole,
        };
        if method == Method::HEAD { Cut::Nothing } else { cut }
    }

    fn one_part(&mut self, part: Range<u64>, total: u64) -> Cut {
        self.status = StatusCode::PARTIAL_CONTENT;
        self.set(CONTENT_RANGE, content_range(&part, total));
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
        Cut::Part(part)
    }

    fn several_parts(&mut self, parts: &[Range<u64>], total: u64) -> Cut {
        let Some(boundary) = boundary() else { return Cut::Whole };
        let content_type = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let multipart = Multipart::new(parts, total, content_type, boundary);
        self.status = StatusCode::PARTIAL_CONTENT;
        self.set(CONTENT_TYPE, multipart.content_type.clone());
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(multipart.length));
        Cut::Parts(multipart)
    }

    /// A 304 has the fields that a 200 would have but for those of the content (RFC 9110 section 15.4.5).
    fn without_content(&mut self, status: StatusCode) -> Cut {
        for name in [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE] {
            self.headers.remove(name);
        }
        self.status = status;
        Cut::Nothing
    }

    fn empty(&mut self, status: StatusCode) -> Cut {
        for name in [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE] {
            self.headers.remove(name);
        }
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        self.status = status;
        Cut::Nothing
    }

    fn set(&mut self, name: http::HeaderName, text: String) {
        self.headers.insert(name, HeaderValue::try_from(text).expect("ranges and boundaries are visible ASCII"));
    }

    pub fn answer(self, body: Body, outcome: Outcome) -> Answer {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Answer { response, outcome }
    }
}

impl Cut {
    /// Makes the body, of pieces that `read` makes. `None` stands for the whole.
    pub fn body(self, mut read: impl FnMut(Option<Range<u64>>) -> Body) -> Body {
        match self {
            Self::Nothing => Body::Empty,
            Self::Whole => read(None),
            Self::Part(part) => read(Some(part)),
            Self::Parts(multipart) => {
                let mut pieces = Vec::with_capacity(2 * multipart.parts.len() + 1);
                for (head, part) in multipart.parts {
                    pieces.push(Body::whole(head));
                    pieces.push(read(Some(part)));
                }
                pieces.push(Body::whole(multipart.end));
                Body::parts(pieces, multipart.length)
            }
        }
    }
}

/// These bytes of a body in memory.
pub(super) fn slice_of(bytes: &Bytes, part: Option<Range<u64>>) -> Body {
    let Some(part) = part else { return Body::whole(bytes.clone()) };
    let within = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    Body::whole(bytes.slice(within(part.start)..within(part.end)))
}

/// A text that no content can hold on purpose; `None` where the system has no random bytes.
fn boundary() -> Option<u128> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(u128::from_le_bytes(bytes))
}
