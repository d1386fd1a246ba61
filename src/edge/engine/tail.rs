//! The part of a body on its way that one client wants.

use std::ops::Range;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::body::BodyError;
use super::stream::{Follower, Step};

/// Reads the bytes `left` of a representation out of a stream that began with its byte `base`.
#[derive(Debug)]
pub struct Tail {
    follower: Follower,
    base: u64,
    left: Range<u64>,
    /// Whether `left.end` is where the representation ends by its own length, or only the end of all that may come.
    bounded: bool,
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    Chunk(Bytes),
    End,
    /// The bytes from here on are no longer kept: they are to be read elsewhere.
    Behind(Range<u64>),
}

impl Tail {
    /// Reads `part`, which begins at or behind where `follower` stands.
    pub fn of_part(follower: Follower, base: u64, part: Range<u64>) -> Self {
        Self { follower, base, left: part, bounded: true }
    }

    /// Reads everything, however long that is.
    pub fn of_everything(follower: Follower) -> Self {
        Self { follower, base: 0, left: 0..u64::MAX, bounded: false }
    }

    /// How many bytes are to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        self.bounded.then(|| self.left.end - self.left.start)
    }

    /// Gives the next bytes. A body that ends before the part does was cut off.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, BodyError>> {
        loop {
            if self.left.is_empty() {
                return Poll::Ready(Ok(Next::End));
            }
            let at = self.base + self.follower.position();
            let next = match std::task::ready!(self.follower.poll_step(cx)) {
                Step::Chunk(chunk) => match self.take(at, chunk) {
                    Some(chunk) => Ok(Next::Chunk(chunk)),
                    None => continue,
                },
                Step::End if self.bounded => Err(BodyError::Cut),
                Step::End => Ok(Next::End),
                Step::Cut => Err(BodyError::Cut),
                Step::Behind => Ok(Next::Behind(self.left.clone())),
            };
            return Poll::Ready(next);
        }
    }

    /// Cuts out of a chunk, which begins at the byte `at`, what is wanted of it.
    fn take(&mut self, at: u64, chunk: Bytes) -> Option<Bytes> {
        let within = |offset: u64| usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX).min(chunk.len());
        let (from, to) = (within(self.left.start), within(self.left.end));
        if from >= to {
            return None;
        }
        let wanted = chunk.slice(from..to);
        self.left.start += wanted.len() as u64;
        Some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::stream::stream;
    use super::*;

    fn read(mut tail: Tail) -> Result<String, BodyError> {
        let mut read = Vec::new();
        loop {
            match std::future::poll_fn(|cx| tail.poll_next(cx)).now_or_never().expect("everything has come")? {
                Next::Chunk(chunk) => read.extend_from_slice(&chunk),
                Next::End => return Ok(String::from_utf8(read).unwrap()),
                Next::Behind(left) => return Ok(format!("{} behind {left:?}", String::from_utf8(read).unwrap())),
            }
        }
    }

    fn of(chunks: &[&'static str], finished: bool, tail: impl Fn(Follower) -> Tail) -> Result<String, BodyError> {
        let (writer, follower) = stream();
        for chunk in chunks {
            writer.push(Bytes::from_static(chunk.as_bytes())).now_or_never().unwrap().unwrap();
        }
        if finished {
            writer.finish();
        } else {
            drop(writer);
        }
        read(tail(follower))
    }

    #[test]
    fn a_part_is_cut_out_of_chunks_however_they_fall() {
        for part in [0..10, 0..1, 9..10, 2..7, 3..4, 3..6] {
            for chunks in [&["0123456789"][..], &["012", "345", "6789"], &["0", "1", "23456789"]] {
                let expected = &"0123456789"[part.start..part.end];
                let range = part.start as u64..part.end as u64;
                assert_eq!(of(chunks, true, |f| Tail::of_part(f, 0, range.clone())).unwrap(), expected);
                let later = range.start + 100..range.end + 100;
                assert_eq!(of(chunks, true, |f| Tail::of_part(f, 100, later.clone())).unwrap(), expected);
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_never_taken_for_the_whole() {
        assert!(matches!(of(&["0123"], false, Tail::of_everything), Err(BodyError::Cut)));
        assert!(matches!(of(&["0123"], true, |f| Tail::of_part(f, 0, 0..5)), Err(BodyError::Cut)));
        assert!(matches!(of(&["0123"], false, |f| Tail::of_part(f, 0, 0..5)), Err(BodyError::Cut)));
        assert_eq!(of(&["0123"], false, |f| Tail::of_part(f, 0, 0..4)).unwrap(), "0123", "all that was wanted came");
        assert_eq!(of(&["0123"], true, Tail::of_everything).unwrap(), "0123");
        assert_eq!(of(&[], true, Tail::of_everything).unwrap(), "");
    }
}
