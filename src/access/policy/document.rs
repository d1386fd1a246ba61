//! From JSON to statements: every rule that a document must keep.

use std::collections::HashSet;

use super::actions;
use super::error::{PolicyError, Problem};
use super::json::Json;
use super::named::Principals;
use super::resources;
use super::statement::{Choice, Effect, Statement};
use super::{MAX_POLICY_BYTES, PolicyKind};
use crate::access::arn::ArnPattern;
use crate::access::condition::{Condition, Operator};
use crate::access::glob::{Case, Glob, Pieces, Syntax};
use crate::access::key::Key;

/// Reads the statements of a document.
pub fn parse(text: &[u8], kind: PolicyKind<'_>) -> Result<Vec<Statement>, PolicyError> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(Problem::TooLong(MAX_POLICY_BYTES).of_document());
    }
    let (mut version, mut statements) = (Version::default(), None);
    for (name, value) in Json::parse(text).map_err(Problem::of_document)? {
        match name.as_str() {
            "Version" => version = Version::parse(value).map_err(Problem::of_document)?,
            "Id" => _ = text_of("Id", value).map_err(Problem::of_document)?,
            "Statement" => statements = Some(value),
            _ => return Err(Problem::UnknownField(name).of_document()),
        }
    }
    let statements = match statements.ok_or(Problem::MissingField("Statement").of_document())? {
        Json::List(statements) => statements,
        one => vec![one],
    };
    if statements.is_empty() {
        return Err(Problem::NoStatements.of_document());
    }
    let reader = Reader { kind, variables: version.variables };
    let numbered = (1..).zip(statements);
    let statements = numbered
        .map(|(number, json)| {
            reader.statement(number, json).map_err(|problem| PolicyError { problem, statement: Some(number) })
        })
        .collect::<Result<Vec<_>, _>>()?;
    distinct_sids(&statements)?;
    Ok(statements)
}

/// The version of the language, of which only the later has variables.
#[derive(Default)]
struct Version {
    variables: bool,
}

impl Version {
    fn parse(json: Json) -> Result<Self, Problem> {
        match json {
            Json::Text(text) if text == "2012-10-17" => Ok(Self { variables: true }),
            Json::Text(text) if text == "2008-10-17" => Ok(Self { variables: false }),
            _ => Err(Problem::Version),
        }
    }
}

fn text_of(field: &'static str, json: Json) -> Result<String, Problem> {
    match json {
        Json::Text(text) => Ok(text),
        _ => Err(Problem::WrongType(field, "a string")),
    }
}

fn distinct_sids(statements: &[Statement]) -> Result<(), PolicyError> {
    let mut known = HashSet::new();
    for statement in statements {
        match &statement.sid {
            Some(sid) if !known.insert(sid) => {
                let problem = Problem::DuplicateSid(sid.clone());
                return Err(PolicyError { problem, statement: Some(statement.number) });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads statements of one document.
struct Reader<'r> {
    kind: PolicyKind<'r>,
    variables: bool,
}

/// The elements of a statement as they were written; of two that exclude each other, which it was.
#[derive(Default)]
struct Elements {
    sid: Option<String>,
    effect: Option<Json>,
    principal: Option<(bool, Json)>,
    action: Option<(bool, Json)>,
    resource: Option<(bool, Json)>,
    condition: Option<Json>,
}

impl Elements {
    fn collect(json: Json) -> Result<Self, Problem> {
        let Json::Object(fields) = json else { return Err(Problem::WrongType("Statement", "an object or a list")) };
        let mut elements = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "Sid" => elements.sid = Some(text_of("Sid", value)?),
                "Effect" => elements.effect = Some(value),
                "Principal" | "NotPrincipal" => {
                    either(&mut elements.principal, name == "NotPrincipal", value, ("Principal", "NotPrincipal"))?;
                }
                "Action" | "NotAction" => {
                    either(&mut elements.action, name == "NotAction", value, ("Action", "NotAction"))?;
                }
                "Resource" | "NotResource" => {
                    either(&mut elements.resource, name == "NotResource", value, ("Resource", "NotResource"))?;
                }
                "Condition" => elements.condition = Some(value),
                _ => return Err(Problem::UnknownField(name)),
            }
        }
        Ok(elements)
    }
}

fn either(
    slot: &mut Option<(bool, Json)>,
    negated: bool,
    value: Json,
    names: (&'static str, &'static str),
) -> Result<(), Problem> {
    match slot.replace((negated, value)) {
        Some(_) => Err(Problem::ConflictingFields(names.0, names.1)),
        None => Ok(()),
    }
}

/// What an element names, compiled, and as it was written.
type Read<T> = (Choice<T>, Vec<String>);

impl Reader<'_> {
    fn statement(&self, number: usize, json: Json) -> Result<Statement, Problem> {
        let elements = Elements::collect(json)?;
        let effect = effect(elements.effect)?;
        let sid = self.sid(elements.sid)?;
        let principals = self.principals(elements.principal, effect)?;
        let (actions, action_texts) = self.actions(elements.action)?;
        let (resources, resource_texts) = match self.resources(elements.resource)? {
            Some((resources, texts)) => (Some(resources), texts),
            None => (None, Vec::new()),
        };
        let (conditions, keys) = self.conditions(elements.condition)?;
        if let PolicyKind::Bucket { bucket } = self.kind {
            let negated = actions.negated || resources.as_ref().is_some_and(|resources| resources.negated);
            if !negated {
                let levels = resources::levels(&resource_texts, bucket);
                actions::apply(&action_texts, levels, &keys)?;
            }
        }
        Ok(Statement { number, sid, effect, principals, actions, resources, conditions })
    }

    /// IAM takes letters and digits alone; S3 takes any text.
    fn sid(&self, sid: Option<String>) -> Result<Option<String>, Problem> {
        let sid = sid.filter(|sid| !sid.is_empty());
        match &sid {
            Some(text) if !self.kind.is_bucket() && !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Err(Problem::Sid)
            }
            _ => Ok(sid),
        }
    }

    fn principals(&self, element: Option<(bool, Json)>, effect: Effect) -> Result<Option<Principals>, Problem> {
        match (self.kind, element) {
            (PolicyKind::Identity | PolicyKind::Session, Some(_)) => Err(Problem::PrincipalProhibited),
            (PolicyKind::Identity | PolicyKind::Session, None) => Ok(None),
            (PolicyKind::Trust, Some((true, _))) => Err(Problem::ProhibitedField("NotPrincipal")),
            (PolicyKind::Bucket { .. }, Some((true, _))) if effect == Effect::Allow => Err(Problem::NotPrincipalAllows),
            (_, Some((negated, json))) => Principals::parse(json, negated).map(Some),
            (_, None) => Err(Problem::MissingField("Principal")),
        }
    }

    fn actions(&self, element: Option<(bool, Json)>) -> Result<Read<Glob>, Problem> {
        let (negated, texts) = texts_of(element, "Action")?;
        if negated && matches!(self.kind, PolicyKind::Trust) {
            return Err(Problem::ProhibitedField("NotAction"));
        }
        let patterns = texts.iter().map(|text| self.action(text)).collect::<Result<_, _>>()?;
        Ok((Choice { negated, patterns }, texts))
    }

    fn action(&self, text: &str) -> Result<Glob, Problem> {
        let syntax = Syntax { wildcards: true, variables: false };
        let invalid = || match self.kind {
            PolicyKind::Bucket { .. } => Problem::Action(text.to_owned()),
            PolicyKind::Trust => Problem::TrustAction,
            PolicyKind::Identity | PolicyKind::Session => Problem::Vendor(text.to_owned()),
        };
        let glob = Pieces::parse(text, syntax).map_err(|_| invalid())?.glob(Case::Ignored);
        let known = match self.kind {
            PolicyKind::Bucket { .. } => text == "*" || actions::is_known(text),
            PolicyKind::Trust => actions::is_assumption(text),
            PolicyKind::Identity | PolicyKind::Session => text == "*" || actions::has_vendor(text),
        };
        if known { Ok(glob) } else { Err(invalid()) }
    }

    fn resources(&self, element: Option<(bool, Json)>) -> Result<Option<Read<ArnPattern>>, Problem> {
        if matches!(self.kind, PolicyKind::Trust) {
            return if element.is_some() { Err(Problem::ProhibitedField("Resource")) } else { Ok(None) };
        }
        let (negated, texts) = texts_of(element, "Resource")?;
        let patterns = texts.iter().map(|text| self.resource(text)).collect::<Result<_, _>>()?;
        Ok(Some((Choice { negated, patterns }, texts)))
    }

    fn resource(&self, text: &str) -> Result<ArnPattern, Problem> {
        let syntax = Syntax { wildcards: true, variables: self.variables };
        let pieces = Pieces::parse(text, syntax).map_err(|_| Problem::Variable(text.to_owned()))?;
        resources::check(text, self.kind)?;
        let invalid = || match self.kind {
            PolicyKind::Bucket { .. } => Problem::BucketResource(text.to_owned()),
            _ => Problem::Resource(text.to_owned()),
        };
        ArnPattern::parse(pieces).ok_or_else(invalid)
    }

    /// The conditions, and the names of their keys.
    fn conditions(&self, element: Option<Json>) -> Result<(Vec<Condition>, Vec<String>), Problem> {
        let (mut conditions, mut keys) = (Vec::new(), Vec::new());
        let Some(json) = element else { return Ok((conditions, keys)) };
        for (name, tests) in object_of("Condition", json)? {
            let operator = Operator::parse(&name).ok_or_else(|| Problem::ConditionType(name.clone()))?;
            for (key, values) in object_of("Condition", tests)? {
                conditions.push(self.condition(&name, operator, &key, values)?);
                keys.push(key);
            }
        }
        Ok((conditions, keys))
    }

    fn condition(&self, name: &str, operator: Operator, key: &str, values: Json) -> Result<Condition, Problem> {
        let parsed = Key::parse(key).filter(|_| !self.kind.is_bucket() || actions::is_condition_key(key));
        let parsed = parsed.ok_or_else(|| Problem::ConditionKey(key.to_owned()))?;
        let values = values.values().filter(|values| !values.is_empty());
        let values = values.ok_or(Problem::WrongType("Condition", "a value or a list of values for each key"))?;
        Condition::new(operator, parsed, &values, self.variables).map_err(|invalid| Problem::ConditionValue {
            operator: name.to_owned(),
            key: key.to_owned(),
            value: invalid.0.to_owned(),
        })
    }
}

fn effect(json: Option<Json>) -> Result<Effect, Problem> {
    match json.ok_or(Problem::MissingField("Effect"))? {
        Json::Text(text) => match text.as_str() {
            "Allow" => Ok(Effect::Allow),
            "Deny" => Ok(Effect::Deny),
            _ => Err(Problem::Effect(text)),
        },
        _ => Err(Problem::WrongType("Effect", "\"Allow\" or \"Deny\"")),
    }
}

/// The texts of an element that must have at least one.
fn texts_of(element: Option<(bool, Json)>, field: &'static str) -> Result<(bool, Vec<String>), Problem> {
    let (negated, json) = element.ok_or(Problem::MissingField(field))?;
    let texts = json.texts().ok_or(Problem::WrongType(field, "a string or a list of strings"))?;
    if texts.is_empty() { Err(Problem::MissingField(field)) } else { Ok((negated, texts)) }
}

fn object_of(field: &'static str, json: Json) -> Result<Vec<(String, Json)>, Problem> {
    match json {
        Json::Object(fields) => Ok(fields),
        _ => Err(Problem::WrongType(field, "an object")),
    }
}
