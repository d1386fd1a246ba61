//! Reads tables of the file by their declaration: every value is looked up by a declared key, and falls back to the default
//! that the declaration (and with it the documentation) names. Every fault is noted with its place; nothing stops at the first.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::rows::Row;
use crate::config::{Fault, Source};
use crate::spelling::nearest;

/// What is found out while a file is read.
pub struct Notes {
    file: PathBuf,
    faults: RefCell<Vec<Fault>>,
    /// The options that the environment gave, by dotted key, with their variables.
    overlaid: BTreeMap<String, String>,
}

/// One table of the file.
#[derive(Clone, Copy)]
pub struct Fields<'t> {
    notes: &'t Notes,
    table: &'t Table,
    /// Where a key is looked for that this table lacks: a site, for its behaviours.
    fallback: Option<&'t Table>,
    rows: &'static [Row],
    at: &'t str,
}

impl Notes {
    pub fn new(file: PathBuf, overlaid: BTreeMap<String, String>, faults: Vec<Fault>) -> Self {
        Self { file, faults: RefCell::new(faults), overlaid }
    }

    /// The faults so far; none are kept.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }

    /// Has `read` note faults of its own.
    pub fn with_faults<T>(&self, read: impl FnOnce(&Path, &mut Vec<Fault>) -> T) -> T {
        read(&self.file, &mut self.faults.borrow_mut())
    }

    /// Notes what is wrong at a place of the file.
    pub fn fault(&self, at: &str, problem: impl Into<String>) {
        let place = match self.overlaid.get(at) {
            Some(variable) => Source::Environment(variable.clone()),
            None => Source::File(self.file.clone()),
        };
        self.faults.borrow_mut().push(Fault::Entry { at: at.to_owned(), place, problem: problem.into() });
    }

    fn unknown(&self, at: String, nearest: Option<String>) {
        let place = Source::File(self.file.clone());
        self.faults.borrow_mut().push(Fault::Unknown { key: at, place, nearest });
    }
}

impl<'t> Fields<'t> {
    /// The table that faults call `at`, with the keys that `rows` declare.
    pub fn of(notes: &'t Notes, at: &'t str, table: &'t Table, rows: &'static [Row]) -> Self {
        Self { notes, table, fallback: None, rows, at }
    }

    /// The same, but what this table lacks is looked for in `fallback`.
    pub fn over(self, fallback: &'t Table) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    pub fn notes(&self) -> &'t Notes {
        self.notes
    }

    pub fn table(&self) -> &'t Table {
        self.table
    }

    /// The same table by another declaration, as a site is read as its own last behaviour.
    pub fn declared_by(self, rows: &'static [Row]) -> Self {
        Self { rows, ..self }
    }

    /// What stands at `key`.
    pub fn value(&self, key: &str) -> Option<&'t Value> {
        debug_assert!(self.rows.iter().any(|row| row.key == key), "{key} is declared nowhere");
        self.table.get(key).or_else(|| self.fallback?.get(key))
    }

    /// Whether something stands at `key`, the default aside.
    pub fn is_given(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The value at `key`, or its default, as `parse` reads it. `None` without either, and after noting a fault.
    pub fn read<T>(&self, key: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let row = self.row(key)?;
        let text = match self.value(key) {
            Some(value) => match text_of(value) {
                Some(text) => text,
                None => return self.refuse(row, value.to_string()),
            },
            None if row.default.is_empty() => return None,
            None => row.default.to_owned(),
        };
        let parsed = parse(&text);
        if parsed.is_none() {
            return self.refuse(row, format!("{text:?}"));
        }
        parsed
    }

    /// As [`Fields::read`], but notes a fault where there is neither a value nor a default.
    pub fn need<T>(&self, key: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if !self.is_given(key) && self.row(key)?.default.is_empty() {
            self.fault(format!("{key} must be given: {}", self.row(key)?.expects));
            return None;
        }
        self.read(key, parse)
    }

    /// The list at `key`, each item as `parse` reads it. One text is a list of its items between commas.
    pub fn list<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let Some(row) = self.row(key) else { return Vec::new() };
        let texts: Option<Vec<String>> = match self.value(key) {
            None => Some(items(row.default)),
            Some(Value::Array(values)) => values.iter().map(text_of).collect(),
            Some(Value::String(text)) => Some(items(text)),
            Some(_) => None,
        };
        let Some(texts) = texts else {
            self.refuse::<()>(row, self.value(key).map(Value::to_string).unwrap_or_default());
            return Vec::new();
        };
        let mut parsed = Vec::with_capacity(texts.len());
        for text in texts {
            match parse(&text) {
                Some(item) => parsed.push(item),
                None => drop(self.refuse::<()>(row, format!("{text:?}"))),
            }
        }
        parsed
    }

    /// The table at `key`.
    pub fn inner(&self, key: &str) -> Option<&'t Table> {
        match self.value(key)? {
            Value::Table(table) => Some(table),
            _ => {
                self.fault(format!("{key} must be a table"));
                None
            }
        }
    }

    /// The tables listed at `key`; none where there is no such key.
    pub fn tables(&self, key: &str) -> Vec<&'t Table> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let tables: Option<Vec<&Table>> =
            value.as_array().and_then(|items| items.iter().map(Value::as_table).collect());
        if tables.is_none() {
            self.fault(format!("{key} must be a list of tables"));
        }
        tables.unwrap_or_default()
    }

    /// Every key of the table at `key` with its text, for tables whose keys the operator chooses.
    pub fn map(&self, key: &str) -> Vec<(&'t str, String)> {
        let Some(table) = self.inner(key) else { return Vec::new() };
        let mut pairs = Vec::with_capacity(table.len());
        for (name, value) in table {
            match text_of(value) {
                Some(text) => pairs.push((name.as_str(), text)),
                None => self.fault(format!("{key}, {name} must be a text or a number")),
            }
        }
        pairs
    }

    /// A path, which starts where the file is if it is not absolute.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let path = self.read(key, |text| (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text)))?;
        Some(self.notes.file.parent().unwrap_or(Path::new("")).join(path))
    }

    /// Notes every key that no declaration in `declared` has.
    pub fn check_keys(&self, declared: &[&'static [Row]]) {
        let known = || declared.iter().flat_map(|rows| rows.iter()).map(|row| row.key);
        for key in self.table.keys().filter(|key| !known().any(|known| known == key.as_str())) {
            self.notes.unknown(self.called(key), nearest(key, known().map(str::to_owned)));
        }
    }

    /// Notes a fault of this table.
    pub fn fault(&self, problem: impl Into<String>) {
        self.notes.fault(if self.at.is_empty() { "the file" } else { self.at }, problem);
    }

    fn row(&self, key: &str) -> Option<&'static Row> {
        self.rows.iter().find(|row| row.key == key)
    }

    fn refuse<T>(&self, row: &Row, value: String) -> Option<T> {
        let value = if row.secret { "the value".to_owned() } else { value };
        self.notes.fault(&self.called(row.key), format!("{value} is not valid; expected {}", row.expects));
        None
    }

    /// A key as faults name it: with a dot below a section, with a comma below a table that is one of several.
    fn called(&self, key: &str) -> String {
        match self.at {
            "" => key.to_owned(),
            at if at.contains(' ') => format!("{at}, {key}"),
            at => format!("{at}.{key}"),
        }
    }
}

/// Replaces every text that is `${NAME}` by what `lookup` knows of the variable; gives the names that it does not know.
pub fn interpolate(value: &mut Value, lookup: &impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    match value {
        Value::String(text) => {
            let Some(name) = variable_in(text) else { return missing };
            match lookup(name) {
                Some(found) => *text = found,
                None => drop(missing.insert(name.to_owned())),
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| missing.append(&mut interpolate(item, lookup))),
        Value::Table(table) => {
            table.iter_mut().for_each(|(_, inner)| missing.append(&mut interpolate(inner, lookup)));
        }
        _ => {}
    }
    missing
}

/// The name in a text that is `${NAME}` and nothing else.
fn variable_in(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then_some(name)
}

/// A scalar as it would be written in the environment.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(on) => Some(on.to_string()),
        _ => None,
    }
}

fn items(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}
