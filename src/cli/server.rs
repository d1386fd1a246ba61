//! `brim server`.

use clap::{ArgMatches, Command};
use tokio::runtime::Builder;

use super::{AFTER_HELP, Failure, options};
use crate::config::ServerConfig;
use crate::server;
use crate::telemetry::log;

/// Threads for what is not a request: signals, operator commands, sweeps. Requests have threads of their own.
const THREADS: usize = 2;

pub fn command() -> Command {
    Command::new("server")
        .about("Serves the S3 API")
        .long_about(
            "Serves the S3 API until SIGTERM or SIGINT; a second signal stops at once.\n\n\
             SIGHUP has the accounts of the configuration file read again.\n\
             Prints one line with its addresses on standard output when it is ready, and logs to standard error.\n\
             Every option can also stand in a TOML file or in the environment: see docs/configuration.md.",
        )
        .after_help(AFTER_HELP)
        .args(options::arguments(|_| true))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let sources = options::sources(matches);
    let config = ServerConfig::load(&sources).map_err(Failure::Configuration)?;
    log::init(config.log.format, &config.log.filter)?;
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("brim").enable_all().build()?;
    Ok(runtime.block_on(server::run(config, sources))?)
}
