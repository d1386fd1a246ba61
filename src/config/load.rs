//! From the sources to the typed configuration: gather, let the stronger source win, parse, and report every fault.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::declare::{Row, rows};
use super::environment::{is_service_link, variables};
use super::fault::{Fault, Faults, Source};
use super::file;
use super::kind::Kind;
use super::server::ServerConfig;
use super::sites::DeclaredSite;
use super::values::HttpsRedirect;
use super::webhooks::DeclaredWebhook;
use crate::events::endpoint::{Declared as DeclaredEndpoint, EndpointId, Limits, OnFull, Reach, Settings};
use crate::identity::{Declared, DeclaredAccount};
use crate::names::{BucketName, HostName};
use crate::site::domain::Reserved;
use crate::spelling::nearest;
use crate::tls::Pair;

/// The variable that names the configuration file.
const FILE_VARIABLE: &str = "BRIM_CONFIG";
/// What the names of all of our variables begin with.
const PREFIX: &str = "BRIM_";

/// Where options may come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Flags by name, without dashes, as declared by the rows.
    pub flags: BTreeMap<&'static str, String>,
    /// Environment variables; those that do not start with `BRIM_` are not looked at.
    pub environment: Vec<(OsString, OsString)>,
    /// The configuration file, where a flag names it; otherwise `BRIM_CONFIG` may.
    pub file: Option<PathBuf>,
}

impl ServerConfig {
    /// Reads every source and gives the configuration, or all of its faults. Opens nothing but the file.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut reader = Reader::default();
        let environment = variables(PREFIX, &sources.environment, &mut reader.faults);
        reader.add_file(sources, &environment);
        reader.add_environment(&environment);
        reader.add_flags(sources);

        let config = Self::read(&mut reader);
        reader.check_root_pair();
        if let Some(config) = &config {
            reader.check_addresses(config);
            reader.check_declared_keys(config);
            reader.check_certificates(config);
            reader.check_sites(config);
        }
        match config {
            Some(config) if reader.faults.is_empty() => Ok(config),
            _ => Err(Faults(reader.faults)),
        }
    }
}

impl ServerConfig {
    /// The accounts that there are by configuration.
    pub fn declared(&self) -> Declared {
        Declared { default: self.identity.account_id.clone(), accounts: self.accounts.clone() }
    }

    /// The domains that buckets have by configuration.
    pub fn declared_domains(&self) -> BTreeMap<HostName, BucketName> {
        self.sites.iter().map(|site| (site.domain.clone(), site.bucket.clone())).collect()
    }

    /// The endpoints of notifications that there are by configuration.
    pub fn declared_webhooks(&self) -> Vec<DeclaredEndpoint> {
        let account = |webhook: &DeclaredWebhook| webhook.account.clone().unwrap_or(self.identity.account_id.clone());
        let id = |webhook: &DeclaredWebhook| EndpointId { account: account(webhook), name: webhook.name.clone() };
        let declared = self.webhooks.iter();
        declared
            .map(|webhook| DeclaredEndpoint { id: id(webhook), definition: Arc::clone(&webhook.definition) })
            .collect()
    }

    /// What endpoints of notifications go by besides what is said of each.
    pub fn endpoint_settings(&self) -> Settings {
        let limits =
            Limits { entries: self.events.backlog_entries, age: self.events.backlog_age, on_full: OnFull::default() };
        Settings { reach: Reach::new(self.events.tenant_ranges.clone()), limits }
    }

    /// The domains that no bucket can have, for they mean something else already.
    pub fn reserved_domains(&self) -> Reserved {
        // Each is a host name as its kind checked it, but for those that end in a number, which no request can name.
        let s3 = self.s3.domains.iter().filter_map(|domain| HostName::parse(domain).ok()).collect();
        Reserved { website: self.website.domains.clone(), s3 }
    }
}

/// What was given, and the faults found so far.
#[derive(Default)]
pub struct Reader {
    given: BTreeMap<&'static str, (Source, String)>,
    accounts: Vec<DeclaredAccount>,
    certificates: Vec<Pair>,
    sites: Vec<DeclaredSite>,
    webhooks: Vec<DeclaredWebhook>,
    /// The file that declares them.
    file: Option<PathBuf>,
    faults: Vec<Fault>,
}

impl Reader {
    /// Parses the option `key`; `None` after noting the fault.
    pub fn read<T>(&mut self, key: &'static str, kind: &Kind<T>) -> Option<T> {
        let row = rows().find(|row| row.key == key)?;
        let (place, text) = self.given.get(key).cloned().unwrap_or((Source::Default, row.default.to_owned()));
        let parsed = (kind.parse)(&text);
        if parsed.is_none() {
            let value = if row.form.secret { "the value".to_owned() } else { format!("{text:?}") };
            self.faults.push(Fault::Value { key, place, value, expected: row.form.expects });
        }
        parsed
    }

    fn add(&mut self, row: &'static Row, place: Source, text: String) {
        self.given.insert(row.key, (place, text));
    }

    fn add_file(&mut self, sources: &Sources, environment: &[(String, String)]) {
        let named = environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, path)| PathBuf::from(path));
        let Some(path) = sources.file.clone().or(named) else { return };
        let contents = file::read(&path, &mut self.faults);
        for (row, text) in contents.options {
            self.add(row, Source::File(path.clone()), text);
        }
        self.accounts = contents.accounts;
        self.certificates = contents.certificates;
        self.sites = contents.sites;
        self.webhooks = contents.webhooks;
        self.file = Some(path);
    }

    fn add_environment(&mut self, environment: &[(String, String)]) {
        for (name, text) in environment {
            if name == FILE_VARIABLE || is_service_link(name, text) {
                continue;
            }
            let place = Source::Environment(name.clone());
            match rows().find(|row| row.environment() == *name) {
                Some(row) => self.add(row, place, text.clone()),
                None => {
                    let nearest = nearest(name, rows().map(Row::environment));
                    self.faults.push(Fault::Unknown { key: name.clone(), place, nearest });
                }
            }
        }
    }

    fn add_flags(&mut self, sources: &Sources) {
        for row in rows() {
            let Some(flag) = row.flag else { continue };
            if let Some(text) = sources.flags.get(flag) {
                self.add(row, Source::Flag(flag), text.clone());
            }
        }
    }

    fn check_root_pair(&mut self) {
        let (id, secret) = ("root.access_key_id", "root.secret_access_key");
        let place_of = |key| self.given.get(key).filter(|(_, text)| !text.is_empty()).map(|(place, _)| place.clone());
        let fault = match (place_of(id), place_of(secret)) {
            (Some(place), None) => Fault::Incomplete { missing: secret, given: id, place },
            (None, Some(place)) => Fault::Incomplete { missing: id, given: secret, place },
            _ => return,
        };
        self.faults.push(fault);
    }

    /// Gives the accounts of the file.
    pub fn accounts(&mut self) -> Vec<DeclaredAccount> {
        std::mem::take(&mut self.accounts)
    }

    /// Gives the certificates of the file.
    pub fn certificates(&mut self) -> Vec<Pair> {
        std::mem::take(&mut self.certificates)
    }

    /// Whoever listens for TLS has a certificate, or the prospect of one.
    fn check_certificates(&mut self, config: &ServerConfig) {
        let acme = &config.acme;
        let ordered = [("acme.domains", !acme.domains.is_empty()), ("acme.sites", acme.sites)];
        let given = ordered.iter().find(|(_, given)| *given).map(|(key, _)| *key);
        if let Some(given) = given.filter(|_| !acme.agree_terms) {
            self.faults.push(Fault::Terms { given });
        }
        let listeners = [("s3.tls_listen", config.s3.tls_listen), ("website.tls_listen", config.website.tls_listen)];
        for (key, _) in listeners.iter().filter(|(_, address)| address.is_some()) {
            if given.is_none() && config.certificates.is_empty() {
                self.faults.push(Fault::NoCertificate { key });
            }
        }
        if config.website.https_redirect == HttpsRedirect::Always && config.website.tls_listen.is_none() {
            self.faults.push(Fault::Nowhere);
        }
    }

    /// Gives the sites of the file.
    pub fn sites(&mut self) -> Vec<DeclaredSite> {
        std::mem::take(&mut self.sites)
    }

    /// Gives the webhooks of the file.
    pub fn webhooks(&mut self) -> Vec<DeclaredWebhook> {
        std::mem::take(&mut self.webhooks)
    }

    /// A site is where no other host of this server is.
    fn check_sites(&mut self, config: &ServerConfig) {
        let Some(file) = self.file.as_ref().filter(|_| !config.sites.is_empty()) else { return };
        let reserved = config.reserved_domains();
        for site in &config.sites {
            if let Err(problem) = reserved.check(&site.domain) {
                let (at, place) = (format!("site {}", site.domain), Source::File(file.clone()));
                self.faults.push(Fault::Entry { at, place, problem: problem.to_string() });
            }
        }
    }

    /// The root key is no other key.
    fn check_declared_keys(&mut self, config: &ServerConfig) {
        let Some((root, file)) = config.root.access_key_id.as_ref().zip(self.file.as_ref()) else { return };
        for declared in &config.accounts {
            let mut keys = declared.keys.iter().chain(declared.users.iter().flat_map(|user| &user.keys));
            if keys.any(|key| key.access_key_id == *root) {
                let at = format!("account {}", declared.account.id);
                let problem = format!("access key {root} is root.access_key_id, too");
                self.faults.push(Fault::Entry { at, place: Source::File(file.clone()), problem });
            }
        }
    }

    fn check_addresses(&mut self, config: &ServerConfig) {
        let addresses = config.addresses();
        for (place, (second, address)) in addresses.iter().enumerate() {
            let same = addresses[..place].iter().find(|(_, earlier)| earlier == address && address.port() != 0);
            let Some((first, _)) = same else { continue };
            let place_of = |key| self.given.get(key).map_or(Source::Default, |(place, _)| place.clone());
            self.faults.push(Fault::SameAddress {
                first,
                first_place: place_of(first),
                second,
                second_place: place_of(second),
                value: address.to_string(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::values::{DiskReserve, Durability};
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Sources {
        let environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Sources { environment, ..Sources::default() }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn faults(sources: &Sources) -> Vec<String> {
        ServerConfig::load(sources).unwrap_err().0.iter().map(Fault::to_string).collect()
    }

    #[test]
    fn without_any_source_every_default_stands() {
        let config = ServerConfig::load(&Sources::default()).unwrap();
        assert_eq!(config.process.data, PathBuf::from("./brim-data"));
        assert_eq!(config.s3.listen.to_string(), "127.0.0.1:9000");
        assert_eq!(config.s3.domains, ["s3.localhost"]);
        assert_eq!(config.s3.scope_region, None);
        assert_eq!(config.store.durability, Durability::Strict);
        assert_eq!(config.store.inline_threshold, 32 * 1024);
        assert_eq!(config.store.reserve, DiskReserve { bytes: 1 << 30, percent: 2 });
        assert_eq!(config.limits.object_size, 5 << 40);
        assert!(config.root.key().is_none());
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let file = file("[s3]\nlisten = '127.0.0.1:1'\nregion = 'file-1'\n[admin]\nlisten = '127.0.0.1:11'\n");
        let mut sources = environment(&[("BRIM_S3_LISTEN", "127.0.0.1:2"), ("BRIM_ADMIN_LISTEN", "127.0.0.1:12")]);
        sources.file = Some(file.path().to_owned());
        sources.flags.insert("listen", "127.0.0.1:3".to_owned());

        let config = ServerConfig::load(&sources).unwrap();
        assert_eq!(config.s3.listen.port(), 3);
        assert_eq!(config.admin.listen.port(), 12);
        assert_eq!(config.s3.region, "file-1");
        assert_eq!(config.identity.account_id.as_str(), "000000000000");
    }

    #[test]
    fn the_file_may_be_named_by_the_environment() {
        let file = file("account_id = '123456789012'\n");
        let config = ServerConfig::load(&environment(&[("BRIM_CONFIG", file.path().to_str().unwrap())])).unwrap();
        assert_eq!(config.identity.account_id.as_str(), "123456789012");
    }

    #[test]
    fn all_faults_are_reported_at_once_with_key_source_value_and_expectation() {
        let file =
            file("colour = 1\n[s3]\nlistne = 'x'\nsignature_v2 = 'yes'\ndomains = ['a,b']\n[limits]\nkeep_alive = 5\n");
        let mut sources = environment(&[("BRIM_S3_REGION", "Mars"), ("BRIM_S3_REGOIN", "mars")]);
        sources.file = Some(file.path().to_owned());
        sources.flags.insert("listen", "here".to_owned());

        let faults = faults(&sources);
        let place = format!("(file {})", file.path().display());
        for expected in [
            format!("colour {place}: there is no such option"),
            format!("s3.listne {place}: there is no such option; did you mean s3.listen?"),
            format!("s3.signature_v2 {place}: \"yes\" is not valid; expected true or false"),
            format!("s3.domains {place}: [\"a,b\"] is not valid"),
            format!("limits.keep_alive {place}: 5 is not valid; expected a time"),
            "BRIM_S3_REGOIN (environment BRIM_S3_REGOIN): there is no such option; did you mean BRIM_S3_REGION?".into(),
            "s3.region (environment BRIM_S3_REGION): \"Mars\" is not valid; expected a region".into(),
            "s3.listen (flag --listen): \"here\" is not valid; expected an IP address and a port".into(),
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(&expected)), "{expected}\nnot in {faults:#?}");
        }
        assert_eq!(faults.len(), 8, "{faults:#?}");
    }

    #[test]
    fn half_a_root_key_is_refused_and_its_value_is_never_shown() {
        let faults = faults(&environment(&[("BRIM_ROOT_SECRET_ACCESS_KEY", "hunter2")]));
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.contains("hunter2")));
        let expected = "root.access_key_id must be given when root.secret_access_key \
                        (environment BRIM_ROOT_SECRET_ACCESS_KEY) is";
        assert_eq!(faults[1], expected);
    }

    #[test]
    fn a_malformed_file_is_one_fault_that_shows_no_line() {
        let file = file("[root]\nsecret_access_key = hunter2hunter2\n");
        let mut sources = environment(&[("BRIM_WORKERS", "0")]);
        sources.file = Some(file.path().to_owned());
        let faults = faults(&sources);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("line 2") && !faults[0].contains("hunter2"), "{}", faults[0]);
    }

    #[test]
    fn a_missing_file_is_a_fault() {
        let sources = Sources { file: Some("/nonexistent/brim.toml".into()), ..Sources::default() };
        assert!(faults(&sources)[0].starts_with("file /nonexistent/brim.toml: "));
    }

    #[test]
    fn empty_and_service_variables_are_not_options() {
        let sources = environment(&[
            ("BRIM_S3_REGION", ""),
            ("BRIM_SERVICE_HOST", "10.0.0.1"),
            ("BRIM_SERVICE_PORT_S3", "9000"),
            ("BRIM_PORT", "tcp://10.0.0.1:9000"),
            ("BRIM_PORT_9000_TCP_ADDR", "10.0.0.1"),
            ("PATH", "/bin"),
        ]);
        assert!(ServerConfig::load(&environment(&[("BRIM_S3_PORT", "9000")])).is_err());
        assert_eq!(ServerConfig::load(&sources).unwrap().s3.region, "us-east-1");
    }

    #[test]
    fn two_listeners_cannot_share_an_address() {
        let faults = faults(&environment(&[("BRIM_ADMIN_LISTEN", "127.0.0.1:9000")]));
        assert!(faults[0].contains("both are 127.0.0.1:9000"), "{faults:?}");
        let website = [("BRIM_WEBSITE_LISTEN", "127.0.0.1:9000"), ("BRIM_ADMIN_LISTEN", "127.0.0.1:9000")];
        assert_eq!(self::faults(&environment(&website)).len(), 2);
        let free = website.map(|(name, _)| (name, "127.0.0.1:0"));
        assert!(ServerConfig::load(&environment(&free)).is_ok());
    }

    #[test]
    fn keys_flags_and_variables_are_distinct() {
        let keys: std::collections::BTreeSet<_> = rows().map(Row::environment).collect();
        assert_eq!(keys.len(), rows().count());
        let flags: Vec<_> = rows().filter_map(|row| row.flag).collect();
        assert_eq!(flags, ["data", "listen", "website-listen", "admin-listen"]);
    }
}
