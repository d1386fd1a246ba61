//! May they: policies, access control lists and public access blocks, brought to one decision. Pure: no clock, no store.

pub mod acl;
mod arn;
mod condition;
mod context;
mod decide;
#[cfg(test)]
mod fuzz;
mod glob;
mod key;
mod policy;
mod principal;
mod question;
mod reason;
#[cfg(test)]
mod reference;
mod rules;
#[cfg(test)]
mod tests;

pub use acl::{Acl, Canned, Grant, Grantee, Permission};
pub use arn::{Arn, PARTITION};
pub use context::{Context, Value};
pub use decide::{decide, may_assume};
pub use policy::{
    Effect, Level, MAX_POLICY_BYTES, Named, Policy, PolicyError, PolicyKind, Problem, Statement, action_of,
};
pub use principal::{Attached, Caller, Principal};
pub use reason::{Cited, Decision, Granted, ListOf, Missing, Reason, Source};
pub use rules::{ObjectRules, Ownership, PublicAccessBlock, Rules};
