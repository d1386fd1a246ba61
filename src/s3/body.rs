//! A request's body: bounded, timed, taken out of its framing, and held to what the head says about it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::web::Payload as ActixPayload;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::StreamExt;

use super::checksum::{self, Claimed};
use super::error::{Code, S3Error};
use super::operation::Operation;
use crate::auth::{ChunkDecoder, Payload};
use crate::http::head::{Head, Headers};
use crate::store::Store;
use crate::store::checksum::Algorithm;
use crate::store::digest::{Announced, DigestPlan, Digester};
use crate::store::staging::{Incoming, Staged};
use crate::transport::memory::DocumentRoom;
use crate::transport::pace::{Pace, TooSlow};

/// The body of an admitted request.
pub struct RequestBody {
    payload: Pin<Box<ActixPayload>>,
    framing: Framing,
    /// Decoded bytes that have not been taken yet.
    decoded: VecDeque<Bytes>,
    pace: Pace,
    received: u64,
    plan: BodyPlan,
    /// For a body that is taken whole.
    room: DocumentRoom,
}

enum Framing {
    Plain { ended: bool },
    Chunked(Option<Box<ChunkDecoder>>),
}

/// What the head says about the body.
#[derive(Debug, Clone)]
pub struct BodyPlan {
    /// The number of bytes without framing.
    length: Option<u64>,
    md5: Option<[u8; 16]>,
    sha256: Option<[u8; 32]>,
    claimed: Claimed,
}

impl BodyPlan {
    /// Reads everything that the head says about its body, before any of it is received.
    ///
    /// CompleteMultipartUpload's checksum headers speak of the object and not of the body, which is not held to them.
    pub fn parse(head: &Head, claim: &Payload, operation: Operation) -> Result<Self, S3Error> {
        let headers = &head.headers;
        let of_object = Headers::default();
        let checksums = if operation == Operation::CompleteMultipartUpload { &of_object } else { headers };
        let mut plan = Self {
            length: content_length(headers)?,
            md5: content_md5(headers)?,
            sha256: None,
            claimed: Claimed::default(),
        };
        match claim {
            Payload::Sha256(digest) => {
                refuse_framing(headers)?;
                plan.sha256 = Some(*digest);
                plan.claimed = checksum::claimed(checksums, &[])?;
            }
            Payload::Unsigned => {
                refuse_framing(headers)?;
                plan.claimed = checksum::claimed(checksums, &[])?;
            }
            Payload::Chunked(chunks) => {
                plan.length = Some(chunks.decoded_length());
                plan.claimed = checksum::claimed(checksums, chunks.announced_trailers())?;
            }
        }
        Ok(plan)
    }

    /// The number of bytes that an object or part will have, or S3's error for a client that does not say it.
    pub fn announced_length(&self) -> Result<u64, S3Error> {
        self.length.ok_or_else(|| S3Error::new(Code::MissingContentLength))
    }
}

impl RequestBody {
    /// `plan` is that of the head which claimed `claim`.
    pub fn new(plan: BodyPlan, claim: Payload, payload: ActixPayload, pace: Pace, room: DocumentRoom) -> Self {
        let framing = match claim {
            Payload::Sha256(_) | Payload::Unsigned => Framing::Plain { ended: false },
            Payload::Chunked(chunks) => Framing::Chunked(Some(Box::new(ChunkDecoder::new(chunks)))),
        };
        let payload = Box::pin(payload);
        Self { payload, framing, decoded: VecDeque::new(), pace, received: 0, plan, room }
    }

    /// How many bytes came over the wire so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes the body into the store's staging area. Fails, and leaves nothing, if it is not what was announced.
    /// `algorithm` is computed where the client claims no checksum of its own.
    pub async fn stage(
        &mut self,
        store: &Arc<Store>,
        limit: u64,
        algorithm: Option<Algorithm>,
    ) -> Result<Staged, S3Error> {
        let length = self.plan.announced_length()?;
        let digests =
            DigestPlan { sha256: self.plan.sha256.is_some(), checksum: self.plan.claimed.algorithm.or(algorithm) };
        let mut writer = store.stage(Incoming { length: Some(length), digests }, limit).await?;
        let mut taken = 0;
        while let Some(bytes) = self.next().await? {
            taken += bytes.len() as u64;
            writer.write(bytes).await?;
        }
        if taken != length {
            return Err(S3Error::new(Code::IncompleteBody));
        }
        let announced = self.announced()?;
        Ok(writer.finish(&announced).await?)
    }

    /// Takes a small body whole: at most `limit` bytes, verified like any other. Its memory counts until this is dropped.
    pub async fn read(&mut self, limit: usize) -> Result<Bytes, S3Error> {
        let too_large =
            || S3Error::new(Code::MaxMessageLengthExceeded).detail("MaxMessageLengthBytes", limit.to_string());
        if self.plan.length.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let digests = DigestPlan { sha256: self.plan.sha256.is_some(), checksum: self.plan.claimed.algorithm };
        let mut digester = Digester::new(digests);
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await? {
            if whole.len() + bytes.len() > limit {
                return Err(too_large());
            }
            self.room.grow_to(whole.len() + bytes.len()).await?;
            digester.update(&bytes);
            whole.extend_from_slice(&bytes);
        }
        self.announced()?.verify(&digester.finish(digests))?;
        Ok(Bytes::from(whole))
    }

    /// The algorithm of the checksum that the client sends along.
    pub fn claimed_algorithm(&self) -> Option<Algorithm> {
        self.plan.claimed.algorithm
    }

    /// Whether the client sent Content-MD5 or a checksum, as DeleteObjects demands.
    pub fn is_protected(&self) -> bool {
        self.plan.md5.is_some() || self.plan.claimed.algorithm.is_some()
    }

    /// What the digests must be; complete once the body has ended, for a checksum may come in the trailer.
    fn announced(&mut self) -> Result<Announced, S3Error> {
        let mut checksum = self.plan.claimed.value.clone();
        if let Framing::Chunked(decoder) = &mut self.framing
            && let Some(decoder) = decoder.take()
        {
            let trailers = decoder.finish()?;
            if let (Some(name), Some(algorithm)) = (self.plan.claimed.trailer, self.plan.claimed.algorithm) {
                let value = trailers.get(name).ok_or_else(|| S3Error::new(Code::MalformedTrailerError))?;
                let value = checksum::parse(algorithm, value.trim()).ok_or_else(|| checksum::invalid_value(name))?;
                checksum = Some(value);
            }
        }
        Ok(Announced { md5: self.plan.md5, sha256: self.plan.sha256, checksum })
    }

    /// The body's length as the head announces it, for one that is not taken by [`Self::stage`].
    pub fn announced_length(&self) -> Result<u64, S3Error> {
        self.plan.announced_length()
    }

    /// Gives the next bytes without framing, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, S3Error> {
        loop {
            if let Some(bytes) = self.decoded.pop_front() {
                return Ok(Some(bytes));
            }
            let Some(bytes) = self.receive().await? else { return Ok(None) };
            match &mut self.framing {
                Framing::Plain { .. } => self.decoded.push_back(bytes),
                Framing::Chunked(Some(decoder)) => self.decoded.extend(decoder.feed(bytes)?),
                Framing::Chunked(None) => return Err(S3Error::new(Code::IncompleteBody)),
            }
        }
    }

    /// Gives the next bytes of the wire, within the client's time.
    async fn receive(&mut self) -> Result<Option<Bytes>, S3Error> {
        if let Framing::Plain { ended: true } = self.framing {
            return Ok(None);
        }
        self.pace.wait();
        let next = tokio::time::timeout(self.pace.idle(), self.payload.next()).await;
        match next {
            Err(_) => Err(S3Error::new(Code::RequestTimeout)),
            Ok(Some(Ok(bytes))) => {
                self.received += bytes.len() as u64;
                self.pace.moved(bytes.len() as u64).map_err(|TooSlow| S3Error::new(Code::RequestTimeout))?;
                Ok(Some(bytes))
            }
            Ok(Some(Err(error))) => Err(S3Error::new(Code::IncompleteBody).caused_by(error.to_string())),
            Ok(None) => {
                if let Framing::Plain { ended } = &mut self.framing {
                    *ended = true;
                }
                Ok(None)
            }
        }
    }
}

/// A body that says it is framed, in a payload mode without frames, would be stored with its framing.
fn refuse_framing(headers: &Headers) -> Result<(), S3Error> {
    if headers.contains("x-amz-decoded-content-length") {
        let message = "An aws-chunked body needs a STREAMING value of x-amz-content-sha256";
        return Err(S3Error::with_message(Code::InvalidRequest, message));
    }
    Ok(())
}

fn content_length(headers: &Headers) -> Result<Option<u64>, S3Error> {
    let Some(text) = headers.text("content-length")? else { return Ok(None) };
    let invalid = || S3Error::invalid_argument("Invalid Content-Length", "Content-Length", text);
    text.parse().map(Some).map_err(|_| invalid())
}

/// The digest of the `Content-MD5` header.
pub fn content_md5(headers: &Headers) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(text) = headers.text("content-md5")? else { return Ok(None) };
    let digest = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    digest.map(Some).ok_or_else(|| S3Error::new(Code::InvalidDigest).detail("Content-MD5", text))
}
