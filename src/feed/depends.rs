//! What an answer depends on: the header by which a server tells connected edges.
//!
//! `Brim-Depends: pail pail/about%20us pail/index.html` names the configuration of the bucket `pail` and two of its keys,
//! there or not. Every word is, as it stands, the tag by which an edge finds what depends on it.

use std::borrow::Cow;
use std::fmt::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::names::{BucketName, ObjectKey};

/// The most dependencies of an answer. One that depends on more is not an edge's to trust.
pub const MAX_DEPENDENCIES: usize = 40;

/// The tag of answers of which the feed should tell, kept while it was not followed and without a word of what they depend
/// on. No bucket has this name. They are dropped when the feed is followed.
pub const UNWATCHED: &str = "?";

/// What is escaped in keys: all but what RFC 3986 leaves unreserved, and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// One thing that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dependency {
    /// What there is of a key, nothing included.
    Object { bucket: BucketName, key: String },
    /// What is said of the bucket as a whole.
    Configuration { bucket: BucketName },
}

/// Everything that an answer depends on, without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depends(Vec<Dependency>);

/// A header that no server wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no list of what an answer depends on")]
pub struct InvalidDepends;

impl Dependency {
    /// The tag that stands for it. An object's begins with the bucket's name and a slash, a configuration's is the name.
    pub fn tag(&self) -> Cow<'_, str> {
        match self {
            Self::Configuration { bucket } => Cow::Borrowed(bucket.as_str()),
            Self::Object { bucket, key } => {
                Cow::Owned(format!("{}/{}", bucket.as_str(), utf8_percent_encode(key, ESCAPED)))
            }
        }
    }

    /// Reads a tag back.
    pub fn parse(tag: &str) -> Result<Self, InvalidDepends> {
        let (bucket, key) = match tag.split_once('/') {
            Some((bucket, key)) => (bucket, Some(key)),
            None => (tag, None),
        };
        let bucket = BucketName::parse(bucket).map_err(|_| InvalidDepends)?;
        let Some(escaped) = key else { return Ok(Self::Configuration { bucket }) };
        let key = percent_decode_str(escaped).decode_utf8().map_err(|_| InvalidDepends)?;
        let key = ObjectKey::parse(key.as_bytes()).map_err(|_| InvalidDepends)?;
        let dependency = Self::Object { bucket, key: key.as_str().to_owned() };
        // One thing has one tag, or a purge would miss what has another.
        if dependency.tag() == tag { Ok(dependency) } else { Err(InvalidDepends) }
    }
}

impl Depends {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one, unless it is there.
    pub fn add(&mut self, dependency: Dependency) {
        if !self.0.contains(&dependency) {
            self.0.push(dependency);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Dependency> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an edge can be told of all.
    pub fn fits(&self) -> bool {
        self.0.len() <= MAX_DEPENDENCIES
    }

    /// Reads the header.
    pub fn parse(header: &str) -> Result<Self, InvalidDepends> {
        let mut depends = Self::new();
        for tag in header.split(' ').filter(|tag| !tag.is_empty()) {
            depends.add(Dependency::parse(tag)?);
            if !depends.fits() {
                return Err(InvalidDepends);
            }
        }
        Ok(depends)
    }
}

impl fmt::Display for Depends {
    /// The value of the header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, dependency) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            f.write_str(&dependency.tag())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(name: &str) -> BucketName {
        BucketName::parse(name).unwrap()
    }

    #[test]
    fn the_header_has_the_documented_form() {
        let mut depends = Depends::new();
        let key = |key: &str| Dependency::Object { bucket: bucket("pail"), key: key.to_owned() };
        for dependency in
            [Dependency::Configuration { bucket: bucket("pail") }, key("about us"), key("index.html"), key("about us")]
        {
            depends.add(dependency);
        }
        let header = "pail pail/about%20us pail/index.html";
        assert_eq!(depends.to_string(), header);
        assert_eq!(Depends::parse(header), Ok(depends));
    }

    #[test]
    fn one_thing_has_one_tag() {
        for tag in ["", "a/b/%", "pail/", "pail/%61", "pail/a b", "pail/%c3%a9", "pail/%FF", "p", "pail/é"] {
            assert_eq!(Dependency::parse(tag), Err(InvalidDepends), "{tag}");
        }
        let many: Vec<String> = (0..=MAX_DEPENDENCIES).map(|number| format!("pail/{number}")).collect();
        assert_eq!(Depends::parse(&many.join(" ")), Err(InvalidDepends));
    }

    proptest! {
        #[test]
        fn dependencies_read_back_from_their_tags(key in "[ -~é\u{1}/%]{1,20}") {
            let dependency = Dependency::Object { bucket: bucket("pail"), key };
            let tag = dependency.tag().into_owned();
            prop_assert!(tag.is_ascii() && !tag.contains(' '));
            prop_assert_eq!(Dependency::parse(&tag), Ok(dependency));
        }
    }
}
