//! What a request says of the object that it writes, as conditions of policies know it.

use crate::access::{Context, Value};
use crate::http::head::Head;
use crate::s3::query::Query;

/// Whether what needs `s3:PutObject` makes an object, rather than a beginning or a part of one.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html>
pub fn creates_object(head: &Head, query: &Query) -> bool {
    let is_part = head.method == "PUT" && query.has("uploadId");
    !is_part && !query.has("uploads")
}

/// Adds the tags that a request gives: each by its key, and the keys.
pub fn push_request_tags<'r>(context: &mut Context<'r>, tags: &'r [(String, String)]) {
    for (name, value) in tags {
        context.push(format!("s3:RequestObjectTag/{name}"), value.as_str());
    }
    context.push_all("s3:RequestObjectTagKeys", tags.iter().map(|(name, _)| Value::from(name.as_str())));
}
