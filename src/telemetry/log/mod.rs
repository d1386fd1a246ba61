//! The log: lines on standard error, as text or as JSON.

mod lines;

use std::io::{self, IsTerminal, Stderr};
use std::sync::{Arc, OnceLock};

use tracing_subscriber::EnvFilter;

use self::lines::{Lines, Shared};

/// The lines of this process.
static LINES: OnceLock<Arc<Lines<Stderr>>> = OnceLock::new();

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the log filter is not valid")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("no thread for the log")]
    Thread(#[source] io::Error),
    #[error("the log was set up already")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends everything that `filter` lets through to standard error: warnings and errors at once, the rest within
/// milliseconds. To be called once per process, which has to [`flush`] before it ends.
pub fn init(format: Format, filter: &str) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(filter)?;
    let lines = Lines::to(io::stderr()).map_err(Error::Thread)?;
    let _ = LINES.set(Arc::clone(&lines));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Shared(lines));
    let done = match format {
        Format::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    done.map_err(Error::Twice)
}

/// Writes the lines that wait.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}
