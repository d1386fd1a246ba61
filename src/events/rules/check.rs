//! What rules must be together.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>

use super::{Destination, MAX_VALUE, Rule, Rules};

/// The most rules of a bucket, as at AWS. The one for EventBridge does not count.
pub const MAX_RULES: usize = 100;
/// The longest id of a rule, in characters.
pub const MAX_ID: usize = 255;

/// Why rules cannot be a bucket's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRules {
    #[error("a bucket has at most {MAX_RULES} rules")]
    TooMany,
    #[error("an id has at most {MAX_ID} characters")]
    IdTooLong { id: String },
    #[error("two rules have the id {id}")]
    DuplicateId { id: String },
    #[error("rule {id} is about no event")]
    NoEvent { id: String },
    #[error("a prefix or suffix has at most {MAX_VALUE} bytes")]
    ValueTooLong { value: String },
    /// Two rules without filters share an event. The patterns, separated by `, `.
    #[error("two rules are about the same events: {patterns}")]
    SameEvents { patterns: String },
    /// Two rules with filters share an event of some key.
    #[error("rules {first} and {second} are about the same events of the same keys")]
    Ambiguous { first: String, second: String },
}

impl Rules {
    /// Makes rules of those that were given: up to [`MAX_RULES`], each with an id of its own, no two about the same event of the
    /// same key. The one for EventBridge may overlap with any.
    pub fn new(rules: Vec<Rule>) -> Result<Self, InvalidRules> {
        let configured = || rules.iter().filter(|rule| rule.destination != Destination::EventBridge);
        if configured().count() > MAX_RULES {
            return Err(InvalidRules::TooMany);
        }
        configured().try_for_each(check)?;
        for (at, rule) in configured().enumerate() {
            for other in configured().take(at) {
                compare(other, rule)?;
            }
        }
        Ok(Self { rules })
    }
}

fn check(rule: &Rule) -> Result<(), InvalidRules> {
    if rule.id.chars().count() > MAX_ID {
        return Err(InvalidRules::IdTooLong { id: rule.id.clone() });
    }
    if rule.patterns.is_empty() {
        return Err(InvalidRules::NoEvent { id: rule.id.clone() });
    }
    let values = [&rule.filter.prefix, &rule.filter.suffix].into_iter().flatten();
    match values.into_iter().find(|value| value.len() > MAX_VALUE) {
        Some(value) => Err(InvalidRules::ValueTooLong { value: value.clone() }),
        None => Ok(()),
    }
}

fn compare(first: &Rule, second: &Rule) -> Result<(), InvalidRules> {
    if first.id == second.id {
        return Err(InvalidRules::DuplicateId { id: first.id.clone() });
    }
    let pairs = first.patterns.iter().flat_map(|mine| second.patterns.iter().map(move |its| (mine, its)));
    let shared = pairs.into_iter().find(|(mine, its)| mine.overlaps(**its));
    let Some((mine, its)) = shared.filter(|_| first.filter.overlaps(&second.filter)) else { return Ok(()) };
    match first.filter.is_empty() && second.filter.is_empty() {
        true => Err(InvalidRules::SameEvents { patterns: format!("{mine}, {its}") }),
        false => Err(InvalidRules::Ambiguous { first: first.id.clone(), second: second.id.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rule;
    use super::*;

    #[test]
    fn ids_are_unique_and_bounded() {
        let two = |first: &str, second: &str| {
            Rules::new(vec![
                rule(first, "a", "s3:ObjectCreated:*", ("", "")),
                rule(second, "b", "s3:ObjectRemoved:*", ("", "")),
            ])
        };
        assert!(two("1", "2").is_ok());
        assert_eq!(two("1", "1"), Err(InvalidRules::DuplicateId { id: "1".to_owned() }));
        assert!(two(&"é".repeat(255), "2").is_ok());
        assert_eq!(two(&"é".repeat(256), "2"), Err(InvalidRules::IdTooLong { id: "é".repeat(256) }));
    }

    #[test]
    fn two_rules_share_no_event_of_a_key() {
        let together = |first: (&str, (&str, &str)), second: (&str, (&str, &str))| {
            Rules::new(vec![rule("1", "a", first.0, first.1), rule("2", "b", second.0, second.1)])
        };
        let (created, put, removed) = ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:*");
        assert_eq!(
            together((created, ("", "")), (put, ("", ""))),
            Err(InvalidRules::SameEvents { patterns: "s3:ObjectCreated:*, s3:ObjectCreated:Put".to_owned() })
        );
        let ambiguous = InvalidRules::Ambiguous { first: "1".to_owned(), second: "2".to_owned() };
        assert_eq!(together((created, ("", "")), (created, ("images", ""))), Err(ambiguous.clone()));
        assert_eq!(together((created, ("", "jpg")), (put, ("", "pg"))), Err(ambiguous.clone()));
        assert_eq!(together((created, ("images", "jpg")), (put, ("", "jpg"))), Err(ambiguous));
        assert!(together((created, ("image/", "")), (removed, ("image/", ""))).is_ok());
        assert!(together((created, ("images", ".jpg")), (created, ("images", ".png"))).is_ok());
    }

    #[test]
    fn numbers_and_lengths_are_bounded() {
        let many = |count: usize| {
            let one = |at| rule(&format!("{at}"), "a", "s3:ObjectCreated:*", (&format!("{at:03}"), ""));
            (0..count).map(one).collect::<Vec<_>>()
        };
        assert!(Rules::new([many(100), vec![Rule::event_bridge()]].concat()).is_ok());
        assert_eq!(Rules::new(many(101)), Err(InvalidRules::TooMany));
        let with = |value: &str| Rules::new(vec![rule("1", "a", "s3:ObjectCreated:*", ("", value))]);
        assert!(with(&"x".repeat(1024)).is_ok());
        assert_eq!(with(&"x".repeat(1025)), Err(InvalidRules::ValueTooLong { value: "x".repeat(1025) }));
        let none = Rule { patterns: Vec::new(), ..rule("1", "a", "s3:ObjectAcl:Put", ("", "")) };
        assert_eq!(Rules::new(vec![none]), Err(InvalidRules::NoEvent { id: "1".to_owned() }));
    }
}
