//! Certificates that the edge orders from an authority itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::config::AcmeOptions;
use super::front::Front;
use super::start::StartError;
use crate::telemetry::metrics;
use crate::tls::acme::{Folder, Issuer, Options, Progress, Wanted};

/// How often it is measured what came of orders.
const MEASURE_INTERVAL: Duration = Duration::from_secs(10);

/// The task that orders certificates.
pub struct Orders {
    wanted: Wanted,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Orders {
    /// Takes up the certificates that were got before, and begins to order. `listen` must answer by now.
    pub async fn start(acme: &AcmeOptions, front: &Front) -> Result<Self, StartError> {
        let options =
            Options { directory: acme.directory.clone(), email: acme.email.clone(), ca_bundle: acme.ca_bundle.clone() };
        let (path, directory) = (acme.path.clone(), acme.directory.clone());
        let folder = spawn_blocking(move || {
            std::fs::create_dir_all(&path).map_err(|source| StartError::AcmePath { path: path.clone(), source })?;
            Folder::open(&path, &directory).map_err(StartError::Acme)
        });
        let wanted = Wanted::none();
        wanted.set(acme.domains.iter().cloned().collect());
        let (certificates, challenges) = (Arc::clone(&front.certificates), front.challenges.clone());
        let issuer =
            Issuer::new(options, folder.await??, certificates, challenges, front.clock.clone(), wanted.clone());
        let mut issuer = issuer.await.map_err(StartError::Acme)?;
        issuer.load().await;
        let (stop, progress) = (CancellationToken::new(), issuer.progress());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // An order that is under way is dropped: its authority forgets it.
            let both = async { tokio::join!(issuer.run(), measure(progress)) };
            stopped.run_until_cancelled(both).await;
        });
        Ok(Self { wanted, stop, task })
    }

    /// Who can have failed orders tried again.
    pub fn wanted(&self) -> Wanted {
        self.wanted.clone()
    }

    /// Ends the task, an order under way too.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "ordering certificates ended badly");
        }
    }
}

/// Measures again and again.
async fn measure(progress: Arc<Progress>) {
    loop {
        metrics::acme_orders("issued", progress.issued());
        metrics::acme_orders("failed", progress.failed());
        metrics::set(metrics::ACME_FAILING, progress.failing());
        tokio::time::sleep(MEASURE_INTERVAL).await;
    }
}
