//! `brim backup`: works here, on the files; a running server only holds still what is copied.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::findings::Findings;
use super::progress::amount;
use super::watch::watched;
use super::{Failure, options};
use crate::backup::{Manifest, Placed, Secrets};
use crate::report::Unit;
use crate::server::{self, BackupOptions};
use crate::telemetry::log;

/// The exit statuses of both commands, for their help.
pub const AFTER_HELP: &str = "Exit status: 0 done, 1 failed, 2 wrong command line or configuration, 3 done, with damage \
                              that was accepted.";

pub fn command() -> Command {
    Command::new("backup")
        .about("Copies the data directory, while the server runs or not")
        .long_about(
            "Copies the data directory to DEST, consistently, while the server runs or not.\n\n\
             DEST must be empty or not exist; it becomes one whole backup, for `brim restore`.\n\n\
             On the file system of the data directory, large objects and tables of the metadata are hard\n\
             links: that is quick and takes no room, but the two share their bytes. What the disk does to\n\
             one of them it does to the other. --copy makes files of their own. A backup on the same disk\n\
             does not outlive the disk: copy it elsewhere, too.\n\n\
             What is deleted while a backup is made keeps its room until the backup is done. A backup that\n\
             ended early has no brim-backup.json, and `brim restore` refuses it. See docs/backup.md.",
        )
        .after_help(AFTER_HELP)
        .arg(path("DEST").required(true).help("The directory that becomes the backup"))
        .arg(flag("copy", "Copy everything, even where it could be a hard link to the data directory's file"))
        .arg(
            path("base")
                .long("base")
                .value_name("BACKUP")
                .help("An older backup on DEST's file system: objects that are in it are linked instead of copied"),
        )
        .arg(flag("with-master-key", "Put master.key into the backup: who has the backup then has every secret"))
        .arg(flag("with-credentials", "Put the root key's file into the backup, where there is one"))
        .arg(flag("accept-damage", "Finish the backup although objects are missing or damaged already"))
        .arg(flag("json", "Print JSON"))
        .args(options::arguments(|flag| flag == "data"))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = options::load(matches)?;
    log::init(config.log.format, "warn")?;
    let to = matches.get_one::<PathBuf>("DEST").cloned().ok_or("no destination")?;
    let mut findings = Findings::new(matches.get_flag("json"));
    let options = BackupOptions {
        to,
        base: matches.get_one::<PathBuf>("base").cloned(),
        copy: matches.get_flag("copy"),
        secrets: Secrets {
            master_key: matches.get_flag("with-master-key"),
            credentials: matches.get_flag("with-credentials"),
        },
        accept_damage: matches.get_flag("accept-damage"),
    };
    let stop = CancellationToken::new();
    let (manifest, placed) = watched(&mut findings, stop.clone(), {
        let options = options.clone();
        async move |report| server::back_up(&config, &options, &report, stop).await
    })??;
    findings.end(&as_json(&options, &manifest, placed), &as_text(&options, &manifest, placed))?;
    match manifest.blobs.damaged {
        0 => Ok(()),
        damaged => Err(Failure::Damage(format!("{damaged} blobs are missing or damaged"))),
    }
}

pub fn path(name: &'static str) -> Arg {
    Arg::new(name).value_parser(value_parser!(PathBuf))
}

pub fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn as_json(options: &BackupOptions, manifest: &Manifest, placed: Placed) -> Value {
    json!({
        "backup": options.to,
        "created": manifest.created,
        "instance": manifest.instance,
        "log": manifest.log,
        "secrets": manifest.secrets,
        "blobs": manifest.blobs,
        "linked": placed.linked,
        "copied": placed.copied,
    })
}

fn as_text(options: &BackupOptions, manifest: &Manifest, placed: Placed) -> String {
    let metadata = manifest.kv.iter().map(|file| file.bytes).sum();
    let mut text = format!(
        "{} is a backup of {}: {} of metadata, {} in {} blobs ({} linked, {} copied)",
        options.to.display(),
        manifest.created,
        amount(metadata, Unit::Bytes),
        amount(manifest.blobs.bytes, Unit::Bytes),
        amount(manifest.blobs.count, Unit::Files),
        amount(placed.linked, Unit::Files),
        amount(placed.copied, Unit::Files),
    );
    if !manifest.secrets.master_key {
        text.push_str("\nit does not hold master.key: keep a copy of that file, no restore works without it");
    }
    text
}
