//! Conditions: when a statement counts.
//!
//! Rules: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

mod network;
mod operator;
#[cfg(test)]
mod tests;
mod value;

use network::Network;
use operator::{Family, Relation};
pub use operator::{Operator, Quantifier};

use super::arn::ArnPattern;
use super::context::Value;
use super::glob::{Case, Glob, Pieces, Run, Syntax};
use super::key::Key;
use super::question::Question;

/// One operator over one key, with the values of the policy.
#[derive(Debug)]
pub struct Condition {
    operator: Operator,
    key: Key,
    test: Test,
}

/// The policy's values, of which one must match; or the question whether the key is there.
#[derive(Debug)]
enum Test {
    Equals(Case, Vec<Run>),
    Like(Vec<Glob>),
    Number(Relation, Vec<f64>),
    Date(Relation, Vec<i64>),
    Flag(Vec<bool>),
    Bytes(Vec<Vec<u8>>),
    Address(Vec<Network>),
    Arn(Vec<ArnPattern>),
    /// Whether absence is asked for; true and false together ask for nothing.
    Absent(Vec<bool>),
}

/// The first value that is none for the operator.
#[derive(Debug)]
pub struct InvalidValue<'v>(pub &'v str);

impl Condition {
    /// Compiles a condition. Variables are read where `variables`, and only by the operators for text and ARNs.
    pub fn new<'v>(
        operator: Operator,
        key: Key,
        values: &'v [String],
        variables: bool,
    ) -> Result<Self, InvalidValue<'v>> {
        let pieces = |text: &str, wildcards| Pieces::parse(text, Syntax { wildcards, variables }).ok();
        let test = match operator.family {
            Family::Equals(case) => Test::Equals(case, each(values, |text| Some(pieces(text, false)?.run()))?),
            Family::Like => Test::Like(each(values, |text| Some(pieces(text, true)?.glob(Case::Sensitive)))?),
            Family::Number(relation) => Test::Number(relation, each(values, value::number)?),
            Family::Date(relation) => Test::Date(relation, each(values, value::date)?),
            Family::Flag => Test::Flag(each(values, value::flag)?),
            Family::Bytes => Test::Bytes(each(values, value::bytes)?),
            Family::Address => Test::Address(each(values, Network::parse)?),
            Family::Arn => Test::Arn(each(values, |text| ArnPattern::parse(pieces(text, true)?))?),
            Family::Absent => Test::Absent(each(values, value::flag)?),
        };
        Ok(Self { operator, key, test })
    }

    /// Whether the condition holds for what is asked.
    pub fn holds(&self, question: &Question<'_>) -> bool {
        let values = question.values(&self.key);
        let Operator { quantifier, if_exists, negated, .. } = self.operator;
        if let Test::Absent(wanted) = &self.test {
            let absent = values.is_none_or(|values| values.as_slice().is_empty());
            return wanted.contains(&absent);
        }
        let Some(values) = values else {
            // An absent key differs from every value; of no values all match and none does.
            return if_exists
                || match quantifier {
                    Quantifier::Single => negated,
                    Quantifier::All => true,
                    Quantifier::Any => false,
                };
        };
        let fits = |value: &Value<'_>| self.test.matches(value, question) != negated;
        let mut present = values.as_slice().iter().filter(|value| !is_empty(value));
        match quantifier {
            // Negated, no value may match: fits for all, not for one of them.
            Quantifier::Single if negated => values.as_slice().iter().all(fits),
            Quantifier::Single => values.as_slice().iter().any(fits),
            Quantifier::All => present.all(fits),
            Quantifier::Any => present.any(fits),
        }
    }

    /// Whether its key begins so, in lower case, or that of a variable in its values.
    pub fn asks_for(&self, prefix: &str) -> bool {
        self.key.is_of_request(prefix)
            || match &self.test {
                Test::Equals(_, runs) => runs.iter().any(|run| run.asks_for(prefix)),
                Test::Like(globs) => globs.iter().any(|glob| glob.asks_for(prefix)),
                Test::Arn(patterns) => patterns.iter().any(|pattern| pattern.asks_for(prefix)),
                _ => false,
            }
    }

    /// Whether the condition lets in only those whom the policy spells out, or who come from addresses that are not very
    /// many: then S3 does not take its statement for public.
    pub fn limits_the_public(&self) -> bool {
        let Operator { quantifier, if_exists, negated, .. } = self.operator;
        if if_exists || negated || quantifier == Quantifier::All || !self.key.tells_who() {
            return false;
        }
        match &self.test {
            Test::Equals(_, runs) => runs.iter().all(Run::is_fixed),
            Test::Like(globs) => globs.iter().all(Glob::is_fixed),
            Test::Arn(patterns) => patterns.iter().all(ArnPattern::is_fixed),
            Test::Address(networks) => !networks.iter().any(Network::is_broad),
            Test::Number(..) | Test::Date(..) | Test::Flag(_) | Test::Bytes(_) | Test::Absent(_) => false,
        }
    }
}

impl Test {
    /// Whether the request's value matches one of the policy's.
    fn matches(&self, value: &Value<'_>, question: &Question<'_>) -> bool {
        match self {
            Self::Equals(case, runs) => {
                let text = value.text();
                runs.iter().any(|run| run.equals(&text, *case, question))
            }
            Self::Like(globs) => {
                let text = value.text();
                globs.iter().any(|glob| glob.matches(&text, question))
            }
            Self::Arn(patterns) => {
                let text = value.text();
                patterns.iter().any(|pattern| pattern.matches(&text, question))
            }
            Self::Number(relation, limits) => {
                value::number_of(value).is_some_and(|number| limits.iter().any(|limit| relation.holds(&number, limit)))
            }
            Self::Date(relation, limits) => {
                value::date_of(value).is_some_and(|date| limits.iter().any(|limit| relation.holds(&date, limit)))
            }
            Self::Flag(flags) => value::flag_of(value).is_some_and(|flag| flags.contains(&flag)),
            Self::Bytes(strings) => value::bytes_of(value).is_some_and(|bytes| strings.contains(&bytes)),
            Self::Address(networks) => {
                value::address_of(value).is_some_and(|address| networks.iter().any(|network| network.contains(address)))
            }
            Self::Absent(_) => false,
        }
    }
}

fn each<'v, T>(values: &'v [String], read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, InvalidValue<'v>> {
    values.iter().map(|text| read(text).ok_or(InvalidValue(text))).collect()
}

/// Whether a value is as good as none for the operators over sets.
fn is_empty(value: &Value<'_>) -> bool {
    matches!(value, Value::Text(text) if text.is_empty())
}
