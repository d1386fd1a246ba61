//! The task that gets certificates and renews them: one order at a time, the most urgent first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::authority::{account, off_runtime};
use super::folder::Folder;
use super::order::{Issued, issue};
use super::schedule::{Attempts, Orders, renewal};
use super::web::Web;
use super::{Error, Options};
use crate::clock::{Clock, Timestamp};
use crate::names::HostName;
use crate::tls::certificate::Certificate;
use crate::tls::certificates::Certificates;
use crate::tls::challenges::Challenges;

/// How long one order may take, from its account to its certificate.
const ORDER_LIMIT: Duration = Duration::from_secs(5 * 60);
/// How often one order may begin anew.
const MAX_BEGINNINGS: usize = 4;
/// The longest sleep: a clock that is set shows after this at the latest.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);
/// The most hosts that certificates are got for.
const MAX_HOSTS: usize = 10_000;

/// The hosts that are to have a certificate, and no others. Changed by whoever knows; clones share it.
#[derive(Debug, Clone)]
pub struct Wanted {
    hosts: watch::Sender<BTreeSet<HostName>>,
    hurry: Arc<Notify>,
}

/// What came of the orders so far, for metrics.
#[derive(Debug, Default)]
pub struct Progress {
    issued: AtomicU64,
    failed: AtomicU64,
    failing: AtomicU64,
}

/// Gets certificates and keeps them fresh.
pub struct Issuer {
    options: Options,
    folder: Folder,
    certificates: Arc<Certificates>,
    challenges: Challenges,
    clock: Clock,
    wanted: Wanted,
    progress: Arc<Progress>,
    attempts: BTreeMap<HostName, Attempts>,
    orders: Orders,
    /// The hosts whose certificates were looked for in the folder.
    seen: BTreeSet<HostName>,
}

impl Wanted {
    /// No host at all.
    pub fn none() -> Self {
        Self { hosts: watch::Sender::new(BTreeSet::new()), hurry: Arc::default() }
    }

    /// Wants certificates for these hosts and no others. Those beyond the first ten thousand are left out, with a warning.
    pub fn set(&self, mut hosts: BTreeSet<HostName>) {
        if let Some(first_beyond) = hosts.iter().nth(MAX_HOSTS).cloned() {
            tracing::warn!(from = %first_beyond, "too many hosts: from this one on they get no certificate");
            hosts.split_off(&first_beyond);
        }
        self.hosts.send_if_modified(|before| {
            let changed = *before != hosts;
            *before = hosts;
            changed
        });
    }

    /// Has what failed tried again soon, as far as authorities allow it.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }
}

impl Progress {
    /// Orders that ended with a certificate.
    pub fn issued(&self) -> u64 {
        self.issued.load(Ordering::Relaxed)
    }

    /// Orders that did not.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Hosts whose last order failed.
    pub fn failing(&self) -> u64 {
        self.failing.load(Ordering::Relaxed)
    }
}

impl Issuer {
    /// Puts what it gets into `folder` and among `certificates`; answers to challenges into `challenges`.
    pub async fn new(
        options: Options,
        folder: Folder,
        certificates: Arc<Certificates>,
        challenges: Challenges,
        clock: Clock,
        wanted: Wanted,
    ) -> Result<Self, Error> {
        let kept = folder.clone();
        let attempts = off_runtime(move || Ok(kept.attempts())).await?;
        Ok(Self {
            options,
            folder,
            certificates,
            challenges,
            clock,
            wanted,
            progress: Arc::default(),
            attempts,
            orders: Orders::default(),
            seen: BTreeSet::new(),
        })
    }

    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Puts the certificates that the folder has among those that are served. [`Self::run`] does it for hosts that come
    /// later.
    pub async fn load(&mut self) {
        let hosts = self.wanted.hosts.borrow().clone();
        if hosts == self.seen {
            return;
        }
        let mut found = Vec::new();
        for host in hosts.difference(&self.seen) {
            if let Some(certificate) = self.kept(host).await {
                found.push((host.clone(), Arc::new(certificate)));
            }
        }
        self.certificates.change_issued(|host| hosts.contains(host), found);
        self.attempts.retain(|host, _| hosts.contains(host));
        self.seen = hosts;
    }

    /// Orders what is missing and what is to be renewed, for ever. Dropping it ends an order that is under way.
    pub async fn run(mut self) {
        let mut changes = self.wanted.hosts.subscribe();
        let hurry = Arc::clone(&self.wanted.hurry);
        loop {
            changes.mark_unchanged();
            self.load().await;
            let due = self.due();
            let now = self.clock.now();
            if let Some((at, host)) = &due
                && *at <= now
            {
                self.order(host).await;
                continue;
            }
            let wait =
                due.map_or(LONGEST_SLEEP, |(at, _)| at.since(now)).clamp(Duration::from_millis(1), LONGEST_SLEEP);
            tokio::select! {
                () = sleep(wait) => {}
                // The sender lives in `self`.
                _ = changes.changed() => {}
                () = hurry.notified() => self.attempts.values_mut().for_each(Attempts::hurry),
            }
        }
    }

    /// The certificate that the folder has for `host`.
    async fn kept(&self, host: &HostName) -> Option<Certificate> {
        let (folder, name) = (self.folder.clone(), host.clone());
        off_runtime(move || folder.certificate(&name)).await.unwrap_or_else(|error| {
            tracing::error!(%host, %error, "a certificate that was kept cannot be used: a new one is ordered");
            None
        })
    }

    /// The host whose turn it is, and when; `None` where nothing is wanted.
    fn due(&self) -> Option<(Timestamp, HostName)> {
        let hosts = self.wanted.hosts.borrow();
        let due =
            hosts.iter().filter(|host| !self.certificates.has_file_for(host)).map(|host| (self.due_of(host), host));
        due.min().map(|(at, host)| (at.max(self.orders.allowed()), host.clone()))
    }

    fn due_of(&self, host: &HostName) -> Timestamp {
        let renew = self.issued(host).map_or(Timestamp::from_millis(0), |certificate| renewal(&certificate));
        let retry = self.attempts.get(host).and_then(Attempts::next);
        retry.map_or(renew, |retry| retry.max(renew))
    }

    fn issued(&self, host: &HostName) -> Option<Arc<Certificate>> {
        self.certificates.issued_for(host)
    }

    /// Carries out one order, and notes what came of it.
    async fn order(&mut self, host: &HostName) {
        tracing::info!(%host, directory = self.options.directory, "ordering a certificate");
        self.orders.note(self.clock.now());
        let mut wait = None;
        let ordered = timeout(ORDER_LIMIT, self.try_order(host, &mut wait)).await.unwrap_or(Err(Error::TimedOut));
        match ordered {
            Ok(certificate) => {
                let until = certificate.not_after;
                self.certificates.change_issued(|_| true, [(host.clone(), Arc::new(certificate))]);
                self.attempts.remove(host);
                self.progress.issued.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%host, %until, "a certificate was issued");
            }
            Err(error) => self.failed(host, &error, wait),
        }
        self.progress.failing.store(self.attempts.len() as u64, Ordering::Relaxed);
        let (folder, attempts) = (self.folder.clone(), self.attempts.clone());
        if let Err(error) = off_runtime(move || folder.keep_attempts(&attempts)).await {
            tracing::error!(%error, "it was not noted which orders failed");
        }
    }

    fn failed(&mut self, host: &HostName, error: &Error, wait: Option<Duration>) {
        let (now, chance) = (self.clock.now(), chance());
        let until = self.issued(host).map(|certificate| certificate.not_after).filter(|until| *until > now);
        let attempts = self.attempts.entry(host.clone()).or_default();
        match error {
            Error::RateLimited(_) => attempts.rate_limited(now, wait, chance),
            _ => attempts.failed(now, wait, until.map(|until| until.since(now)), chance),
        }
        self.progress.failed.fetch_add(1, Ordering::Relaxed);
        let next = attempts.next().map(|next| next.to_string()).unwrap_or_default();
        let failures = attempts.failures();
        match until {
            Some(until) => tracing::warn!(
                %host, failures, next, %until, %error,
                "a certificate was not renewed: the one before stays in use"
            ),
            None => tracing::error!(%host, failures, next, %error, "there is no certificate"),
        }
    }

    async fn try_order(&self, host: &HostName, wait: &mut Option<Duration>) -> Result<Certificate, Error> {
        let bundle = self.options.ca_bundle.clone();
        let web = off_runtime(move || Web::new(bundle.as_deref())).await?;
        let issued = self.issue(host, &web).await;
        *wait = web.take_retry_after();
        let Issued { key, chain } = issued?;
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes())?;
        if !certificate.exact.iter().any(|name| *name == host.as_str()) {
            return Err(Error::OtherNames);
        }
        // Kept before it is served: a restart does not order it again.
        let (folder, name) = (self.folder.clone(), host.clone());
        off_runtime(move || folder.keep_certificate(&name, &key, &chain)).await?;
        Ok(certificate)
    }

    /// Orders, and begins anew where the authority asks for that rather than refuses.
    async fn issue(&self, host: &HostName, web: &Web) -> Result<Issued, Error> {
        for _ in 1..MAX_BEGINNINGS {
            match self.issue_once(host, web).await {
                Err(error) if error.is_bad_nonce() => tracing::debug!(%host, "the authority wants other nonces"),
                Err(error) if error.is_lost_account() => self.forget_account().await?,
                other => return other,
            }
        }
        self.issue_once(host, web).await
    }

    async fn issue_once(&self, host: &HostName, web: &Web) -> Result<Issued, Error> {
        let account = account(&self.options, &self.folder, web).await?;
        issue(&account, host, &self.challenges).await
    }

    async fn forget_account(&self) -> Result<(), Error> {
        let directory = &self.options.directory;
        tracing::warn!(directory, "the authority does not know the account: making another");
        let folder = self.folder.clone();
        off_runtime(move || folder.forget_account()).await
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    let mut byte = [0];
    // Without chance what failed together is tried again together, which is no reason to fail.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
