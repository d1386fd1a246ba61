//! Operator commands, carried out: by the server for its socket, by the command line itself when no server runs.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::wire::{Answer, Command, Reply};
use crate::identity::{Error, Identities};
use crate::report::Report;
use crate::store::Store;

/// Keys per page: a page of the longest descriptions stays far below the longest line.
const KEYS_PER_PAGE: usize = 100;

/// Who carries out commands for a socket.
#[async_trait]
pub trait Commands: Send + Sync + 'static {
    /// Carries out `command` and tells `report` how it goes. To be awaited to its end: a command is not to be given up
    /// half-way. Long ones end early, and in order, when the report says so.
    async fn run(&self, command: Command, report: &Report) -> Reply;
}

/// What commands work on.
pub struct Operator {
    pub identities: Arc<Identities>,
    pub store: Arc<Store>,
    /// The data directory.
    pub directory: PathBuf,
    /// Whether a server works on the directory at the same time.
    pub serving: bool,
}

#[async_trait]
impl Commands for Operator {
    async fn run(&self, command: Command, _report: &Report) -> Reply {
        if command == Command::HoldCheckpoint {
            return Reply::Error("only a running server holds checkpoints".to_owned());
        }
        match self.carry_out(command).await {
            Ok(answer) => Reply::Ok(answer),
            Err(error) => Reply::Error(error.to_string()),
        }
    }
}

impl Operator {
    async fn carry_out(&self, command: Command) -> Result<Answer, Error> {
        let identities = &self.identities;
        match command {
            Command::CreateKey { description } => {
                let key = identities.create(&description).await?;
                tracing::info!(access_key_id = %key.access_key_id, "access key created");
                return Ok(Answer::CreatedKey { access_key_id: key.access_key_id, secret_access_key: key.secret });
            }
            Command::ListKeys { after } => {
                let page = identities.list(after.as_deref(), KEYS_PER_PAGE).await?;
                return Ok(Answer::Keys { keys: page.keys, after: page.after });
            }
            Command::DisableKey { access_key_id } => {
                identities.disable(&access_key_id).await?;
                tracing::info!(%access_key_id, "access key disabled");
            }
            Command::EnableKey { access_key_id } => {
                identities.enable(&access_key_id).await?;
                tracing::info!(%access_key_id, "access key enabled");
            }
            Command::DeleteKey { access_key_id } => {
                identities.delete(&access_key_id).await?;
                tracing::info!(%access_key_id, "access key deleted");
            }
            // Not for an operator alone: a server answers it before.
            Command::HoldCheckpoint => {}
        }
        Ok(Answer::Done)
    }
}
