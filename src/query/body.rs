//! The body of a request: a form, taken whole, within bounds of size and time.

use std::pin::Pin;

use actix_web::web::Payload;
use futures_util::StreamExt;

use super::error::{Code, QueryError};
use crate::http::head::Head;
use crate::transport::memory::{DocumentRoom, NoRoom};
use crate::transport::pace::{Pace, TooSlow};

/// The most bytes of a form: the largest policy, with every byte of it escaped, and much more.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// Refuses a body from its head alone.
pub fn check_announced(head: &Head) -> Result<(), QueryError> {
    let Some(text) = head.headers.text("content-length")? else { return Ok(()) };
    match text.parse::<usize>() {
        Ok(length) if length <= MAX_BODY_BYTES => Ok(()),
        _ => Err(QueryError::new(Code::RequestEntityTooLarge)),
    }
}

/// Takes the body whole. Its memory counts until `room` is dropped.
pub async fn read(payload: Payload, pace: &mut Pace, room: &mut DocumentRoom) -> Result<Vec<u8>, QueryError> {
    let mut payload: Pin<Box<Payload>> = Box::pin(payload);
    let mut body = Vec::new();
    loop {
        pace.wait();
        let Ok(next) = tokio::time::timeout(pace.idle(), payload.next()).await else {
            return Err(QueryError::new(Code::RequestTimeout));
        };
        let Some(bytes) = next else { return Ok(body) };
        let bytes = bytes.map_err(|error| {
            let incomplete = QueryError::with_message(Code::MalformedQueryString, "The body is incomplete.");
            incomplete.caused_by(error.to_string())
        })?;
        if body.len() + bytes.len() > MAX_BODY_BYTES {
            return Err(QueryError::new(Code::RequestEntityTooLarge));
        }
        room.grow_to(body.len() + bytes.len()).await?;
        body.extend_from_slice(&bytes);
        pace.moved(bytes.len() as u64)?;
    }
}

impl From<TooSlow> for QueryError {
    fn from(_: TooSlow) -> Self {
        Self::new(Code::RequestTimeout)
    }
}

impl From<NoRoom> for QueryError {
    fn from(_: NoRoom) -> Self {
        Self::new(Code::ServiceUnavailable)
    }
}
