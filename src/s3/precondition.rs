//! Conditional writes: from headers to the store's preconditions.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use super::error::S3Error;
use crate::http::conditional::WriteCondition;
use crate::http::head::Headers;
use crate::http::tag::TagList;
use crate::store::put::Precondition;

/// The condition of a write on what it finds in its place.
pub fn parse(headers: &Headers) -> Result<Precondition, S3Error> {
    Ok(match WriteCondition::parse(headers)? {
        WriteCondition::None => Precondition::None,
        WriteCondition::IfAbsent => Precondition::Absent,
        WriteCondition::IfMatch(tags) => matching(&tags),
    })
}

/// The condition that one of the tags matches, strongly: a tag that S3 does not make matches no object.
pub fn matching(tags: &TagList) -> Precondition {
    match tags {
        TagList::Any => Precondition::Present,
        TagList::Tags(tags) => {
            let strong = tags.iter().filter(|tag| !tag.weak);
            Precondition::Matches(strong.filter_map(|tag| tag.opaque.parse().ok()).collect())
        }
    }
}
