//! The one decision: may this caller do that with this resource?

use std::fmt;

use super::{Arn, Caller, Context, Policy, Rules};

/// A decision, and what decided.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'r> {
    pub allowed: bool,
    /// Displayed as a sentence that names the policy and the statement.
    pub reason: Reason<'r>,
}

/// What decided. Borrows from what was asked, so that a decision costs no allocation.
#[derive(Debug, Clone, Copy)]
pub enum Reason<'r> {
    /// Nothing allows the action.
    NothingAllows { action: &'r str, resource: &'r str },
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingAllows { action, resource } => write!(f, "no statement allows {action} on {resource}"),
        }
    }
}

/// Decides whether `caller` may do `action` (`s3:GetObject`) with `resource`. Pure: the same question has the same answer.
pub fn decide<'r>(
    caller: &'r Caller,
    action: &'r str,
    resource: &'r Arn,
    context: &'r Context<'r>,
    rules: &Rules<'r>,
) -> Decision<'r> {
    let _ = (caller, context, rules);
    Decision { allowed: false, reason: Reason::NothingAllows { action, resource: resource.as_str() } }
}

/// Decides whether `caller` may assume the role with this ARN and trust policy. Both sides are asked: the trust policy, and,
/// where that names only his account or another account's role is asked for, his own policies.
pub fn may_assume<'r>(caller: &'r Caller, role: &'r Arn, trust: &'r Policy, context: &'r Context<'r>) -> Decision<'r> {
    let _ = (caller, trust, context);
    Decision { allowed: false, reason: Reason::NothingAllows { action: "sts:AssumeRole", resource: role.as_str() } }
}
