//! `brim restore`.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::backup::{AFTER_HELP, flag, path};
use super::findings::Findings;
use super::progress::amount;
use super::watch::watched;
use super::{Failure, options};
use crate::report::Unit;
use crate::server::{self, RestoreOptions, Restored};
use crate::telemetry::log;

pub fn command() -> Command {
    Command::new("restore")
        .about("Makes a data directory from a backup")
        .long_about(
            "Makes a data directory from a backup. Objects are verified as they are copied, and so are the\n\
             metadata's files, but for tables that were hard links when the backup was made: of these it\n\
             compares the lengths.\n\n\
             The directory must be empty or not exist. A restore that was cut short is run again, and\n\
             keeps what it has copied; until it is done, `brim server` refuses the directory.\n\n\
             The restored directory is one of its own: it has another id, its change log goes on under\n\
             another id, and positions, runs and buckets get numbers that the original has never given\n\
             out. See docs/backup.md.",
        )
        .after_help(AFTER_HELP)
        .arg(path("BACKUP").required(true).help("The backup"))
        .arg(
            path("master-key")
                .long("master-key")
                .value_name("FILE")
                .help("The original's master.key, where the backup does not hold it"),
        )
        .arg(flag("link", "Make hard links to the backup's files where that is possible; they are not read unless it was made with damage"))
        .arg(flag("accept-damage", "Finish the restore although objects are missing or damaged in the backup"))
        .arg(flag("json", "Print JSON"))
        .args(options::arguments(|flag| flag == "data"))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = options::load(matches)?;
    log::init(config.log.format, "warn")?;
    let mut findings = Findings::new(matches.get_flag("json"));
    let options = RestoreOptions {
        from: matches.get_one::<PathBuf>("BACKUP").cloned().ok_or("no backup")?,
        master_key: matches.get_one::<PathBuf>("master-key").cloned(),
        link: matches.get_flag("link"),
        accept_damage: matches.get_flag("accept-damage"),
    };
    let data = config.process.data.clone();
    let restored = watched(&mut findings, CancellationToken::new(), async move |report| {
        server::restore(&config, &options, &report).await
    })??;
    findings.end(&as_json(&data, &restored), &as_text(&data, &restored))?;
    match restored.placed.damaged {
        0 => Ok(()),
        damaged => Err(Failure::Damage(format!("{damaged} blobs are missing or damaged"))),
    }
}

fn as_json(data: &Path, restored: &Restored) -> Value {
    let placed = restored.placed;
    json!({
        "data": data,
        "backup": { "created": restored.manifest.created, "instance": restored.manifest.instance, "log": restored.manifest.log },
        "instance": restored.instance,
        "log": { "id": restored.line.log.to_string(), "position": restored.line.position },
        "blobs": { "count": placed.count(), "bytes": placed.bytes, "damaged": placed.damaged },
        "linked": placed.linked,
        "copied": placed.copied,
        "kept": placed.kept,
    })
}

fn as_text(data: &Path, restored: &Restored) -> String {
    let placed = restored.placed;
    let mut text = format!(
        "{} is as it was at {}: {} in {} blobs ({} linked, {} copied, {} there already)",
        data.display(),
        restored.manifest.created,
        amount(placed.bytes, Unit::Bytes),
        amount(placed.count(), Unit::Files),
        amount(placed.linked, Unit::Files),
        amount(placed.copied, Unit::Files),
        amount(placed.kept, Unit::Files),
    );
    if !restored.manifest.secrets.credentials {
        text.push_str(
            "\nthe backup does not hold the root key: unless it is configured, the next start makes a new one",
        );
    }
    text
}
