//! Operator commands on a data directory that no server runs on.

use super::data_dir::DataDir;
use super::foundation::Foundation;
use super::start::StartError;
use crate::admin::{self, Command, Reply};
use crate::clock::Clock;
use crate::config::ServerConfig;

/// Opens the data directory, carries out `command`, and closes it again. Refused while a server runs on it.
pub async fn run_command(config: &ServerConfig, command: Command) -> Result<Reply, StartError> {
    let dir = DataDir::open_existing(&config.process.data)?;
    let foundation = Foundation::open(dir, config, &Clock::system()).await?;
    let reply = admin::run(command, &foundation.identities).await;
    // Synced before the answer is shown, whatever the durability.
    foundation.close().await;
    Ok(reply)
}
