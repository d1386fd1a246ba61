//! What a site's options and its `_headers` add to the answers that have a file, or change of them.

use actix_web::http::header::{self, HeaderName};

use super::answer::Answer;
use super::rules::Modern;
use crate::site::caching::cache_control;

/// What is asked for.
pub struct Dressed<'r> {
    pub host: &'r str,
    /// Decoded.
    pub path: &'r str,
    pub secure: bool,
    /// Whether a password was asked for.
    pub protected: bool,
}

/// The answer to a request that has the file of this key.
pub fn dress(mut answer: Answer, modern: &Modern, key: &str, asked: Dressed<'_>) -> Answer {
    let Dressed { host, path, secure, protected } = asked;
    if !answer.has(&header::CACHE_CONTROL) && !answer.has(&header::EXPIRES) {
        answer = answer.header(header::CACHE_CONTROL, cache_control(&modern.options, key, protected));
    }
    for (name, value) in modern.options.security_headers(secure) {
        answer = answer.header(HeaderName::from_static(name), value);
    }
    if modern.headers.is_empty() {
        return answer;
    }
    let changes = modern.headers.changes(host, path);
    answer.headers.retain(|(name, _)| !changes.replaces(name.as_str()) || *name == header::VARY);
    for (name, value) in &changes.set {
        answer = answer.named(name, value);
    }
    answer
}
