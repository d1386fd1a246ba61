//! SIGHUP: the configuration is read again, and what can change while requests are served takes effect.

use std::convert::Infallible;
use std::sync::Arc;

use super::config::{EdgeConfig, Sources};
use super::follow::Follower;
use super::front::{Front, Table};
use super::sites::{SiteBuilder, registration};
use crate::process::Hangup;
use crate::tls::CertificateKeeper;
use crate::tls::acme::Wanted;

/// What is read again, and what it is compared with.
pub struct Reload<'r> {
    pub hangup: Hangup,
    pub sources: Sources,
    /// What the edge started with.
    pub started: EdgeConfig,
    pub front: Arc<Front>,
    pub certificates: Arc<CertificateKeeper>,
    pub follower: Option<Arc<Follower>>,
    pub builder: &'r mut SiteBuilder,
    /// Where certificates are ordered from an authority.
    pub wanted: Option<Wanted>,
}

impl Reload<'_> {
    /// Reads the configuration again at every SIGHUP. Never returns.
    pub async fn run(mut self) -> Infallible {
        loop {
            self.hangup.next().await;
            tracing::info!("reading the configuration again");
            let sources = self.sources.clone();
            match tokio::task::spawn_blocking(move || EdgeConfig::load(&sources)).await {
                Ok(Ok(config)) => self.apply(&config).await,
                Ok(Err(faults)) => {
                    for fault in &faults.0 {
                        tracing::error!(%fault, "wrong configuration");
                    }
                    tracing::error!(faults = faults.0.len(), "the configuration was not taken: the one before stays");
                }
                Err(stopped) => tracing::error!(error = %stopped, "the configuration was not read to its end"),
            }
        }
    }

    async fn apply(&mut self, config: &EdgeConfig) {
        // On this thread: a multi-threaded runtime goes on with others, and origins name few files.
        let built = tokio::task::block_in_place(|| self.builder.build(&config.sites));
        let sites = match built {
            Ok(sites) => sites,
            Err(error) => {
                tracing::error!(%error, "the configuration was not taken: the one before stays in force");
                return;
            }
        };
        let before = self.front.table();
        let (proxies, purge) = (config.proxies.clone(), config.purge.clone());
        let table = Table::new(sites, proxies, purge, config.limits.clone(), Some(&before));
        self.front.replace(table);
        self.certificates.reload(config.certificates.clone()).await;
        if let Some(wanted) = &self.wanted {
            wanted.hurry();
        }
        if let Some(follower) = &self.follower {
            follower.declare(registration(&config.sites));
        }
        let changed = self.started.changed(config);
        if !changed.is_empty() {
            tracing::warn!(options = changed.join(", "), "these options changed and count after a restart");
        }
        tracing::info!(sites = config.sites.len(), "the sites of the configuration are in force");
    }
}
