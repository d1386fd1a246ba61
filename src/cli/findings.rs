//! What a command finds, on standard output: explained for people, or one JSON object per line for programs.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::progress::Meter;
use crate::report::{Finding, Note, Place, Severity};

/// The exit statuses of commands that look for damage, for their help.
pub const AFTER_HELP: &str =
    "Exit status: 0 no damage, 1 failed, 2 wrong command line or configuration, 3 damage was found.";

/// Prints findings as they come, and progress beside them.
pub struct Findings {
    json: bool,
    meter: Meter,
}

impl Findings {
    pub fn new(json: bool) -> Self {
        Self { json, meter: Meter::new(json) }
    }

    /// Shows a note. Fails where standard output does: nobody reads it any more.
    pub fn hear(&mut self, note: Note) -> io::Result<()> {
        match note {
            Note::Progress(progress) => {
                self.meter.show(&progress);
                Ok(())
            }
            Note::Finding(finding) => {
                let text = if self.json { line(&json!({ "finding": finding }))? } else { explained(&finding) };
                self.meter.aside(|| print(&text))
            }
        }
    }

    /// Prints what it came to: `words`, or with `--json` the summary as the last line.
    pub fn end(self, summary: &impl Serialize, words: &str) -> io::Result<()> {
        let text = if self.json { line(&json!({ "summary": summary }))? } else { format!("{words}\n") };
        drop(self.meter);
        print(&text)
    }
}

fn line(value: &serde_json::Value) -> io::Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn explained(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Damage => "damage",
        Severity::Untidy => "untidy",
    };
    let mut text = format!("{severity}: {}{}\n", place(&finding.place), printable(&finding.problem));
    for (name, words) in
        [("means", Some(&finding.meaning)), ("to do", Some(&finding.advice)), ("done", finding.repaired.as_ref())]
    {
        if let Some(words) = words {
            writeln!(text, "  {name:<6} {}", printable(words)).expect("writing to a String does not fail");
        }
    }
    text
}

/// `bucket b, key k, part 3 of upload u: `, as far as it is known.
fn place(place: &Place) -> String {
    let mut words = Vec::new();
    if let Some(bucket) = &place.bucket {
        words.push(format!("bucket {}", printable(bucket)));
    }
    if let Some(key) = &place.key {
        words.push(format!("key {}", printable(key)));
    }
    if let Some(version) = &place.version {
        words.push(format!("version {version}"));
    }
    match (place.part, &place.upload) {
        (Some(part), Some(upload)) => words.push(format!("part {part} of upload {}", printable(upload))),
        (None, Some(upload)) => words.push(format!("upload {}", printable(upload))),
        _ => {}
    }
    if words.is_empty() { String::new() } else { words.join(", ") + ": " }
}

/// The text without anything that a terminal would obey: keys are whatever clients send.
pub fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            kind: "missing_bytes".to_owned(),
            severity: Severity::Damage,
            place: Place {
                bucket: Some("photos".to_owned()),
                key: Some("a\u{1b}[2J\nb".to_owned()),
                part: Some(3),
                upload: Some("u".to_owned()),
                ..Place::default()
            },
            problem: "its bytes are missing".to_owned(),
            meaning: "It cannot be read.".to_owned(),
            advice: "Upload it again.".to_owned(),
            repaired: Some("nothing".to_owned()),
        }
    }

    #[test]
    fn findings_are_explained_and_keys_do_not_reach_the_terminal() {
        let expected = "damage: bucket photos, key a\\u{1b}[2J\\nb, part 3 of upload u: its bytes are missing\n  \
                        means  It cannot be read.\n  to do  Upload it again.\n  done   nothing\n";
        assert_eq!(explained(&finding()), expected);
        let nowhere = Finding { place: Place::default(), repaired: None, ..finding() };
        assert!(explained(&nowhere).starts_with("damage: its bytes are missing\n"));
    }

    #[test]
    fn json_lines_are_lines() {
        let text = line(&json!({ "finding": finding() })).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
    }
}
