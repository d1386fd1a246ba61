//! Whether those are there whom policies name.

use super::{EntityName, Error, Identities};
use crate::access::Named;

impl Identities {
    /// Whether the principal exists: a session does if its role does, whose sessions nobody keeps.
    pub async fn knows(&self, named: &Named) -> Result<bool, Error> {
        Ok(match named {
            Named::Everyone => true,
            Named::Account(account) => self.account(account).is_some(),
            Named::Canonical(id) => self.by_canonical_id(id).is_some(),
            Named::User { account, name, .. } => self.is_arn(&EntityName::user(account, name), named).await?,
            Named::Role { account, name, .. } => self.is_arn(&EntityName::role(account, name), named).await?,
            Named::Session { account, role, .. } => {
                let found = self.found(&EntityName::role(account, role)).await?;
                found.is_some_and(|found| found.name == *role)
            }
        })
    }

    /// Whether there is such a user or role under just this ARN: path and case count, as where callers are compared.
    async fn is_arn(&self, name: &EntityName, named: &Named) -> Result<bool, Error> {
        Ok(self.found(name).await?.is_some_and(|found| found.arn() == named.to_string()))
    }

    async fn found(&self, name: &EntityName) -> Result<Option<super::Entity>, Error> {
        if self.account(&name.account).is_none() {
            return Ok(None);
        }
        match self.entity(name).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NoSuch { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
