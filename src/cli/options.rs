//! Options of the configuration as flags.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, value_parser};

use super::Failure;
use crate::config::{Row, ServerConfig, Sources, rows};
use crate::names::AccountId;

/// `--config`, and the flags of the options whose flag is wanted.
pub fn arguments(wanted: fn(&str) -> bool) -> Vec<Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .global(true)
        .help("The configuration file, in TOML [env: BRIM_CONFIG]");
    let flags = rows().filter_map(|row| row.flag.filter(|flag| wanted(flag)).map(|flag| argument(row, flag)));
    std::iter::once(config).chain(flags).collect()
}

/// `--account`, of commands that work with identities.
pub fn account() -> Arg {
    Arg::new("account")
        .long("account")
        .value_name("ID")
        .value_parser(value_parser!(AccountId))
        .help("The account, by its 12 digits; the default account where none is named")
}

/// Gives the configuration from the flags in `matches`, the environment, and the file that either names.
pub fn load(matches: &ArgMatches) -> Result<ServerConfig, Failure> {
    ServerConfig::load(&sources(matches)).map_err(Failure::Configuration)
}

/// Gives where the configuration comes from: the flags in `matches`, the environment, and the file that either names.
pub fn sources(matches: &ArgMatches) -> Sources {
    let mut sources = Sources {
        environment: std::env::vars_os().collect(),
        file: matches.get_one::<PathBuf>("config").cloned(),
        ..Sources::default()
    };
    for flag in rows().filter_map(|row| row.flag) {
        if let Ok(Some(value)) = matches.try_get_one::<String>(flag) {
            sources.flags.insert(flag, value.clone());
        }
    }
    sources
}

fn argument(row: &Row, flag: &'static str) -> Arg {
    let value = if flag.ends_with("listen") { "ADDR" } else { "DIR" };
    let help = format!("{} [env: {}] [default: {}]", row.doc.trim(), row.environment(), row.default);
    Arg::new(flag).long(flag).value_name(value).global(true).help(help)
}
