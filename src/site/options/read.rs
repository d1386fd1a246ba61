//! From the text to the options: every key is looked up in the table, and every fault is told with its line.

use toml::de::DeTable;

use super::rows::OPTIONS;
use super::{MAX_FILE_BYTES, Options};
use crate::site::caching::is_private;
use crate::site::fault::{Fault, Faults};
use crate::spelling::nearest;

/// The longest part of a key that a fault repeats, in characters.
const MAX_SHOWN: usize = 64;

pub(super) fn read(text: &str) -> Result<Options, Vec<Fault>> {
    let mut faults = Faults::default();
    let mut options = Options::default();
    if text.len() > MAX_FILE_BYTES {
        faults.push(0, format!("the file has more than {MAX_FILE_BYTES} bytes"));
        return faults.or(options);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        faults.push(error.span().map_or(0, |span| line_of(text, span.start)), error.message());
    }
    // What the parser makes of a broken text would only give faults that follow from the first.
    if errors.is_empty() {
        read_table(text, table.get_ref(), &mut options, &mut faults);
    }
    faults.or(options)
}

fn read_table(text: &str, table: &DeTable<'_>, options: &mut Options, faults: &mut Faults) {
    let line = |at: usize| line_of(text, at);
    for (key, value) in table {
        let Some(row) = OPTIONS.iter().find(|row| row.key == key.get_ref()) else {
            faults.push(line(key.span().start), unknown(key.get_ref()));
            continue;
        };
        if let Err(problem) = row.read(options, value.get_ref()) {
            faults.push(line(key.span().start), problem);
        }
    }
    let public = options.cache_control.as_ref().is_some_and(|value| !is_private(value));
    if public && options.password.is_some() {
        let at =
            table.iter().find(|(key, _)| key.get_ref() == "cache_control").map_or(0, |(key, _)| line(key.span().start));
        faults.push(at, "cache_control: a site with a password says `private` or `no-store`");
    }
}

fn unknown(key: &str) -> String {
    let shown: String = key.chars().take(MAX_SHOWN).collect();
    let known = OPTIONS.iter().map(|row| row.key.to_owned());
    match nearest(key, known) {
        Some(nearest) => format!("there is no option `{shown}`; did you mean `{nearest}`?"),
        None => format!("there is no option `{shown}`"),
    }
}

/// Counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
