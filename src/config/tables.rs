//! Tables of the file that are no options: accounts, sites. Every fault is noted with its place, and no value that may be a
//! secret is shown.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use super::fault::{Fault, Source};
use crate::spelling::nearest;

/// Reads tables of one file, and notes what is wrong with them.
pub struct TableReader<'r> {
    file: &'r Path,
    faults: &'r mut Vec<Fault>,
}

impl<'r> TableReader<'r> {
    pub fn of(file: &'r Path, faults: &'r mut Vec<Fault>) -> Self {
        Self { file, faults }
    }

    pub fn file(&self) -> &'r Path {
        self.file
    }

    /// The text at `key`; notes a fault where something else stands there, or where it must be given and is not.
    pub fn text<'t>(&mut self, at: &str, table: &'t Table, key: &str, required: bool) -> Option<&'t str> {
        match table.get(key) {
            Some(Value::String(text)) => return Some(text),
            // Not shown: what stands at the wrong place may be a secret.
            Some(_) => self.fault(at, format!("{key} must be a text")),
            None if required => self.fault(at, format!("{key} must be given")),
            None => {}
        }
        None
    }

    /// What was `parsed` of a value; notes a fault where that is nothing.
    #[cfg(feature = "server")]
    pub fn parsed<T>(&mut self, at: &str, key: &str, value: &str, expects: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() {
            self.fault(at, format!("{key} is {value}, which is not valid; expected {expects}"));
        }
        parsed
    }

    /// The tables listed at `key` of `table`; none where there is no such key.
    #[cfg(feature = "server")]
    pub fn nested<'t>(&mut self, at: &str, key: &str, table: &'t Table) -> Vec<&'t Table> {
        match table.get(key) {
            None => Vec::new(),
            Some(value) => self.list(&format!("{at}, {key}"), value),
        }
    }

    /// The tables of a list.
    pub fn list<'t>(&mut self, at: &str, value: &'t Value) -> Vec<&'t Table> {
        let tables: Option<Vec<&Table>> =
            value.as_array().and_then(|items| items.iter().map(Value::as_table).collect());
        if tables.is_none() {
            self.fault(at, "must be a list of tables");
        }
        tables.unwrap_or_default()
    }

    /// Notes every key that there is not.
    pub fn check_keys(&mut self, at: &str, table: &Table, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
            let nearest = nearest(key, known.iter().map(|known| (*known).to_owned()));
            let key = format!("{at}, {key}");
            self.faults.push(Fault::Unknown { key, place: Source::File(self.file.to_owned()), nearest });
        }
    }

    /// Notes every name that is there twice.
    pub fn check_names(&mut self, at: &str, what: &str, names: impl Iterator<Item = String>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.clone()) {
                self.fault(at, format!("there are two of {what} {name}"));
            }
        }
    }

    /// Notes what is wrong at a place.
    pub fn fault(&mut self, at: &str, problem: impl Into<String>) {
        let place = Source::File(self.file.to_owned());
        self.faults.push(Fault::Entry { at: at.to_owned(), place, problem: problem.into() });
    }
}

/// What a table is called in faults: by its name where it has one, otherwise by its number.
pub fn label(kind: &str, index: usize, name: Option<&Value>) -> String {
    match name.and_then(Value::as_str) {
        Some(name) => format!("{kind} {}", name.escape_debug()),
        None => format!("{kind} number {}", index + 1),
    }
}
