//! A request before it is signed, and its target as it goes over the wire.

use super::body::Body;
use crate::http::percent::encode_component;
use crate::names::BucketName;

/// The longest answer that is read where nothing else is said: a page of a listing of the longest keys.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// A request to S3.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// S3's name of it, for messages.
    pub operation: &'static str,
    pub method: &'static str,
    pub bucket: &'a BucketName,
    pub key: Option<&'a str>,
    /// Names and values, not encoded.
    pub query: Vec<(&'static str, String)>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    /// The longest answer to read, in bytes.
    pub most: usize,
}

impl<'a> Request<'a> {
    pub fn new(operation: &'static str, method: &'static str, bucket: &'a BucketName) -> Self {
        let (query, headers, body) = (Vec::new(), Vec::new(), Body::Empty);
        Self { operation, method, bucket, key: None, query, headers, body, most: MAX_ANSWER_BYTES }
    }

    pub fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends this body with its checksum, which the service verifies and keeps.
    pub fn body(mut self, body: Body) -> Self {
        self.headers.push(("x-amz-checksum-sha256", body.checksum()));
        self.body = body;
        self
    }

    /// What it is about, for messages.
    pub fn shown(&self) -> String {
        match self.key {
            Some(key) => format!("{}/{key}", self.bucket),
            None => self.bucket.to_string(),
        }
    }

    /// Path and query, encoded: the bucket in the path, slashes of the key as they are.
    pub fn target(&self) -> String {
        let mut target = format!("/{}", self.bucket);
        if let Some(key) = self.key {
            for segment in key.split('/') {
                target.push('/');
                target.push_str(&encode_component(segment));
            }
        }
        for (place, (name, value)) in self.query.iter().enumerate() {
            target.push(if place == 0 { '?' } else { '&' });
            target.push_str(&format!("{name}={}", encode_component(value)));
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_keep_the_bytes_of_keys() {
        let bucket = BucketName::parse("site").unwrap();
        let request = Request::new("GetObject", "GET", &bucket);
        assert_eq!(request.target(), "/site");
        let request = request.key("a b/../é+%2F//.").query("list-type", "2").query("prefix", "a&b=c d");
        assert_eq!(request.target(), "/site/a%20b/../%C3%A9%2B%252F//.?list-type=2&prefix=a%26b%3Dc%20d");
        assert_eq!(request.shown(), "site/a b/../é+%2F//.");
    }
}
