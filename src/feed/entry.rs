//! An entry of the feed: what changed, as far as caches are concerned.

use serde::{Deserialize, Serialize};

use super::purge::Purge;
use crate::clock::Timestamp;
use crate::names::BucketName;

/// One change. Applying it twice, or after later ones, does no harm: it only says that something may be other than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the log.
    pub offset: u64,
    /// When it was committed, by the server's clock.
    pub at: Timestamp,
    pub what: What,
}

/// What may be other than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// What there is of a key: its object, tags or access control list. With `configuration`, the bucket's site goes by the
    /// object, and this is a [`Configuration`](Self::Configuration) too.
    Object {
        bucket: BucketName,
        key: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        configuration: bool,
    },
    /// Anything that is said of a bucket as a whole, or the bucket itself.
    Configuration { bucket: BucketName },
    /// Whatever one of these names is to go.
    Purge { purges: Vec<Purge> },
    /// A kind that this program does not know: anything may have changed.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Scope, Target};

    fn entry(what: What) -> Entry {
        Entry { offset: 7, at: Timestamp::from_millis(1500), what }
    }

    #[test]
    fn entries_have_the_documented_form() {
        let bucket = BucketName::parse("pail").unwrap();
        let purge = Purge { scope: Scope::Site("www".into()), target: Target::Prefix("/a/".into()), soft: false };
        for (what, text) in [
            (
                What::Object { bucket: bucket.clone(), key: "a b/é".into(), configuration: false },
                r#"{"kind":"object","bucket":"pail","key":"a b/é"}"#,
            ),
            (
                What::Object { bucket: bucket.clone(), key: "_headers".into(), configuration: true },
                r#"{"kind":"object","bucket":"pail","key":"_headers","configuration":true}"#,
            ),
            (What::Configuration { bucket }, r#"{"kind":"configuration","bucket":"pail"}"#),
            (
                What::Purge { purges: vec![purge] },
                r#"{"kind":"purge","purges":[{"scope":{"site":"www"},"target":{"prefix":"/a/"}}]}"#,
            ),
        ] {
            let line = format!(r#"{{"offset":7,"at":1500,"what":{text}}}"#);
            let entry = entry(what);
            assert_eq!(serde_json::to_string(&entry).unwrap(), line);
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
        }
    }

    #[test]
    fn what_a_newer_server_says_is_known_to_be_unknown() {
        let line = r#"{"offset":7,"at":1500,"what":{"kind":"moon","phase":3},"more":1}"#;
        assert_eq!(serde_json::from_str::<Entry>(line).unwrap(), entry(What::Unknown));
    }
}
