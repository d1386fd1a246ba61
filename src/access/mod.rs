//! May they: policies, access control lists and public access blocks, brought to one decision. Pure: no clock, no store.

pub mod acl;
mod arn;
mod context;
mod decide;
mod policy;
mod principal;
mod rules;

pub use acl::{Acl, Canned, Grant, Grantee, Permission};
pub use arn::Arn;
pub use context::{Context, Value};
pub use decide::{Decision, Reason, decide, may_assume};
pub use policy::{MAX_POLICY_BYTES, Policy, PolicyError, PolicyKind, Problem};
pub use principal::{Attached, Caller, Principal};
pub use rules::{ObjectRules, Ownership, PublicAccessBlock, Rules};
