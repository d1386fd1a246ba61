//! Answers before they are bytes on a wire.

use actix_web::http::header::{self, HeaderName, HeaderValue};

use crate::edges;
use crate::feed::Depends;
use crate::store::read::ObjectReader;

/// A status, headers and a body.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Body,
}

pub enum Body {
    Empty,
    /// No bytes, but the `Content-Length` that GET would have.
    Head(u64),
    Page(String),
    File(Box<ObjectReader>, u64),
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::with_capacity(16), body: Body::Empty }
    }

    /// Adds a header. One whose value is no value of a header, as stored ones may be, is left out.
    pub fn header(mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Self {
        if let Ok(value) = HeaderValue::from_bytes(value.as_ref()) {
            self.headers.push((name, value));
        }
        self
    }

    /// As [`Self::header`], for a name that is only known now.
    pub fn named(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => self.header(name, value),
            Err(_) => self,
        }
    }

    /// Whether there is a header of this name.
    pub fn has(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    /// Adds what an edge is told that follows the bucket.
    pub fn told(mut self, depends: &Depends) -> Self {
        let cache_control = self.headers.iter().find(|(name, _)| name == header::CACHE_CONTROL);
        let told = edges::told(self.status, depends, cache_control.and_then(|(_, value)| value.to_str().ok()));
        for (name, value) in told.into_iter().flatten() {
            self = self.named(name, value);
        }
        self
    }

    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}
