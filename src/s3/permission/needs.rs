//! Which actions a request needs, in IAM's words.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use crate::guard::versioned;
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
pub fn writes_object(operation: Operation) -> bool {
    matches!(operation, Operation::PutObject | Operation::CreateMultipartUpload | Operation::CopyObject)
}

/// What an object needs besides, that is written with these headers, or with the fields of a form that are the same.
pub fn of_written(headers: &Headers) -> impl Iterator<Item = &'static str> {
    let list = gives_list(headers).then_some("s3:PutObjectAcl");
    list.into_iter().chain(headers.contains("x-amz-tagging").then_some("s3:PutObjectTagging"))
}

fn gives_list(headers: &Headers) -> bool {
    headers.iter().any(|(name, _)| name == "x-amz-acl" || name.starts_with("x-amz-grant-"))
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
        ] {
            assert_eq!(needed(operation, query, headers), expected, "{operation:?}");
        }
    }
}
