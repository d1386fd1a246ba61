//! Certificates from an authority: which hosts want one, and the task that gets them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::foundation::Foundation;
use super::start::StartError;
use super::storage::Storage;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::names::{BucketName, HostName};
use crate::store::configuration::Kind;
use crate::store::domains::State;
use crate::store::{self, Store};
use crate::telemetry::metrics;
use crate::tls::acme::{Folder, Issuer, Options, Progress, Wanted};
use crate::tls::{CertificateKeeper, Challenges};

/// How often the domains of sites are looked through.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// How many domains are read at once.
const PAGE: usize = 1000;

/// What orders certificates, before it begins. The certificates that it got before are served already.
pub struct Orders {
    hosts: Hosts,
    wanted: Wanted,
    issuer: Issuer,
}

/// The tasks that order certificates.
pub struct RunningOrders {
    wanted: Wanted,
    stop: CancellationToken,
    issuing: JoinHandle<()>,
    looking: JoinHandle<()>,
}

/// Who wants a certificate.
struct Hosts {
    named: BTreeSet<HostName>,
    /// Where the domains of sites are, if those want one too.
    sites: Option<Arc<Store>>,
}

impl Orders {
    /// Takes up the certificates that were got before; `None` where the configuration wants none.
    pub async fn open(
        config: &ServerConfig,
        foundation: &Foundation,
        storage: &Storage,
        keeper: &CertificateKeeper,
        challenges: &Challenges,
        clock: &Clock,
    ) -> Result<Option<Self>, StartError> {
        let acme = &config.acme;
        if acme.domains.is_empty() && !acme.sites {
            return Ok(None);
        }
        let options =
            Options { directory: acme.directory.clone(), email: acme.email.clone(), ca_bundle: acme.ca_bundle.clone() };
        let folder = Folder::open(&foundation.dir.acme(), &options.directory).map_err(StartError::Acme)?;
        let sites = acme.sites.then(|| Arc::clone(&storage.store));
        let hosts = Hosts { named: acme.domains.iter().cloned().collect(), sites };
        let wanted = Wanted::none();
        hosts.want(&wanted).await;
        let certificates = Arc::clone(&keeper.certificates);
        let issuer = Issuer::new(options, folder, certificates, challenges.clone(), clock.clone(), wanted.clone());
        let mut issuer = issuer.await.map_err(StartError::Acme)?;
        issuer.load().await;
        Ok(Some(Self { hosts, wanted, issuer }))
    }

    /// Begins to order. The plain website listener must answer by now.
    pub fn begin(self) -> RunningOrders {
        let Self { hosts, wanted, issuer } = self;
        let (stop, progress) = (CancellationToken::new(), issuer.progress());
        let stopped = stop.clone();
        let issuing = watched(async move {
            // An order that is under way is dropped: its authority forgets it.
            stopped.run_until_cancelled(issuer.run()).await;
        });
        let (stopped, looked) = (stop.clone(), wanted.clone());
        let looking = watched(async move {
            stopped.run_until_cancelled(look(hosts, looked, progress)).await;
        });
        RunningOrders { wanted, stop, issuing, looking }
    }
}

impl RunningOrders {
    /// Who can have failed orders tried again.
    pub fn wanted(&self) -> Wanted {
        self.wanted.clone()
    }

    /// Ends the tasks, an order under way too.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in [self.issuing, self.looking] {
            if let Err(error) = task.await {
                tracing::warn!(%error, "ordering certificates ended badly");
            }
        }
    }
}

/// Runs `task`, and tells at once should it end badly: nobody waits for it before the server stops.
fn watched(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let task = tokio::spawn(task);
    tokio::spawn(async move {
        if let Err(error) = task.await {
            tracing::error!(%error, "no certificate is ordered any more until the server is restarted");
        }
    })
}

/// Looks for domains that come and go, and measures. Never returns.
async fn look(hosts: Hosts, wanted: Wanted, progress: Arc<Progress>) {
    loop {
        metrics::acme_orders("issued", progress.issued());
        metrics::acme_orders("failed", progress.failed());
        metrics::set(metrics::ACME_FAILING, progress.failing());
        tokio::time::sleep(LOOK_INTERVAL).await;
        hosts.want(&wanted).await;
    }
}

impl Hosts {
    /// Says who wants a certificate now. Where that cannot be told, nothing changes.
    async fn want(&self, wanted: &Wanted) {
        let mut hosts = self.named.clone();
        if let Some(store) = &self.sites {
            match sites(store).await {
                Ok(found) => hosts.extend(found),
                Err(error) => {
                    tracing::warn!(%error, "the domains of sites cannot be read: no certificate is ordered for new ones");
                    return;
                }
            }
        }
        wanted.set(hosts);
    }
}

/// The custom domains that serve a site.
async fn sites(store: &Arc<Store>) -> Result<BTreeSet<HostName>, store::Error> {
    let (mut serving, mut after) = (BTreeSet::new(), None);
    loop {
        let page = store.domains(after.as_ref(), PAGE).await?;
        for summary in page.domains {
            if summary.state == State::InForce && is_website(store, &summary.bucket).await? {
                serving.insert(summary.domain);
            }
        }
        after = page.after;
        if after.is_none() {
            return Ok(serving);
        }
    }
}

async fn is_website(store: &Arc<Store>, bucket: &BucketName) -> Result<bool, store::Error> {
    match store.bucket(bucket).await {
        Ok(bucket) => Ok(store.configuration(&bucket).await?.get(Kind::Website).is_some()),
        // Deleted meanwhile.
        Err(store::Error::NoSuchBucket(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
