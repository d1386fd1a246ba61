//! Conditional requests (RFC 9110 section 13), and S3's conditional writes.

use super::date;
use super::head::Headers;
use super::tag::{EntityTag, TagList};
use crate::clock::Timestamp;

/// The conditions of a request that reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    pub if_match: Option<TagList>,
    pub if_none_match: Option<TagList>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

/// Which headers carry the conditions: those on the request's target, or those on the source of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Plain,
    CopySource,
}

/// One of the four conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    IfMatch,
    IfNoneMatch,
    IfModifiedSince,
    IfUnmodifiedSince,
}

/// What conditions are evaluated against: the validators of what would be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<EntityTag>,
    pub modified: Option<Timestamp>,
}

/// What follows from the conditions of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Proceed,
    /// Answer 304 with the validators.
    NotModified,
    /// Answer 412.
    Failed(Condition),
}

/// The value of `If-Range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfRange {
    Tag(EntityTag),
    Date(Timestamp),
}

/// The condition of a request that writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WriteCondition {
    #[default]
    None,
    /// `If-None-Match: *`
    IfAbsent,
    IfMatch(TagList),
}

/// Why the condition of a write cannot be evaluated: the request fails, it is never carried out unconditionally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWriteCondition {
    /// S3 answers 501 NotImplemented.
    #[error("If-None-Match takes only * on a write")]
    IfNoneMatchTag,
    /// S3 answers 501 NotImplemented.
    #[error("If-Match and If-None-Match exclude each other on a write")]
    Both,
    #[error("If-Match is not a list of entity tags")]
    IfMatch,
}

/// A condition on the source of a copy that cannot be evaluated: the copy fails, it is never made unconditionally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a condition on the source is neither a date nor a list of entity tags")]
pub struct InvalidSourceCondition;

impl Names {
    /// The name of the header that carries `condition`, in lower case.
    pub const fn header(self, condition: Condition) -> &'static str {
        self.row(condition).0
    }

    /// The same name as S3 writes it in the `Condition` element of a 412.
    pub const fn shown(self, condition: Condition) -> &'static str {
        self.row(condition).1
    }

    const fn row(self, condition: Condition) -> (&'static str, &'static str) {
        match (self, condition) {
            (Self::Plain, Condition::IfMatch) => ("if-match", "If-Match"),
            (Self::Plain, Condition::IfNoneMatch) => ("if-none-match", "If-None-Match"),
            (Self::Plain, Condition::IfModifiedSince) => ("if-modified-since", "If-Modified-Since"),
            (Self::Plain, Condition::IfUnmodifiedSince) => ("if-unmodified-since", "If-Unmodified-Since"),
            (Self::CopySource, Condition::IfMatch) => ("x-amz-copy-source-if-match", "x-amz-copy-source-If-Match"),
            (Self::CopySource, Condition::IfNoneMatch) => {
                ("x-amz-copy-source-if-none-match", "x-amz-copy-source-If-None-Match")
            }
            (Self::CopySource, Condition::IfModifiedSince) => {
                ("x-amz-copy-source-if-modified-since", "x-amz-copy-source-If-Modified-Since")
            }
            (Self::CopySource, Condition::IfUnmodifiedSince) => {
                ("x-amz-copy-source-if-unmodified-since", "x-amz-copy-source-If-Unmodified-Since")
            }
        }
    }
}

impl Conditions {
    /// Reads the conditions. A date that cannot be parsed is ignored (RFC 9110 section 13.1.3); a tag list that cannot be
    /// parsed matches nothing, so that `If-Match` fails and `If-None-Match` lets the whole answer through.
    pub fn parse(headers: &Headers, names: Names) -> Self {
        let tags = |condition| {
            let header = names.header(condition);
            let given = headers.contains(header);
            given.then(|| TagList::parse(headers.all(header)).unwrap_or(TagList::Tags(Vec::new())))
        };
        let date = |condition| headers.text(names.header(condition)).ok().flatten().and_then(date::parse_http);
        Self {
            if_match: tags(Condition::IfMatch),
            if_none_match: tags(Condition::IfNoneMatch),
            if_modified_since: date(Condition::IfModifiedSince),
            if_unmodified_since: date(Condition::IfUnmodifiedSince),
        }
    }

    /// Reads the conditions on the source of a copy. None of them is ignored.
    pub fn parse_source(headers: &Headers) -> Result<Self, InvalidSourceCondition> {
        let parsed = Self::parse(headers, Names::CopySource);
        let given = |condition| headers.all(Names::CopySource.header(condition));
        for tags in [given(Condition::IfMatch), given(Condition::IfNoneMatch)] {
            let mut tags = tags.peekable();
            if tags.peek().is_some() && TagList::parse(tags).is_err() {
                return Err(InvalidSourceCondition);
            }
        }
        for (condition, date) in [
            (Condition::IfModifiedSince, parsed.if_modified_since),
            (Condition::IfUnmodifiedSince, parsed.if_unmodified_since),
        ] {
            if date.is_none() && given(condition).next().is_some() {
                return Err(InvalidSourceCondition);
            }
        }
        Ok(parsed)
    }

    /// Gives what to answer to a GET or HEAD of something that exists (RFC 9110 section 13.2.2).
    pub fn evaluate(&self, current: &Validators) -> Outcome {
        match self.violated(current) {
            None => Outcome::Proceed,
            Some(Condition::IfNoneMatch | Condition::IfModifiedSince) => Outcome::NotModified,
            Some(condition) => Outcome::Failed(condition),
        }
    }

    /// Gives what to answer to a copy whose source has these validators: the same precedence, and always 412.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
    pub fn evaluate_copy(&self, source: &Validators) -> Outcome {
        self.violated(source).map_or(Outcome::Proceed, Outcome::Failed)
    }

    /// Gives the first condition that does not hold, in the order of RFC 9110 section 13.2.2. A date counts only where
    /// the tag list of its kind is absent.
    fn violated(&self, current: &Validators) -> Option<Condition> {
        let (must, must_holds) = match &self.if_match {
            Some(tags) => (Condition::IfMatch, matches_strongly(tags, current)),
            None => (Condition::IfUnmodifiedSince, !is_after(current.modified, self.if_unmodified_since)),
        };
        if !must_holds {
            return Some(must);
        }
        let (must_not, changed) = match &self.if_none_match {
            Some(tags) => (Condition::IfNoneMatch, !matches_weakly(tags, current)),
            None => (Condition::IfModifiedSince, !is_until(current.modified, self.if_modified_since)),
        };
        (!changed).then_some(must_not)
    }
}

impl Validators {
    /// Validators of an object of S3, which always has both. `etag` may have quotes or not.
    pub fn new(etag: &str, modified: Timestamp) -> Self {
        Self { etag: EntityTag::parse(etag).ok(), modified: Some(modified) }
    }
}

impl IfRange {
    /// Reads `If-Range`: `None` if it is absent. A value that is neither tag nor date, or given twice, is a tag that
    /// matches nothing.
    pub fn parse(headers: &Headers) -> Option<Self> {
        if !headers.contains("if-range") {
            return None;
        }
        let text = headers.text("if-range").ok().flatten().unwrap_or_default();
        let unmatched = EntityTag { weak: true, opaque: String::new() };
        Some(match date::parse_http(text) {
            Some(date) => Self::Date(date),
            None => Self::Tag(EntityTag::parse(text).unwrap_or(unmatched)),
        })
    }

    /// Whether the `Range` of the request is to be honoured; otherwise the whole is sent (RFC 9110 section 13.1.5).
    ///
    /// Tags are compared strongly. A date must be the very second of the last modification.
    pub fn holds(&self, current: &Validators) -> bool {
        match self {
            Self::Tag(tag) => current.etag.as_ref().is_some_and(|etag| tag.matches_strongly(etag)),
            Self::Date(date) => current.modified.is_some_and(|modified| modified.as_seconds() == date.as_seconds()),
        }
    }
}

impl WriteCondition {
    /// Reads `If-Match` and `If-None-Match` of a request that writes.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
    pub fn parse(headers: &Headers) -> Result<Self, InvalidWriteCondition> {
        let if_match = Names::Plain.header(Condition::IfMatch);
        let if_none_match = Names::Plain.header(Condition::IfNoneMatch);
        match (headers.contains(if_match), headers.contains(if_none_match)) {
            (false, false) => Ok(Self::None),
            (true, true) => Err(InvalidWriteCondition::Both),
            (true, false) => {
                TagList::parse(headers.all(if_match)).map(Self::IfMatch).map_err(|_| InvalidWriteCondition::IfMatch)
            }
            (false, true) => match TagList::parse(headers.all(if_none_match)) {
                Ok(TagList::Any) => Ok(Self::IfAbsent),
                _ => Err(InvalidWriteCondition::IfNoneMatchTag),
            },
        }
    }
}

impl InvalidWriteCondition {
    /// The name of the header at fault, as S3 writes it in the `Header` element of its error.
    pub const fn header(self) -> &'static str {
        match self {
            Self::IfMatch => Names::Plain.shown(Condition::IfMatch),
            Self::IfNoneMatchTag | Self::Both => Names::Plain.shown(Condition::IfNoneMatch),
        }
    }
}

fn matches_strongly(tags: &TagList, current: &Validators) -> bool {
    match tags {
        TagList::Any => true,
        TagList::Tags(tags) => {
            current.etag.as_ref().is_some_and(|etag| tags.iter().any(|tag| tag.matches_strongly(etag)))
        }
    }
}

fn matches_weakly(tags: &TagList, current: &Validators) -> bool {
    match tags {
        TagList::Any => true,
        TagList::Tags(tags) => {
            current.etag.as_ref().is_some_and(|etag| tags.iter().any(|tag| tag.matches_weakly(etag)))
        }
    }
}

/// Whether both are known and `modified` is later than the second of `date`: dates in headers have whole seconds.
fn is_after(modified: Option<Timestamp>, date: Option<Timestamp>) -> bool {
    modified.zip(date).is_some_and(|(modified, date)| modified.as_seconds() > date.as_seconds())
}

/// Whether both are known and `modified` is in the second of `date` or earlier.
fn is_until(modified: Option<Timestamp>, date: Option<Timestamp>) -> bool {
    modified.zip(date).is_some_and(|(modified, date)| modified.as_seconds() <= date.as_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    /// Modified half a second after `THEN`.
    fn current() -> Validators {
        Validators::new("\"a\"", Timestamp::from_millis(784_111_777_500))
    }

    fn evaluate(headers: &[(&str, &str)]) -> Outcome {
        let headers: Headers = headers.iter().map(|&(name, value)| (name, value)).collect();
        Conditions::parse(&headers, Names::Plain).evaluate(&current())
    }

    #[test]
    fn no_condition_on_a_source_is_ignored() {
        for name in ["match", "none-match", "modified-since", "unmodified-since"] {
            let parse = |value| {
                Conditions::parse_source(&[(format!("x-amz-copy-source-if-{name}"), value)].into_iter().collect())
            };
            let right = if name.ends_with("since") { THEN } else { "\"a\"" };
            assert_ne!(parse(right), Ok(Conditions::default()), "{name}");
            for wrong in ["", "\"a", "yesterday\""] {
                assert_eq!(parse(wrong), Err(InvalidSourceCondition), "{name}: {wrong}");
            }
        }
        assert_eq!(Conditions::parse_source(&Headers::default()), Ok(Conditions::default()));
    }

    #[test]
    fn each_condition_decides_alone() {
        use Condition::*;
        use Outcome::*;
        for (name, value, outcome) in [
            ("if-match", "\"a\"", Proceed),
            ("if-match", "a", Proceed),
            ("if-match", "*", Proceed),
            ("if-match", "\"b\", \"a\"", Proceed),
            ("if-match", "\"b\"", Failed(IfMatch)),
            ("if-match", "W/\"a\"", Failed(IfMatch)),
            ("if-none-match", "\"a\"", NotModified),
            ("if-none-match", "a", NotModified),
            ("if-none-match", "W/\"a\"", NotModified),
            ("if-none-match", "*", NotModified),
            ("if-none-match", "\"b\"", Proceed),
            ("if-modified-since", BEFORE, Proceed),
            ("if-modified-since", THEN, NotModified),
            ("if-unmodified-since", BEFORE, Failed(IfUnmodifiedSince)),
            ("if-unmodified-since", THEN, Proceed),
        ] {
            assert_eq!(evaluate(&[(name, value)]), outcome, "{name}: {value}");
        }
        assert_eq!(evaluate(&[]), Proceed);
    }

    #[test]
    fn tags_take_precedence_over_dates_and_preconditions_over_revalidation() {
        use Outcome::*;
        for (headers, outcome) in [
            ([("if-match", "a"), ("if-unmodified-since", BEFORE)], Proceed),
            ([("if-match", "b"), ("if-unmodified-since", THEN)], Failed(Condition::IfMatch)),
            ([("if-none-match", "a"), ("if-modified-since", BEFORE)], NotModified),
            ([("if-none-match", "b"), ("if-modified-since", THEN)], Proceed),
            ([("if-match", "b"), ("if-none-match", "a")], Failed(Condition::IfMatch)),
            ([("if-match", "a"), ("if-none-match", "a")], NotModified),
            ([("if-unmodified-since", BEFORE), ("if-modified-since", THEN)], Failed(Condition::IfUnmodifiedSince)),
            ([("if-match", "a"), ("if-modified-since", THEN)], NotModified),
        ] {
            assert_eq!(evaluate(&headers), outcome, "{headers:?}");
        }
    }

    #[test]
    fn a_read_goes_on_where_a_date_is_nonsense_and_never_matches_nonsense_tags() {
        for value in ["yesterday", "", "1994-11-06T08:49:37Z"] {
            assert_eq!(evaluate(&[("if-modified-since", value)]), Outcome::Proceed);
            assert_eq!(evaluate(&[("if-unmodified-since", value)]), Outcome::Proceed);
        }
        assert_eq!(evaluate(&[("if-modified-since", THEN), ("if-modified-since", THEN)]), Outcome::Proceed);
        assert_eq!(evaluate(&[("if-match", "\"a")]), Outcome::Failed(Condition::IfMatch));
        assert_eq!(evaluate(&[("if-none-match", "\"a")]), Outcome::Proceed);
    }

    #[test]
    fn conditions_need_validators() {
        let none = Validators { etag: None, modified: None };
        let conditions = |name: &str, value: &str| {
            let headers: Headers = [(name, value)].into_iter().collect();
            Conditions::parse(&headers, Names::Plain).evaluate(&none)
        };
        assert_eq!(conditions("if-match", "*"), Outcome::Proceed);
        assert_eq!(conditions("if-match", "a"), Outcome::Failed(Condition::IfMatch));
        assert_eq!(conditions("if-none-match", "a"), Outcome::Proceed);
        assert_eq!(conditions("if-modified-since", THEN), Outcome::Proceed);
        assert_eq!(conditions("if-unmodified-since", BEFORE), Outcome::Proceed);
    }

    #[test]
    fn names_are_looked_up_in_lower_case_and_shown_as_s3_shows_them() {
        use Condition::*;
        for condition in [IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince] {
            let (plain, copied) = (Names::Plain, Names::CopySource);
            assert_eq!(plain.shown(condition).to_ascii_lowercase(), plain.header(condition));
            assert_eq!(copied.shown(condition).to_ascii_lowercase(), copied.header(condition));
            assert_eq!(copied.shown(condition), format!("x-amz-copy-source-{}", plain.shown(condition)));
        }
    }

    #[test]
    fn a_copy_fails_where_a_read_would_not_be_modified() {
        use Condition::*;
        use Outcome::*;
        let evaluate = |headers: &[(&str, &str)]| {
            let headers: Headers =
                headers.iter().map(|(name, value)| (format!("x-amz-copy-source-{name}"), *value)).collect();
            assert_eq!(Conditions::parse(&headers, Names::Plain), Conditions::default());
            Conditions::parse(&headers, Names::CopySource).evaluate_copy(&current())
        };
        assert_eq!(evaluate(&[]), Proceed);
        assert_eq!(evaluate(&[("if-match", "a"), ("if-unmodified-since", BEFORE)]), Proceed);
        assert_eq!(evaluate(&[("if-none-match", "a"), ("if-modified-since", BEFORE)]), Failed(IfNoneMatch));
        assert_eq!(evaluate(&[("if-modified-since", THEN)]), Failed(IfModifiedSince));
        assert_eq!(evaluate(&[("if-unmodified-since", BEFORE)]), Failed(IfUnmodifiedSince));
        assert_eq!(evaluate(&[("if-match", "b")]), Failed(IfMatch));
    }

    #[test]
    fn if_range_needs_the_same_strong_tag_or_the_same_second() {
        for (value, holds) in [
            ("\"a\"", true),
            ("a", true),
            ("W/\"a\"", false),
            ("\"b\"", false),
            ("*", false),
            ("", false),
            ("\"a\", \"b\"", false),
            (THEN, true),
            (BEFORE, false),
        ] {
            let headers: Headers = [("if-range", value)].into_iter().collect();
            assert_eq!(IfRange::parse(&headers).unwrap().holds(&current()), holds, "{value}");
        }
        assert_eq!(IfRange::parse(&Headers::default()), None);
        let twice: Headers = [("if-range", "\"a\""), ("if-range", "\"a\"")].into_iter().collect();
        assert!(!IfRange::parse(&twice).unwrap().holds(&current()));
    }

    #[test]
    fn a_write_condition_is_understood_or_refused() {
        use InvalidWriteCondition as Wrong;
        let parse = |headers: &[(&str, &str)]| {
            let headers: Headers = headers.iter().copied().collect();
            WriteCondition::parse(&headers)
        };
        let tag = |opaque: &str| EntityTag { weak: false, opaque: opaque.to_owned() };
        assert_eq!(parse(&[]), Ok(WriteCondition::None));
        assert_eq!(parse(&[("if-none-match", "*")]), Ok(WriteCondition::IfAbsent));
        assert_eq!(parse(&[("if-match", "\"a\"")]), Ok(WriteCondition::IfMatch(TagList::Tags(vec![tag("a")]))));
        assert_eq!(parse(&[("if-match", "*")]), Ok(WriteCondition::IfMatch(TagList::Any)));
        assert_eq!(parse(&[("if-none-match", "\"a\"")]), Err(Wrong::IfNoneMatchTag));
        assert_eq!(parse(&[("if-none-match", "")]), Err(Wrong::IfNoneMatchTag));
        assert_eq!(parse(&[("if-match", "\"a")]), Err(Wrong::IfMatch));
        assert_eq!(parse(&[("if-match", "")]), Err(Wrong::IfMatch));
        assert_eq!(parse(&[("if-match", "a"), ("if-none-match", "*")]), Err(Wrong::Both));
    }
}
