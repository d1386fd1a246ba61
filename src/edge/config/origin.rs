//! Origins, as the file says where they are.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use toml::{Table, Value};

use super::super::origin::{Failover, HostHeader, Kind, Limits, Location, Origin, Protocols, Settings, Signing};
use super::super::site::{Authority, OriginKind};
use super::fields::Fields;
use super::options::{Signer, signer};
use super::rows::ORIGIN;
use super::values::{header_name, header_value, number, switch, text, time};
use crate::names::BucketName;
use crate::signer::Credentials;
use crate::tls::{Authorities, Identity};

/// The domain below which Brim has websites unless it is told otherwise.
const WEBSITE_DOMAIN: &str = "website.localhost";

/// One origin, comparable: a reload keeps the connections of an origin that did not change.
#[derive(Debug, Clone, PartialEq)]
pub struct OriginConfig {
    pub location: Location,
    pub kind: OriginKind,
    /// Of a bucket or website.
    pub bucket: Option<BucketName>,
    pub signer: Option<Signer>,
    pub host: HostHeader,
    pub server_name: Option<String>,
    pub ca_bundle: Option<PathBuf>,
    pub identity: Option<(PathBuf, PathBuf)>,
    pub http2: bool,
    pub limits: Limits,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What an origin is, also where something else about it is wrong.
pub fn kind_of(origin: Option<&Value>) -> OriginKind {
    let Some(Value::Table(table)) = origin else { return OriginKind::Http };
    match (table.contains_key("bucket"), table.contains_key("website")) {
        (true, _) => OriginKind::Bucket,
        (false, true) => OriginKind::Website,
        (false, false) => OriginKind::Http,
    }
}

/// Reads the origin at `key` of a site: an address alone, or a table.
pub fn read(site: &Fields<'_>, at: &str, key: &str) -> Option<OriginConfig> {
    match site.value(key)? {
        Value::String(_) => {
            let location = site.read(key, |text| text.parse::<Location>().ok());
            let (table, rows) = (Table::new(), ORIGIN);
            let fields = Fields::of(site.notes(), at, &table, rows);
            read_at(&fields, location)
        }
        Value::Table(table) => {
            let fields = Fields::of(site.notes(), at, table, ORIGIN);
            fields.check_keys(&[ORIGIN]);
            let location = fields.need("url", |text| text.parse::<Location>().ok());
            read_at(&fields, location)
        }
        _ => {
            site.fault(format!("{key} must be an address, or a table with url"));
            None
        }
    }
}

fn read_at(fields: &Fields<'_>, location: Option<Location>) -> Option<OriginConfig> {
    let name = |text: &str| BucketName::parse(text).ok();
    let (bucket, website) = (fields.read("bucket", name), fields.read("website", name));
    let kind = kind_of(Some(&Value::Table(fields.table().clone())));
    if fields.is_given("bucket") && fields.is_given("website") {
        fields.fault("bucket and website exclude each other");
    }
    let signer = signer(fields);
    if kind.is_signed() && signer.is_none() && !fields.is_given("access_key_id") {
        fields.fault("access_key_id and secret_access_key must be given: make them with brim key create --edge BUCKET");
    }
    if !kind.is_signed() && signer.is_some() {
        fields.fault("access_key_id is for a bucket or a website: give bucket or website, too");
    }
    let website_host = website.as_ref().map(|name| format!("{name}.{WEBSITE_DOMAIN}"));
    let host = host(fields, website_host, kind);
    let server_name = fields.read("sni", text);
    let ca_bundle = fields.path("ca_bundle");
    let identity = identity(fields);
    let http2 = fields.read("http2", switch);
    let limits = limits(fields);
    let headers = headers(fields, "headers");
    let bucket = bucket.or(website);
    Some(OriginConfig {
        kind,
        signer,
        host: host?,
        server_name,
        ca_bundle,
        identity,
        http2: http2?,
        limits: limits?,
        headers,
        bucket,
        location: location?,
    })
}

fn host(fields: &Fields<'_>, website: Option<String>, kind: OriginKind) -> Option<HostHeader> {
    if !fields.is_given("host") {
        let fixed = website.and_then(|host| host.parse().ok());
        return Some(fixed.map_or(HostHeader::Origin, HostHeader::Fixed));
    }
    let host = fields.read("host", |text| match text {
        "viewer" => Some(HostHeader::Viewer),
        text => Authority::parse(text).ok().and_then(|_| text.parse().ok()).map(HostHeader::Fixed),
    })?;
    if host == HostHeader::Viewer && kind.is_signed() {
        fields.fault("host = \"viewer\" is not for buckets and websites: they are told the client's host apart");
    }
    Some(host)
}

fn identity(fields: &Fields<'_>) -> Option<(PathBuf, PathBuf)> {
    match (fields.path("client_certificate"), fields.path("client_key")) {
        (Some(chain), Some(key)) => Some((chain, key)),
        (None, None) => None,
        _ => {
            fields.fault("client_certificate and client_key are given together or not at all");
            None
        }
    }
}

fn limits(fields: &Fields<'_>) -> Option<Limits> {
    let wait = |key| -> Option<Duration> { fields.read(key, time) };
    let count = |key, from, to| fields.read(key, number(from..=to));
    let connect = wait("connect_timeout");
    let first_byte = wait("first_byte_timeout");
    let between_bytes = wait("idle_timeout");
    let tunnel_silence = wait("tunnel_timeout");
    let keep = wait("keep_alive");
    let requests = count("requests", 1, 65_535);
    let kept = count("kept", 0, 65_535);
    let failures = count("failures", 0, 1000);
    let pause = wait("pause");
    Some(Limits {
        connect: connect?,
        first_byte: first_byte?,
        between_bytes: between_bytes?,
        tunnel_silence: tunnel_silence?,
        keep: keep?,
        requests: requests? as usize,
        kept: kept? as usize,
        failures: failures? as u32,
        pause: pause?,
    })
}

/// A table of headers.
pub fn headers(fields: &Fields<'_>, key: &str) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (name, value) in fields.map(key) {
        match (header_name(name), header_value(&value)) {
            (Some(name), Some(value)) if !is_of_the_message(&name) => headers.push((name, value)),
            // The value is not shown: it may be a secret that the origin knows.
            _ => fields.fault(format!("{key}, {name} is no header that can be set, or its value is none")),
        }
    }
    headers
}

/// Headers that say where a message begins and ends, or what becomes of its connection.
fn is_of_the_message(name: &HeaderName) -> bool {
    const NAMES: [&str; 9] = [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str())
}

impl OriginConfig {
    /// What the origin's own module takes.
    pub fn origin(&self) -> Origin {
        let mut origin = Origin::at(self.location.clone(), self.origin_kind());
        origin.host = self.host.clone();
        origin.server_name = self.server_name.clone();
        origin.authorities = match &self.ca_bundle {
            Some(path) => Authorities::File(path.clone()),
            None if !self.location.is_secure() => Authorities::Nobody,
            None => Authorities::Machine,
        };
        origin.identity =
            self.identity.as_ref().map(|(chain, key)| Identity { chain: chain.clone(), key: key.clone() });
        origin.protocols = if self.http2 { Protocols::Negotiated } else { Protocols::Http1 };
        origin.limits = self.limits.clone();
        origin
    }

    fn origin_kind(&self) -> Kind {
        let signing = self.signer.as_ref().map(|signer| Signing {
            region: signer.region.clone(),
            credentials: Credentials {
                access_key: signer.access_key_id.clone(),
                secret_key: signer.secret_access_key.clone().into(),
                session_token: None,
            },
        });
        match (self.kind, &self.bucket, signing) {
            (OriginKind::Bucket, Some(name), Some(signing)) => Kind::Bucket { name: name.clone(), signing },
            (OriginKind::Website, _, Some(signing)) => Kind::Website { signing },
            // The configuration refuses a bucket without a name or key.
            _ => Kind::Http,
        }
    }
}

/// What [`Origins`](super::super::origin::Origins) are made of.
pub fn settings(primary: &OriginConfig, failover: Option<(&OriginConfig, &[StatusCode])>) -> Settings {
    Settings {
        primary: primary.origin(),
        failover: failover.map(|(origin, statuses)| Failover { origin: origin.origin(), statuses: statuses.to_vec() }),
    }
}
