//! What the benchmark is told: rows by argument, the rest by environment.

use std::path::PathBuf;
use std::time::Duration;

pub struct Options {
    /// How long each server is measured in each round.
    pub measured: Duration,
    pub rounds: usize,
    pub nginx: Option<PathBuf>,
    pub varnish: Option<PathBuf>,
    pub edge: PathBuf,
    pub brim: PathBuf,
    rows: Vec<String>,
}

impl Options {
    pub fn read() -> Self {
        Self {
            measured: Duration::from_secs(number("EDGE_SECONDS", 3)),
            rounds: number("EDGE_ROUNDS", 5).max(1) as usize,
            nginx: program("LOAD_NGINX", "nginx"),
            varnish: program("LOAD_VARNISH", "varnishd"),
            edge: std::env::var_os("LOAD_EDGE").map_or_else(|| env!("CARGO_BIN_EXE_brim-edge").into(), PathBuf::from),
            brim: std::env::var_os("LOAD_BRIM").map_or_else(|| env!("CARGO_BIN_EXE_brim").into(), PathBuf::from),
            // Cargo itself passes `--bench`.
            rows: std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect(),
        }
    }

    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|part| row.contains(part.as_str()))
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

fn program(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into()).filter(|path: &PathBuf| !path.as_os_str().is_empty());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}
