//! How the paths of a site behave that one pattern matches.

use http::Method;
use http::header::HeaderName;

use super::super::rules::compress::Compression;
use super::super::rules::key::KeyPolicy;
use super::super::rules::pages::Pages;
use super::super::rules::response_policy::ResponsePolicy;
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
    /// The codings that answers are given here.
    pub compression: Compression,
    pub pages: Pages,
    /// Carried out on answers by the front, after the engine.
    pub headers: ResponsePolicy,
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
