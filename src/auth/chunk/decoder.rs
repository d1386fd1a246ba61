//! The decoder of chunked bodies.

use aws_lc_rs::digest;
use bytes::{Buf, Bytes};

use super::super::error::Error;
use super::line::{ChunkLine, MAX_LINE_BYTES};
use super::trailer::{MAX_TRAILER_BYTES, Trailers};
use super::{ChunkPlan, ChunkSigner};

/// Takes the framing off a body, piece by piece as it arrives, in bounded memory.
///
/// A chunk's bytes are given out before its signature is known to be right, for its signature can only be checked
/// behind its last byte, and chunks may be large. So nothing that came out may count before [`Self::finish`] has
/// succeeded: a store writes the bytes aside and commits then.
pub struct ChunkDecoder {
    plan: ChunkPlan,
    state: State,
    /// The beginning of a chunk's line, or of the trailer section, that is not complete yet.
    pending: Vec<u8>,
    /// Bytes still to come out, by the announcement.
    remaining: u64,
}

enum State {
    /// In the line in front of a chunk.
    Line,
    /// In a chunk, with this many bytes to come.
    Data { left: u64, check: Option<Check> },
    /// In the CRLF behind a chunk, with these of its bytes to come.
    DataEnd(&'static [u8]),
    /// Behind the chunk of size zero.
    Trailer,
    /// An error was returned; nothing can follow.
    Failed,
}

/// The digest of a signed chunk so far, and the signature it must have.
struct Check {
    digest: digest::Context,
    signature: String,
}

impl ChunkDecoder {
    /// A decoder for one body, which must hold exactly [`ChunkPlan::decoded_length`] bytes.
    pub fn new(plan: ChunkPlan) -> Self {
        let remaining = plan.decoded_length;
        Self { plan, state: State::Line, pending: Vec::new(), remaining }
    }

    /// Decodes the next piece of the body; the runs of bytes that come out share `input`'s memory.
    ///
    /// After an error every further call fails, [`Self::finish`] too.
    pub fn feed(&mut self, mut input: Bytes) -> Result<Vec<Bytes>, Error> {
        let mut decoded = Vec::new();
        while !input.is_empty() {
            if let Some(data) = self.step(&mut input).inspect_err(|_| self.state = State::Failed)? {
                decoded.push(data);
            }
        }
        Ok(decoded)
    }

    /// Ends the body: fails unless it was complete, and gives the fields of its trailer.
    pub fn finish(mut self) -> Result<Trailers, Error> {
        match self.state {
            State::Trailer => Trailers::parse(&self.pending, &mut self.plan),
            _ => Err(self.incomplete()),
        }
    }

    /// Takes something from the front of `input`, which is not empty.
    fn step(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Error> {
        match &mut self.state {
            State::Line => self.take_line(input).map(|()| None),
            State::Data { left, check } => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let data = input.split_to(length);
                *left -= data.len() as u64;
                if let Some(check) = check {
                    check.digest.update(&data);
                }
                if *left == 0 {
                    self.end_chunk()?;
                }
                Ok(Some(data))
            }
            State::DataEnd(expected) => {
                if input.get_u8() != expected[0] {
                    return Err(Error::MalformedChunk("a chunk is longer than its size"));
                }
                *expected = &expected[1..];
                if expected.is_empty() {
                    self.state = State::Line;
                }
                Ok(None)
            }
            State::Trailer => {
                if self.pending.len() + input.len() > MAX_TRAILER_BYTES {
                    return Err(Error::MalformedTrailer("it is too long"));
                }
                self.pending.extend_from_slice(input);
                input.clear();
                Ok(None)
            }
            State::Failed => Err(self.incomplete()),
        }
    }

    /// Collects the line in front of a chunk, and begins the chunk when the line is complete.
    fn take_line(&mut self, input: &mut Bytes) -> Result<(), Error> {
        let end = input.iter().position(|&byte| byte == b'\n').map(|position| position + 1);
        let taken = input.split_to(end.unwrap_or(input.len()));
        if self.pending.len() + taken.len() > MAX_LINE_BYTES {
            return Err(Error::MalformedChunk("a line is too long"));
        }
        self.pending.extend_from_slice(&taken);
        if end.is_none() {
            return Ok(());
        }
        let line = ChunkLine::parse(&self.pending)?;
        self.pending.clear();
        self.begin_chunk(line)
    }

    fn begin_chunk(&mut self, line: ChunkLine) -> Result<(), Error> {
        self.remaining = self.remaining.checked_sub(line.size).ok_or_else(|| self.incomplete())?;
        let check = match &self.plan.signer {
            Some(_) => {
                let signature = line.signature.ok_or(Error::MalformedChunk("a chunk has no signature"))?;
                Some(Check { digest: digest::Context::new(&digest::SHA256), signature })
            }
            None => None,
        };
        self.state = State::Data { left: line.size, check };
        if line.size == 0 { self.end_body() } else { Ok(()) }
    }

    /// Checks the chunk that has just ended.
    fn end_chunk(&mut self) -> Result<(), Error> {
        let ended = std::mem::replace(&mut self.state, State::DataEnd(b"\r\n"));
        if let (State::Data { check: Some(check), .. }, Some(signer)) = (ended, &mut self.plan.signer) {
            check.verify(signer)?;
        }
        Ok(())
    }

    /// Checks the chunk of size zero, and that it is where it belongs.
    fn end_body(&mut self) -> Result<(), Error> {
        if self.remaining > 0 {
            return Err(self.incomplete());
        }
        self.end_chunk()?;
        self.state = State::Trailer;
        Ok(())
    }

    fn incomplete(&self) -> Error {
        Error::IncompleteBody { announced: self.plan.decoded_length }
    }
}

impl Check {
    fn verify(self, signer: &mut ChunkSigner) -> Result<(), Error> {
        signer.verify_chunk(&self.digest.finish(), &self.signature)
    }
}
