//! Whom rules may name: what those who configure buckets ask of those who deliver.

use async_trait::async_trait;

use super::record::Message;
use super::rules::TargetName;
use crate::names::AccountId;

/// Where notifications can go.
#[async_trait]
pub trait Targets: Send + Sync + 'static {
    /// Whether the account has an endpoint or a topic of this name.
    fn exists(&self, account: &AccountId, name: &TargetName) -> bool;

    /// Sends a message once, now, to whatever the name stands for. Fails with a sentence for whoever configures the bucket: why
    /// it did not arrive. Returns within the time that an attempt may take.
    async fn test(&self, account: &AccountId, name: &TargetName, message: Message) -> Result<(), String>;
}

/// There is nobody to tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTargets;

#[async_trait]
impl Targets for NoTargets {
    fn exists(&self, _: &AccountId, _: &TargetName) -> bool {
        false
    }

    async fn test(&self, _: &AccountId, name: &TargetName, _: Message) -> Result<(), String> {
        Err(format!("There is no endpoint {name}"))
    }
}
