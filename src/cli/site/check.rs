//! `brim site check`: whether a folder can be deployed. Nothing is sent.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;

use super::deploy::{dotfiles, named_dotfiles};
use super::shown::{bytes, count, show};
use super::source::{IDLE_RULES, Source};
use super::{target, wait};
use crate::cli::Failure;
use crate::cli::progress::Meter;

pub fn command() -> Command {
    Command::new("check")
        .about("Checks a folder as a deploy would; sends nothing")
        .long_about(
            "Checks whether a folder can be deployed: names, links, sizes, and what is in _redirects, _headers and \
             .brim/site.toml. Every fault is told at once, with its line. Needs no server.",
        )
        .after_help("Exit status: 0 it can be deployed, 1 failed, 2 wrong command line, or the folder has faults.")
        .arg(Arg::new("DIR").required(true).value_parser(value_parser!(PathBuf)).help("The folder to check"))
        .arg(dotfiles())
        .arg(target::json())
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let directory = matches.get_one::<PathBuf>("DIR").ok_or("no folder")?;
    let json = matches.get_flag("json");
    let mut meter = Meter::new(json);
    let source = wait(Source::read(directory, &named_dotfiles(matches), &mut meter))?;
    drop(meter);
    let note = source.has_idle_rules().then_some(IDLE_RULES);
    let mut words = format!("{}, {}: nothing is wrong.\n", count(source.files.len(), "file"), bytes(source.size()));
    if let Some(note) = note {
        words.push_str(&format!("note: {note}\n"));
    }
    let document =
        json!({ "files": source.files.len(), "bytes": source.size(), "left_out": source.left_out, "notes": note });
    show(json, &document, &words)
}
