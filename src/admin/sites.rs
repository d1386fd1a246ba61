//! Operator commands for custom domains.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wire::Answer;
use crate::names::{BucketName, HostName};
use crate::site::domain::{Reserved, ReservedDomain};
use crate::store::Store;
use crate::store::change::Cause;
use crate::store::domains::{self, ClaimDomain};

/// Domains per page: a page of the longest names stays far below the longest line.
const DOMAINS_PER_PAGE: usize = 100;
/// Who is said to have made a change, in the change log.
const OPERATOR: &str = "operator";

/// What an operator wants done with custom domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum SiteCommand {
    /// Gives the domain to a bucket.
    Add { domain: HostName, bucket: BucketName },
    /// Takes the domain from the bucket that has it.
    Remove { domain: HostName },
    /// One page of domains, behind `after`.
    List { after: Option<HostName> },
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Reserved(#[from] ReservedDomain),
    #[error(transparent)]
    Domain(#[from] domains::Error),
}

/// Carries out `command`. What is `reserved` is given to nobody.
pub async fn run(store: &Arc<Store>, reserved: &Reserved, command: SiteCommand) -> Result<Answer, Error> {
    let cause = Cause { principal: OPERATOR.to_owned(), ..Cause::default() };
    match command {
        SiteCommand::Add { domain, bucket } => {
            reserved.check(&domain)?;
            let claim = ClaimDomain { domain: domain.clone(), bucket: bucket.clone(), cause };
            let claimed = store.claim_domain(claim).await?;
            tracing::info!(%domain, %bucket, account = %claimed.account, "custom domain added");
            Ok(Answer::AddedDomain { before: claimed.before })
        }
        SiteCommand::Remove { domain } => {
            let removed = store.release_domain(domain.clone(), cause).await?;
            tracing::info!(%domain, bucket = %removed.bucket, account = %removed.account, "custom domain removed");
            Ok(Answer::RemovedDomain { bucket: removed.bucket })
        }
        SiteCommand::List { after } => {
            let page = store.domains(after.as_ref(), DOMAINS_PER_PAGE).await.map_err(domains::Error::from)?;
            Ok(Answer::Domains { domains: page.domains, after: page.after })
        }
    }
}
