//! Other layers' errors in the words of IAM and STS.

use super::error::{Code, QueryError};
use crate::access::PolicyError;
use crate::clock::Timestamp;
use crate::http::date::format_basic;
use crate::http::head::InvalidHeader;
use crate::identity::{Holds, What};
use crate::transport::sentence;
use crate::{auth, identity};

impl From<InvalidHeader> for QueryError {
    fn from(error: InvalidHeader) -> Self {
        Self::with_message(Code::IncompleteSignature, sentence(&error.to_string()))
    }
}

impl From<PolicyError> for QueryError {
    fn from(error: PolicyError) -> Self {
        Self::with_message(Code::MalformedPolicyDocument, error.to_string())
    }
}

impl From<auth::Error> for QueryError {
    fn from(error: auth::Error) -> Self {
        use auth::Error as E;
        match error {
            E::TooSkewed { request, server, max_skew } => {
                let minutes = max_skew.as_secs() / 60;
                match request < server {
                    true => expired(request, server, &format!("{} - {minutes} min.", format_basic(server))),
                    false => early(request, server, &format!("{} + {minutes} min.", format_basic(server))),
                }
            }
            E::NotYetValid { valid_from, server } => early(valid_from, server, &format_basic(server)),
            E::Expired { expires, server, .. } => expired(expires, server, &format_basic(server)),
            E::SignatureDoesNotMatch(_) | E::BodyDigestMismatch => Self::new(Code::SignatureDoesNotMatch),
            other => Self::with_message(Code::IncompleteSignature, sentence(&other.to_string())),
        }
    }
}

fn expired(signed: Timestamp, server: Timestamp, bound: &str) -> QueryError {
    let (signed, server) = (format_basic(signed), format_basic(server));
    let message = format!("Signature expired: {signed} is now earlier than {server} ({bound})");
    QueryError::with_message(Code::SignatureDoesNotMatch, message)
}

fn early(signed: Timestamp, server: Timestamp, bound: &str) -> QueryError {
    let (signed, server) = (format_basic(signed), format_basic(server));
    let message = format!("Signature not yet current: {signed} is still later than {server} ({bound})");
    QueryError::with_message(Code::SignatureDoesNotMatch, message)
}

impl From<identity::Error> for QueryError {
    fn from(error: identity::Error) -> Self {
        use identity::Error as E;
        let said = |code, error: &E| Self::with_message(code, sentence(&error.to_string()));
        match error {
            E::NoSuch { what, ref name } => Self::with_message(Code::NoSuchEntity, missing(what, name)),
            E::Exists { what, ref name } => Self::with_message(Code::EntityAlreadyExists, existing(what, name)),
            E::DeleteConflict { holds, .. } => Self::with_message(Code::DeleteConflict, held(holds)),
            E::Limit { quota, limit } => {
                Self::with_message(Code::LimitExceeded, format!("Cannot exceed quota for {quota}: {limit}"))
            }
            E::Name { what, .. } => Self::with_message(Code::ValidationError, misnamed(what)),
            E::Path(_) => {
                let message = "The specified value for path is invalid. It must begin and end with / and contain only \
                               alphanumeric characters and/or / characters.";
                Self::with_message(Code::ValidationError, message)
            }
            E::Declared { .. } | E::Root(_) => said(Code::UnmodifiableEntity, &error),
            E::Unmodifiable(_) => said(Code::AccessDenied, &error),
            E::DefaultVersion(_) => {
                Self::with_message(Code::DeleteConflict, "Cannot delete the default version of a policy.")
            }
            E::Policy(policy) => policy.into(),
            E::Description | E::LongDescription(_) | E::Duration { .. } | E::SessionName(_) => {
                said(Code::ValidationError, &error)
            }
            E::NotTrusted { ref caller, ref role } => {
                let message =
                    format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}");
                Self::with_message(Code::AccessDenied, message)
            }
            E::RootAssumesRole => Self::with_message(Code::AccessDenied, "Roles may not be assumed by root accounts."),
            E::Temporary => {
                Self::with_message(Code::AccessDenied, "Cannot call GetSessionToken with session credentials")
            }
            E::InvalidToken => Self::new(Code::InvalidClientTokenId),
            E::ExpiredToken => Self::new(Code::ExpiredToken),
            E::Contended => Self::new(Code::ConcurrentModification),
            E::StoredPolicy { .. } | E::Sealed(_) | E::Record(_) | E::Random | E::Stopped(_) | E::Kv(_) => {
                Self::new(Code::InternalFailure).caused_by(error)
            }
        }
    }
}

fn missing(what: What, name: &str) -> String {
    match what {
        What::Policy => format!("Policy {name} was not found."),
        What::PolicyVersion => format!("Policy version {name} does not exist."),
        What::AccessKey => format!("The Access Key with id {name} cannot be found."),
        What::UserPolicy => format!("The user policy with name {name} cannot be found."),
        What::GroupPolicy => format!("The group policy with name {name} cannot be found."),
        What::RolePolicy => format!("The role policy with name {name} cannot be found."),
        What::Account | What::User | What::Group | What::Role => {
            format!("The {what} with name {name} cannot be found.")
        }
    }
}

fn existing(what: What, name: &str) -> String {
    match what {
        What::Policy => format!("A policy called {name} already exists. Duplicate names are not allowed."),
        _ => format!("{} with name {name} already exists.", sentence(&what.to_string())),
    }
}

fn held(holds: Holds) -> &'static str {
    match holds {
        Holds::AccessKeys => "Cannot delete entity, must delete access keys first.",
        Holds::InlinePolicies => "Cannot delete entity, must delete policies first.",
        Holds::AttachedPolicies => "Cannot delete entity, must detach all policies first.",
        Holds::Groups | Holds::Members => "Cannot delete entity, must remove users from group first.",
        Holds::Attachments => "Cannot delete a policy attached to entities.",
        Holds::Versions => {
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. \
             The default version is deleted with the policy."
        }
    }
}

fn misnamed(what: What) -> String {
    let parameter = match what {
        What::User => "userName",
        What::Group => "groupName",
        What::Role => "roleName",
        _ => "policyName",
    };
    format!(
        "The specified value for {parameter} is invalid. It must contain only alphanumeric characters and/or the \
         following: +=,.@_-"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::limits::Quota;

    fn told(error: impl Into<QueryError>) -> (Code, String) {
        let error = error.into();
        (error.code, error.message.into_owned())
    }

    #[test]
    fn entities_are_named_as_iam_names_them() {
        use identity::Error as E;
        let name = || "x".to_owned();
        for (error, code, message) in [
            (E::NoSuch { what: What::User, name: name() }, Code::NoSuchEntity, "The user with name x cannot be found."),
            (E::NoSuch { what: What::Policy, name: name() }, Code::NoSuchEntity, "Policy x was not found."),
            (
                E::Exists { what: What::Role, name: name() },
                Code::EntityAlreadyExists,
                "Role with name x already exists.",
            ),
            (
                E::DeleteConflict { what: What::User, name: name(), holds: Holds::AccessKeys },
                Code::DeleteConflict,
                "Cannot delete entity, must delete access keys first.",
            ),
            (
                E::Limit { quota: Quota::AccessKeysPerUser, limit: 2 },
                Code::LimitExceeded,
                "Cannot exceed quota for AccessKeysPerUser: 2",
            ),
        ] {
            assert_eq!(told(error), (code, message.to_owned()));
        }
    }

    #[test]
    fn session_tokens_that_ended_are_told_from_those_that_never_were() {
        assert_eq!(told(identity::Error::ExpiredToken).0, Code::ExpiredToken);
        assert_eq!(told(identity::Error::InvalidToken).0, Code::InvalidClientTokenId);
        assert_eq!((Code::ExpiredToken.status(), Code::InvalidClientTokenId.status()), (403, 403));
    }

    #[test]
    fn damage_is_told_to_the_log_alone() {
        let error = QueryError::from(identity::Error::Sealed("AKID".to_owned()));
        assert_eq!((error.code, error.source.is_some()), (Code::InternalFailure, true));
        assert!(!error.message.contains("AKID"));
    }

    #[test]
    fn clocks_that_disagree_are_told_in_both_directions() {
        let max_skew = Duration::from_secs(15 * 60);
        let (early, late) = (Timestamp::from_seconds(1_369_353_600), Timestamp::from_seconds(1_369_357_200));
        let (code, message) = told(auth::Error::TooSkewed { request: early, server: late, max_skew });
        assert_eq!(code, Code::SignatureDoesNotMatch);
        assert!(message.starts_with("Signature expired: 20130524T000000Z is now earlier than"), "{message}");
        let (code, message) = told(auth::Error::TooSkewed { request: late, server: early, max_skew });
        assert_eq!(code, Code::SignatureDoesNotMatch);
        assert!(message.starts_with("Signature not yet current: 20130524T010000Z is still later than"), "{message}");
    }
}
