//! SIGHUP: the configuration is read again, and what can change while requests are served takes effect.

use std::convert::Infallible;
use std::sync::Arc;

use super::following;
use crate::config::{Faults, ServerConfig, Sources};
use crate::edges::Edges;
use crate::events::endpoint::Endpoints;
use crate::identity::Identities;
use crate::process::Hangup;
use crate::store::Store;
use crate::tls::CertificateKeeper;
use crate::tls::acme::Wanted;

/// What is read again, and what it is compared with.
pub struct Reload {
    pub hangup: Hangup,
    pub sources: Sources,
    /// What the server started with.
    pub started: ServerConfig,
    pub identities: Arc<Identities>,
    pub certificates: Arc<CertificateKeeper>,
    /// Where certificates are ordered from an authority.
    pub wanted: Option<Wanted>,
    pub store: Arc<Store>,
    pub edges: Arc<Edges>,
    pub endpoints: Arc<Endpoints>,
}

impl Reload {
    /// Reads the configuration again at every SIGHUP. Never returns.
    pub async fn run(mut self) -> Infallible {
        loop {
            self.hangup.next().await;
            tracing::info!("reading the configuration again");
            let sources = self.sources.clone();
            match tokio::task::spawn_blocking(move || ServerConfig::load(&sources)).await {
                Ok(Ok(config)) => self.apply(&config).await,
                Ok(Err(faults)) => report(&faults),
                Err(stopped) => tracing::error!(error = %stopped, "the configuration was not read to its end"),
            }
        }
    }

    async fn apply(&self, config: &ServerConfig) {
        self.identities.declare(config.declared());
        self.certificates.reload(config.certificates.clone()).await;
        if let Some(wanted) = &self.wanted {
            wanted.hurry();
        }
        self.store.declare_domains(config.declared_domains());
        // Behind the change: an edge that begins anew is answered by what is in force.
        if let Err(error) = self.edges.reconfigure(&following::configuration(&self.started, config)).await {
            tracing::error!(%error, "edges were not told that the configuration changed");
        }
        if let Err(error) = self.endpoints.declare(config.declared_webhooks()).await {
            tracing::error!(%error, "the webhooks of the configuration were not taken: those before stay in force");
        }
        warn_of_shadowed(&self.identities).await;
        let changed = self.started.changed(config);
        if !changed.is_empty() {
            tracing::warn!(options = changed.join(", "), "these options changed and count after a restart");
        }
        let users: usize = config.accounts.iter().map(|account| account.users.len()).sum();
        let (accounts, sites, webhooks) = (config.accounts.len(), config.sites.len(), config.webhooks.len());
        tracing::info!(
            accounts,
            users,
            sites,
            webhooks,
            "the accounts, domains and webhooks of the configuration are in force"
        );
    }
}

/// Says what was made at run time and does not count, because the configuration declares the same name.
pub async fn warn_of_shadowed(identities: &Identities) {
    match identities.shadowed().await {
        Ok(shadowed) => {
            for (what, name) in shadowed {
                tracing::warn!(%what, name, "made at run time, and declared by the configuration: the declared one counts");
            }
        }
        Err(error) => tracing::error!(%error, "what the configuration declares was not compared with what is stored"),
    }
}

fn report(faults: &Faults) {
    for fault in &faults.0 {
        tracing::error!(%fault, "wrong configuration");
    }
    tracing::error!(faults = faults.0.len(), "the configuration was not taken: the one before stays in force");
}
