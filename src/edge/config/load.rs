//! From the file and the environment to the typed configuration, or to every fault in them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use toml::{Table, Value};

use super::super::site::Secure;
use super::fields::{Fields, Notes, interpolate};
use super::keys;
use super::options::{
    AccessLogOptions, AcmeOptions, DiskOptions, EdgeConfig, FeedOptions, LimitsOptions, ProcessOptions, ProxiesOptions,
    PurgeOptions, log_filter, log_format, section,
};
use super::rows::{LISTS, PROCESS, SECTIONS, process_rows, variable};
use super::site;
use crate::config::{CERTIFICATE, Fault, Faults, Source, certificates, is_service_link, read_table, variables};
use crate::spelling::nearest;

/// What the names of our variables begin with.
const PREFIX: &str = "BRIM_EDGE_";
/// The one that names the file.
pub const FILE_VARIABLE: &str = "BRIM_EDGE_CONFIG";

/// Where options may come from.
#[derive(Debug, Clone)]
pub struct Sources {
    pub file: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
}

impl Sources {
    /// The file, and the environment of this process.
    pub fn of_process(file: PathBuf) -> Self {
        Self { file, environment: std::env::vars_os().collect() }
    }
}

impl EdgeConfig {
    /// Reads the file, lets the environment have its say, and gives the configuration or all of its faults. Opens no file
    /// but those of keys and pages that the configuration names.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut table = read_table(&sources.file)
            .map_err(|problem| Faults(vec![Fault::File { place: Source::File(sources.file.clone()), problem }]))?;
        let mut faults = Vec::new();
        let referenced = interpolate_variables(&mut table, sources, &mut faults);
        let overlaid = overlay(&mut table, sources, &referenced, &mut faults);
        let notes = Notes::new(sources.file.clone(), overlaid, faults);
        let config = read(&notes, &mut table);
        let faults = notes.into_faults();
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(Faults(faults)),
        }
    }
}

/// Puts variables in the place of `${NAME}`; gives the names of all that the file refers to.
fn interpolate_variables(table: &mut Table, sources: &Sources, faults: &mut Vec<Fault>) -> Vec<String> {
    let referenced = std::cell::RefCell::new(Vec::new());
    let lookup = |name: &str| {
        referenced.borrow_mut().push(name.to_owned());
        let found = sources.environment.iter().find(|(given, _)| given == name)?;
        found.1.to_str().filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let mut value = Value::Table(std::mem::take(table));
    for name in interpolate(&mut value, &lookup) {
        let problem = format!("the file refers to ${{{name}}}, which is not set");
        faults.push(Fault::File { place: Source::Environment(name), problem });
    }
    if let Value::Table(inner) = value {
        *table = inner;
    }
    referenced.into_inner()
}

/// Puts what the environment says in the place of what the file says; gives the keys with their variables.
fn overlay(
    table: &mut Table,
    sources: &Sources,
    referenced: &[String],
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, String> {
    let mut overlaid = BTreeMap::new();
    for (name, value) in variables(PREFIX, &sources.environment, faults) {
        if is_service_link(&name, &value) || referenced.contains(&name) || name == FILE_VARIABLE {
            continue;
        }
        match process_rows().find(|(dotted, _)| variable(dotted) == name) {
            Some((dotted, _)) => {
                set(table, &dotted, value);
                overlaid.insert(dotted, name);
            }
            None => {
                let nearest = nearest(&name, process_rows().map(|(dotted, _)| variable(&dotted)));
                faults.push(Fault::Unknown { key: name.clone(), place: Source::Environment(name), nearest });
            }
        }
    }
    overlaid
}

fn set(table: &mut Table, dotted: &str, value: String) {
    match dotted.split_once('.') {
        None => drop(table.insert(dotted.to_owned(), Value::String(value))),
        Some((section, key)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            // Where something else stands, the fault is noted when it is read.
            if let Value::Table(inner) = inner {
                inner.insert(key.to_owned(), Value::String(value));
            }
        }
    }
}

fn read(notes: &Notes, table: &mut Table) -> Option<EdgeConfig> {
    let certificates = table
        .remove(CERTIFICATE)
        .map_or_else(Vec::new, |value| notes.with_faults(|path, faults| certificates(&value, path, faults)));
    let table = &*table;
    check_top(notes, table);
    let empty = Table::new();
    let inner = |name: &'static str| Fields::of(notes, name, table_at(notes, table, name, &empty), section(name));

    let process = ProcessOptions::read(&Fields::of(notes, "", table, PROCESS));
    let (disk, feed) = (DiskOptions::read(&inner("disk")), FeedOptions::read(&inner("feed")));
    let (limits, proxies) = (LimitsOptions::read(&inner("limits")), ProxiesOptions::read(&inner("proxies")));
    let (purge, acme) = (PurgeOptions::read(&inner("purge")), AcmeOptions::read(&inner("acme")));
    let access_log = AccessLogOptions::read(&inner("access_log"));
    let log = inner("log");
    let (log_format, log_filter) = (log.read("format", log_format), log.read("filter", log_filter));
    let keys = keys::read(notes, table);
    let (sites, outlines) = site::read(notes, table, &keys);
    check_listeners(notes, process.as_ref(), acme.as_ref(), &certificates);
    check_secure(notes, process.as_ref(), proxies.as_ref(), &outlines);
    Some(EdgeConfig {
        process: process?,
        disk,
        feed,
        limits: limits?,
        proxies: proxies?,
        purge,
        log_format: log_format?,
        log_filter: log_filter?,
        access_log,
        acme,
        certificates,
        sites,
    })
}

/// The section `name`, or an empty one.
fn table_at<'t>(notes: &Notes, table: &'t Table, name: &str, empty: &'t Table) -> &'t Table {
    match table.get(name) {
        None => empty,
        Some(Value::Table(inner)) => inner,
        Some(_) => {
            notes.fault(name, "must be a table");
            empty
        }
    }
}

/// Every key outside of lists is one that there is.
fn check_top(notes: &Notes, table: &Table) {
    let mut plain = table.clone();
    for name in LISTS.iter().map(|row| row.key).chain(sections()) {
        if let Some(Value::Table(inner)) = plain.remove(name) {
            Fields::of(notes, name, &inner, section(name)).check_keys(&[section(name)]);
        }
    }
    Fields::of(notes, "", &plain, PROCESS).check_keys(&[PROCESS]);
}

fn sections() -> impl Iterator<Item = &'static str> {
    let named = SECTIONS.iter().filter(|section| section.environment && !section.name.is_empty());
    named.map(|section| section.name.trim_matches(['[', ']']))
}

/// Who wants HTTPS serves it, or stands behind something that does: else every client is sent nowhere, or refused.
fn check_secure(
    notes: &Notes,
    process: Option<&ProcessOptions>,
    proxies: Option<&ProxiesOptions>,
    sites: &[site::Outline],
) {
    let (Some(process), Some(proxies)) = (process, proxies) else { return };
    if !process.tls_listen.is_empty() || !proxies.trusted.is_empty() {
        return;
    }
    for site in sites {
        let wants = |secure: Secure| site.secure.contains(&secure);
        let at = format!("site {}", site.id);
        if wants(Secure::Redirect) && process.https_port.is_none() {
            notes.fault(
                &at,
                "https = \"redirect\" sends clients where nothing listens: give tls_listen, https_port where something else \
                 serves HTTPS, or [proxies]",
            );
        }
        if wants(Secure::Required) {
            notes.fault(&at, "https = \"required\" refuses every request: give tls_listen or [proxies]");
        }
    }
}

fn check_listeners(
    notes: &Notes,
    process: Option<&ProcessOptions>,
    acme: Option<&AcmeOptions>,
    certificates: &[crate::tls::Pair],
) {
    let Some(process) = process else { return };
    if process.listen.is_empty() && process.tls_listen.is_empty() {
        notes.fault("listen", "there is no address to listen on, nor in tls_listen");
    }
    if !process.tls_listen.is_empty() && certificates.is_empty() && acme.is_none() {
        notes.fault("tls_listen", "there is no certificate: give [[certificate]] or acme.domains");
    }
    let mut seen = std::collections::BTreeSet::new();
    let all = process.listen.iter().chain(&process.tls_listen).chain([&process.admin_listen]);
    for address in all.filter(|address| address.port() != 0) {
        if !seen.insert(*address) {
            notes.fault("listen", format!("{address} is given twice among listen, tls_listen and admin_listen"));
        }
    }
}
