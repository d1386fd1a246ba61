//! Principals as policies name them.

use std::fmt;

use super::error::Problem;
use super::json::Json;
use crate::access::{Caller, Principal};
use crate::names::AccountId;

/// A principal that a policy names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Named {
    /// `*`: everyone, signed or not.
    Everyone,
    /// An account: everyone in it, whom the account allows.
    Account(AccountId),
    /// An account by its canonical id, in lower case.
    Canonical(String),
    /// `path` as in [`Principal::User`].
    User { account: AccountId, path: String, name: String },
    /// A role: every session of it.
    Role { account: AccountId, path: String, name: String },
    /// One session of a role.
    Session { account: AccountId, role: String, session: String },
}

/// How directly a policy of a resource speaks to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Directness {
    /// To his account, which may pass it on to him.
    Account,
    /// To him, to his role, or to everyone.
    Entity,
    /// To this very session: what narrows the session does not narrow this.
    Session,
}

/// The element `Principal` or `NotPrincipal`.
#[derive(Debug)]
pub enum Principals {
    Only(Vec<Named>),
    AllBut(Vec<Named>),
}

impl Named {
    /// Reads what stands under `AWS`: `*`, an account's number, or an ARN.
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everyone);
        }
        if let Ok(account) = text.parse() {
            return Some(Self::Account(account));
        }
        let mut segments = text.splitn(6, ':');
        let mut next = || segments.next();
        if (next()?, next()?) != ("arn", crate::access::arn::PARTITION) {
            return None;
        }
        let (service, region, account, resource) = (next()?, next()?, next()?.parse().ok()?, next()?);
        if !region.is_empty() || resource.contains(['*', '?']) {
            return None;
        }
        match (service, resource.split_once('/')) {
            ("iam", None) if resource == "root" => Some(Self::Account(account)),
            ("iam", Some(("user", rest))) => name_of(rest).map(|(path, name)| Self::User { account, path, name }),
            ("iam", Some(("role", rest))) => name_of(rest).map(|(path, name)| Self::Role { account, path, name }),
            ("sts", Some(("assumed-role", rest))) => {
                let (role, session) = rest.split_once('/')?;
                let valid = !role.is_empty() && !session.is_empty() && !session.contains('/');
                let (role, session) = (role.to_owned(), session.to_owned());
                valid.then_some(Self::Session { account, role, session })
            }
            _ => None,
        }
    }

    /// What it stands under in a policy.
    pub fn kind(&self) -> &'static str {
        if matches!(self, Self::Canonical(_)) { "CanonicalUser" } else { "AWS" }
    }

    /// How directly this names the caller; `None` where it does not.
    fn directness(&self, caller: &Caller) -> Option<Directness> {
        let principal = &caller.principal;
        let is_root = matches!(principal, Principal::Root { .. });
        let of_account = if is_root { Directness::Entity } else { Directness::Account };
        match (self, principal) {
            (Self::Everyone, _) => Some(Directness::Entity),
            (Self::Account(account), _) => (principal.account() == Some(account)).then_some(of_account),
            (Self::Canonical(id), _) => {
                (!caller.canonical_id.is_empty() && caller.canonical_id.eq_ignore_ascii_case(id)).then_some(of_account)
            }
            (Self::User { account, path, name }, Principal::User { account: a, path: p, name: n }) => {
                ((account, path, name) == (a, p, n)).then_some(Directness::Entity)
            }
            (Self::Role { account, path, name }, Principal::AssumedRole { account: a, path: p, role: r, .. }) => {
                ((account, path, name) == (a, p, r)).then_some(Directness::Entity)
            }
            (
                Self::Session { account, role, session },
                Principal::AssumedRole { account: a, role: r, session: s, .. },
            ) => ((account, role, session) == (a, r, s)).then_some(Directness::Session),
            _ => None,
        }
    }
}

/// Path and name of `team/alice`, whose path is `/team/`.
fn name_of(text: &str) -> Option<(String, String)> {
    let (path, name) = match text.rsplit_once('/') {
        Some((path, name)) => (format!("/{path}/"), name),
        None => ("/".to_owned(), text),
    };
    (!name.is_empty() && path != "//").then(|| (path, name.to_owned()))
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::Account(account) => write!(f, "arn:aws:iam::{account}:root"),
            Self::Canonical(id) => f.write_str(id),
            Self::User { account, path, name } => write!(f, "arn:aws:iam::{account}:user{path}{name}"),
            Self::Role { account, path, name } => write!(f, "arn:aws:iam::{account}:role{path}{name}"),
            Self::Session { account, role, session } => {
                write!(f, "arn:aws:sts::{account}:assumed-role/{role}/{session}")
            }
        }
    }
}

impl Principals {
    /// Reads the value of `Principal` or, where `negated`, of `NotPrincipal`.
    pub fn parse(json: Json, negated: bool) -> Result<Self, Problem> {
        let field = if negated { "NotPrincipal" } else { "Principal" };
        let named = match json {
            Json::Text(text) if text == "*" => vec![Named::Everyone],
            Json::Text(text) => return Err(Problem::Principal(text)),
            Json::Object(fields) => {
                let each =
                    fields.into_iter().map(|(kind, json)| of_kind(&kind, json)).collect::<Result<Vec<_>, _>>()?;
                each.into_iter().flatten().collect()
            }
            _ => return Err(Problem::WrongType(field, "\"*\" or an object")),
        };
        if named.is_empty() {
            return Err(Problem::MissingField(field));
        }
        Ok(if negated { Self::AllBut(named) } else { Self::Only(named) })
    }

    /// How directly the element speaks to the caller; `None` where it does not.
    pub fn directness(&self, caller: &Caller) -> Option<Directness> {
        match self {
            Self::Only(named) => named.iter().filter_map(|one| one.directness(caller)).max(),
            Self::AllBut(named) => (!excepts(named, caller)).then_some(Directness::Entity),
        }
    }

    pub fn named(&self) -> &[Named] {
        match self {
            Self::Only(named) | Self::AllBut(named) => named,
        }
    }

    /// Whether everyone is meant, whatever conditions say.
    pub fn is_everyone(&self) -> bool {
        match self {
            Self::Only(named) => named.contains(&Named::Everyone),
            Self::AllBut(_) => true,
        }
    }
}

/// Whether the caller is excepted: everything that he is must be named, his account, his role and his session too.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
fn excepts(named: &[Named], caller: &Caller) -> bool {
    if named.contains(&Named::Everyone) {
        return true;
    }
    let Some(account) = caller.principal.account() else { return false };
    let account = named.iter().any(|one| match one {
        Named::Account(known) => known == account,
        Named::Canonical(id) => caller.canonical_id.eq_ignore_ascii_case(id),
        _ => false,
    });
    let names = |kind: fn(&Named) -> bool| named.iter().any(|one| kind(one) && one.directness(caller).is_some());
    account
        && match &caller.principal {
            Principal::Anonymous => false,
            Principal::Root { .. } => true,
            Principal::User { .. } => names(|one| matches!(one, Named::User { .. })),
            Principal::AssumedRole { .. } => {
                names(|one| matches!(one, Named::Role { .. })) && names(|one| matches!(one, Named::Session { .. }))
            }
        }
}

/// The principals of one kind. Services and federated users never call here, so that naming them would promise what does
/// not happen.
fn of_kind(kind: &str, json: Json) -> Result<Vec<Named>, Problem> {
    let invalid = |text: &str| Problem::Principal(format!("\"{kind}\":\"{text}\""));
    let read: fn(&str) -> Option<Named> = match kind {
        "AWS" => Named::parse,
        "CanonicalUser" => canonical,
        "Service" | "Federated" => |_| None,
        _ => return Err(Problem::UnknownField(kind.to_owned())),
    };
    let texts = json.texts().ok_or(Problem::WrongType("Principal", "a string or a list of strings"))?;
    texts.iter().map(|text| read(text).ok_or_else(|| invalid(text))).collect()
}

fn canonical(text: &str) -> Option<Named> {
    let valid = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| Named::Canonical(text.to_ascii_lowercase()))
}
