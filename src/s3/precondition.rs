//! Conditional writes: from headers to the store's preconditions.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use super::error::S3Error;
use crate::http::conditional::{Condition, Names, WriteCondition};
use crate::http::head::Headers;
use crate::http::tag::TagList;
use crate::store::put::Precondition;

/// The condition of a write on what it finds in its place. Conditions that S3 does not evaluate for writes are refused: the
/// write would happen whether or not they hold.
pub fn parse(headers: &Headers) -> Result<Precondition, S3Error> {
    for condition in [Condition::IfModifiedSince, Condition::IfUnmodifiedSince] {
        let name = Names::Plain.header(condition);
        if headers.contains(name) {
            return Err(S3Error::header_not_implemented(name));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ETag;
    use crate::s3::error::Code;

    #[test]
    fn a_condition_that_is_not_evaluated_refuses_the_write() {
        for name in ["if-modified-since", "if-unmodified-since"] {
            let headers = [(name, "Sun, 06 Nov 1994 08:49:37 GMT")].into_iter().collect();
            assert_eq!(parse(&headers).unwrap_err().code, Code::NotImplemented, "{name}");
        }
        assert_eq!(parse(&[("if-none-match", "*")].into_iter().collect()).unwrap(), Precondition::Absent);
    }

    #[test]
    fn only_strong_tags_that_an_object_can_have_match_one() {
        let tag = "000102030405060708090a0b0c0d0e0f";
        let parsed = |value: String| parse(&[("if-match", value)].into_iter().collect()).unwrap();
        let etag: ETag = tag.parse().unwrap();
        assert_eq!(parsed("*".to_owned()), Precondition::Present);
        assert_eq!(parsed(format!("\"{tag}\"")), Precondition::Matches(vec![etag]));
        assert_eq!(parsed(format!("{tag}, \"other\"")), Precondition::Matches(vec![etag]));
        assert_eq!(parsed(format!("W/\"{tag}\"")), Precondition::Matches(vec![]), "weak tags match nothing");
        assert_eq!(parsed("b".to_owned()), Precondition::Matches(vec![]));
        let absent = parse(&[("if-none-match", "*")].into_iter().collect()).unwrap();
        assert_eq!(absent, Precondition::Absent);
    }
}
