//! The options of the process, typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::fields::Fields;
use super::rows;
use super::site::SiteConfig;
use super::values::{bytes, network, number, switch, text, time};
use crate::names::HostName;
use crate::telemetry::log::Format;
use crate::tls::Pair;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
/// The longest file or secret that is taken; longer ones are mistakes.
const MIN_TOKEN_BYTES: usize = 16;

/// Everything that an edge can be told, checked.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    pub process: ProcessOptions,
    pub disk: Option<DiskOptions>,
    pub feed: Option<FeedOptions>,
    pub limits: LimitsOptions,
    pub proxies: ProxiesOptions,
    pub purge: PurgeOptions,
    pub log_format: Format,
    pub log_filter: String,
    pub access_log: Option<AccessLogOptions>,
    pub acme: Option<AcmeOptions>,
    pub certificates: Vec<Pair>,
    pub sites: Vec<SiteConfig>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessOptions {
    pub listen: Vec<SocketAddr>,
    pub tls_listen: Vec<SocketAddr>,
    pub admin_listen: SocketAddr,
    /// Bytes of the memory tier.
    pub memory: u64,
    /// Bytes of all answers together that are on their way from origins.
    pub fill_memory: u64,
    pub workers: usize,
    pub shutdown_grace: Duration,
    /// Whether HTTP/2 is spoken without TLS.
    pub h2c: bool,
    pub name: String,
    /// Where clients are sent that must speak HTTPS; `None` is the port of `tls_listen`.
    pub https_port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
}

/// A key to sign with.
#[derive(Clone, PartialEq, Eq)]
pub struct Signer {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub region: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedOptions {
    pub url: http::Uri,
    pub signer: Signer,
    pub ca_bundle: Option<PathBuf>,
    /// Whether edges may read the feed here.
    pub relay: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsOptions {
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_size: usize,
    pub head_timeout: Duration,
    pub keep_alive: Duration,
    pub body_idle_timeout: Duration,
    /// Bytes a second that a client takes at least; 0 is no bound.
    pub transfer_rate: u64,
    /// Bytes of a request's body.
    pub request_body: u64,
    /// Of HTTP/2, on one connection.
    pub streams: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxiesOptions {
    pub trusted: Vec<IpNet>,
    pub protocol: bool,
}

/// Who may use the method `PURGE`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PurgeOptions {
    pub tokens: Vec<String>,
    pub from: Vec<IpNet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    W3c,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLogOptions {
    pub directory: PathBuf,
    pub format: LogFormat,
    pub rotate: Duration,
    /// In bytes.
    pub rotate_size: u64,
    pub keep: Duration,
    pub upload: Option<UploadOptions>,
}

/// Where log files are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadOptions {
    /// The S3 endpoint, without path.
    pub endpoint: http::Uri,
    pub bucket: String,
    /// Empty, or what the names of files begin with.
    pub prefix: String,
    pub signer: Signer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeOptions {
    pub domains: Vec<HostName>,
    pub email: Option<String>,
    pub directory: String,
    pub ca_bundle: Option<PathBuf>,
    pub path: PathBuf,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PurgeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PurgeOptions").field("tokens", &self.tokens.len()).field("from", &self.from).finish()
    }
}

impl EdgeConfig {
    /// The options that `other` has different values for and that count from the next start on.
    pub fn changed(&self, other: &Self) -> Vec<&'static str> {
        // What a reload takes of the limits.
        let limits = LimitsOptions {
            request_body: other.limits.request_body,
            transfer_rate: other.limits.transfer_rate,
            body_idle_timeout: other.limits.body_idle_timeout,
            ..self.limits.clone()
        };
        let compared = [
            ("the process's", self.process != other.process),
            ("disk", self.disk != other.disk),
            ("feed", self.feed != other.feed),
            ("limits", limits != other.limits),
            ("proxies.protocol", self.proxies.protocol != other.proxies.protocol),
            ("log", self.log_format != other.log_format || self.log_filter != other.log_filter),
            ("access_log", self.access_log != other.access_log),
            ("acme", self.acme != other.acme),
        ];
        compared.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
    }
}

impl ProcessOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let address = |text: &str| text.parse::<SocketAddr>().ok();
        let listen = fields.list("listen", address);
        let tls_listen = fields.list("tls_listen", address);
        let admin_listen = fields.read("admin_listen", address);
        let memory = fields.read("memory", bytes(MIB..=TIB));
        let fill_memory = fields.read("fill_memory", bytes(MIB..=TIB));
        let workers = fields.read("workers", workers);
        let shutdown_grace = fields.read("shutdown_grace", time);
        let h2c = fields.read("h2c", switch);
        let name = fields.read("name", name);
        let https_port = fields.read("https_port", port);
        Some(Self {
            listen,
            tls_listen,
            admin_listen: admin_listen?,
            memory: memory?,
            fill_memory: fill_memory?,
            workers: workers?,
            shutdown_grace: shutdown_grace?,
            h2c: h2c?,
            name: name?,
            https_port: https_port?,
        })
    }
}

fn workers(text: &str) -> Option<usize> {
    match text {
        "auto" => Some(std::thread::available_parallelism().map_or(1, usize::from)),
        text => number(1..=1024)(text).map(|workers| workers as usize),
    }
}

fn port(text: &str) -> Option<Option<u16>> {
    match text {
        "auto" => Some(None),
        text => number(1..=65_535)(text).map(|port| Some(port as u16)),
    }
}

fn name(text: &str) -> Option<String> {
    crate::feed::EdgeName::parse(text).ok().map(|name| name.as_str().to_owned())
}

/// An address without path, query and user.
pub fn endpoint(text: &str) -> Option<http::Uri> {
    let uri: http::Uri = text.parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let host =
        uri.authority().is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    (known && bare && host).then_some(uri)
}

/// The key at `access_key_id`, `secret_access_key` and `region`; notes a fault where one of the two stands alone.
pub fn signer(fields: &Fields<'_>) -> Option<Signer> {
    let id = fields.read("access_key_id", text);
    let secret = fields.read("secret_access_key", text);
    let region = fields.read("region", text)?;
    match (id, secret) {
        (Some(access_key_id), Some(secret_access_key)) => Some(Signer { access_key_id, secret_access_key, region }),
        (None, None) => None,
        (Some(_), None) if fields.is_given("secret_access_key") => None,
        (Some(_), None) => {
            fields.fault("secret_access_key must be given when access_key_id is");
            None
        }
        (None, Some(_)) => {
            fields.fault("access_key_id must be given when secret_access_key is");
            None
        }
    }
}

impl DiskOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let (path, size) = (fields.path("path"), fields.read("size", bytes(16 * MIB..=1024 * TIB)));
        if path.is_none() && fields.is_given("size") && !fields.is_given("path") {
            fields.fault("path must be given when size is");
        }
        Some(Self { path: path?, size: size? })
    }
}

impl FeedOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let (url, signer) = (fields.read("url", endpoint), signer(fields));
        let (ca_bundle, relay) = (fields.path("ca_bundle"), fields.read("relay", switch));
        if url.is_some() && signer.is_none() {
            fields.fault("access_key_id and secret_access_key must be given when url is: make them with brim key create --edge BUCKET");
        }
        if url.is_none() && !fields.is_given("url") && (signer.is_some() || ca_bundle.is_some() || relay == Some(true))
        {
            fields.fault("url must be given when anything else of the feed is");
        }
        Some(Self { url: url?, signer: signer?, ca_bundle, relay: relay? })
    }
}

impl LimitsOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let size = |key, range| fields.read(key, bytes(range));
        let connections = fields.read("connections", number(1..=1_000_000));
        let head_size = size("head_size", 8 * KIB..=128 * KIB);
        let head_timeout = fields.read("head_timeout", time);
        let keep_alive = fields.read("keep_alive", time);
        let body_idle_timeout = fields.read("body_idle_timeout", time);
        let transfer_rate = size("transfer_rate", 0..=1024 * MIB);
        let request_body = size("request_body", 0..=1024 * TIB);
        let streams = fields.read("streams", number(1..=1000));
        Some(Self {
            connections: connections? as usize,
            head_size: head_size? as usize,
            head_timeout: head_timeout?,
            keep_alive: keep_alive?,
            body_idle_timeout: body_idle_timeout?,
            transfer_rate: transfer_rate?,
            request_body: request_body?,
            streams: streams? as u32,
        })
    }
}

impl ProxiesOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let trusted = fields.list("trusted", network);
        let protocol = fields.read("protocol", switch)?;
        if protocol && trusted.is_empty() {
            fields.fault("trusted must be given when protocol is true: nobody else may say who a client is");
        }
        Some(Self { trusted, protocol })
    }
}

impl PurgeOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        let token = |text: &str| {
            let good = text.len() >= MIN_TOKEN_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
            good.then(|| text.to_owned())
        };
        let options = Self { tokens: fields.list("tokens", token), from: fields.list("from", network) };
        if options.tokens.is_empty() && !options.from.is_empty() && !fields.is_given("tokens") {
            fields.fault("tokens must be given when from is");
        }
        options
    }
}

pub fn log_format(text: &str) -> Option<Format> {
    match text {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        _ => None,
    }
}

pub fn log_filter(text: &str) -> Option<String> {
    let valid = tracing_subscriber::EnvFilter::builder().parse(text).is_ok();
    valid.then(|| text.to_owned())
}

impl AccessLogOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let directory = fields.path("directory");
        let format = fields.read("format", |text| match text {
            "w3c" => Some(LogFormat::W3c),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        let (rotate, keep) = (fields.read("rotate", time), fields.read("keep", time));
        let rotate_size = fields.read("rotate_size", bytes(MIB..=TIB));
        let upload = UploadOptions::read(fields);
        if directory.is_none() && !fields.is_given("directory") && !fields.table().is_empty() {
            fields.fault("directory must be given when anything else of the access log is");
        }
        Some(Self {
            directory: directory?,
            format: format?,
            rotate: rotate?,
            rotate_size: rotate_size?,
            keep: keep?,
            upload,
        })
    }
}

impl UploadOptions {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (address, signer) = (fields.read("upload", upload_address), signer(fields));
        if fields.is_given("upload") != signer.is_some() {
            fields.fault("upload, access_key_id and secret_access_key are given together or not at all");
        }
        let (endpoint, bucket, prefix) = address?;
        Some(Self { endpoint, bucket, prefix, signer: signer? })
    }
}

/// Takes `http://host:port/bucket/prefix` apart.
fn upload_address(text: &str) -> Option<(http::Uri, String, String)> {
    let (scheme, rest) = text.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let bucket = crate::names::BucketName::parse(bucket).ok()?.to_string();
    let plain = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte));
    plain.then(|| Some((endpoint(&format!("{scheme}://{host}"))?, bucket, prefix.to_owned())))?
}

impl AcmeOptions {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let domains = fields.list("domains", |text| HostName::parse(text).ok());
        let agreed = fields.read("agree_terms", switch);
        let email = fields.read("email", text);
        let directory = fields.read("directory", |text| text.starts_with("https://").then(|| text.to_owned()));
        let (ca_bundle, path) = (fields.path("ca_bundle"), fields.path("path"));
        if domains.is_empty() {
            return None;
        }
        if agreed == Some(false) {
            fields.fault("agree_terms must be true when domains is given");
        }
        Some(Self { domains, email, directory: directory?, ca_bundle, path: path? })
    }
}

/// The declaration of what stands in the section `name`.
pub fn section(name: &str) -> &'static [rows::Row] {
    let found = rows::SECTIONS.iter().find(|section| section.name.trim_matches(['[', ']']) == name);
    found.map_or(&[], |section| section.rows)
}
