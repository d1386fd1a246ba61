//! Operator commands, carried out: by the server for its socket, by `brim key` itself when no server runs.

use super::wire::{Answer, Command, Reply};
use crate::identity::{Error, Identities};

/// Keys per page: a page of the longest descriptions stays far below the longest line.
const KEYS_PER_PAGE: usize = 100;

/// Carries out `command`. To be awaited to its end: a command is not to be given up half-way.
pub async fn run(command: Command, identities: &Identities) -> Reply {
    match carry_out(command, identities).await {
        Ok(answer) => Reply::Ok(answer),
        Err(error) => Reply::Error(error.to_string()),
    }
}

async fn carry_out(command: Command, identities: &Identities) -> Result<Answer, Error> {
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
    }
    Ok(Answer::Done)
}
