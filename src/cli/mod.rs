//! The command line of `brim`.

mod backup;
mod doctor;
mod domain;
mod edge;
mod execute;
mod findings;
mod fsck;
mod key;
mod options;
mod policy;
mod progress;
mod restore;
mod scrub;
mod server;
mod site;
mod user;
mod watch;
mod webhook;

use std::error::Error;
use std::ffi::OsString;
use std::fmt;

use clap::Command;

use crate::config::Faults;

/// Exit status: what was asked for is done.
const DONE: u8 = 0;
/// Exit status: it could not be done; standard error says why.
const FAILED: u8 = 1;
/// Exit status: the command line or the configuration is wrong; nothing was touched.
const USAGE: u8 = 2;
/// Exit status: what was asked for is done, and it found damage.
const DAMAGE: u8 = 3;
/// Exit status: what was asked about would be denied.
const DENIED: u8 = 4;

const AFTER_HELP: &str = "Exit status: 0 done, 1 failed, 2 wrong command line or configuration.";

/// Why a command was not carried out.
#[derive(Debug)]
enum Failure {
    Configuration(Faults),
    Failed(Box<dyn Error>),
    /// What was given has faults; nothing was touched.
    Refused(String),
    /// The command is done, and this is what it found.
    Damage(String),
    /// The answer, which is told already, is no.
    Denied,
}

/// Carries out the command that `arguments` (the program's name first) ask for, and gives the exit status.
pub fn main(arguments: impl Iterator<Item = OsString>) -> u8 {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(message) => {
            let _ = message.print();
            return if message.use_stderr() { USAGE } else { DONE };
        }
    };
    let done = match matches.subcommand() {
        Some(("server", matches)) => server::run(matches),
        Some(("doctor", matches)) => doctor::run(matches),
        Some(("edge", matches)) => edge::run(matches),
        Some(("fsck", matches)) => fsck::run(matches),
        Some(("key", matches)) => key::run(matches),
        Some(("policy", matches)) => policy::run(matches),
        Some(("purge", matches)) => edge::run_purge(matches),
        Some(("backup", matches)) => backup::run(matches),
        Some(("restore", matches)) => restore::run(matches),
        Some(("scrub", matches)) => scrub::run(matches),
        Some(("site", matches)) => site::run(matches),
        Some(("user", matches)) => user::run(matches),
        Some(("webhook", matches)) => webhook::run(matches),
        // clap lets nothing else through; should it ever, nothing is done and it is said so.
        _ => Err(Failure::from("no such command")),
    };
    match done {
        Ok(()) => DONE,
        Err(Failure::Denied) => DENIED,
        Err(failure) => {
            eprintln!("brim: {failure}");
            failure.status()
        }
    }
}

fn command() -> Command {
    Command::new("brim")
        .bin_name("brim")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An S3-compatible object store")
        .after_help(
            "Exit status: 0 done, 1 failed, 2 wrong command line or configuration, 3 done, and damage was found, \
             4 what was asked about would be denied.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(server::command())
        .subcommand(doctor::command())
        .subcommand(edge::command())
        .subcommand(fsck::command())
        .subcommand(key::command())
        .subcommand(policy::command())
        .subcommand(edge::purge_command())
        .subcommand(backup::command())
        .subcommand(restore::command())
        .subcommand(scrub::command())
        .subcommand(site::command())
        .subcommand(user::command())
        .subcommand(webhook::command())
}

impl Failure {
    fn status(&self) -> u8 {
        match self {
            Self::Configuration(_) | Self::Refused(_) => USAGE,
            Self::Failed(_) => FAILED,
            Self::Damage(_) => DAMAGE,
            Self::Denied => DENIED,
        }
    }
}

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(faults) => faults.fmt(f),
            Self::Refused(message) | Self::Damage(message) => f.write_str(message),
            Self::Denied => f.write_str("it would be denied"),
            Self::Failed(error) => {
                write!(f, "{error}")?;
                // Causes that the message names already are not said twice.
                let mut said = error.to_string();
                let mut cause = error.source();
                while let Some(error) = cause {
                    let text = error.to_string();
                    if !said.contains(&text) {
                        write!(f, ": {text}")?;
                        said.push_str(&text);
                    }
                    cause = error.source();
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn wrong_usage_and_help_have_their_statuses() {
        let status = |arguments: &[&str]| {
            command().try_get_matches_from(arguments).map(drop).map_err(|message| message.use_stderr())
        };
        assert_eq!(status(&["brim", "server", "--edge-listen", "127.0.0.1:9070"]), Err(true));
        assert_eq!(status(&["brim", "key", "disable"]), Err(true));
        assert_eq!(status(&["brim", "--help"]), Err(false));
        assert_eq!(status(&["brim", "server", "--data", "d", "--listen", "127.0.0.1:0"]), Ok(()));
        assert_eq!(status(&["brim", "key", "list", "--data", "d", "--json"]), Ok(()));
        assert_eq!(status(&["brim", "fsck", "--data", "d", "--repair", "--json"]), Ok(()));
        assert_eq!(status(&["brim", "scrub", "--rate", "50MiB", "--restart"]), Ok(()));
        assert_eq!(status(&["brim", "scrub", "--rate", "fast"]), Err(true));
        assert_eq!(status(&["brim", "key", "create", "--user", "bob", "--account", "123456789012"]), Ok(()));
        assert_eq!(status(&["brim", "key", "create", "--account", "12"]), Err(true));
        assert_eq!(status(&["brim", "user", "policy", "put", "bob", "uploads", "policy.json", "--data", "d"]), Ok(()));
        assert_eq!(status(&["brim", "user", "policy"]), Err(true));
        assert_eq!(status(&["brim", "site", "add", "WWW.example.com", "--bucket", "pail", "--data", "d"]), Ok(()));
        assert_eq!(status(&["brim", "site", "add", "10.0.0.1", "--bucket", "pail"]), Err(true));
        assert_eq!(status(&["brim", "site", "remove", "www.example.com", "--bucket", "pail"]), Err(true));
    }
}
