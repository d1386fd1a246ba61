//! The TOML file as dotted keys and texts.

use std::path::Path;

use toml::{Table, Value};

use super::accounts::{self, ACCOUNT};
use super::certificates::{self, CERTIFICATE};
use super::declare::{Row, rows};
use super::document::read_table;
use super::fault::{Fault, Source};
use super::kind::Toml;
use super::sites::{self, DeclaredSite, SITE};
use super::webhooks::{self, DeclaredWebhook, WEBHOOKS};
use crate::identity::DeclaredAccount;
use crate::spelling::nearest;
use crate::tls::Pair;

/// What a file sets.
#[derive(Default)]
pub struct Contents {
    pub options: Vec<(&'static Row, String)>,
    pub accounts: Vec<DeclaredAccount>,
    pub certificates: Vec<Pair>,
    pub sites: Vec<DeclaredSite>,
    pub webhooks: Vec<DeclaredWebhook>,
}

/// Gives what the file sets, and notes what is wrong with it.
pub fn read(path: &Path, faults: &mut Vec<Fault>) -> Contents {
    let place = || Source::File(path.to_owned());
    let mut table = match read_table(path) {
        Ok(table) => table,
        Err(problem) => {
            faults.push(Fault::File { place: place(), problem });
            return Contents::default();
        }
    };
    let accounts = table.remove(ACCOUNT).map(|value| accounts::read(&value, path, faults)).unwrap_or_default();
    let certificates =
        table.remove(CERTIFICATE).map(|value| certificates::read(&value, path, faults)).unwrap_or_default();
    let sites = table.remove(SITE).map(|value| sites::read(&value, path, faults)).unwrap_or_default();
    let webhooks = table.remove(WEBHOOKS).map(|value| webhooks::read(&value, path, faults)).unwrap_or_default();
    let mut leaves = Vec::new();
    flatten(String::new(), table, &mut leaves);

    let mut options = Vec::new();
    for (key, value) in leaves {
        let Some(row) = rows().find(|row| row.key == key) else {
            let nearest = nearest(&key, rows().map(|row| row.key.to_owned()));
            faults.push(Fault::Unknown { key, place: place(), nearest });
            continue;
        };
        match text_of(row.form.toml, &value) {
            Some(text) => options.push((row, text)),
            None => faults.push(Fault::Value {
                key: row.key,
                place: place(),
                value: if row.form.secret { "the value".to_owned() } else { value.to_string() },
                expected: row.form.expects,
            }),
        }
    }
    Contents { options, accounts, certificates, sites, webhooks }
}

/// Walks tables that are part of some option's key; anything else is a leaf. TOML's parser bounds the depth.
fn flatten(prefix: String, table: Table, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if is_section(&key) => flatten(key, inner, leaves),
            value => leaves.push((key, value)),
        }
    }
}

fn is_section(key: &str) -> bool {
    rows().any(|row| row.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

/// The value as it would be written in the environment, if it has a type that its kind allows.
fn text_of(kind: Toml, value: &Value) -> Option<String> {
    match (kind, value) {
        (Toml::Text | Toml::Number, Value::String(text)) => Some(text.clone()),
        (Toml::Number, Value::Integer(number)) => Some(number.to_string()),
        (Toml::Switch, Value::Boolean(on)) => Some(on.to_string()),
        (Toml::List, Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let texts = texts?;
            // A comma inside an item would make two of it, an empty item none.
            let whole = texts.iter().all(|text| !text.is_empty() && !text.contains(','));
            whole.then(|| texts.join(","))
        }
        _ => None,
    }
}
