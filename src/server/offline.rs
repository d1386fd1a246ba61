//! Operator commands on a data directory that no server runs on.

use super::credentials::root_key;
use super::data_dir::DataDir;
use super::engines::{close_kv, open_kv};
use super::start::StartError;
use crate::admin::{self, Command, Reply};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::identity::Identities;

/// Opens the data directory, carries out `command`, and closes it again. Refused while a server runs on it.
pub async fn run_command(config: &ServerConfig, command: Command) -> Result<Reply, StartError> {
    let dir = DataDir::open_existing(&config.process.data)?;
    let root = root_key(&dir, &config.root)?;
    let kv = open_kv(&dir, config).await?;
    let account = config.identity.account_id.clone();
    let identities = Identities::open(kv.clone(), dir.master_key()?, root.key, account, Clock::system()).await?;
    let reply = admin::run(command, &identities).await;
    // Dropped before the engine closes; synced before the answer is shown.
    drop(identities);
    close_kv(kv).await;
    Ok(reply)
}
