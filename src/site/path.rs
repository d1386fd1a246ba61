//! The path of a request: decoded once into the key that it asks for, or refused.

use std::borrow::Cow;
use std::fmt;

use super::deploy::PREFIX;
pub use super::location::{MAX_LOCATION_BYTES, on_same_site};
use super::{HEADERS, REDIRECTS};
use crate::http::percent;
use crate::names::MAX_KEY_BYTES;

/// A decoded path: a slash and then a key, which may be empty, of at most [`MAX_KEY_BYTES`]. No segment is `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePath<'r>(Cow<'r, str>);

/// Why a path is refused, all of them with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    #[error("the path does not begin with a slash")]
    NoSlash,
    #[error("a % in the path is not followed by two hexadecimal digits")]
    Escape,
    #[error("the path is not UTF-8")]
    NotUtf8,
    #[error("the path holds a null character")]
    Nul,
    #[error("the path holds a segment \"..\"")]
    Parent,
    #[error("the path is longer than a key can be")]
    TooLong,
}

impl<'r> SitePath<'r> {
    /// Reads the path of a request target, still percent-encoded and without its query. `+` stays, and an encoded slash
    /// is a slash, as in S3's keys.
    pub fn parse(raw: &'r str) -> Result<Self, InvalidPath> {
        if !raw.starts_with('/') {
            return Err(InvalidPath::NoSlash);
        }
        let path = match percent::decode(raw).map_err(|_| InvalidPath::Escape)? {
            Cow::Borrowed(_) => Cow::Borrowed(raw),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).map_err(|_| InvalidPath::NotUtf8)?),
        };
        if path.len() > MAX_KEY_BYTES + 1 {
            return Err(InvalidPath::TooLong);
        }
        if path.contains('\0') {
            return Err(InvalidPath::Nul);
        }
        if path.split('/').any(|segment| segment == "..") {
            return Err(InvalidPath::Parent);
        }
        Ok(Self(path))
    }

    /// The path with its leading slash, decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that is asked for: the path without its leading slash; empty for the root.
    pub fn key(&self) -> &str {
        &self.0[1..]
    }
}

impl fmt::Display for SitePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a key is never served, whatever rule leads to it: `.brim/`, `_redirects` and `_headers`.
pub fn is_reserved(key: &str) -> bool {
    key == REDIRECTS || key == HEADERS || is_internal(key)
}

/// Whether a key is the host's own, of every site: `.brim/`.
pub fn is_internal(key: &str) -> bool {
    key.starts_with(PREFIX) || PREFIX.strip_suffix('/') == Some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_decoded_once() {
        for (raw, key) in [
            ("/", ""),
            ("/a/b.html", "a/b.html"),
            ("/a%2Fb", "a/b"),
            ("/a+b%20c", "a+b c"),
            ("/caf%C3%A9", "caf\u{e9}"),
            ("/%252e%252e", "%2e%2e"),
            ("//a//", "/a//"),
            ("/./a/...", "./a/..."),
            ("/a\\..\\b", "a\\..\\b"),
            ("/%0D%0A", "\r\n"),
        ] {
            assert_eq!(SitePath::parse(raw).unwrap().key(), key, "{raw}");
        }
        assert!(matches!(SitePath::parse("/plain").unwrap().0, Cow::Borrowed(_)), "nothing is copied");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for (raw, problem) in [
            ("", InvalidPath::NoSlash),
            ("a", InvalidPath::NoSlash),
            ("*", InvalidPath::NoSlash),
            ("/%", InvalidPath::Escape),
            ("/%zz", InvalidPath::Escape),
            ("/%FF", InvalidPath::NotUtf8),
            ("/a%00b", InvalidPath::Nul),
            ("/..", InvalidPath::Parent),
            ("/a/../b", InvalidPath::Parent),
            ("/a/%2e%2E", InvalidPath::Parent),
            ("/a%2F..%2Fb", InvalidPath::Parent),
        ] {
            assert_eq!(SitePath::parse(raw), Err(problem), "{raw}");
        }
        assert!(SitePath::parse(&format!("/{}", "x".repeat(1024))).is_ok());
        assert_eq!(SitePath::parse(&format!("/{}", "x".repeat(1025))), Err(InvalidPath::TooLong));
        assert!(SitePath::parse(&format!("/{}", "%41".repeat(1024))).is_ok(), "the decoded path counts");
    }

    #[test]
    fn what_belongs_to_the_host_is_reserved() {
        for key in [".brim", ".brim/", ".brim/site.toml", ".brim/files/x", "_redirects", "_headers"] {
            assert!(is_reserved(key), "{key}");
        }
        for key in ["", ".brimstone", "a/.brim/x", "a/_redirects", "_redirects/x", "_headers.txt", ".well-known/x"] {
            assert!(!is_reserved(key), "{key}");
        }
    }

    proptest! {
        #[test]
        fn a_path_that_is_read_comes_back_encoded(raw in "/[a-z./%20AEF+é]{0,12}") {
            if let Ok(path) = SitePath::parse(&raw) {
                let again = on_same_site(path.key(), "");
                prop_assert_eq!(SitePath::parse(&again).unwrap(), path.clone());
                prop_assert!(!path.as_str().split('/').any(|segment| segment == ".."));
            }
        }
    }
}
