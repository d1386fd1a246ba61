//! The operators by name.

use crate::access::glob::Case;

/// An operator of a condition, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    pub quantifier: Quantifier,
    pub family: Family,
    /// Whether it holds where the family's test does not.
    pub negated: bool,
    /// Whether it holds where the key is absent.
    pub if_exists: bool,
}

/// How many of a request's values must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// The key has one value. Of several, one must match; none, where negated.
    Single,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What kind of values are compared, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Equals(Case),
    Like,
    Number(Relation),
    Date(Relation),
    Flag,
    Bytes,
    Address,
    Arn,
    /// `Null`
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    /// Whether the request's value stands so to the policy's.
    pub fn holds<T: PartialOrd>(self, value: &T, limit: &T) -> bool {
        match self {
            Self::Equal => value == limit,
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Greater => value > limit,
            Self::GreaterOrEqual => value >= limit,
        }
    }
}

/// Every operator: its name, what it compares, whether it is negated.
const OPERATORS: [(&str, Family, bool); 27] = [
    ("StringEquals", Family::Equals(Case::Sensitive), false),
    ("StringNotEquals", Family::Equals(Case::Sensitive), true),
    ("StringEqualsIgnoreCase", Family::Equals(Case::Ignored), false),
    ("StringNotEqualsIgnoreCase", Family::Equals(Case::Ignored), true),
    ("StringLike", Family::Like, false),
    ("StringNotLike", Family::Like, true),
    ("NumericEquals", Family::Number(Relation::Equal), false),
    ("NumericNotEquals", Family::Number(Relation::Equal), true),
    ("NumericLessThan", Family::Number(Relation::Less), false),
    ("NumericLessThanEquals", Family::Number(Relation::LessOrEqual), false),
    ("NumericGreaterThan", Family::Number(Relation::Greater), false),
    ("NumericGreaterThanEquals", Family::Number(Relation::GreaterOrEqual), false),
    ("DateEquals", Family::Date(Relation::Equal), false),
    ("DateNotEquals", Family::Date(Relation::Equal), true),
    ("DateLessThan", Family::Date(Relation::Less), false),
    ("DateLessThanEquals", Family::Date(Relation::LessOrEqual), false),
    ("DateGreaterThan", Family::Date(Relation::Greater), false),
    ("DateGreaterThanEquals", Family::Date(Relation::GreaterOrEqual), false),
    ("Bool", Family::Flag, false),
    ("BinaryEquals", Family::Bytes, false),
    ("IpAddress", Family::Address, false),
    ("NotIpAddress", Family::Address, true),
    ("ArnEquals", Family::Arn, false),
    ("ArnLike", Family::Arn, false),
    ("ArnNotEquals", Family::Arn, true),
    ("ArnNotLike", Family::Arn, true),
    ("Null", Family::Absent, false),
];

impl Operator {
    /// The operator with this name; `None` where there is none. `Null` has neither quantifier nor `IfExists`.
    pub fn parse(name: &str) -> Option<Self> {
        let (quantifier, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(_) => return None,
            None => (Quantifier::Single, name),
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (_, family, negated) = OPERATORS.into_iter().find(|(known, ..)| *known == base)?;
        let plain = quantifier == Quantifier::Single && !if_exists;
        (family != Family::Absent || plain).then_some(Self { quantifier, family, negated, if_exists })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let operator = Operator::parse("ForAnyValue:StringNotLikeIfExists").unwrap();
        let expected = Operator { quantifier: Quantifier::Any, family: Family::Like, negated: true, if_exists: true };
        assert_eq!(operator, expected);
        for (name, ..) in OPERATORS {
            assert!(Operator::parse(name).is_some_and(|operator| operator.quantifier == Quantifier::Single), "{name}");
        }
        for name in
            ["", "Foo", "stringequals", "IfExists", "NullIfExists", "ForAllValues:Null", "ForSome:Bool", "ForAnyValue:"]
        {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }
}
