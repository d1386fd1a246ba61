//! What commands print: words for people, one JSON document for programs.

use std::io::{self, Write};

use serde_json::Value;

use crate::cli::Failure;
use crate::cli::progress::amount;
use crate::report::Unit;

/// Prints the words, or with `--json` the document.
pub fn show(json: bool, document: &Value, words: &str) -> Result<(), Failure> {
    let text = if json { format!("{document:#}\n") } else { words.to_owned() };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// `1 file`, `2 files`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", amount(number as u64, Unit::Files)) }
}

/// A number of bytes for people.
pub fn bytes(number: u64) -> String {
    amount(number, Unit::Bytes)
}
