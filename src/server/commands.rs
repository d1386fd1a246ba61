//! Operator commands of a running server.

use std::sync::Arc;

use async_trait::async_trait;

use super::hold::Holds;
use crate::admin::{Command, Commands, Operator, Reply, Webhooks, run_edge_command};
use crate::edges::Edges;
use crate::report::Report;

/// What a server's operator socket carries out.
pub struct ServerCommands {
    pub operator: Operator,
    pub holds: Holds,
    pub edges: Arc<Edges>,
    pub webhooks: Webhooks,
}

#[async_trait]
impl Commands for ServerCommands {
    async fn run(&self, command: Command, report: &Report) -> Reply {
        match command {
            Command::HoldCheckpoint => self.holds.hold(report).await,
            Command::Edge { work } => match run_edge_command(&self.edges, work).await {
                Ok(answer) => Reply::Ok(answer),
                Err(error) => Reply::Error(error.to_string()),
            },
            Command::Webhook { account, work } => match self.webhooks.run(account, *work).await {
                Ok(answer) => Reply::Ok(answer),
                Err(error) => Reply::Error(error.to_string()),
            },
            other => self.operator.run(other, report).await,
        }
    }
}
