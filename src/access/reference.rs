//! The evaluator against a slow and obvious one: the documented rules, read from the JSON of each policy anew, as one
//! condition after the other. Compiled for tests alone.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::tests::{account, bucket};
use super::*;
use crate::names::AccountId;

const A: &str = "111111111111";
const B: &str = "222222222222";
const CANONICAL_A: &str = "1111111111111111111111111111111111111111111111111111111111111111";

type Facts = Vec<(&'static str, Vec<&'static str>)>;

/// Who asks, in plain words.
#[derive(Debug, Clone)]
struct Who {
    /// `None`: nobody.
    account: Option<&'static str>,
    /// `root`, `user` or `session`.
    kind: &'static str,
    identity: Vec<Json>,
    session: Option<Vec<Json>>,
}

/// Everything that a decision depends on.
#[derive(Debug, Clone)]
struct World {
    who: Who,
    action: &'static str,
    key: Option<&'static str>,
    facts: Facts,
    /// Bucket and bucket policy are A's.
    bucket_policy: Option<Json>,
    ownership: Ownership,
    ignore_public_acls: bool,
    restrict_public_buckets: bool,
    bucket_grants: Vec<(&'static str, &'static str)>,
    object: Option<(&'static str, Vec<(&'static str, &'static str)>)>,
}

impl World {
    fn resource(&self) -> String {
        self.key.map_or("arn:aws:s3:::pail".to_owned(), |key| format!("arn:aws:s3:::pail/{key}"))
    }

    /// Every fact of the request and of the caller.
    fn fact(&self, key: &str) -> Option<Vec<String>> {
        let account = self.who.account?.to_owned();
        let own = match (key, self.who.kind) {
            ("aws:username", "user") => Some("alice".to_owned()),
            ("aws:username", _) => return None,
            ("aws:PrincipalAccount", _) => Some(account),
            ("aws:PrincipalArn", "root") => Some(format!("arn:aws:iam::{account}:root")),
            ("aws:PrincipalArn", "user") => Some(format!("arn:aws:iam::{account}:user/alice")),
            ("aws:PrincipalArn", _) => Some(format!("arn:aws:iam::{account}:role/reader")),
            _ => None,
        };
        own.map(|value| vec![value]).or_else(|| self.request_fact(key))
    }

    fn request_fact(&self, key: &str) -> Option<Vec<String>> {
        let found = self.facts.iter().find(|(known, _)| *known == key);
        found.map(|(_, values)| values.iter().map(|value| (*value).to_owned()).collect())
    }

    fn values_of(&self, key: &str) -> Option<Vec<String>> {
        if self.who.account.is_none() { self.request_fact(key) } else { self.fact(key) }
    }

    /// Whether the pattern, of which only `${aws:username}` is a variable, matches the text.
    fn like(&self, pattern: &str, text: &str) -> bool {
        let Some(pattern) = self.characters(pattern) else { return false };
        matches(&pattern, &text.chars().collect::<Vec<_>>())
    }

    /// The pattern's characters: `Ok` stands for itself, `Err` is a wildcard. `None` where the variable has no value.
    fn characters(&self, pattern: &str) -> Option<Vec<Result<char, char>>> {
        let mut characters = Vec::new();
        for (number, part) in pattern.split("${aws:username}").enumerate() {
            if number > 0 {
                let [name] = self.values_of("aws:username")?.try_into().ok()?;
                characters.extend(name.chars().map(Ok));
            }
            characters.extend(part.chars().map(|c| if "*?".contains(c) { Err(c) } else { Ok(c) }));
        }
        Some(characters)
    }

    fn equal(&self, template: &str, text: &str) -> bool {
        let name = self.values_of("aws:username").map(|mut values| values.remove(0));
        match (template.contains("${aws:username}"), name) {
            (true, None) => false,
            (_, name) => template.replace("${aws:username}", &name.unwrap_or_default()) == text,
        }
    }

    fn names_arn(&self, pattern: &str, arn: &str) -> bool {
        let arn_parts: Vec<&str> = arn.splitn(6, ':').collect();
        if arn_parts.len() < 6 || arn_parts[0] != "arn" {
            return false;
        }
        // No pattern here has a colon in its last part but the variable's own.
        let marked = pattern.replace("${aws:username}", "\u{1}");
        let parts: Vec<String> = marked.splitn(6, ':').map(|part| part.replace('\u{1}', "${aws:username}")).collect();
        if pattern == "*" {
            return true;
        }
        parts.len() == 6 && parts.iter().zip(arn_parts).all(|(pattern, part)| self.like(pattern, part))
    }

    fn condition_holds(&self, operator: &str, key: &str, wanted: &Json) -> bool {
        let wanted: Vec<&str> = wanted.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        let values = self.values_of(key);
        if operator == "Null" {
            return wanted.contains(&if values.is_none_or(|values| values.is_empty()) { "true" } else { "false" });
        }
        let (set, base) = operator.split_once(':').unwrap_or(("", operator));
        let (base, if_exists) = base.strip_suffix("IfExists").map_or((base, false), |base| (base, true));
        let positive = base.replacen("Not", "", 1);
        let negated = positive != base;
        let Some(values) = values else {
            return if_exists || set == "ForAllValues" || (set.is_empty() && negated);
        };
        let one = |value: &String| wanted.iter().any(|wanted| self.compare(&positive, wanted, value));
        let full: Vec<&String> = values.iter().filter(|value| !value.is_empty()).collect();
        match (set, negated) {
            ("ForAllValues", negated) => !full.iter().any(|value| one(value) == negated),
            ("ForAnyValue", negated) => full.iter().any(|value| one(value) != negated),
            (_, true) => !values.iter().any(one),
            (_, false) => values.iter().any(one),
        }
    }

    fn compare(&self, operator: &str, wanted: &str, value: &str) -> bool {
        let number = |text: &str| text.parse::<i32>().ok();
        match operator {
            "StringEquals" => self.equal(wanted, value),
            "StringEqualsIgnoreCase" => self.equal(&wanted.to_lowercase(), &value.to_lowercase()),
            "StringLike" => self.like(wanted, value),
            "ArnLike" | "ArnEquals" => self.names_arn(wanted, value),
            "NumericEquals" => number(value).is_some_and(|value| Some(value) == number(wanted)),
            "NumericLessThan" => number(value).is_some_and(|value| value < number(wanted).unwrap()),
            "NumericGreaterThanEquals" => number(value).is_some_and(|value| value >= number(wanted).unwrap()),
            "Bool" => value == wanted,
            "IpAddress" => match wanted.split_once("/24") {
                Some((network, _)) => value.rsplit_once('.').is_some_and(|(head, _)| network.starts_with(head)),
                None => wanted == value,
            },
            other => panic!("{other}"),
        }
    }

    /// Whether action, resource and conditions of a statement fit; principals are not looked at.
    fn fits(&self, statement: &Json) -> bool {
        let texts = |field: &str| -> Option<Vec<String>> {
            let list = statement.get(field)?.as_array().unwrap();
            Some(list.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
        };
        let action = |pattern: &String| self.like(&pattern.to_lowercase(), &self.action.to_lowercase());
        let resource = |pattern: &String| self.names_arn(pattern, &self.resource());
        let named = |field: &str, negated: &str, test: &dyn Fn(&String) -> bool| match texts(field) {
            Some(patterns) => patterns.iter().any(test),
            None => !texts(negated).unwrap().iter().any(test),
        };
        let conditions = statement.get("Condition").and_then(Json::as_object).into_iter().flatten();
        named("Action", "NotAction", &action)
            && named("Resource", "NotResource", &resource)
            && conditions.into_iter().all(|(operator, tests)| {
                tests.as_object().unwrap().iter().all(|(key, wanted)| self.condition_holds(operator, key, wanted))
            })
    }

    /// Statements of identity policies with this effect that fit.
    fn any_says(&self, policies: &[Json], effect: &str) -> bool {
        let mut statements = policies.iter().flat_map(|policy| policy["Statement"].as_array().unwrap());
        statements.any(|statement| statement["Effect"] == effect && self.fits(statement))
    }

    /// The names under which a policy can speak of the caller: everyone, his account, himself, his session.
    fn is_named(&self, name: &str, how: &str) -> bool {
        let Some(account) = self.who.account else { return name == "*" && how == "everyone" };
        match how {
            "everyone" => name == "*",
            "account" => {
                name == account
                    || name == format!("arn:aws:iam::{account}:root")
                    || (account == A && name == CANONICAL_A)
            }
            "entity" => match self.who.kind {
                "user" => name == format!("arn:aws:iam::{account}:user/alice"),
                "session" => name == format!("arn:aws:iam::{account}:role/reader"),
                _ => false,
            },
            _ => self.who.kind == "session" && name == format!("arn:aws:sts::{account}:assumed-role/reader/nightly"),
        }
    }

    /// Whether a fitting statement of the bucket's policy with this effect speaks of the caller in one of these ways.
    fn bucket_says(&self, effect: &str, ways: &[&str]) -> bool {
        let Some(policy) = &self.bucket_policy else { return false };
        let mut statements = policy["Statement"].as_array().unwrap().iter();
        statements.any(|statement| {
            let names = |field: &str| -> Vec<String> {
                let kinds = statement[field].as_object().unwrap().values();
                kinds.flat_map(|list| list.as_array().unwrap()).map(|name| name.as_str().unwrap().to_owned()).collect()
            };
            let named = |names: &[String], way: &str| names.iter().any(|name| self.is_named(name, way));
            let speaks = if statement.get("Principal").is_some() {
                ways.iter().any(|way| named(&names("Principal"), way))
            } else {
                // Excepted is who is everyone's, or of whom every name is there.
                let names = names("NotPrincipal");
                let chain: &[&str] = match self.who.kind {
                    "root" => &["account"],
                    "user" => &["account", "entity"],
                    _ => &["account", "entity", "session"],
                };
                let excepted = self.who.account.is_some() && chain.iter().all(|way| named(&names, way));
                !excepted && !named(&names, "everyone")
            };
            statement["Effect"] == effect && speaks && self.fits(statement)
        })
    }

    /// Whether the bucket's policy lets in everyone.
    fn is_public(&self) -> bool {
        let Some(policy) = &self.bucket_policy else { return false };
        policy["Statement"].as_array().unwrap().iter().any(|statement| {
            let everyone = statement["Principal"].to_string().contains("\"*\"");
            let conditions = statement.get("Condition").map(Json::to_string).unwrap_or_default();
            let narrow = NARROW.iter().any(|(operator, key, values)| {
                conditions.contains(&format!("\"{operator}\":{{\"{key}\":{}}}", json!(values)))
            });
            statement["Effect"] == "Allow" && everyone && !narrow
        })
    }

    /// Whether a list grants the permission to everyone, and whether to the caller's account.
    fn grants(&self, list: &[(&str, &str)], permission: &str) -> (bool, bool) {
        let granted = |to: &str| {
            list.iter().any(|(name, given)| *name == to && (*given == permission || *given == "FULL_CONTROL"))
        };
        let signed = self.who.account.is_some() && granted("AuthenticatedUsers");
        let everyone = !self.ignore_public_acls && (granted("AllUsers") || signed);
        (everyone, self.who.account.is_some_and(granted))
    }

    fn allowed(&self) -> bool {
        let who = &self.who;
        let is_owner_root = (who.account, who.kind) == (Some(A), "root");
        let untouchable = is_owner_root && self.action == "s3:PutBucketPolicy";
        let any_way = ["everyone", "account", "entity", "session"];
        let denied_here = self.bucket_says("Deny", &any_way) && !untouchable;
        let session = who.session.clone().unwrap_or_default();
        if self.any_says(&who.identity, "Deny") || self.any_says(&session, "Deny") || denied_here {
            return false;
        }
        if self.restrict_public_buckets && self.is_public() && who.account != Some(A) {
            return false;
        }
        let lists = self.ownership != Ownership::BucketOwnerEnforced;
        let read_by_owner = ["s3:GetObject", "s3:GetObjectAcl"].contains(&self.action);
        let owner = match &self.object {
            Some((owner, _)) if lists && read_by_owner => owner,
            _ => A,
        };
        let (everyone, whole_account) = match (self.action, &self.object) {
            _ if !lists => (false, false),
            ("s3:GetObject", Some((_, list))) => self.grants(list, "READ"),
            ("s3:GetObjectAcl", Some((_, list))) => self.grants(list, "READ_ACP"),
            ("s3:ListBucket", _) => self.grants(&self.bucket_grants, "READ"),
            ("s3:PutObject", _) => self.grants(&self.bucket_grants, "WRITE"),
            ("s3:DeleteObject", Some((owner, _))) if who.account != Some(owner) && who.account != Some(A) => {
                (false, false)
            }
            ("s3:DeleteObject", _) => self.grants(&self.bucket_grants, "WRITE"),
            _ => (false, false),
        };
        let bucket = |ways: &[&str]| owner == A && self.bucket_says("Allow", ways);
        let within = who.session.is_none() || self.any_says(&session, "Allow");
        let own = self.any_says(&who.identity, "Allow") && within;
        match (who.kind, who.account == Some(owner)) {
            ("nobody", _) => bucket(&["everyone"]) || everyone,
            ("root", true) => true,
            ("root", false) => bucket(&any_way) || everyone || whole_account,
            (_, true) => own || bucket(&["session"]) || (within && (bucket(&["everyone", "entity"]) || everyone)),
            (_, false) => own && (bucket(&any_way) || everyone || whole_account),
        }
    }
}

/// Wildcards by trying everything.
fn matches(pattern: &[Result<char, char>], text: &[char]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([Err('*'), rest @ ..], _) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        ([Err(_), rest @ ..], [_, tail @ ..]) => matches(rest, tail),
        ([Ok(expected), rest @ ..], [actual, tail @ ..]) => expected == actual && matches(rest, tail),
        _ => false,
    }
}

/// Conditions that keep a policy from being public.
const NARROW: [(&str, &str, [&str; 1]); 3] = [
    ("IpAddress", "aws:SourceIp", ["203.0.113.0/24"]),
    ("StringEquals", "aws:PrincipalAccount", [B]),
    ("ForAnyValue:StringEquals", "aws:PrincipalAccount", [A]),
];

fn conditions() -> impl Strategy<Value = Json> {
    let texts = |operators: &'static [&'static str]| {
        let keys = prop::sample::select(vec!["s3:prefix", "s3:RequestObjectTagKeys", "aws:username"]);
        let value = prop::sample::select(vec!["a", "A", "alice", "ali*", "?", "${aws:username}", "b", ""]);
        let set = prop::sample::select(vec!["", "ForAllValues:", "ForAnyValue:"]);
        let base = prop::sample::select(operators);
        (set, base, any::<bool>(), keys, prop::collection::vec(value, 1..3)).prop_map(
            |(set, base, if_exists, key, values)| {
                let suffix = if if_exists { "IfExists" } else { "" };
                json!({ format!("{set}{base}{suffix}"): { key: values } })
            },
        )
    };
    prop_oneof![
        4 => Just(json!({})),
        3 => texts(&["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"]),
        1 => texts(&["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"]),
        1 => prop::sample::select(NARROW.to_vec()).prop_map(|(name, key, values)| json!({ name: { key: values } })),
        1 => (prop::sample::select(vec!["NotIpAddress", "IpAddressIfExists"]),
              prop::sample::select(vec!["203.0.113.0/24", "198.51.100.7"]))
            .prop_map(|(name, value)| json!({ name: { "aws:SourceIp": [value] } })),
        1 => (prop::sample::select(vec!["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"]),
              prop::sample::select(vec!["10", "20"]))
            .prop_map(|(name, value)| json!({ name: { "s3:max-keys": [value] } })),
        1 => (prop::sample::select(vec!["ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"]),
              prop::sample::select(vec!["arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::111111111111:*", "*"]))
            .prop_map(|(name, value)| json!({ name: { "aws:PrincipalArn": [value] } })),
        1 => (prop::sample::select(vec!["Null", "Bool"]), prop::sample::select(vec!["true", "false"]))
            .prop_map(|(name, value)| json!({ name: { "aws:SecureTransport": [value] } })),
    ]
}

/// A statement; with principals for a bucket's policy.
fn statement(of_bucket: bool) -> impl Strategy<Value = Json> {
    let actions = prop::sample::select(vec!["s3:*", "s3:Get*", "S3:getobject", "s3:?utObject", "s3:*Object", "*"]);
    let resources = prop::sample::select(vec!["*", "/*", "/a*", "/${aws:username}/*", "/?", ""]);
    let canonical = json!({ "CanonicalUser": [CANONICAL_A] });
    let names = prop::sample::select(vec![
        "*",
        A,
        B,
        "arn:aws:iam::111111111111:root",
        "arn:aws:iam::111111111111:user/alice",
        "arn:aws:iam::222222222222:user/alice",
        "arn:aws:iam::111111111111:role/reader",
        "arn:aws:sts::111111111111:assumed-role/reader/nightly",
        "arn:aws:sts::222222222222:assumed-role/reader/nightly",
    ]);
    let principal = prop_oneof![
        1 => Just(canonical),
        8 => prop::collection::vec(names, 1..4).prop_map(|names| json!({ "AWS": names })),
    ];
    let negated = || prop::bool::weighted(0.15);
    (
        prop::bool::weighted(0.75),
        (negated(), prop::collection::vec(actions, 1..3)),
        (negated(), prop::collection::vec(resources, 1..3)),
        (negated(), principal),
        conditions(),
    )
        .prop_map(
            move |(allow, (no_action, actions), (no_resource, resources), (no_principal, principal), condition)| {
                let resources: Vec<String> = resources.iter().map(|rest| format!("arn:aws:s3:::pail{rest}")).collect();
                let mut statement = json!({
                    "Effect": if allow { "Allow" } else { "Deny" },
                    if no_action { "NotAction" } else { "Action" }: actions,
                    if no_resource { "NotResource" } else { "Resource" }: resources,
                    "Condition": condition,
                });
                if of_bucket {
                    statement[if no_principal && !allow { "NotPrincipal" } else { "Principal" }] = principal;
                }
                statement
            },
        )
}

fn policy(of_bucket: bool) -> impl Strategy<Value = Json> {
    prop::collection::vec(statement(of_bucket), 1..4)
        .prop_map(|statements| json!({ "Version": "2012-10-17", "Statement": statements }))
}

fn who() -> impl Strategy<Value = Who> {
    let policies = || prop::collection::vec(policy(false), 0..3);
    let account = prop::sample::select(vec![A, B]);
    let kind = prop::sample::select(vec!["nobody", "root", "user", "session"]);
    (account, kind, policies(), prop::option::of(prop::collection::vec(policy(false), 1..2))).prop_map(
        |(account, kind, identity, session)| Who {
            account: (kind != "nobody").then_some(account),
            kind,
            identity: if ["user", "session"].contains(&kind) { identity } else { Vec::new() },
            session: session.filter(|_| kind == "session"),
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    let one = |key, values: &'static [&'static str]| {
        prop::option::of(prop::sample::select(values)).prop_map(move |value| value.map(|value| (key, vec![value])))
    };
    let keys = prop::option::of(prop::collection::vec(prop::sample::select(vec!["a", "b", "alice", ""]), 0..3));
    let keys = keys.prop_map(|values| values.map(|values| ("s3:RequestObjectTagKeys", values)));
    (
        one("s3:prefix", &["a", "A", "alice", "b", ""]),
        one("aws:SourceIp", &["203.0.113.9", "198.51.100.7", "203.0.114.1"]),
        one("s3:max-keys", &["10", "15", "25", "x"]),
        one("aws:SecureTransport", &["true", "false"]),
        keys,
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].into_iter().flatten().collect())
}

fn grants() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let to = prop::sample::select(vec![A, B, "AllUsers", "AuthenticatedUsers"]);
    let permission = prop::sample::select(vec!["READ", "WRITE", "READ_ACP", "FULL_CONTROL"]);
    prop::collection::vec((to, permission), 0..3)
}

fn world() -> impl Strategy<Value = World> {
    let asked = prop::sample::select(vec![
        ("s3:GetObject", Some("a")),
        ("s3:GetObject", Some("alice/x")),
        ("s3:GetObjectAcl", Some("a")),
        ("s3:PutObject", Some("a/b")),
        ("s3:DeleteObject", Some("a")),
        ("s3:ListBucket", None),
        ("s3:PutBucketPolicy", None),
    ]);
    let ownership = prop::sample::select(vec![
        Ownership::BucketOwnerEnforced,
        Ownership::BucketOwnerPreferred,
        Ownership::ObjectWriter,
    ]);
    let object = prop::option::of((prop::sample::select(vec![A, B]), grants()));
    let resource = (prop::option::of(policy(true)), ownership, any::<bool>(), prop::bool::weighted(0.3));
    (who(), asked, facts(), resource, grants(), object).prop_map(
        |(who, (action, key), facts, (bucket_policy, ownership, ignore, restrict), bucket_grants, object)| World {
            who,
            action,
            key,
            facts,
            bucket_policy,
            ownership,
            ignore_public_acls: ignore,
            restrict_public_buckets: restrict,
            bucket_grants,
            object: object.filter(|_| key.is_some()),
        },
    )
}

/// The same question for the real evaluator. `None` where a document is refused.
fn evaluated(world: &World) -> Option<bool> {
    let identity = |policies: &[Json]| -> Option<Arc<[Attached]>> {
        let parse = |json: &Json| Policy::parse(json.to_string().as_bytes(), PolicyKind::Identity).ok().map(Arc::new);
        policies.iter().map(|json| Some(Attached { name: "p".to_owned(), policy: parse(json)? })).collect()
    };
    let who = &world.who;
    let id = who.account.map(account);
    let (path, role, session) = ("/".to_owned(), "reader".to_owned(), "nightly".to_owned());
    let principal = match (id, who.kind) {
        (Some(account), "root") => Principal::Root { account },
        (Some(account), "user") => Principal::User { account, path, name: "alice".to_owned() },
        (Some(account), _) => Principal::AssumedRole { account, path, role, session },
        (None, _) => Principal::Anonymous,
    };
    let caller = Caller {
        principal,
        user_id: String::new(),
        canonical_id: who.account.map(|account| account.repeat(6)[..64].to_owned()).unwrap_or_default(),
        policies: identity(&who.identity)?,
        session_policies: match &who.session {
            Some(policies) => Some(identity(policies)?),
            None => None,
        },
    };
    let mut context = Context::default();
    for (key, values) in &world.facts {
        context.push_all(*key, values.iter().map(|value| Value::from(*value)));
    }
    let bucket = bucket();
    let bucket_policy = match &world.bucket_policy {
        Some(json) => Some(Policy::parse(json.to_string().as_bytes(), PolicyKind::Bucket { bucket: &bucket }).ok()?),
        None => None,
    };
    let list = |owner: &str, grants: &[(&str, &str)]| Acl {
        owner: account(owner),
        grants: grants.iter().map(|(to, permission)| grant(to, permission)).collect(),
    };
    let (owner, bucket_acl) = (account(A), list(A, &world.bucket_grants));
    let object: Option<(AccountId, Acl)> =
        world.object.as_ref().map(|(owner, grants)| (account(owner), list(owner, grants)));
    let rules = Rules {
        bucket_owner: &owner,
        bucket_policy: bucket_policy.as_ref(),
        ownership: world.ownership,
        block: PublicAccessBlock {
            ignore_public_acls: world.ignore_public_acls,
            restrict_public_buckets: world.restrict_public_buckets,
            ..PublicAccessBlock::default()
        },
        bucket_acl: Some(&bucket_acl),
        object: object.as_ref().map(|(owner, acl)| ObjectRules { owner, acl: Some(acl) }),
    };
    let arn = Arn::parse(&world.resource())?;
    let decision = decide(&caller, world.action, &arn, &context, &rules);
    assert!(!decision.reason.to_string().is_empty());
    Some(decision.allowed)
}

fn grant(to: &str, permission: &str) -> Grant {
    let grantee = match to {
        "AllUsers" => Grantee::AllUsers,
        "AuthenticatedUsers" => Grantee::AuthenticatedUsers,
        id => Grantee::Account(account(id)),
    };
    Grant { grantee, permission: Permission::parse(permission).unwrap() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, max_global_rejects: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn decisions_agree_with_the_rules_as_documented(world in world()) {
        let Some(allowed) = evaluated(&world) else { return Err(TestCaseError::reject("a policy that is refused")) };
        prop_assert_eq!(allowed, world.allowed());
    }

    #[test]
    fn any_bytes_are_a_policy_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bucket = bucket();
        for kind in [PolicyKind::Identity, PolicyKind::Session, PolicyKind::Bucket { bucket: &bucket }, PolicyKind::Trust] {
            prop_assert!(Policy::parse(&bytes, kind).is_err());
        }
        let _ = Acl::decode(&bytes);
    }
}
