//! Bodies that are taken whole, before anything is made of them: within bounds of size, time and memory.

use std::pin::Pin;

use actix_web::web::Payload;
use futures_util::StreamExt;

use super::memory::{DocumentRoom, NoRoom};
use super::pace::{Pace, TooSlow};

/// Why a body was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    #[error("the body is too large")]
    TooLarge,
    #[error("the body did not come in time")]
    Late,
    #[error("the body is incomplete: {0}")]
    Incomplete(String),
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

impl From<TooSlow> for NotRead {
    fn from(_: TooSlow) -> Self {
        Self::Late
    }
}

/// Takes a body of at most `most` bytes. Its memory counts until `room` is dropped.
pub async fn read_whole(
    payload: Payload,
    most: usize,
    pace: &mut Pace,
    room: &mut DocumentRoom,
) -> Result<Vec<u8>, NotRead> {
    let mut payload: Pin<Box<Payload>> = Box::pin(payload);
    let mut body = Vec::new();
    loop {
        pace.wait();
        let next = tokio::time::timeout(pace.idle(), payload.next()).await.map_err(|_| NotRead::Late)?;
        let Some(bytes) = next else { return Ok(body) };
        let bytes = bytes.map_err(|error| NotRead::Incomplete(error.to_string()))?;
        if body.len() + bytes.len() > most {
            return Err(NotRead::TooLarge);
        }
        room.grow_to(body.len() + bytes.len()).await?;
        body.extend_from_slice(&bytes);
        pace.moved(bytes.len() as u64)?;
    }
}
