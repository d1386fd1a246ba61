//! Purges: what is to go, although nothing in a bucket changed.

use serde::{Deserialize, Serialize};

use super::position::Position;

/// The longest path or tag of a purge, in characters.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html>
pub const MAX_ITEM_CHARACTERS: usize = 4000;
/// The longest tag, in characters.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-by-tags.html>
const MAX_TAG_CHARACTERS: usize = 256;

/// What is to go, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    pub scope: Scope,
    pub target: Target,
    /// Only marked as stale, so that it may still be served while, or where, it cannot be fetched anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub soft: bool,
}

/// Where something is to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Everything,
    /// A site, by its id.
    Site(String),
    /// Whatever was asked for under this host; normalised, as in [`HostName`](crate::names::HostName).
    Host(String),
}

/// What is to go. Paths are as they were given: edges compare them in the form in which they compare all paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    All,
    /// This path alone, with its query if it has one, in every variant.
    Path(String),
    /// Every path that begins so.
    Prefix(String),
    /// Whatever carries this tag; tags are compared without case.
    Tag(String),
}

/// Purges that an edge hands in for everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeRequest {
    pub purges: Vec<Purge>,
}

/// Where purges that were handed in are in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeAnswer {
    pub position: Position,
}

/// A text that says nothing that could be purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidItem {
    #[error("a path begins with a slash")]
    NoSlash,
    #[error("a path or tag has at most {MAX_ITEM_CHARACTERS} characters")]
    TooLong,
    #[error("a path consists of visible ASCII characters; others are percent-encoded")]
    NotVisible,
    #[error("an asterisk that stands for more is the last character of a path")]
    Wildcard,
    #[error("a tag is 1 to {MAX_TAG_CHARACTERS} visible ASCII characters without comma")]
    Tag,
}

impl Target {
    /// Reads an item of an invalidation: `/path`, `/pa*`, `#tag`.
    /// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html>
    pub fn parse(item: &str) -> Result<Self, InvalidItem> {
        if item.chars().count() > MAX_ITEM_CHARACTERS {
            return Err(InvalidItem::TooLong);
        }
        if let Some(tag) = item.strip_prefix('#') {
            return Self::tag(tag);
        }
        if !item.starts_with('/') {
            return Err(InvalidItem::NoSlash);
        }
        if !item.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidItem::NotVisible);
        }
        match item.strip_suffix('*') {
            Some("/") => Ok(Self::All),
            Some(prefix) if prefix.contains('*') => Err(InvalidItem::Wildcard),
            Some(prefix) => Ok(Self::Prefix(prefix.to_owned())),
            None if item.contains('*') => Err(InvalidItem::Wildcard),
            None => Ok(Self::Path(item.to_owned())),
        }
    }

    /// The purge of a tag.
    pub fn tag(tag: &str) -> Result<Self, InvalidItem> {
        let valid = |byte: u8| byte.is_ascii_graphic() && byte != b',';
        match (1..=MAX_TAG_CHARACTERS).contains(&tag.len()) && tag.bytes().all(valid) {
            true => Ok(Self::Tag(tag.to_ascii_lowercase())),
            false => Err(InvalidItem::Tag),
        }
    }

    /// Whether it stands for more than one path.
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::All | Self::Prefix(_))
    }
}

impl std::fmt::Display for Target {
    /// The item that reads back as this.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("/*"),
            Self::Path(path) => f.write_str(path),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Tag(tag) => write!(f, "#{tag}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_paths_prefixes_and_tags() {
        for (item, target) in [
            ("/*", Target::All),
            ("/", Target::Path("/".into())),
            ("/images/a%20b.png?x=1", Target::Path("/images/a%20b.png?x=1".into())),
            ("/images/*", Target::Prefix("/images/".into())),
            ("/im*", Target::Prefix("/im".into())),
            ("#Shop", Target::Tag("shop".into())),
        ] {
            assert_eq!(Target::parse(item), Ok(target.clone()));
            assert_eq!(Target::parse(&target.to_string()), Ok(target));
        }
    }

    #[test]
    fn what_is_no_item_is_refused() {
        let (long, long_tag) = (format!("/{}", "a".repeat(4000)), format!("#{}", "a".repeat(257)));
        for (item, error) in [
            ("", InvalidItem::NoSlash),
            ("*", InvalidItem::NoSlash),
            ("a/b", InvalidItem::NoSlash),
            ("/a b", InvalidItem::NotVisible),
            ("/é", InvalidItem::NotVisible),
            ("/a*b", InvalidItem::Wildcard),
            ("/a*/b*", InvalidItem::Wildcard),
            ("#", InvalidItem::Tag),
            ("#a,b", InvalidItem::Tag),
            ("#a b", InvalidItem::Tag),
            (&long_tag, InvalidItem::Tag),
            (&long, InvalidItem::TooLong),
        ] {
            assert_eq!(Target::parse(item), Err(error), "{item}");
        }
    }
}
