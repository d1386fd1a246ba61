//! `brim site`: websites, their deploys and their settings. Works on a bucket over S3, wherever it is.

mod address;
mod check;
mod deploy;
mod deploys;
mod detach;
mod difference;
mod failure;
mod init;
mod password;
mod prune;
mod remote;
mod rollback;
mod settings;
mod shown;
mod source;
mod status;
mod target;
mod upload;

use std::future::Future;

use clap::{ArgMatches, Command};
use tokio::runtime::Builder;

use super::{Failure, domain};

const AFTER_HELP: &str = "The key comes from --profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file that \
    AWS_SHARED_CREDENTIALS_FILE names (~/.aws/credentials otherwise); a server keeps its root key in DIR/credentials.\n\n\
    Exit status: 0 done, 1 failed, 2 wrong command line, or faults in what was given; nothing was touched.";

/// Threads for the work: one hashes or waits for the disk while the other sends.
const THREADS: usize = 2;

pub fn command() -> Command {
    Command::new("site")
        .about("Deploys and manages websites")
        .long_about(
            "Deploys and manages websites. A deploy is published as a whole or not at all, and every one stays reachable \
             under a host of its own; docs/deploying.md tells more.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(init::command())
        .subcommand(deploy::command())
        .subcommand(rollback::command())
        .subcommand(deploys::command())
        .subcommand(prune::command())
        .subcommand(status::command())
        .subcommand(check::command())
        .subcommand(settings::command())
        .subcommand(detach::command())
        .subcommand(password::command())
        .subcommands(domain::commands())
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand().ok_or("no such command")? {
        ("init", matches) => init::run(matches),
        ("deploy", matches) => deploy::run(matches),
        ("rollback", matches) => rollback::run(matches),
        ("deploys", matches) => deploys::run(matches),
        ("prune", matches) => prune::run(matches),
        ("status", matches) => status::run(matches),
        ("check", matches) => check::run(matches),
        ("config", matches) => settings::run(matches),
        ("detach", matches) => detach::run(matches),
        ("password", matches) => password::run(matches),
        (name, matches) => domain::run(name, matches),
    }
}

/// Does `work` to its end.
fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?.block_on(work)
}
