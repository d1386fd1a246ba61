//! Policy documents: read strictly, compiled once.
//!
//! Grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

mod actions;
mod document;
mod error;
mod json;
mod named;
mod resources;
mod statement;
#[cfg(test)]
mod tests;

pub use actions::{Level, action_of};
pub use error::{PolicyError, Problem};
pub use named::{Directness, Named};
pub use statement::{Effect, Statement};

use super::question::Question;
use crate::names::BucketName;

/// The longest policy of any kind, in bytes, white space included.
///
/// It is S3's bound for bucket policies. IAM's are narrower and differ by what a policy is attached to.
pub const MAX_POLICY_BYTES: usize = 20 * 1024;

/// Where a policy is to stand, which decides what it must and must not say.
#[derive(Debug, Clone, Copy)]
pub enum PolicyKind<'r> {
    /// Of a user, group or role: no `Principal`.
    Identity,
    /// Given with AssumeRole, to narrow the session: as [`Identity`](Self::Identity).
    Session,
    /// Of a bucket: needs `Principal`, actions of S3, and resources in this bucket.
    Bucket { bucket: &'r BucketName },
    /// Who may assume a role: needs `Principal`, has no `Resource`.
    Trust,
}

impl PolicyKind<'_> {
    fn is_bucket(self) -> bool {
        matches!(self, Self::Bucket { .. })
    }
}

/// A valid policy, ready to be asked.
#[derive(Debug)]
pub struct Policy {
    statements: Vec<Statement>,
    public: bool,
}

/// What a policy says of a question.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'r> {
    /// Some statement denies.
    Denied(&'r Statement),
    /// Some statement allows; this is the one that speaks most directly to the caller.
    Allowed(&'r Statement, Directness),
    Silent,
}

impl Policy {
    /// Reads a document, at most [`MAX_POLICY_BYTES`] long. Whether the principals that it names exist is for the caller to
    /// find out: [`principals`](Self::principals).
    pub fn parse(text: &[u8], kind: PolicyKind<'_>) -> Result<Self, PolicyError> {
        let statements = document::parse(text, kind)?;
        let public = statements.iter().any(Statement::is_public);
        Ok(Self { statements, public })
    }

    /// Whether it lets in everyone, as GetBucketPolicyStatus and BlockPublicPolicy define it.
    pub fn is_public(&self) -> bool {
        self.public
    }

    /// Every principal that it names.
    pub fn principals(&self) -> impl Iterator<Item = &Named> {
        self.statements.iter().flat_map(Statement::named)
    }

    /// Whether a condition or a variable asks for a key of the request that begins so, such as `s3:ExistingObjectTag/`. For
    /// facts that cost something to find out.
    pub fn asks_for(&self, prefix: &str) -> bool {
        let prefix = prefix.to_ascii_lowercase();
        self.statements.iter().any(|statement| statement.asks_for(&prefix))
    }

    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// What the policy says of the question: a statement that denies beats all that allow.
    pub fn judge<'r>(&'r self, question: &Question<'_>) -> Verdict<'r> {
        let mut verdict = Verdict::Silent;
        for statement in &self.statements {
            let Some(directness) = statement.applies(question) else { continue };
            match (statement.effect, verdict) {
                (Effect::Deny, _) => return Verdict::Denied(statement),
                (Effect::Allow, Verdict::Allowed(_, known)) if known >= directness => {}
                (Effect::Allow, _) => verdict = Verdict::Allowed(statement, directness),
            }
        }
        verdict
    }
}
