//! What a stored response can be purged by, beside its URL.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The most surrogate tags of one response, as CloudFront's
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-by-tags.html>).
pub const MAX_SURROGATE_TAGS: usize = 50;

/// The most dependencies of one response: what Brim consults for a page is a handful of keys.
pub const MAX_DEPENDENCIES: usize = 50;

/// Seeds that keep the two kinds of tags apart, whatever their text.
const SURROGATE: u64 = 1;
const DEPENDENCY: u64 = 2;

/// A response has more tags than are kept. It must not be stored: a purge by a tag left out would miss it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response has too many tags")]
pub struct TooManyTags;

/// The tags of a response, as hashes: its own (`Surrogate-Key`, `Cache-Tag`), which count within its site and without
/// regard to ASCII case, and what the answer depends on ("bucket/key", a bucket's configuration), which count everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Box<[u64]>);

impl Tags {
    /// Makes the tags of a response.
    ///
    /// # Errors
    /// [`TooManyTags`] above [`MAX_SURROGATE_TAGS`] or [`MAX_DEPENDENCIES`] different ones.
    pub fn new<'t>(
        surrogate: impl IntoIterator<Item = &'t str>,
        dependencies: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, TooManyTags> {
        let mut hashes = distinct(surrogate.into_iter().map(surrogate_hash), MAX_SURROGATE_TAGS)?;
        hashes.append(&mut distinct(dependencies.into_iter().map(dependency_hash), MAX_DEPENDENCIES)?);
        Ok(Self(hashes.into()))
    }

    pub(super) fn from_hashes(hashes: Vec<u64>) -> Self {
        Self(hashes.into())
    }

    pub(super) fn hashes(&self) -> &[u64] {
        &self.0
    }
}

fn distinct(hashes: impl Iterator<Item = u64>, most: usize) -> Result<Vec<u64>, TooManyTags> {
    let mut kept = Vec::new();
    for hash in hashes {
        if kept.contains(&hash) {
            continue;
        }
        if kept.len() == most {
            return Err(TooManyTags);
        }
        kept.push(hash);
    }
    Ok(kept)
}

pub(super) fn surrogate_hash(tag: &str) -> u64 {
    xxh3_64_with_seed(tag.to_ascii_lowercase().as_bytes(), SURROGATE)
}

pub(super) fn dependency_hash(tag: &str) -> u64 {
    xxh3_64_with_seed(tag.as_bytes(), DEPENDENCY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogate_tags_have_no_case_and_dependencies_have() {
        let tags = Tags::new(["News"], ["b/Key"]).unwrap();
        assert_eq!(tags.hashes(), [surrogate_hash("nEWS"), dependency_hash("b/Key")]);
        assert_ne!(dependency_hash("b/key"), dependency_hash("b/Key"));
        assert_ne!(surrogate_hash("b/key"), dependency_hash("b/key"));
    }

    #[test]
    fn repeated_tags_count_once_and_too_many_are_refused() {
        let many: Vec<String> = (0..=MAX_SURROGATE_TAGS).map(|number| number.to_string()).collect();
        let texts = || many.iter().map(String::as_str);
        assert!(Tags::new(texts().skip(1).chain(texts().skip(1)), []).is_ok());
        assert_eq!(Tags::new(texts(), []), Err(TooManyTags));
        assert_eq!(Tags::new([], texts()), Err(TooManyTags));
    }
}
