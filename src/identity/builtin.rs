//! Managed policies that AWS has and people attach by habit, for the services that there are here.
//!
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>

use super::generate::{UniqueId, derived_id};
use super::{ManagedPolicy, entity};
use crate::clock::Timestamp;

/// One of AWS's policies.
pub struct Builtin {
    pub name: &'static str,
    pub description: &'static str,
    pub document: &'static str,
}

/// By name.
pub const BUILTINS: [Builtin; 5] = [
    Builtin {
        name: "AdministratorAccess",
        description: "Provides full access to AWS services and resources.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    },
    Builtin {
        name: "AmazonS3FullAccess",
        description: "Provides full access to all buckets.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#,
    },
    Builtin {
        name: "AmazonS3ReadOnlyAccess",
        description: "Provides read only access to all buckets.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}"#,
    },
    Builtin {
        name: "IAMFullAccess",
        description: "Provides full access to IAM.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}"#,
    },
    Builtin {
        name: "IAMReadOnlyAccess",
        description: "Provides read only access to IAM.",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}"#,
    },
];

/// The policy with this name, in whatever case.
pub fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|policy| policy.name.eq_ignore_ascii_case(name))
}

impl Builtin {
    pub fn arn(&self) -> String {
        entity::policy_arn(None, "/", self.name)
    }

    /// The policy as lists show it.
    pub fn managed(&self) -> ManagedPolicy {
        ManagedPolicy {
            account: None,
            name: self.name.to_owned(),
            path: "/".to_owned(),
            id: derived_id(UniqueId::ManagedPolicy, &format!("brim built-in policy {}", self.name)),
            description: self.description.to_owned(),
            created: Timestamp::from_seconds(0),
            updated: Timestamp::from_seconds(0),
            attachments: None,
            default_version: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Policy, PolicyKind};

    #[test]
    fn every_builtin_policy_is_valid_and_in_order() {
        assert!(BUILTINS.is_sorted_by_key(|policy| policy.name.to_ascii_lowercase()));
        for policy in &BUILTINS {
            assert!(Policy::parse(policy.document.as_bytes(), PolicyKind::Identity).is_ok(), "{}", policy.name);
            assert_eq!(find(&policy.name.to_lowercase()).unwrap().arn(), policy.arn());
        }
        assert_eq!(BUILTINS[1].arn(), "arn:aws:iam::aws:policy/AmazonS3FullAccess");
    }
}
