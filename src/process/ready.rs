//! The one line that says that a server is ready, and where.

use std::fmt::Write;
use std::io::{self, Write as _};

/// What the ready line names, in this order: `name=value` each.
pub struct ReadyLine(String);

impl ReadyLine {
    /// The line of the binary called `binary`.
    pub fn of(binary: &str) -> Self {
        Self(format!("{binary}: ready "))
    }

    /// Adds `name=value`; a value with white space is quoted.
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        let written = if value.contains(char::is_whitespace) {
            write!(self.0, " {name}={value:?}")
        } else {
            write!(self.0, " {name}={value}")
        };
        written.expect("writing to a String does not fail");
        self
    }

    /// Prints the line on standard output. That nobody reads it is no reason not to serve.
    pub fn print(self) {
        let mut out = io::stdout().lock();
        let printed = writeln!(out, "{}", self.0).and_then(|()| out.flush());
        if let Err(error) = printed {
            tracing::warn!(%error, "the ready line was not printed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_every_address() {
        let line = ReadyLine::of("brim").with("admin", "http://127.0.0.1:9090").with("data", "./my data");
        assert_eq!(line.0, "brim: ready  admin=http://127.0.0.1:9090 data=\"./my data\"");
    }
}
