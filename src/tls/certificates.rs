//! All certificates, and the choice among them: the exact name, then a wildcard, then the default.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use super::files::Loaded;
use crate::clock::Timestamp;
use crate::names::HostName;

/// The certificates that are served. A change takes effect with the next handshake; connections that are open stay.
#[derive(Default)]
pub struct Certificates {
    sources: Mutex<Sources>,
    table: ArcSwap<Table>,
}

/// Where certificates come from.
#[derive(Default)]
struct Sources {
    files: Vec<Loaded>,
    /// What the files alone are for.
    of_files: Table,
    /// By the host that each was issued for.
    issued: BTreeMap<HostName, Arc<Certificate>>,
}

/// What handshakes look into.
#[derive(Default)]
struct Table {
    exact: HashMap<String, Arc<Certificate>>,
    /// By what follows `*.`.
    wildcards: HashMap<String, Arc<Certificate>>,
    default: Option<Arc<Certificate>>,
    all: Vec<Arc<Certificate>>,
}

impl Certificates {
    /// Replaces those from files, all at once.
    pub fn set_files(&self, files: Vec<Loaded>) {
        self.change(|sources| {
            sources.of_files = Table::of_files(&files);
            sources.files = files;
        });
    }

    /// Takes the issued certificates of all hosts away that `keep` does not hold for, and adds `issued`, each in place of the
    /// one that its host had; all at once.
    pub fn change_issued(
        &self,
        keep: impl Fn(&HostName) -> bool,
        issued: impl IntoIterator<Item = (HostName, Arc<Certificate>)>,
    ) {
        self.change(|sources| {
            sources.issued.retain(|host, _| keep(host));
            sources.issued.extend(issued);
        });
    }

    /// The certificate that was issued for `host`.
    pub fn issued_for(&self, host: &HostName) -> Option<Arc<Certificate>> {
        self.sources.lock().issued.get(host).cloned()
    }

    /// The certificate that clients who ask for `host` are shown, the default aside.
    pub fn for_host(&self, host: &str) -> Option<Arc<Certificate>> {
        self.table.load().named(&host.to_ascii_lowercase()).cloned()
    }

    /// What clients are shown who ask for `name` in their handshake, or for none: the default too.
    pub fn shown(&self, name: Option<&str>) -> Option<Arc<Certificate>> {
        let table = self.table.load();
        name.and_then(|name| table.named(name)).or(table.default.as_ref()).cloned()
    }

    /// Whether clients who ask for `host` are shown a certificate for that name that they accept at `now`.
    pub fn covers(&self, host: &str, now: Timestamp) -> bool {
        self.for_host(host).is_some_and(|certificate| certificate.is_valid_at(now))
    }

    /// Whether a certificate from a file is for `host`.
    pub fn has_file_for(&self, host: &HostName) -> bool {
        self.sources.lock().of_files.named(host.as_str()).is_some()
    }

    /// Every certificate, those from files first.
    pub fn all(&self) -> Vec<Arc<Certificate>> {
        self.table.load().all.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Sources)) {
        let mut sources = self.sources.lock();
        change(&mut sources);
        // Under the lock: of two changes at once the later table has both.
        self.table.store(Arc::new(Table::of(&sources)));
    }
}

impl Table {
    fn of(sources: &Sources) -> Self {
        let mut table = Self::of_files(&sources.files);
        for (host, certificate) in &sources.issued {
            // A wildcard in a file counts too, for nobody renews what was issued while there is one: see `has_file_for`.
            if sources.of_files.named(host.as_str()).is_none() {
                table.add(certificate);
            }
        }
        table
    }

    fn of_files(files: &[Loaded]) -> Self {
        let mut table = Self::default();
        for loaded in files {
            table.add(&loaded.certificate);
            if loaded.pair.default {
                table.default = Some(Arc::clone(&loaded.certificate));
            }
        }
        table
    }

    /// What came before keeps its names: files beat what was issued, and the first of two files counts.
    fn add(&mut self, certificate: &Arc<Certificate>) {
        for name in &certificate.exact {
            self.exact.entry(name.clone()).or_insert_with(|| Arc::clone(certificate));
        }
        for parent in &certificate.wildcards {
            self.wildcards.entry(parent.clone()).or_insert_with(|| Arc::clone(certificate));
        }
        self.all.push(Arc::clone(certificate));
    }

    /// Expects lower case.
    fn named(&self, host: &str) -> Option<&Arc<Certificate>> {
        let wildcard = || self.wildcards.get(host.split_once('.')?.1);
        self.exact.get(host).or_else(wildcard)
    }
}

impl ResolvesServerCert for Certificates {
    /// `None` refuses the handshake.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        let named = hello.server_name().and_then(|name| table.named(&name.to_ascii_lowercase()));
        named.or(table.default.as_ref()).map(|certificate| Arc::clone(&certificate.certified))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.table.load().all.iter().map(|certificate| &certificate.label)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::certificate::tests::certificate_for;
    use super::super::files::Pair;
    use super::*;

    fn host(name: &str) -> HostName {
        HostName::parse(name).unwrap()
    }

    fn loaded(names: &[&str], default: bool) -> Loaded {
        let pair = Pair { chain: PathBuf::from(names[0]), key: PathBuf::from(names[0]), default };
        Loaded { pair, certificate: certificate_for(names) }
    }

    fn label(certificates: &Certificates, host: &str) -> Option<String> {
        certificates.for_host(host).map(|certificate| certificate.label.clone())
    }

    #[test]
    fn an_exact_name_beats_a_wildcard_of_one_label() {
        let certificates = Certificates::default();
        certificates.set_files(vec![loaded(&["*.a.test"], true), loaded(&["www.a.test"], false)]);
        assert_eq!(label(&certificates, "WWW.a.test").as_deref(), Some("www.a.test"));
        assert_eq!(label(&certificates, "other.a.test").as_deref(), Some("*.a.test"));
        for host in ["a.test", "x.other.a.test", "b.test", ""] {
            assert_eq!(label(&certificates, host), None, "{host}");
        }
    }

    #[test]
    fn a_file_beats_what_was_issued_and_the_first_file_counts() {
        let certificates = Certificates::default();
        certificates.change_issued(|_| true, [(host("a.test"), certificate_for(&["issued.test", "a.test"]))]);
        assert_eq!(label(&certificates, "a.test").as_deref(), Some("issued.test"));
        assert!(!certificates.has_file_for(&host("a.test")));
        certificates
            .set_files(vec![loaded(&["first.test", "a.test"], false), loaded(&["second.test", "a.test"], false)]);
        assert_eq!(label(&certificates, "a.test").as_deref(), Some("first.test"));
        assert!(certificates.has_file_for(&host("a.test")));
        certificates.set_files(Vec::new());
        assert_eq!(label(&certificates, "a.test").as_deref(), Some("issued.test"));
        certificates.change_issued(|name| *name != host("a.test"), []);
        assert!(certificates.all().is_empty());
    }

    #[test]
    fn a_wildcard_in_a_file_beats_what_was_issued_for_the_exact_name() {
        let certificates = Certificates::default();
        certificates.change_issued(|_| true, [(host("www.a.test"), certificate_for(&["www.a.test"]))]);
        certificates.set_files(vec![loaded(&["*.a.test"], false)]);
        assert!(certificates.has_file_for(&host("www.a.test")));
        assert_eq!(label(&certificates, "www.a.test").as_deref(), Some("*.a.test"));
        assert_eq!(certificates.all().len(), 1);
        certificates.set_files(Vec::new());
        assert_eq!(label(&certificates, "www.a.test").as_deref(), Some("www.a.test"));
    }

    #[test]
    fn an_expired_certificate_covers_nothing() {
        let certificates = Certificates::default();
        let expires = certificate_for(&["a.test"]);
        let end = expires.not_after;
        certificates.change_issued(|_| true, [(host("a.test"), expires)]);
        assert!(certificates.covers("a.test", Timestamp::from_millis(end.as_millis() - 1)));
        assert!(!certificates.covers("a.test", end));
        assert!(certificates.for_host("a.test").is_some());
    }
}
