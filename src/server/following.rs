//! What edges follow: the change log, and of the configuration what answers follow from.

use std::sync::Arc;

use super::foundation::Foundation;
use super::listeners::auth_options;
use super::start::StartError;
use super::storage::Storage;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::edges::{Edges, Options};

/// Opens what edges poll.
pub async fn open(
    config: &ServerConfig,
    foundation: &Foundation,
    storage: &Storage,
    clock: &Clock,
) -> Result<Arc<Edges>, StartError> {
    let options = Options {
        auth: auth_options(config),
        body_idle: config.limits.body_idle_timeout,
        min_rate: config.limits.transfer_rate,
    };
    let (store, identities) = (Arc::clone(&storage.store), Arc::clone(&foundation.identities));
    let edges = Edges::open(store, identities, clock.clone(), &configuration(config, config), options).await?;
    Ok(Arc::new(edges))
}

/// Everything that answers follow from and no row of the store says: the version of the program, the domains of the
/// configuration that the server `started` with, and those of the one that is in force `now`.
pub fn configuration(started: &ServerConfig, now: &ServerConfig) -> Vec<u8> {
    let domains = (&started.s3.domains, &started.website.domains, now.declared_domains());
    format!("{} {domains:?}", env!("CARGO_PKG_VERSION")).into_bytes()
}
