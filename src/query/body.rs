//! The body of a request: a form, taken whole, within bounds of size and time.

use actix_web::web::Payload;

use super::error::{Code, QueryError};
use crate::http::head::Head;
use crate::transport::memory::DocumentRoom;
use crate::transport::pace::Pace;
use crate::transport::whole::{NotRead, read_whole};

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
    Ok(read_whole(payload, MAX_BODY_BYTES, pace, room).await?)
}

impl From<NotRead> for QueryError {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::TooLarge => Self::new(Code::RequestEntityTooLarge),
            NotRead::Late => Self::new(Code::RequestTimeout),
            NotRead::Incomplete(cause) => {
                Self::with_message(Code::MalformedQueryString, "The body is incomplete.").caused_by(cause)
            }
            NotRead::NoRoom(_) => Self::new(Code::ServiceUnavailable),
        }
    }
}
