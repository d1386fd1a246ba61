//! A request before it is signed, and its target as it goes over the wire.

use std::time::Duration;

use super::body::Body;
use crate::http::percent::encode_component;
use crate::names::BucketName;

/// The longest answer that is read where nothing else is said: a page of a listing of the longest keys.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// The longest answer to a write: nearly all of them are empty.
const MAX_WRITE_ANSWER_BYTES: usize = 64 * 1024;

/// How long an answer may take to begin, and how long to end, besides what the bytes take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The slowest link that is waited for, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

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
        // What POST is used for here may answer with lists.
        let most = if ["GET", "POST"].contains(&method) { MAX_ANSWER_BYTES } else { MAX_WRITE_ANSWER_BYTES };
        Self { operation, method, bucket, key: None, query, headers, body, most }
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

    /// How long it may take until the answer's head is there: the time to connect and to send the body is part of it. Does
    /// not count the answer's length, so that a server that is silent is given up soon.
    pub fn time_to_answer(&self) -> Duration {
        PATIENCE + Duration::from_secs(self.body.len() / SLOWEST)
    }

    /// How long the answer's body may take from its head on.
    pub fn time_to_read(&self) -> Duration {
        PATIENCE + Duration::from_secs(self.most as u64 / SLOWEST)
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

    #[test]
    fn a_silent_server_is_given_up_within_a_minute_whatever_it_might_have_answered() {
        let bucket = BucketName::parse("site").unwrap();
        let listing = Request::new("ListObjectsV2", "GET", &bucket);
        assert_eq!(listing.time_to_answer(), PATIENCE);
        assert_eq!(listing.time_to_read(), PATIENCE + Duration::from_secs(256));
        let pointer = Request::new("PutObject", "PUT", &bucket).body(Body::Bytes("{}".into()));
        assert!(pointer.time_to_answer() + pointer.time_to_read() <= PATIENCE * 2 + Duration::from_secs(2));
        let part = Request::new("UploadPart", "PUT", &bucket).body(Body::Bytes(vec![0; 1024 * 1024].into()));
        assert_eq!(part.time_to_answer(), PATIENCE + Duration::from_secs(32), "a slow link may send for longer");
    }
}
