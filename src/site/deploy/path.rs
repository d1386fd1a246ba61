//! The paths of a deploy's files.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;
use super::keys::{OPTIONS, PREFIX};
use crate::names::MAX_KEY_BYTES;

/// Where a file is in its site: segments with a slash between them and none at either end, at most 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    #[error("it has more than {MAX_KEY_BYTES} bytes")]
    TooLong,
    #[error("a path has no empty segment, and no slash at its start or its end")]
    EmptySegment,
    #[error("the segments . and .. mean other places")]
    Dots,
    #[error("it has a control character")]
    Control,
    #[error("nothing below {PREFIX} belongs to a deploy but {OPTIONS}")]
    Reserved,
}

impl FilePath {
    pub fn parse(path: impl Into<String>) -> Result<Self, InvalidPath> {
        let path = path.into();
        if path.len() > MAX_KEY_BYTES {
            return Err(InvalidPath::TooLong);
        }
        if path.chars().any(char::is_control) {
            return Err(InvalidPath::Control);
        }
        for segment in path.split('/') {
            match segment {
                "" => return Err(InvalidPath::EmptySegment),
                "." | ".." => return Err(InvalidPath::Dots),
                _ => {}
            }
        }
        if path.starts_with(PREFIX) && path != OPTIONS {
            return Err(InvalidPath::Reserved);
        }
        Ok(Self(path))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Files are looked up by what a request names.
impl Borrow<str> for FilePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FilePath {
    type Error = Error;

    fn try_from(path: String) -> Result<Self, Error> {
        Self::parse(path.as_str()).map_err(|why| Error::Path { path, why })
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_stay_inside_the_site() {
        let long = "x".repeat(MAX_KEY_BYTES);
        for path in
            ["index.html", "a b/ü/日本.css", ".well-known/security.txt", ".brim/site.toml", "...", "a/..b", &long]
        {
            assert_eq!(FilePath::parse(path).unwrap().as_str(), path);
        }
        let too_long = "x".repeat(MAX_KEY_BYTES + 1);
        for (path, why) in [
            ("", InvalidPath::EmptySegment),
            ("/index.html", InvalidPath::EmptySegment),
            ("a/", InvalidPath::EmptySegment),
            ("a//b", InvalidPath::EmptySegment),
            ("..", InvalidPath::Dots),
            ("a/../b", InvalidPath::Dots),
            ("./a", InvalidPath::Dots),
            ("a\0b", InvalidPath::Control),
            ("a\nb", InvalidPath::Control),
            ("a\u{85}b", InvalidPath::Control),
            (".brim/current", InvalidPath::Reserved),
            (".brim/site.toml/x", InvalidPath::Reserved),
            (too_long.as_str(), InvalidPath::TooLong),
        ] {
            assert_eq!(FilePath::parse(path), Err(why), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn a_path_that_is_taken_names_no_other_place(path in "[./a\u{0}é]{0,12}") {
            if let Ok(taken) = FilePath::parse(path.as_str()) {
                let segments: Vec<&str> = taken.as_str().split('/').collect();
                prop_assert!(segments.iter().all(|segment| !["", ".", ".."].contains(segment)));
                prop_assert_eq!(segments.join("/"), path);
            }
        }
    }
}
