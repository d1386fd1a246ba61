//! The task that gets certificates and renews them: one order at a time, the most urgent first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::authority::{account, off_runtime};
use super::folder::Folder;
use super::ledger::{Ledger, Reached};
use super::order::{Issued, issue};
use super::schedule::{Failure, renewal};
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
/// How long to wait until a certificate that could not be written is written again.
const KEEP_AGAIN: Duration = Duration::from_secs(60);
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
    ledger: Ledger,
    /// What was issued and could not be written to the folder.
    unkept: BTreeMap<HostName, Arc<Issued>>,
    /// The hosts whose certificates were looked for in the folder.
    seen: BTreeSet<HostName>,
}

/// What is known of an order while it is carried out.
#[derive(Default)]
struct Course {
    reached: Reached,
    /// How long the authority said to wait.
    wait: Option<Duration>,
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
        let ledger = off_runtime(move || Ok(kept.ledger())).await?;
        Ok(Self {
            options,
            folder,
            certificates,
            challenges,
            clock,
            wanted,
            progress: Arc::default(),
            ledger,
            unkept: BTreeMap::new(),
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
        self.unkept.retain(|host, _| hosts.contains(host));
        self.ledger.forget(&hosts, self.clock.now());
        self.seen = hosts;
    }

    /// Orders what is missing and what is to be renewed, for ever. Dropping it ends an order that is under way.
    pub async fn run(mut self) {
        let mut changes = self.wanted.hosts.subscribe();
        let hurry = Arc::clone(&self.wanted.hurry);
        loop {
            changes.mark_unchanged();
            self.load().await;
            self.keep_unkept().await;
            let due = self.due();
            let now = self.clock.now();
            if let Some((at, host)) = &due
                && *at <= now
            {
                self.order(host).await;
                continue;
            }
            let longest = if self.unkept.is_empty() { LONGEST_SLEEP } else { KEEP_AGAIN };
            let wait = due.map_or(longest, |(at, _)| at.since(now)).clamp(Duration::from_millis(1), longest);
            tokio::select! {
                () = sleep(wait) => {}
                // The sender lives in `self`.
                _ = changes.changed() => {}
                () = hurry.notified() => self.ledger.hurry(),
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
        due.min().map(|(at, host)| (at.max(self.ledger.allowed()), host.clone()))
    }

    fn due_of(&self, host: &HostName) -> Timestamp {
        let renew = self.issued(host).map_or(Timestamp::from_millis(0), |certificate| renewal(&certificate));
        self.ledger.next(host).map_or(renew, |retry| retry.max(renew))
    }

    fn issued(&self, host: &HostName) -> Option<Arc<Certificate>> {
        self.certificates.issued_for(host)
    }

    /// Carries out one order, and notes what came of it.
    async fn order(&mut self, host: &HostName) {
        self.ledger.begin(host, self.clock.now());
        let mut course = Course::default();
        // Noted before anything is asked for: a restart does not order again at once. And what cannot be noted is not ordered,
        // for what it gets could not be kept either.
        let ordered = match self.keep_ledger().await {
            Ok(()) => self.try_order(host, &mut course).await,
            Err(error) => Err(error),
        };
        match ordered {
            Ok((certificate, issued)) => self.succeeded(host, certificate, issued).await,
            Err(error) => self.failed(host, &error, &course),
        }
        self.progress.failing.store(self.ledger.failing(&self.wanted.hosts.borrow()), Ordering::Relaxed);
        if let Err(error) = self.keep_ledger().await {
            tracing::error!(%error, "it was not noted which orders failed");
        }
    }

    async fn succeeded(&mut self, host: &HostName, certificate: Certificate, issued: Issued) {
        // Kept before it is served: a restart does not order it again. What cannot be kept is served all the same.
        self.unkept.insert(host.clone(), Arc::new(issued));
        self.keep_unkept().await;
        let until = certificate.not_after;
        self.certificates.change_issued(|_| true, [(host.clone(), Arc::new(certificate))]);
        self.ledger.issued(host);
        self.progress.issued.fetch_add(1, Ordering::Relaxed);
        tracing::info!(%host, %until, "a certificate was issued");
    }

    /// Writes the certificates to the folder that it does not have yet.
    async fn keep_unkept(&mut self) {
        for (host, issued) in std::mem::take(&mut self.unkept) {
            let (folder, name, kept) = (self.folder.clone(), host.clone(), Arc::clone(&issued));
            let keeping = off_runtime(move || folder.keep_certificate(&name, &kept.key, &kept.chain));
            if let Err(error) = keeping.await {
                tracing::error!(%host, %error, "a certificate was issued and not kept: it is tried again in a minute");
                self.unkept.insert(host, issued);
            }
        }
    }

    async fn keep_ledger(&self) -> Result<(), Error> {
        let (folder, ledger) = (self.folder.clone(), self.ledger.clone());
        off_runtime(move || folder.keep_ledger(&ledger)).await
    }

    fn failed(&mut self, host: &HostName, error: &Error, course: &Course) {
        let (now, chance) = (self.clock.now(), chance());
        let until = self.issued(host).map(|certificate| certificate.not_after).filter(|until| *until > now);
        let failure = Failure { now, wait: course.wait, left: until.map(|until| until.since(now)), chance };
        self.ledger.failed(host, course.reached, error, &failure);
        self.progress.failed.fetch_add(1, Ordering::Relaxed);
        let next = self.ledger.next(host).map(|next| next.to_string()).unwrap_or_default();
        let failures = self.ledger.failures(host);
        match until {
            Some(until) => tracing::warn!(
                %host, failures, next, %until, %error,
                "a certificate was not renewed: the one before stays in use"
            ),
            None => tracing::error!(%host, failures, next, %error, "there is no certificate"),
        }
    }

    async fn try_order(&self, host: &HostName, course: &mut Course) -> Result<(Certificate, Issued), Error> {
        tracing::info!(%host, directory = self.options.directory, "ordering a certificate");
        let bundle = self.options.ca_bundle.clone();
        let web = off_runtime(move || Web::new(bundle.as_deref())).await?;
        let issuing = self.issue(host, &web, &mut course.reached);
        let issued = timeout(ORDER_LIMIT, issuing).await.unwrap_or(Err(Error::TimedOut));
        course.wait = web.take_retry_after();
        let issued = issued?;
        let certificate = Certificate::from_pem(issued.chain.as_bytes(), issued.key.as_bytes())?;
        if !certificate.exact.iter().any(|name| *name == host.as_str()) {
            return Err(Error::OtherNames);
        }
        Ok((certificate, issued))
    }

    /// Orders, and begins anew where the authority asks for that rather than refuses.
    async fn issue(&self, host: &HostName, web: &Web, reached: &mut Reached) -> Result<Issued, Error> {
        for _ in 1..MAX_BEGINNINGS {
            match self.issue_once(host, web, reached).await {
                Err(error) if error.is_bad_nonce() => tracing::debug!(%host, "the authority wants other nonces"),
                Err(error) if error.is_lost_account() => self.forget_account().await?,
                other => return other,
            }
        }
        self.issue_once(host, web, reached).await
    }

    async fn issue_once(&self, host: &HostName, web: &Web, reached: &mut Reached) -> Result<Issued, Error> {
        let account = account(&self.options, &self.folder, web).await?;
        // Of an order that begins anew the authority has one already.
        *reached = (*reached).max(Reached::Account);
        issue(&account, host, &self.challenges, reached).await
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::certificate::tests::made_for;
    use super::*;

    const DIRECTORY: &str = "https://127.0.0.1:1/directory";

    fn host(name: &str) -> HostName {
        HostName::parse(name).unwrap()
    }

    /// An issuer for two hosts whose authority is not there.
    async fn issuer(dir: &Path, clock: &Clock) -> Issuer {
        let ca_bundle = dir.join("ca.pem");
        std::fs::write(&ca_bundle, made_for(&["ca.test"]).0).unwrap();
        let options = Options { directory: DIRECTORY.to_owned(), email: None, ca_bundle: Some(ca_bundle) };
        let folder = Folder::open(dir, DIRECTORY).unwrap();
        let wanted = Wanted::none();
        wanted.set(BTreeSet::from([host("a.test"), host("b.test")]));
        let parts = (Arc::default(), Challenges::default(), clock.clone(), wanted);
        let mut issuer = Issuer::new(options, folder, parts.0, parts.1, parts.2, parts.3).await.unwrap();
        issuer.load().await;
        issuer
    }

    #[tokio::test]
    async fn an_outage_costs_no_orders_and_a_restart_goes_on_from_there() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Timestamp::from_seconds(1_000_000));
        let mut issuer = issuer(dir.path(), &clock).await;
        assert_eq!(issuer.due(), Some((Timestamp::from_millis(0), host("a.test"))));
        issuer.order(&host("a.test")).await;
        assert_eq!((issuer.progress.failed(), issuer.progress.failing()), (1, 1));
        let (at, next) = issuer.due().unwrap();
        assert_eq!(next, host("b.test"));
        assert!(at >= clock.now().plus(Duration::from_secs(30)), "{at}");
        assert_eq!(issuer.ledger.failures(&host("a.test")), 0);
        let again = self::issuer(dir.path(), &clock).await;
        assert_eq!(again.ledger, issuer.ledger);
        assert_eq!(again.due(), issuer.due());
    }

    #[tokio::test]
    async fn what_cannot_be_noted_is_not_ordered() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Timestamp::from_seconds(1_000_000));
        let mut issuer = issuer(dir.path(), &clock).await;
        // In the way of the file that is renamed.
        std::fs::create_dir(dir.path().join("127.0.0.1_1_directory/attempts.json")).unwrap();
        issuer.ledger.begin(&host("a.test"), clock.now());
        let error = issuer.keep_ledger().await.unwrap_err();
        assert!(matches!(error, Error::File(_)), "{error}");
        issuer.failed(&host("a.test"), &error, &Course::default());
        assert!(issuer.due().unwrap().0 > clock.now());
    }

    #[tokio::test]
    async fn a_certificate_that_cannot_be_written_is_served_and_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Timestamp::from_seconds(1_000_000));
        let mut issuer = issuer(dir.path(), &clock).await;
        let in_the_way = dir.path().join("127.0.0.1_1_directory/a.test.pem");
        std::fs::create_dir(&in_the_way).unwrap();
        let (chain, key) = made_for(&["a.test"]);
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        issuer.succeeded(&host("a.test"), certificate, Issued { key, chain }).await;
        assert!(issuer.certificates.for_host("a.test").is_some());
        assert_eq!(issuer.unkept.len(), 1);
        std::fs::remove_dir(&in_the_way).unwrap();
        issuer.keep_unkept().await;
        assert!(issuer.unkept.is_empty());
        assert!(issuer.folder.certificate(&host("a.test")).unwrap().is_some());
    }
}
