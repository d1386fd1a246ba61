//! The one decision: may this caller do that with this resource?
//!
//! Rules: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>, and for S3's own
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html>.

use super::acl::{self, Acl};
use super::policy::{Directness, Policy, Verdict};
use super::question::Question;
use super::reason::{Cited, Decision, Granted, ListOf, Missing, Reason, Source};
use super::{Arn, Attached, Caller, Context, Ownership, Principal, Rules};
use crate::names::AccountId;

/// What an account's root may do with its own bucket although the bucket's policy denies it: otherwise a policy could lock
/// everyone out for good.
const ALWAYS_ROOTS: [&str; 3] = ["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"];

/// What is done to objects on the account of the bucket, whoever owns them.
const BUCKETS_OWN: [&str; 6] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:RestoreObject",
];

/// Decides whether `caller` may do `action` (`s3:GetObject`) with `resource`. Pure: the same question has the same answer.
pub fn decide<'r>(
    caller: &'r Caller,
    action: &'r str,
    resource: &'r Arn,
    context: &'r Context<'r>,
    rules: &Rules<'r>,
) -> Decision<'r> {
    let question = Question::new(caller, action, resource, context, rules.bucket_owner);
    let own = Own::ask(caller, &question);
    let policy = match rules.bucket_policy {
        Some(_) if is_always_roots(caller, action, rules) => Voice::Silent,
        Some(policy) => Voice::of(policy, Source::Bucket, &question),
        None => Voice::Silent,
    };
    if let Some(denied) = own.denied().or(policy.denied()) {
        return Decision::refuse(Reason::Denied(denied));
    }
    if is_restricted(caller, rules) {
        return Decision::refuse(Reason::RestrictedBucket);
    }
    let foreign = foreign_owner(action, rules);
    let owner = foreign.unwrap_or(rules.bucket_owner);
    let same_account = caller.principal.account() == Some(owner);
    if same_account && matches!(caller.principal, Principal::Root { .. }) {
        return Decision::allow(Reason::Owner(owner));
    }
    let theirs = Theirs {
        same_account,
        // Another's object is not the bucket's owner's to give away: of his policy only what it denies counts.
        policy: if foreign.is_some() { Voice::Silent } else { policy },
        granted: granted(caller, action, same_account, rules),
        missing: foreign.map_or(Missing::Resource, Missing::ObjectOwner),
    };
    united(caller, &own, &theirs).unwrap_or_else(|missing| refusal(missing, action, resource))
}

/// Decides whether `caller` may assume the role with this ARN and trust policy. The trust policy must let him in; where it
/// names only his account, or the role is another account's, his own policies must allow `sts:AssumeRole` too.
///
/// Nobody who is unsigned and no account's root assumes a role: `Roles may not be assumed by root accounts`.
pub fn may_assume<'r>(caller: &'r Caller, role: &'r Arn, trust: &'r Policy, context: &'r Context<'r>) -> Decision<'r> {
    const ACTION: &str = "sts:AssumeRole";
    let Some(account) = role.account() else { return refusal(Missing::Resource, ACTION, role) };
    let same_account = match &caller.principal {
        Principal::Anonymous => return refusal(Missing::Resource, ACTION, role),
        Principal::Root { .. } => return Decision::refuse(Reason::RootAssumesNoRole),
        principal => principal.account() == Some(&account),
    };
    let question = Question::new(caller, ACTION, role, context, &account);
    let own = Own::ask(caller, &question);
    let policy = Voice::of(trust, Source::Trust, &question);
    if let Some(denied) = own.denied().or(policy.denied()) {
        return Decision::refuse(Reason::Denied(denied));
    }
    let Voice::Allowed(..) = policy else { return refusal(Missing::Resource, ACTION, role) };
    let theirs = Theirs { same_account, policy, granted: None, missing: Missing::Resource };
    // Of the account that owns the role, an identity policy alone does not do: the trust policy has just allowed it too.
    united(caller, &own, &theirs).unwrap_or_else(|missing| refusal(missing, ACTION, role))
}

fn refusal<'r>(missing: Missing<'r>, action: &'r str, resource: &'r Arn) -> Decision<'r> {
    Decision::refuse(Reason::NothingAllows { missing, action, resource: resource.as_str() })
}

/// What a policy, or several together, say.
#[derive(Clone, Copy)]
enum Voice<'r> {
    Denied(Cited<'r>),
    Allowed(Cited<'r>, Directness),
    Silent,
}

impl<'r> Voice<'r> {
    fn of(policy: &'r Policy, source: Source<'r>, question: &Question<'_>) -> Self {
        match policy.judge(question) {
            Verdict::Denied(statement) => Self::Denied(Cited { source, statement }),
            Verdict::Allowed(statement, directness) => Self::Allowed(Cited { source, statement }, directness),
            Verdict::Silent => Self::Silent,
        }
    }

    /// What several policies say together: one that denies beats all others.
    fn of_all(policies: &'r [Attached], source: fn(&'r str) -> Source<'r>, question: &Question<'_>) -> Self {
        let mut voice = Self::Silent;
        for attached in policies {
            match (Self::of(&attached.policy, source(&attached.name), question), voice) {
                (denied @ Self::Denied(_), _) => return denied,
                (allowed @ Self::Allowed(..), Self::Silent) => voice = allowed,
                _ => {}
            }
        }
        voice
    }

    fn denied(self) -> Option<Cited<'r>> {
        match self {
            Self::Denied(cited) => Some(cited),
            Self::Allowed(..) | Self::Silent => None,
        }
    }

    fn allowed(self) -> Option<Cited<'r>> {
        match self {
            Self::Allowed(cited, _) => Some(cited),
            Self::Denied(_) | Self::Silent => None,
        }
    }
}

/// What the caller's own account says of him.
struct Own<'r> {
    identity: Voice<'r>,
    /// `None` where his session has no policies, which then narrow nothing.
    session: Option<Voice<'r>>,
}

impl<'r> Own<'r> {
    fn ask(caller: &'r Caller, question: &Question<'_>) -> Self {
        let identity = Voice::of_all(&caller.policies, Source::Identity, question);
        let session = caller.session_policies.as_deref();
        Self { identity, session: session.map(|policies| Voice::of_all(policies, Source::Session, question)) }
    }

    fn denied(&self) -> Option<Cited<'r>> {
        self.identity.denied().or(self.session.and_then(Voice::denied))
    }

    /// Whether the session's policies leave it to others.
    fn within_session(&self) -> bool {
        self.session.is_none_or(|voice| voice.allowed().is_some())
    }
}

/// What the side of the resource says.
struct Theirs<'r> {
    /// Whether it is the caller's own account that owns the resource.
    same_account: bool,
    policy: Voice<'r>,
    granted: Option<Granted<'r>>,
    /// What is missing where this side says nothing.
    missing: Missing<'r>,
}

impl<'r> Theirs<'r> {
    fn consent(&self) -> Option<Reason<'r>> {
        let policy = self.policy.allowed().map(Reason::Allowed);
        policy.or(self.granted.map(Reason::Granted))
    }
}

/// Brings both sides together, where neither denies.
fn united<'r>(caller: &Caller, own: &Own<'r>, theirs: &Theirs<'r>) -> Result<Decision<'r>, Missing<'r>> {
    match &caller.principal {
        // An account itself needs nobody's consent on its own side, and nobody has no side of his own.
        Principal::Anonymous | Principal::Root { .. } => theirs.consent().map(Decision::allow).ok_or(theirs.missing),
        _ if theirs.same_account => within_account(own, theirs).map(Decision::allow),
        _ => across_accounts(own, theirs).map(Decision::allow),
    }
}

/// In one account either side is enough, but what speaks to the account alone only passes on to its users what their own
/// policies allow; and session policies narrow all but what names the very session.
fn within_account<'r>(own: &Own<'r>, theirs: &Theirs<'r>) -> Result<Reason<'r>, Missing<'r>> {
    let direct = match theirs.policy {
        Voice::Allowed(cited, Directness::Session) => return Ok(Reason::Allowed(cited)),
        Voice::Allowed(cited, Directness::Entity) => Some(Reason::Allowed(cited)),
        _ => theirs.granted.map(Reason::Granted),
    };
    match own.identity.allowed().map(Reason::Allowed).or(direct) {
        Some(reason) if own.within_session() => Ok(reason),
        Some(_) => Err(Missing::Session),
        None if theirs.policy.allowed().is_some() => Err(Missing::Identity),
        None => Err(Missing::Any),
    }
}

/// Between accounts both sides must allow it.
fn across_accounts<'r>(own: &Own<'r>, theirs: &Theirs<'r>) -> Result<Reason<'r>, Missing<'r>> {
    match (own.identity.allowed(), theirs.consent()) {
        (Some(_), Some(reason)) if own.within_session() => Ok(reason),
        (Some(_), Some(_)) => Err(Missing::Session),
        (Some(_), None) => Err(theirs.missing),
        (None, Some(_)) => Err(Missing::Identity),
        (None, None) => Err(Missing::Any),
    }
}

fn is_always_roots(caller: &Caller, action: &str, rules: &Rules<'_>) -> bool {
    match &caller.principal {
        Principal::Root { account } => account == rules.bucket_owner && ALWAYS_ROOTS.contains(&action),
        _ => false,
    }
}

/// Whether a public access block keeps the caller out, as of another account.
fn is_restricted(caller: &Caller, rules: &Rules<'_>) -> bool {
    rules.block.restrict_public_buckets
        && rules.bucket_policy.is_some_and(Policy::is_public)
        && caller.principal.account() != Some(rules.bucket_owner)
}

/// The owner of the object, where he and not the bucket's decides on the action.
fn foreign_owner<'r>(action: &str, rules: &Rules<'r>) -> Option<&'r AccountId> {
    let enforced = rules.ownership == Ownership::BucketOwnerEnforced;
    let owner = rules.object.filter(|_| !enforced && !BUCKETS_OWN.contains(&action))?.owner;
    (owner != rules.bucket_owner).then_some(owner)
}

/// The grant that lets the caller do it. In the owner's own account only grants to groups count: what is granted to the
/// account is for its own policies to pass on.
fn granted<'r>(caller: &Caller, action: &str, same_account: bool, rules: &Rules<'r>) -> Option<Granted<'r>> {
    if rules.ownership == Ownership::BucketOwnerEnforced {
        return None;
    }
    let (of, permission) = acl::needed(action)?;
    let list: Option<&'r Acl> = match of {
        ListOf::Bucket => rules.bucket_acl,
        ListOf::Object => rules.object.and_then(|object| object.acl),
    };
    if action == "s3:DeleteObject" && !may_delete(caller, rules) {
        return None;
    }
    let mut granting = list?.grants.iter().filter(|grant| grant.gives(permission, &caller.principal));
    let counts = |public: bool| if public { !rules.block.ignore_public_acls } else { !same_account };
    let grant = granting.find(|grant| counts(grant.grantee.is_public()))?;
    Some(Granted { of, grant })
}

/// `WRITE` on a bucket lets the owners of objects, and of the bucket, delete them; and anyone what is not there.
fn may_delete(caller: &Caller, rules: &Rules<'_>) -> bool {
    let account = caller.principal.account();
    rules.object.is_none_or(|object| account == Some(object.owner) || account == Some(rules.bucket_owner))
}
