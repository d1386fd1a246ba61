//! What is wrong with a configuration: every fault, each with its place, what stands there and what is expected.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Default,
    File(PathBuf),
    /// The variable's name.
    Environment(String),
    /// The flag, without dashes.
    Flag(&'static str),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("{key} ({place}): {value} is not valid; expected {expected}")]
    Value { key: &'static str, place: Source, value: String, expected: &'static str },
    #[error("{key} ({place}): there is no such option{}", suggestion(.nearest))]
    Unknown { key: String, place: Source, nearest: Option<String> },
    /// Something about an account, or about what stands in it.
    #[error("{at} ({place}): {problem}")]
    Account { at: String, place: Source, problem: String },
    #[error("{place}: {problem}")]
    File { place: Source, problem: String },
    #[error("{missing} must be given when {given} ({place}) is")]
    Incomplete { missing: &'static str, given: &'static str, place: Source },
    #[error("acme.agree_terms must be true when {given} is given")]
    Terms { given: &'static str },
    #[error("{key}: there is no certificate: give [[certificate]] or acme.domains")]
    NoCertificate { key: &'static str },
    #[error("{first} ({first_place}) and {second} ({second_place}): both are {value}")]
    SameAddress { first: &'static str, first_place: Source, second: &'static str, second_place: Source, value: String },
}

/// All that is wrong with a configuration; at least one fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 fault in the configuration")?,
            count => write!(f, "{count} faults in the configuration")?,
        }
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// Gives the candidate that differs from `word` in the fewest places, if it is close enough to be a slip.
pub(super) fn nearest(word: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let most = word.chars().count() / 4 + 1;
    let scored = candidates.map(|candidate| (distance(word, &candidate), candidate));
    scored.filter(|(distance, _)| *distance <= most).min().map(|(_, candidate)| candidate)
}

/// The longest word that a suggestion is searched for, in bytes; the search takes quadratic time.
const MAX_WORD_BYTES: usize = 128;

/// The Levenshtein distance: how many letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > MAX_WORD_BYTES {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = || ["s3.listen", "s3.region", "limits.keep_alive"].map(str::to_owned).into_iter();
        assert_eq!(nearest("s3.listne", known()).as_deref(), Some("s3.listen"));
        assert_eq!(nearest("limits.keepalive", known()).as_deref(), Some("limits.keep_alive"));
        assert_eq!(nearest("colour", known()), None);
        assert_eq!(nearest(&"x".repeat(100_000), known()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
