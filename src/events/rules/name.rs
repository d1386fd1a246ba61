//! The names of events, and the patterns by which rules choose them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::store::change::ChangeKind;

/// What every name begins with in configurations, and in no record.
const PREFIX: &str = "s3:";

macro_rules! event_names {
    ($($name:ident $text:literal)*) => {
        /// What can have happened to an object, as AWS names it. Much of it never happens here: rules may ask for it all the same.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventName { $($name,)* }

        impl EventName {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name as records have it: without `s3:`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

event_names! {
    ReducedRedundancyLostObject "ReducedRedundancyLostObject"
    CreatedPut "ObjectCreated:Put"
    CreatedPost "ObjectCreated:Post"
    CreatedCopy "ObjectCreated:Copy"
    CreatedCompleteMultipartUpload "ObjectCreated:CompleteMultipartUpload"
    RemovedDelete "ObjectRemoved:Delete"
    RemovedDeleteMarkerCreated "ObjectRemoved:DeleteMarkerCreated"
    RestorePost "ObjectRestore:Post"
    RestoreCompleted "ObjectRestore:Completed"
    RestoreDelete "ObjectRestore:Delete"
    ReplicationOperationFailed "Replication:OperationFailedReplication"
    ReplicationOperationNotTracked "Replication:OperationNotTracked"
    ReplicationOperationMissedThreshold "Replication:OperationMissedThreshold"
    ReplicationOperationReplicatedAfterThreshold "Replication:OperationReplicatedAfterThreshold"
    LifecycleTransition "LifecycleTransition"
    LifecycleExpirationDelete "LifecycleExpiration:Delete"
    LifecycleExpirationDeleteMarkerCreated "LifecycleExpiration:DeleteMarkerCreated"
    IntelligentTiering "IntelligentTiering"
    TaggingPut "ObjectTagging:Put"
    TaggingDelete "ObjectTagging:Delete"
    AclPut "ObjectAcl:Put"
    AnnotationPut "ObjectAnnotation:Put"
    AnnotationDelete "ObjectAnnotation:Delete"
}

/// The names before the colon that may be followed by `*`. `ObjectAcl` is not one of them, at AWS neither.
const FAMILIES: [&str; 7] = [
    "ObjectCreated",
    "ObjectRemoved",
    "ObjectRestore",
    "Replication",
    "LifecycleExpiration",
    "ObjectTagging",
    "ObjectAnnotation",
];

/// Which events a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventPattern {
    One(EventName),
    Family(Family),
    /// Every event, as EventBridge is told: no configuration can say so in words.
    Every,
}

/// Every event whose name begins so, up to its colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Family(&'static str);

/// A text that is no event, and no pattern of events, of S3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no event that a rule can be about")]
pub struct InvalidEvent(pub String);

impl EventName {
    /// What a change is called; `None` for one that is nobody's event: a change of a bucket itself.
    pub const fn of(kind: ChangeKind) -> Option<Self> {
        match kind {
            ChangeKind::Put => Some(Self::CreatedPut),
            ChangeKind::Post => Some(Self::CreatedPost),
            // S3's RenameObject sends no events of its own: to a reader the object came from elsewhere in the bucket.
            ChangeKind::Copy | ChangeKind::Rename => Some(Self::CreatedCopy),
            ChangeKind::CompleteMultipart => Some(Self::CreatedCompleteMultipartUpload),
            ChangeKind::Delete => Some(Self::RemovedDelete),
            ChangeKind::DeleteMarker => Some(Self::RemovedDeleteMarkerCreated),
            ChangeKind::Tagging => Some(Self::TaggingPut),
            ChangeKind::Untagging => Some(Self::TaggingDelete),
            ChangeKind::Acl => Some(Self::AclPut),
            ChangeKind::CreateBucket
            | ChangeKind::DeleteBucket
            | ChangeKind::BucketConfiguration
            | ChangeKind::BucketNotification => None,
        }
    }

    /// The name before the colon.
    pub fn family(self) -> &'static str {
        self.as_str().split(':').next().unwrap_or_default()
    }

    /// Whether an object came to be.
    pub fn creates(self) -> bool {
        self.family() == "ObjectCreated"
    }

    /// Whether an object is gone, or hidden by a delete marker.
    pub fn removes(self) -> bool {
        self.family() == "ObjectRemoved"
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EventPattern {
    pub fn matches(self, name: EventName) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Family(Family(family)) => family == name.family(),
            Self::Every => true,
        }
    }

    /// Whether some event is of both patterns.
    pub fn overlaps(self, other: Self) -> bool {
        EventName::ALL.iter().any(|name| self.matches(*name) && other.matches(*name))
    }
}

impl FromStr for EventPattern {
    type Err = InvalidEvent;

    /// Reads a pattern as configurations have it, with `s3:`.
    fn from_str(text: &str) -> Result<Self, InvalidEvent> {
        let invalid = || InvalidEvent(text.to_owned());
        if text == "*" {
            return Err(invalid());
        }
        let bare = text.strip_prefix(PREFIX).ok_or_else(invalid)?;
        if let Some(family) = bare.strip_suffix(":*") {
            let known = FAMILIES.into_iter().find(|known| *known == family);
            return known.map(|known| Self::Family(Family(known))).ok_or_else(invalid);
        }
        let known = EventName::ALL.iter().find(|name| name.as_str() == bare);
        known.map(|name| Self::One(*name)).ok_or_else(invalid)
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(name) => write!(f, "{PREFIX}{name}"),
            Self::Family(Family(family)) => write!(f, "{PREFIX}{family}:*"),
            Self::Every => f.write_str("*"),
        }
    }
}

impl TryFrom<String> for EventPattern {
    type Error = InvalidEvent;

    fn try_from(text: String) -> Result<Self, InvalidEvent> {
        if text == "*" { Ok(Self::Every) } else { text.parse() }
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> EventPattern {
        text.parse().unwrap()
    }

    #[test]
    fn every_name_of_aws_is_a_pattern_that_reads_back() {
        let families = FAMILIES.map(|family| format!("s3:{family}:*"));
        let names = EventName::ALL.iter().map(|name| format!("s3:{name}"));
        for text in families.into_iter().chain(names) {
            let parsed = pattern(&text);
            assert_eq!(parsed.to_string(), text);
            assert_eq!(EventPattern::try_from(text), Ok(parsed));
        }
        assert_eq!(EventPattern::try_from("*".to_owned()), Ok(EventPattern::Every));
    }

    #[test]
    fn other_texts_are_no_events() {
        for text in [
            "",
            "*",
            "s3:*",
            "s3:",
            "ObjectCreated:Put",
            "s3:ObjectCreated",
            "s3:ObjectCreated:",
            "s3:ObjectCreated:put",
            "S3:ObjectCreated:Put",
            "s3:ObjectAcl:*",
            "s3:LifecycleTransition:*",
            "s3:ObjectAccessed:*",
            "s3:TestEvent",
            "s3:ObjectCreated:Put ",
        ] {
            assert_eq!(text.parse::<EventPattern>(), Err(InvalidEvent(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_family_stands_for_its_members_and_nothing_else() {
        let created = pattern("s3:ObjectCreated:*");
        for name in EventName::ALL {
            assert_eq!(created.matches(*name), name.as_str().starts_with("ObjectCreated:"), "{name}");
            assert!(EventPattern::Every.matches(*name));
        }
        assert!(created.overlaps(pattern("s3:ObjectCreated:Post")) && !created.overlaps(pattern("s3:ObjectRemoved:*")));
        assert!(!pattern("s3:ObjectTagging:Put").overlaps(pattern("s3:ObjectTagging:Delete")));
        assert!(!pattern("s3:LifecycleExpiration:*").matches(EventName::LifecycleTransition));
    }

    #[test]
    fn changes_of_objects_are_events_and_changes_of_buckets_are_not() {
        assert_eq!(EventName::of(ChangeKind::Rename), Some(EventName::CreatedCopy));
        assert_eq!(EventName::of(ChangeKind::Untagging).map(EventName::as_str), Some("ObjectTagging:Delete"));
        assert_eq!(EventName::of(ChangeKind::BucketNotification), None);
        assert!(EventName::CreatedPost.creates() && !EventName::TaggingPut.creates());
        assert!(EventName::RemovedDeleteMarkerCreated.removes() && !EventName::LifecycleExpirationDelete.removes());
    }
}
