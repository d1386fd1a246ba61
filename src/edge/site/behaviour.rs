//! How the paths of a site behave that one pattern matches.

use http::Method;
use http::header::HeaderName;

use super::super::rules::key::KeyPolicy;
use super::super::rules::ttl::{ErrorTtls, TtlPolicy};
use super::access::Access;
use super::path::PathPattern;

/// What holds for the paths that `path` matches.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub path: PathPattern,
    /// The methods that are let through; `None` is all of them. Others are answered 405.
    pub methods: Option<Vec<Method>>,
    pub access: Access,
    pub cached: Cached,
    pub key: KeyPolicy,
    pub compression: Compression,
    /// The headers that carry tags, besides `Surrogate-Key` and `Cache-Tag`.
    pub tag_headers: Vec<HeaderName>,
    /// What becomes of a presigned S3 URL in front of a bucket.
    pub presigned: Presigned,
    /// Query parameters that a bucket origin is sent; none but these.
    pub bucket_query: Vec<String>,
    /// Whether answers say how they came about: `Cache-Status` (RFC 9211).
    pub cache_status: bool,
}

/// For how long and under which conditions answers are kept.
#[derive(Debug, Clone)]
pub struct Cached {
    /// `false` has every request go to the origin.
    pub enabled: bool,
    pub ttl: TtlPolicy,
    pub errors: ErrorTtls,
    /// Whether a request's `Cache-Control` and `Pragma` count.
    pub honour_requests: bool,
    /// Whether an answer with `Set-Cookie` is kept without `public` or `s-maxage`.
    pub store_set_cookie: bool,
    /// Whether large bodies are fetched and kept in slices.
    pub slices: bool,
    /// Whether `Accept-Encoding` is brought to one form where answers vary by it.
    pub normalise_encoding: bool,
}

/// Whether and how answers are compressed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    pub brotli: bool,
    pub zstd: bool,
    pub gzip: bool,
}

/// What becomes of a presigned S3 URL in front of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Presigned {
    /// It is answered 400.
    #[default]
    Refuse,
    /// It is passed on as it came, and its answer is not kept.
    Pass,
}

impl Behaviour {
    /// Whether `method` is let through.
    pub fn allows(&self, method: &Method) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(method))
    }
}

impl Compression {
    pub const NONE: Self = Self { brotli: false, zstd: false, gzip: false };
    pub const ALL: Self = Self { brotli: true, zstd: true, gzip: true };

    /// Whether there is any.
    pub fn is_on(self) -> bool {
        self.brotli || self.zstd || self.gzip
    }
}
