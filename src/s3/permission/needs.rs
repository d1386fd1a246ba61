//! Which actions a request needs, in IAM's words.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use crate::guard::{self, versioned};
use crate::http::head::Headers;
use crate::s3::operation::{Operation, ROWS};
use crate::s3::query::Query;

/// Every action that the addressed bucket or object must allow, judged by the head. Sources of copies, the keys of
/// DeleteObjects, the tags of a body and the fields of a form are judged where they are read.
pub fn actions(operation: Operation, query: &Query, headers: &Headers) -> Vec<&'static str> {
    use Operation as O;
    let action = ROWS.iter().find(|row| row.operation == operation).map_or("", |row| row.action);
    let version = query.get("versionId");
    let mut actions = match operation {
        O::DeleteObjects | O::PostObject | O::PutObjectTagging | O::Unknown => Vec::new(),
        O::GetObjectAttributes => vec![versioned("s3:GetObject", version), versioned(action, version)],
        _ => vec![versioned(action, version)],
    };
    if writes_conditionally(operation) && names_tags(headers) {
        let version = version.filter(|_| operation == O::DeleteObject);
        actions.push(versioned("s3:GetObject", version));
    }
    match operation {
        _ if writes_object(operation) => actions.extend(of_written(headers)),
        O::CreateBucket => {
            actions.extend(gives_list(headers).then_some("s3:PutBucketAcl"));
            actions.extend(headers.contains("x-amz-object-ownership").then_some("s3:PutBucketOwnershipControls"));
        }
        _ => {}
    }
    actions
}

/// Whether an object is written: then list and tags are given to the new one, and the one that it replaces has no say.
fn writes_object(operation: Operation) -> bool {
    matches!(operation, Operation::PutObject | Operation::CreateMultipartUpload | Operation::CopyObject)
}

/// Whether it writes or deletes an object that may be there, under a condition on what is.
pub fn writes_conditionally(operation: Operation) -> bool {
    use Operation as O;
    matches!(operation, O::CompleteMultipartUpload | O::CopyObject | O::DeleteObject | O::PutObject | O::RenameObject)
}

/// Whether a condition on what is written over names entity tags, in whichever of several headers.
pub fn names_tags(headers: &Headers) -> bool {
    headers.all("if-match").any(|value| names_tag(&String::from_utf8_lossy(value)))
}

/// Whether a condition names entity tags: whether they are the object's is only for who may read it.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html>
pub fn names_tag(condition: &str) -> bool {
    condition.trim() != "*"
}

/// What an object needs besides, that is written with these headers, or with the fields of a form that are the same.
pub fn of_written(headers: &Headers) -> impl Iterator<Item = &'static str> {
    let list = gives_list(headers).then_some("s3:PutObjectAcl");
    list.into_iter().chain(headers.contains("x-amz-tagging").then_some("s3:PutObjectTagging"))
}

fn gives_list(headers: &Headers) -> bool {
    headers.iter().any(|(name, _)| name == "x-amz-acl" || name.starts_with("x-amz-grant-"))
}

/// Whether a stored object may have a say: in its list, its owner or its tags. In what is given to an object that takes its
/// place it has none.
pub fn reads_object(operation: Operation, action: &str) -> bool {
    let of_the_new_one = ["s3:PutObjectAcl", "s3:PutObjectTagging"].contains(&action);
    !(writes_object(operation) && of_the_new_one) && guard::reads_object(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(operation: Operation, query: &str, headers: &[(&'static str, &'static str)]) -> Vec<&'static str> {
        actions(operation, &Query::parse(query).unwrap(), &headers.iter().copied().collect())
    }

    #[test]
    fn headers_and_versions_need_permissions_of_their_own() {
        for (operation, query, headers, expected) in [
            (Operation::GetObject, "", &[][..], &["s3:GetObject"][..]),
            (Operation::HeadObject, "versionId=x", &[], &["s3:GetObjectVersion"]),
            (Operation::DeleteObject, "versionId=null", &[], &["s3:DeleteObjectVersion"]),
            (
                Operation::PutObject,
                "",
                &[("x-amz-acl", "private"), ("x-amz-tagging", "a=b")],
                &["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"],
            ),
            (Operation::CreateBucket, "", &[("x-amz-grant-read", "id=x")], &["s3:CreateBucket", "s3:PutBucketAcl"]),
            (Operation::GetObjectAttributes, "", &[], &["s3:GetObject", "s3:GetObjectAttributes"]),
            (Operation::DeleteObjects, "", &[], &[]),
            (Operation::PutObject, "", &[("if-match", "\"a\"")], &["s3:PutObject", "s3:GetObject"]),
            (Operation::PutObject, "", &[("if-none-match", "*")], &["s3:PutObject"]),
            (Operation::DeleteObject, "", &[("if-match", "*")], &["s3:DeleteObject"]),
            (
                Operation::DeleteObject,
                "versionId=x",
                &[("if-match", "a")],
                &["s3:DeleteObjectVersion", "s3:GetObjectVersion"],
            ),
            (Operation::GetObject, "", &[("if-match", "a")], &["s3:GetObject"]),
        ] {
            assert_eq!(needed(operation, query, headers), expected, "{operation:?}");
        }
    }

    #[test]
    fn stored_objects_have_a_say_where_they_are_read_annotated_or_deleted() {
        for action in ["s3:GetObject", "s3:GetObjectVersionAcl", "s3:PutObjectTagging", "s3:DeleteObject"] {
            assert!(reads_object(Operation::Unknown, action), "{action}");
        }
        for action in ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucket"] {
            assert!(!reads_object(Operation::Unknown, action), "{action}");
        }
        for operation in [Operation::PutObject, Operation::CreateMultipartUpload] {
            assert!(!reads_object(operation, "s3:PutObjectAcl") && reads_object(operation, "s3:GetObject"));
        }
    }
}
