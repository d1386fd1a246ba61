//! The command line of `brim-edge`.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, Command, value_parser};
use tokio::runtime::Builder;

use super::config::{EdgeConfig, FILE_VARIABLE, Sources};
use super::start;
use crate::telemetry::log;

/// Exit status: it could not be done; standard error says why.
const FAILED: u8 = 1;
/// Exit status: the command line or the configuration is wrong; nothing was touched.
const USAGE: u8 = 2;

/// Carries out the command that `arguments` (the program's name first) ask for, and gives the exit status.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(message) => {
            let _ = message.print();
            return if message.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let Some(file) = matches.get_one::<PathBuf>("config").cloned() else {
        eprintln!("brim-edge: no configuration: give --config FILE, or {FILE_VARIABLE}");
        return USAGE.into();
    };
    let sources = Sources::of_process(file);
    let config = match EdgeConfig::load(&sources) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("brim-edge: {faults}");
            return USAGE.into();
        }
    };
    let done = match matches.subcommand() {
        Some(("check-config", _)) => check(config),
        _ => serve(config, sources),
    };
    log::flush();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("brim-edge: {}", with_causes(error.as_ref()));
            FAILED.into()
        }
    }
}

fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .env(FILE_VARIABLE)
        .global(true)
        .help("The configuration file, in TOML");
    Command::new("brim-edge")
        .bin_name("brim-edge")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A CDN edge: caches buckets, websites and any HTTP origin")
        .long_about(
            "Serves the sites of its configuration file until SIGTERM or SIGINT; a second signal stops at once.\n\n\
             SIGHUP has the file read again; no connection is dropped for it. Prints one line with its addresses on \
             standard output when it is ready, and logs to standard error. docs/edge-options.md lists every option.",
        )
        .after_help("Exit status: 0 done, 1 failed, 2 wrong command line or configuration.")
        .arg(config)
        .subcommand(
            Command::new("check-config")
                .about("Checks the configuration and the files that it names, and serves nothing"),
        )
}

/// Does what a start does, up to the first socket.
fn check(config: EdgeConfig) -> Result<(), Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let sites = config.sites.len();
    runtime.block_on(start::check(config))?;
    println!("brim-edge: the configuration is valid: {sites} site{}", if sites == 1 { "" } else { "s" });
    Ok(())
}

fn serve(config: EdgeConfig, sources: Sources) -> Result<(), Box<dyn Error>> {
    log::init(config.log_format, &config.log_filter)?;
    let workers = config.process.workers;
    let runtime = Builder::new_multi_thread().worker_threads(workers).thread_name("brim-edge").enable_all().build()?;
    let served = runtime.block_on(start::run(config, sources));
    // What still runs was given its time.
    runtime.shutdown_background();
    Ok(served?)
}

/// The message with its causes, as far as they are not in it already.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}
