//! Operator commands for edges: who they are, waiting until they have dropped something, and having them drop it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::Answer;
use crate::edges::{Edges, Listed};
use crate::feed::Purge;
use crate::names::AccountId;
use crate::store::{self, change::Cause};

/// The longest that a command waits.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What an operator wants of edges. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum EdgeCommand {
    List,
    /// Wait until no live edge holds anything of before the change at this position.
    Wait {
        position: u64,
        time: u64,
    },
    /// Have the edges of an account, or all, drop something, and wait until they have.
    Purge {
        account: Option<AccountId>,
        purges: Vec<Purge>,
        time: u64,
    },
}

/// Edges, and where the log ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeList {
    pub edges: Vec<Listed>,
    pub position: u64,
}

/// Whether what was before a position is gone from every live edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    pub position: u64,
    pub gone: bool,
    /// Whether the purge was of a site or host that no live edge has told of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

/// Carries out `command`.
pub async fn run(edges: &Edges, command: EdgeCommand) -> Result<Answer, store::Error> {
    match command {
        EdgeCommand::List => {
            let (edges, position) = edges.list();
            Ok(Answer::Edges(EdgeList { edges, position: position.offset }))
        }
        EdgeCommand::Wait { position, time } => Ok(Answer::Gone(wait(edges, position, None, time).await)),
        EdgeCommand::Purge { account, purges, time } => {
            let cause = Cause { principal: "operator".to_owned(), ..Cause::default() };
            let unknown = !purges.iter().all(|purge| edges.serve(account.as_ref(), &purge.scope));
            let position = edges.purge(account.clone(), &purges, cause).await?.0;
            tracing::info!(purges = purges.len(), position, "purged");
            Ok(Answer::Gone(Gone { unknown, ..wait(edges, position, account.as_ref(), time).await }))
        }
    }
}

async fn wait(edges: &Edges, position: u64, account: Option<&AccountId>, time: u64) -> Gone {
    let time = Duration::from_millis(time).min(LONGEST_WAIT);
    Gone { position, gone: edges.wait_until_gone(position, account, time).await, unknown: false }
}
