//! Answers before they are bytes on a wire.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

use super::xml::write::Writer;
use crate::names::{ETag, VersionId};
use crate::store::Position;
use crate::store::checksum::Checksum;
use crate::store::read::ObjectReader;

/// A status, headers and a body.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

pub enum Body {
    Empty,
    /// No bytes, but the `Content-Length` that GET would have.
    Head(u64),
    Bytes(Vec<u8>),
    Object(Box<ObjectReader>, u64),
    /// A document that takes long: white space keeps the client patient until it is there.
    Slow(Pin<Box<dyn Future<Output = Vec<u8>>>>),
    /// Pieces that come as they are there, for as long as the client takes them.
    Endless(Pin<Box<dyn Stream<Item = Bytes>>>),
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Empty }
    }

    pub fn ok() -> Self {
        Self::new(200)
    }

    pub fn no_content() -> Self {
        Self::new(204)
    }

    /// A 200 with a document.
    pub fn xml(document: Writer) -> Self {
        Self::ok().header("content-type", "application/xml").body(Body::Bytes(document.finish()))
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn optional(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    pub fn etag(self, etag: &ETag) -> Self {
        self.header("etag", etag.quoted())
    }

    pub fn checksum(self, checksum: &Checksum) -> Self {
        self.header(super::checksum::header(checksum.algorithm), super::checksum::show(checksum))
            .header("x-amz-checksum-type", checksum.checksum_type().as_str())
    }

    /// Where the change is in the change log; an edge that has read so far shows it.
    pub fn position(self, position: Position) -> Self {
        self.header("x-brim-position", position.0.to_string())
    }

    /// Which version was read or made; nothing in a bucket without versions.
    pub fn version(self, version: Option<VersionId>) -> Self {
        self.optional("x-amz-version-id", version.map(|version| version.to_string()))
    }

    /// Which version a copy was made of.
    pub fn copied_version(self, version: Option<VersionId>) -> Self {
        self.optional("x-amz-copy-source-version-id", version.map(|version| version.to_string()))
    }

    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}
