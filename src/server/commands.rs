//! Operator commands of a running server.

use async_trait::async_trait;

use super::hold::Holds;
use crate::admin::{Command, Commands, Operator, Reply};
use crate::report::Report;

/// What a server's operator socket carries out.
pub struct ServerCommands {
    pub operator: Operator,
    pub holds: Holds,
}

#[async_trait]
impl Commands for ServerCommands {
    async fn run(&self, command: Command, report: &Report) -> Reply {
        match command {
            Command::HoldCheckpoint => self.holds.hold(report).await,
            other => self.operator.run(other, report).await,
        }
    }
}
