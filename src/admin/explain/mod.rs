//! Why a request would be allowed or denied: judged as the server judges requests, and told with what was looked at.

mod facts;
mod judge;

use serde::{Deserialize, Serialize};

pub use judge::run;

use crate::names::AccountId;
use crate::{guard, identity, names, store};

/// A request that nobody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub caller: Who,
    /// In IAM's words: `s3:GetObject`, in any case.
    pub action: String,
    /// `BUCKET`, `BUCKET/KEY`, the ARN of either, or `*` for what is done to an account.
    pub resource: String,
    pub version: Option<String>,
    /// Condition keys with their values, as policies write them; a key that is there twice has two values.
    pub conditions: Vec<(String, String)>,
}

/// Who asks. Without an account, in the default one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Who {
    Anonymous,
    /// Whoever holds the access key with this id.
    Key(String),
    Root {
        account: Option<AccountId>,
    },
    User {
        account: Option<AccountId>,
        name: String,
    },
}

/// What the server would decide, why, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub allowed: bool,
    /// A sentence that names the policy and the statement, or what is missing.
    pub reason: String,
    /// The caller's ARN; `None` for the anonymous one.
    pub caller: Option<String>,
    /// What was judged: for a named version the action on versions.
    pub action: String,
    /// An ARN.
    pub resource: String,
    /// The caller's own policies, by name.
    pub identity_policies: Vec<String>,
    /// `None` where no bucket has a say.
    pub bucket: Option<BucketSeen>,
    pub object: ObjectSeen,
}

/// What was looked at of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSeen {
    pub owner: AccountId,
    /// Whether it has a policy.
    pub policy: bool,
    /// S3's name of the Object Ownership in force.
    pub ownership: String,
    /// Whether access control lists count.
    pub lists_count: bool,
    /// What is forbidden by the bucket or its account, in S3's words.
    pub public_access_block: Vec<String>,
}

/// What was looked at of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ObjectSeen {
    /// Whatever is stored has no say in this action.
    NotAsked,
    Missing,
    Found {
        owner: AccountId,
        /// Those that conditions were compared with.
        tags: Vec<(String, String)>,
        /// Entries of its access control list; `None` where it has the private one.
        grants: Option<usize>,
    },
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is not an action of S3")]
    Action(String),
    #[error("{action} is done to {level}: {resource:?} is something else")]
    Resource { action: String, level: &'static str, resource: String },
    #[error("{resource:?} names no bucket: {source}")]
    BucketName { resource: String, source: names::InvalidBucketName },
    #[error("the key in {resource:?} is not valid: {source}")]
    ObjectKey { resource: String, source: names::InvalidObjectKey },
    #[error("{0:?} is not a version id")]
    Version(String),
    #[error("{0} is not done to an object, and nothing else has versions")]
    Unversioned(String),
    #[error("{0:?} is not a condition key of requests; what the caller or the resource is cannot be given")]
    Key(String),
    #[error("{value:?} is not a value of {key}")]
    Value { key: String, value: String },
    #[error("access key {0} is disabled: every request that it signs is refused")]
    Disabled(String),
    #[error("access key {0} belongs to a user or an account that is gone: every request that it signs is refused")]
    Orphaned(String),
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Guard(#[from] guard::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{Answer, Command};

    #[test]
    fn what_is_asked_has_the_documented_form() {
        let asked = Asked {
            caller: Who::User { account: None, name: "bob".into() },
            action: "s3:GetObject".into(),
            resource: "pail/a".into(),
            version: None,
            conditions: vec![("aws:SourceIp".into(), "::1".into())],
        };
        let line = r#"{"command":"policy.explain","caller":{"user":{"account":null,"name":"bob"}},"action":"s3:GetObject","resource":"pail/a","version":null,"conditions":[["aws:SourceIp","::1"]]}"#;
        let command = Command::Explain(Box::new(asked));
        assert_eq!(serde_json::to_string(&command).unwrap(), line);
        assert_eq!(serde_json::from_str::<Command>(line).unwrap(), command);
        let whole = |caller: &str| line.replace(r#"{"user":{"account":null,"name":"bob"}}"#, caller);
        for caller in [r#""anonymous""#, r#"{"key":"BRIMA"}"#, r#"{"root":{"account":"123456789012"}}"#] {
            assert!(serde_json::from_str::<Command>(&whole(caller)).is_ok(), "{caller}");
        }
        for caller in [r#""root""#, r#"{"key":null}"#, r#"{"user":{"name":"bob","path":"/"}}"#, "null"] {
            assert!(serde_json::from_str::<Command>(&whole(caller)).is_err(), "{caller}");
        }
    }

    #[test]
    fn explanations_round_trip() {
        let explanation = Explanation {
            allowed: false,
            reason: "statement 1 of the bucket policy denies it".into(),
            caller: None,
            action: "s3:GetObject".into(),
            resource: "arn:aws:s3:::pail/a".into(),
            identity_policies: Vec::new(),
            bucket: None,
            object: ObjectSeen::Found {
                owner: AccountId::default(),
                tags: vec![("k".into(), "v".into())],
                grants: None,
            },
        };
        let answer = Answer::Explained(Box::new(explanation));
        let line = serde_json::to_string(&answer).unwrap();
        assert!(line.contains(r#""object":{"state":"found","owner":"000000000000","tags":[["k","v"]],"grants":null}"#));
        assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer);
    }
}
