//! Which changes a stream tells of.

use crate::events::rules::{EventName, EventPattern};
use crate::names::BucketName;
use crate::store::change::Change;

/// Events that MinIO's clients ask for and that never happen here, up to their last part: reads are not in the change log,
/// and neither are a scanner's findings and buckets, which records cannot name.
/// <https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html>
const NEVER: [&str; 7] = [
    "s3:BucketCreated:",
    "s3:BucketRemoved:",
    "s3:ILM",
    "s3:ObjectAccessed:",
    "s3:ObjectTransition:",
    "s3:Replication:",
    "s3:Scanner:",
];

/// Which changes a stream tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// `None`: of every bucket.
    pub bucket: Option<BucketName>,
    /// What keys begin and end with.
    pub prefix: String,
    pub suffix: String,
    /// Changes of any other kind are not told.
    pub patterns: Vec<EventPattern>,
}

/// A text that is no event of S3, and none of MinIO.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an event that a stream can tell of")]
pub struct InvalidPattern(pub String);

impl Filter {
    /// What the change is called, where the stream tells of it.
    pub fn named(&self, change: &Change) -> Option<EventName> {
        let name = EventName::of(change.kind)?;
        let key = change.key.as_ref()?.as_str();
        let is_meant = self.bucket.as_ref().is_none_or(|bucket| *bucket == change.bucket)
            && key.starts_with(&self.prefix)
            && key.ends_with(&self.suffix)
            && self.patterns.iter().any(|pattern| pattern.matches(name));
        is_meant.then_some(name)
    }
}

/// Reads the patterns of events that a stream is asked for. What only MinIO has is taken and never happens; `s3:*` and `*`
/// are every event, and so is an empty list.
pub fn parse_patterns<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Vec<EventPattern>, InvalidPattern> {
    let (mut patterns, mut none_given) = (Vec::new(), true);
    for text in texts.filter(|text| !text.is_empty()) {
        none_given = false;
        match text.parse() {
            Ok(pattern) => patterns.push(pattern),
            Err(_) if text == "*" || text == "s3:*" => patterns.push(EventPattern::Every),
            Err(_) if NEVER.into_iter().any(|family| text.starts_with(family)) => {}
            Err(_) => return Err(InvalidPattern(text.chars().take(MAX_QUOTED).collect())),
        }
    }
    if none_given {
        patterns.push(EventPattern::Every);
    }
    Ok(patterns)
}

/// The longest text that a refusal quotes, in characters.
const MAX_QUOTED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Result<Vec<EventPattern>, InvalidPattern> {
        parse_patterns(texts.iter().copied())
    }

    #[test]
    fn what_minio_s_clients_ask_for_is_taken_and_what_is_no_event_is_not() {
        let every = vec![EventPattern::Every];
        assert_eq!(patterns(&[]), Ok(every.clone()));
        assert_eq!(patterns(&[""]), Ok(every.clone()));
        assert_eq!(patterns(&["s3:*"]), Ok(every));
        let asked = patterns(&["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAccessed:*"]).unwrap();
        assert_eq!(asked, ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"].map(|text| text.parse().unwrap()));
        assert_eq!(patterns(&["s3:ObjectAccessed:Get"]), Ok(Vec::new()), "and not every event");
        for text in ["ObjectCreated:*", "s3:ObjectCreated", "s3:Object", "x"] {
            assert_eq!(patterns(&["s3:ObjectCreated:*", text]), Err(InvalidPattern(text.to_owned())));
        }
    }
}
