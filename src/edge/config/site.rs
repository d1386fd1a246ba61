//! `[[site]]`: hosts, origins and behaviours.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use toml::{Table, Value};

use super::super::site::{Behaviour, HostPattern, Maintenance, Mode, OriginKind, PathPattern, Secure};
use super::behaviour::{self, status_between};
use super::fields::{Fields, Notes};
use super::keys::Keys;
use super::origin::{self, OriginConfig};
use super::rows::{BEHAVIOUR, BEHAVIOUR_PATH, LISTS, SITE};
use crate::config::label;

/// The most sites.
const MAX_SITES: usize = 1000;
/// The most hosts of a site.
const MAX_HOSTS: usize = 100;
/// The most behaviours of a site, the last one aside.
const MAX_BEHAVIOURS: usize = 74;
/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// The largest page for maintenance, in bytes.
const MAX_PAGE_BYTES: u64 = 1 << 20;
/// When clients may ask again, in seconds.
const RETRY_AFTER: u32 = 300;

/// A site, as the file describes it.
#[derive(Debug, Clone)]
pub struct SiteConfig {
    pub id: String,
    pub hosts: Vec<HostPattern>,
    pub mode: Mode,
    pub origin: OriginConfig,
    pub failover: Option<OriginConfig>,
    pub failover_on: Vec<StatusCode>,
    /// The last matches every path.
    pub behaviours: Vec<Arc<Behaviour>>,
}

/// What the sites of a file have in common, also those that have faults.
#[derive(Debug)]
pub struct Outline {
    pub id: String,
    pub hosts: Vec<HostPattern>,
    /// What their behaviours do with requests without TLS.
    pub secure: Vec<Secure>,
}

/// Reads every site of the file; those with faults are told of in outlines alone.
pub fn read(notes: &Notes, table: &Table, keys: &Keys) -> (Vec<SiteConfig>, Vec<Outline>) {
    let listed = Fields::of(notes, "", table, LISTS).tables("site");
    if listed.is_empty() && !table.contains_key("site") {
        notes.fault("site", "there is none: give at least one [[site]] with hosts and origin");
    }
    if listed.len() > MAX_SITES {
        notes.fault("site", format!("there are more than {MAX_SITES}"));
        return (Vec::new(), Vec::new());
    }
    let (mut sites, mut outlines) = (Vec::with_capacity(listed.len()), Vec::with_capacity(listed.len()));
    for (index, table) in listed.into_iter().enumerate() {
        let (site, outline) = site(notes, index, table, keys);
        sites.extend(site);
        outlines.extend(outline);
    }
    check_apart(notes, &outlines);
    (sites, outlines)
}

fn site(notes: &Notes, index: usize, table: &Table, keys: &Keys) -> (Option<SiteConfig>, Option<Outline>) {
    let name = table.get("id").or_else(|| table.get("hosts").and_then(Value::as_array)?.first());
    let at = label("site", index, name);
    let fields = Fields::of(notes, &at, table, SITE);
    fields.check_keys(&[SITE, BEHAVIOUR]);
    let hosts = hosts(&fields);
    let id = id(&fields, &hosts);
    let mode = mode(&fields);
    if !fields.is_given("origin") {
        fields.fault("origin must be given: an address, or a table");
    }
    let origin = origin::read(&fields, &format!("{at}, origin"), "origin");
    let failover = origin::read(&fields, &format!("{at}, failover"), "failover");
    check_kinds(&fields, origin.as_ref(), failover.as_ref());
    let failover_on = fields.list("failover_on", status_between(400, 599));
    let behaviours = behaviours(&fields, &at, origin::kind_of(table.get("origin")), keys);
    let secure = behaviours.iter().map(|behaviour| behaviour.access.secure).collect();
    let outline = id.clone().map(|id| Outline { id, hosts: hosts.clone(), secure });
    let whole = id.zip(mode).zip(origin);
    let whole =
        whole.map(|((id, mode), origin)| SiteConfig { id, hosts, mode, origin, failover, failover_on, behaviours });
    (whole, outline)
}

fn check_kinds(fields: &Fields<'_>, origin: Option<&OriginConfig>, failover: Option<&OriginConfig>) {
    let (Some(origin), Some(failover)) = (origin, failover) else { return };
    if origin.kind != failover.kind {
        fields.fault("failover must be what origin is: a server, a bucket, or a website");
    }
    if origin.headers != failover.headers {
        fields.fault("failover has other headers than origin: both get the same");
    }
}

fn hosts(fields: &Fields<'_>) -> Vec<HostPattern> {
    let hosts = fields.list("hosts", |text| HostPattern::parse(text).ok());
    if !fields.is_given("hosts") {
        fields.fault("hosts must be given: a list of hosts, or [\"*\"]");
    } else if fields.value("hosts").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        fields.fault("hosts is empty: no request would ever be for this site");
    }
    if hosts.len() > MAX_HOSTS {
        fields.fault(format!("there are more than {MAX_HOSTS} hosts"));
    }
    hosts
}

fn id(fields: &Fields<'_>, hosts: &[HostPattern]) -> Option<String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let read =
        |text: &str| ((1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(valid)).then(|| text.to_owned());
    if fields.is_given("id") { fields.read("id", read) } else { Some(derived_id(hosts.first()?)) }
}

/// What a site is called after its first host.
fn derived_id(host: &HostPattern) -> String {
    let text = match host {
        HostPattern::Any => "default".to_owned(),
        HostPattern::Exact(host) => host.clone(),
        HostPattern::Below(host) => format!("any.{host}"),
    };
    let letter = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    text.chars().map(letter).take(MAX_ID_BYTES).collect()
}

fn mode(fields: &Fields<'_>) -> Option<Mode> {
    let page = maintenance(fields);
    fields.read("mode", |text| match text {
        "normal" => Some(Mode::Normal),
        "bypass" => Some(Mode::Bypass),
        "maintenance" => Some(Mode::Maintenance(Arc::new(page))),
        _ => None,
    })
}

fn maintenance(fields: &Fields<'_>) -> Maintenance {
    let plain = Maintenance {
        page: Bytes::from_static(b"This site is being worked on. Please try again in a few minutes.\n"),
        content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
        retry_after: RETRY_AFTER,
    };
    let Some(path) = fields.path("maintenance_page") else { return plain };
    let small = std::fs::metadata(&path).map(|data| data.len() <= MAX_PAGE_BYTES);
    match (small, std::fs::read(&path)) {
        (Ok(true), Ok(page)) => {
            let content_type = HeaderValue::from_static("text/html; charset=utf-8");
            Maintenance { page: page.into(), content_type, ..plain }
        }
        (Ok(false), _) => {
            fields.fault(format!("maintenance_page: the file has more than {MAX_PAGE_BYTES} bytes"));
            plain
        }
        (Err(error), _) | (_, Err(error)) => {
            fields.fault(format!("maintenance_page {}: {error}", path.display()));
            plain
        }
    }
}

fn behaviours(site: &Fields<'_>, at: &str, kind: OriginKind, keys: &Keys) -> Vec<Arc<Behaviour>> {
    let listed = site.tables("behaviour");
    if listed.len() > MAX_BEHAVIOURS {
        site.fault(format!("there are more than {MAX_BEHAVIOURS} behaviours"));
        return Vec::new();
    }
    let mut behaviours = Vec::with_capacity(listed.len() + 1);
    for (index, table) in listed.into_iter().enumerate() {
        let at = format!("{at}, {}", label("behaviour", index, table.get("path")));
        let fields = Fields::of(site.notes(), &at, table, BEHAVIOUR_PATH);
        fields.check_keys(&[BEHAVIOUR_PATH, BEHAVIOUR]);
        let path = fields.need("path", PathPattern::parse);
        let fields = fields.declared_by(BEHAVIOUR).over(site.table());
        let path = path.unwrap_or_else(PathPattern::every);
        behaviours.extend(behaviour::read(&fields, &at, path, kind, keys));
    }
    let fields = site.declared_by(BEHAVIOUR);
    behaviours.extend(behaviour::read(&fields, at, PathPattern::every(), kind, keys));
    behaviours.into_iter().map(Arc::new).collect()
}

/// Each id and each host is one site's.
fn check_apart(notes: &Notes, sites: &[Outline]) {
    let (mut ids, mut hosts) = (BTreeMap::new(), BTreeMap::new());
    for site in sites {
        let at = format!("site {}", site.id);
        if ids.insert(site.id.as_str(), ()).is_some() {
            notes.fault(&at, "there are two sites with this id: give one of them another");
        }
        for host in &site.hosts {
            if let Some(other) = hosts.insert(host.to_string(), &site.id) {
                notes.fault(&at, format!("host {host} is that of site {other}, too"));
            }
        }
    }
}
