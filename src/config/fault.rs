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
    /// Something about an entry that is no option, such as an account, or about what stands in it.
    #[error("{at} ({place}): {problem}")]
    Entry { at: String, place: Source, problem: String },
    #[error("{place}: {problem}")]
    File { place: Source, problem: String },
    #[error("{missing} must be given when {given} ({place}) is")]
    Incomplete { missing: &'static str, given: &'static str, place: Source },
    #[error("acme.agree_terms must be true when {given} is given")]
    Terms { given: &'static str },
    #[error("website.tls_listen must be given when website.https_redirect is always")]
    Nowhere,
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
