//! `brim site config`: the site's options, `.brim/site.toml` in its bucket.

use std::fs::File;
use std::io::{self, Read};

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::failure::{of_client, of_faults};
use super::remote::Site;
use super::shown::show;
use super::source::faults_of;
use super::{AFTER_HELP, target, wait};
use crate::cli::Failure;
use crate::client::{Body, Condition, Put};
use crate::site::deploy::{OPTIONS, file_key};
use crate::site::options::MAX_FILE_BYTES;

pub fn command() -> Command {
    let file = Arg::new("FILE").required(true).help("The options, in TOML; - reads standard input");
    let below = |name: &'static str, about: &'static str| Command::new(name).about(about).after_help(AFTER_HELP);
    Command::new("config")
        .about("Shows and changes the site's options")
        .long_about(
            "Shows and changes the site's options, .brim/site.toml in its bucket. A deploy that has such a file of its own is \
             served by that one.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(below("set", "Checks options and puts them in place of those there").arg(file).args(target::arguments()))
        .subcommand(below("get", "Prints the options that count").args(target::arguments()))
        .subcommand(below("remove", "Removes the options").args(target::arguments()))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().ok_or("no such command")?;
    let json = matches.get_flag("json");
    let site = target::site(matches)?;
    match name {
        "set" => {
            let text = read(matches.get_one::<String>("FILE").ok_or("no file")?)?;
            wait(set(&site, text))?;
            done(&site, json, "set")
        }
        "get" => {
            let (text, of_deploy) = wait(options(&site))?.ok_or("the site has no options")?;
            show(json, &json!({ "options": text, "of_deploy": of_deploy }), &text)
        }
        "remove" => {
            let removing = site.client.delete_object(&site.bucket, OPTIONS, Condition::Always);
            wait(async { removing.await.map_err(of_client) })?;
            done(&site, json, "removed")
        }
        _ => Err(Failure::from("no such command")),
    }
}

fn done(site: &Site, json: bool, what: &str) -> Result<(), Failure> {
    let shadowed = wait(own_options(site))?.is_some();
    let note = if shadowed { "note: the live deploy has options of its own, which count instead\n" } else { "" };
    show(json, &json!({ "done": what, "shadowed": shadowed }), &format!("the options are {what}\n{note}"))
}

async fn set(site: &Site, text: String) -> Result<(), Failure> {
    let faults = faults_of(OPTIONS, &text);
    if !faults.is_empty() {
        return Err(of_faults("the options are not taken", &faults));
    }
    let (condition, body) = (Condition::Always, Body::Bytes(text.into()));
    let put = Put { bucket: &site.bucket, key: OPTIONS, content_type: "application/toml", condition, body };
    site.client.put_object(&put).await.map(drop).map_err(of_client)
}

/// The options that count, and whether they are the live deploy's own.
pub async fn options(site: &Site) -> Result<Option<(String, bool)>, Failure> {
    if let Some(text) = own_options(site).await? {
        return Ok(Some((text, true)));
    }
    Ok(text_at(site, OPTIONS).await?.map(|text| (text, false)))
}

async fn own_options(site: &Site) -> Result<Option<String>, Failure> {
    let Some(live) = site.live().await? else { return Ok(None) };
    let Some(read) = site.manifest(&live.pointer.deploy).await? else { return Ok(None) };
    match read.manifest.files.get(OPTIONS) {
        Some(file) => text_at(site, &file_key(&file.sha256)).await,
        None => Ok(None),
    }
}

async fn text_at(site: &Site, key: &str) -> Result<Option<String>, Failure> {
    let object = site.client.get_object(&site.bucket, key, MAX_FILE_BYTES).await.map_err(of_client)?;
    Ok(object.map(|object| String::from_utf8_lossy(&object.body).into_owned()))
}

/// Reads a file, or standard input where that is `-`.
fn read(file: &str) -> Result<String, Failure> {
    let source: Box<dyn Read> = match file {
        "-" => Box::new(io::stdin()),
        path => Box::new(File::open(path).map_err(|error| format!("{path}: {error}"))?),
    };
    let mut text = String::new();
    source.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text).map_err(|error| format!("{file}: {error}"))?;
    Ok(text)
}
