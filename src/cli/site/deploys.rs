//! `brim site deploys`: what can be rolled back to.

use clap::{Arg, ArgMatches, Command, value_parser};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::remote::{Live, Site};
use super::shown::{bytes, show};
use super::{AFTER_HELP, target, wait};
use crate::cli::Failure;
use crate::cli::findings::printable;
use crate::clock::Timestamp;
use crate::site::deploy::{DeployId, Manifest};

/// How many manifests are read at a time: each may have 64 MiB.
pub const READ_AT_ONCE: usize = 4;

pub fn command() -> Command {
    let limit = Arg::new("limit").long("limit").value_name("N").default_value("20");
    let limit = limit.value_parser(value_parser!(u32).range(1..)).help("The most deploys to list");
    Command::new("deploys")
        .about("Lists the deploys that are stored, the newest first")
        .after_help(AFTER_HELP)
        .args(target::arguments())
        .arg(limit)
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let site = target::site(matches)?;
    let limit = *matches.get_one::<u32>("limit").ok_or("no limit")? as usize;
    let (live, deploys, all) = wait(async {
        let live = site.live().await?;
        let (deploys, all) = newest(&site, limit).await?;
        Ok((live, deploys, all))
    })?;
    let document = deploys.iter().map(|deploy| deploy.as_json(&site, live.as_ref())).collect::<Value>();
    show(matches.get_flag("json"), &document, &as_text(&deploys, live.as_ref(), all))
}

/// A deploy, without its files.
pub struct Deploy {
    pub id: DeployId,
    pub created: Timestamp,
    pub message: String,
    pub files: usize,
    pub bytes: u64,
}

/// The deploys whose manifests were written last, at most `limit`, and how many there are.
pub async fn newest(site: &Site, limit: usize) -> Result<(Vec<Deploy>, usize), Failure> {
    let manifests = site.manifests().await?;
    let reading = stream::iter(manifests.iter().take(limit)).map(|(id, _)| async move { site.manifest(id).await });
    let read: Vec<_> =
        reading.buffered(READ_AT_ONCE).map_ok(|read| read.map(|read| Deploy::of(&read.manifest))).try_collect().await?;
    // One that is gone was pruned meanwhile.
    Ok((read.into_iter().flatten().collect(), manifests.len()))
}

impl Deploy {
    fn of(manifest: &Manifest) -> Self {
        let Manifest { id, created, message, files, .. } = manifest;
        Self { id: *id, created: *created, message: message.clone(), files: files.len(), bytes: manifest.size() }
    }

    fn state(&self, live: Option<&Live>) -> &'static str {
        match live {
            Some(live) if live.pointer.deploy == self.id => "live",
            Some(live) if live.pointer.previous.iter().any(|previous| previous.deploy == self.id) => "before",
            _ => "",
        }
    }

    fn as_json(&self, site: &Site, live: Option<&Live>) -> Value {
        json!({
            "deploy": self.id,
            "created": self.created.to_string(),
            "message": self.message,
            "files": self.files,
            "bytes": self.bytes,
            "live": self.state(live) == "live",
            "preview": site.address.of_preview(&self.id, &site.bucket),
        })
    }
}

fn as_text(deploys: &[Deploy], live: Option<&Live>, all: usize) -> String {
    let mut text =
        format!("{:<10}  {:<6}  {:<24}  {:>7}  {:>12}  MESSAGE\n", "DEPLOY", "STATE", "CREATED", "FILES", "SIZE");
    for deploy in deploys {
        let (id, created, message) = (deploy.id, deploy.created.to_string(), printable(&deploy.message));
        let (state, files, size) = (deploy.state(live), deploy.files, bytes(deploy.bytes));
        text.push_str(&format!("{id}  {state:<6}  {created:<24}  {files:>7}  {size:>12}  {message}\n"));
    }
    if all > deploys.len() {
        text.push_str(&format!("{} of {all}; --limit shows more\n", deploys.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::deploy::Pointer;

    #[test]
    fn lists_say_which_is_live_and_hide_nothing_in_messages() {
        let id = |number| DeployId::from_random([number; 10]);
        let pointer = Pointer::first(id(0), Timestamp::from_seconds(0)).moved(id(1), Timestamp::from_seconds(1));
        let live = Live { pointer, etag: String::new() };
        let deploy = |number, message: &str| Deploy {
            id: id(number),
            created: Timestamp::from_seconds(0),
            message: message.into(),
            files: 3,
            bytes: 2048,
        };
        let text = as_text(&[deploy(2, ""), deploy(1, "new\u{1b}[2J"), deploy(0, "")], Some(&live), 5);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[1], "cccccccccc          1970-01-01T00:00:00.000Z        3      2.00 KiB");
        assert_eq!(lines[2], "bbbbbbbbbb  live    1970-01-01T00:00:00.000Z        3      2.00 KiB  new\\u{1b}[2J");
        assert_eq!(lines[3], "aaaaaaaaaa  before  1970-01-01T00:00:00.000Z        3      2.00 KiB");
        assert_eq!(lines[4], "3 of 5; --limit shows more");
    }
}
