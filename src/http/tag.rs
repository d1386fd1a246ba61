//! Entity tags in headers (RFC 9110 section 8.8.3), with or without quotes, as clients send both.

/// An entity tag of any origin; for those that S3 makes see [`crate::names::ETag`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: String,
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagList {
    /// `*`: whatever exists.
    Any,
    Tags(Vec<EntityTag>),
}

/// A text that is no entity tag or list of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a list of entity tags")]
pub struct InvalidTag;

impl EntityTag {
    /// Parses one tag: `"a"`, `W/"a"`, or without quotes `a`.
    pub fn parse(text: &str) -> Result<Self, InvalidTag> {
        let (tag, rest) = take_tag(text.trim_matches(BLANK))?;
        if rest.is_empty() { Ok(tag) } else { Err(InvalidTag) }
    }

    /// Whether both are strong and the same (RFC 9110 section 8.8.3.2).
    pub fn matches_strongly(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Whether both are the same, be they weak or strong.
    pub fn matches_weakly(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

impl TagList {
    /// Parses all values of one header field, in order. Commas inside quotes belong to the tag; empty members are skipped.
    pub fn parse<'v>(values: impl Iterator<Item = &'v [u8]>) -> Result<Self, InvalidTag> {
        let mut tags = Vec::new();
        let mut any = false;
        for value in values {
            let value = std::str::from_utf8(value).map_err(|_| InvalidTag)?.trim_matches(BLANK);
            if value == "*" {
                any = true;
            } else {
                take_members(value, &mut tags)?;
            }
        }
        match (any, tags.is_empty()) {
            (true, true) => Ok(Self::Any),
            (false, false) => Ok(Self::Tags(tags)),
            _ => Err(InvalidTag),
        }
    }
}

const BLANK: [char; 2] = [' ', '\t'];

fn take_members(mut rest: &str, tags: &mut Vec<EntityTag>) -> Result<(), InvalidTag> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(());
        }
        let (tag, after) = take_tag(rest)?;
        tags.push(tag);
        rest = after.trim_start_matches(BLANK);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(InvalidTag);
        }
    }
}

/// Splits the tag at the start of `text` from what follows it.
fn take_tag(text: &str) -> Result<(EntityTag, &str), InvalidTag> {
    let (weak, text) = text.strip_prefix("W/").map_or((false, text), |text| (true, text));
    if let Some(quoted) = text.strip_prefix('"') {
        let (opaque, rest) = quoted.split_once('"').ok_or(InvalidTag)?;
        return Ok((EntityTag { weak, opaque: opaque.to_owned() }, rest));
    }
    let (bare, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    let bare = bare.trim_end_matches(BLANK);
    if bare.is_empty() || bare == "*" || bare.contains('"') {
        return Err(InvalidTag);
    }
    Ok((EntityTag { weak, opaque: bare.to_owned() }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(values: &[&str]) -> Result<TagList, InvalidTag> {
        TagList::parse(values.iter().map(|value| value.as_bytes()))
    }

    fn tags(list: &[(bool, &str)]) -> Result<TagList, InvalidTag> {
        Ok(TagList::Tags(list.iter().map(|&(weak, opaque)| EntityTag { weak, opaque: opaque.to_owned() }).collect()))
    }

    #[test]
    fn tags_are_read_with_and_without_quotes() {
        assert_eq!(list(&["\"a\""]), tags(&[(false, "a")]));
        assert_eq!(list(&["a"]), tags(&[(false, "a")]));
        assert_eq!(list(&[" W/\"a\" "]), tags(&[(true, "a")]));
        assert_eq!(list(&["\"\""]), tags(&[(false, "")]));
        assert_eq!(list(&["\"a,b\" , c\t,W/\"d\""]), tags(&[(false, "a,b"), (false, "c"), (true, "d")]));
        assert_eq!(list(&[",\"a\",,", "b"]), tags(&[(false, "a"), (false, "b")]));
        assert_eq!(list(&["\"*\""]), tags(&[(false, "*")]));
        assert_eq!(list(&[" * "]), Ok(TagList::Any));
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        for values in [
            [""].as_slice(),
            &[","],
            &["\"a"],
            &["a\""],
            &["\"a\" \"b\""],
            &["\"a\"b"],
            &["*, \"a\""],
            &["*", "\"a\""],
            &["\"a\", *"],
            &["W/"],
            &[],
        ] {
            assert_eq!(list(values), Err(InvalidTag), "{values:?}");
        }
        assert_eq!(TagList::parse([b"\"\xff\"".as_slice()].into_iter()), Err(InvalidTag));
        assert_eq!(EntityTag::parse("\"a\", \"b\""), Err(InvalidTag));
    }

    #[test]
    fn weak_tags_match_weakly_only() {
        let (strong, weak) = (EntityTag::parse("\"a\"").unwrap(), EntityTag::parse("W/\"a\"").unwrap());
        assert!(strong.matches_strongly(&strong) && strong.matches_weakly(&weak));
        assert!(!strong.matches_strongly(&weak) && !weak.matches_strongly(&weak));
    }

    proptest! {
        #[test]
        fn quoted_lists_are_read_as_written(written in proptest::collection::vec((any::<bool>(), "[^\"]{0,8}"), 1..5)) {
            let text: Vec<String> =
                written.iter().map(|(weak, opaque)| format!("{}\"{opaque}\"", if *weak { "W/" } else { "" })).collect();
            let expected = written.into_iter().map(|(weak, opaque)| EntityTag { weak, opaque }).collect();
            prop_assert_eq!(list(&[&text.join(", ")]), Ok(TagList::Tags(expected)));
        }

        #[test]
        fn no_value_makes_the_parser_panic(value in "[\"W/*, aé]{0,20}") {
            let _ = list(&[&value]);
        }
    }
}
