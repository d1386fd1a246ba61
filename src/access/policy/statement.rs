//! One statement, compiled.

use std::fmt;

use super::named::{Directness, Named, Principals};
use crate::access::arn::ArnPattern;
use crate::access::condition::Condition;
use crate::access::glob::Glob;
use crate::access::question::Question;

/// One statement of a policy.
#[derive(Debug)]
pub struct Statement {
    /// From 1, in the order of the document.
    pub number: usize,
    pub sid: Option<String>,
    pub effect: Effect,
    /// `None` in policies of identities: those speak to whom they are attached to.
    pub(super) principals: Option<Principals>,
    pub(super) actions: Choice<Glob>,
    /// `None` in trust policies: those speak of the role that they belong to.
    pub(super) resources: Option<Choice<ArnPattern>>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// What an element names, or, for `NotAction` and `NotResource`, all but that.
#[derive(Debug)]
pub(super) struct Choice<T> {
    pub negated: bool,
    pub patterns: Vec<T>,
}

impl Statement {
    /// Whether the statement counts for what is asked, and how directly it speaks to the caller.
    pub(super) fn applies(&self, question: &Question<'_>) -> Option<Directness> {
        // What differs most between statements comes first: most of them are left here.
        let resource = question.resource.as_str();
        if let Some(resources) = &self.resources
            && !resources.includes(|pattern| pattern.matches(resource, question))
        {
            return None;
        }
        if !self.actions.includes(|glob| glob.matches(question.action, question)) {
            return None;
        }
        let directness = match &self.principals {
            Some(principals) => principals.directness(question.caller)?,
            None => Directness::Entity,
        };
        self.conditions.iter().all(|condition| condition.holds(question)).then_some(directness)
    }

    /// Every principal that it names.
    pub fn named(&self) -> &[Named] {
        self.principals.as_ref().map_or(&[], Principals::named)
    }

    /// Whether it asks for a key of the request that begins so, in lower case.
    pub(super) fn asks_for(&self, prefix: &str) -> bool {
        let in_resources = self
            .resources
            .as_ref()
            .is_some_and(|resources| resources.patterns.iter().any(|pattern| pattern.asks_for(prefix)));
        in_resources || self.conditions.iter().any(|condition| condition.asks_for(prefix))
    }

    /// Whether it lets in everyone.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>, "The meaning of
    /// public".
    pub(super) fn is_public(&self) -> bool {
        let everyone = self.principals.as_ref().is_some_and(Principals::is_everyone);
        self.effect == Effect::Allow && everyone && !self.conditions.iter().any(Condition::limits_the_public)
    }
}

impl<T> Choice<T> {
    fn includes(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.patterns.iter().any(matches) != self.negated
    }
}

impl fmt::Display for Statement {
    /// `statement 2 (Sid AllowReads)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {}", self.number)?;
        match &self.sid {
            Some(sid) => write!(f, " (Sid {sid})"),
            None => Ok(()),
        }
    }
}
