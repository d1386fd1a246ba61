//! What is wrong with a site's rules: every fault at once, each with its line and what to do about it.

use std::fmt;

/// The most faults that are told of one file.
pub const MAX_FAULTS: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Counted from 1; 0 where it is about the whole file.
    pub line: usize,
    pub message: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Fault {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}: {}", self.message),
        }
    }
}

impl Faults {
    pub(super) fn push(&mut self, line: usize, message: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Fault::new(line, message));
        }
    }

    /// Whether no more faults are told: what follows need not be read.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_FAULTS
    }

    /// What was made, if nothing was wrong; otherwise everything that was, by line.
    pub(super) fn or<T>(mut self, made: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() {
            return Ok(made);
        }
        self.0.sort();
        Err(self.0)
    }
}
