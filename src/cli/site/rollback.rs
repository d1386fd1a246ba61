//! `brim site rollback`: an earlier deploy, or any other one that is stored, becomes the live one.

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::remote::{Live, Moved, Read, Site};
use super::shown::{count, show};
use super::{AFTER_HELP, target, wait};
use crate::cli::Failure;
use crate::cli::findings::printable;
use crate::clock::Clock;
use crate::site::deploy::{DeployId, Manifest};

pub fn command() -> Command {
    let id = |text: &str| text.parse::<DeployId>();
    Command::new("rollback")
        .about("Makes the previous deploy, or another, the live one")
        .long_about(
            "Makes another deploy the live one: the one that was live before where none is named, so that a second rollback \
             takes back the first. Nothing is sent; first it is made sure that the deploy is there with all of its files.",
        )
        .after_help(AFTER_HELP)
        .arg(Arg::new("ID").value_parser(id).help("The deploy, as `brim site deploys` lists it"))
        .args(target::arguments())
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let site = target::site(matches)?;
    let id = wait(roll_back(&site, matches.get_one::<DeployId>("ID").copied(), &Clock::system()))?;
    let (address, preview) = (site.address.of_site(&site.bucket), site.address.of_preview(&id, &site.bucket));
    let words = address.iter().map(|url| format!("site:    {url}\n"));
    let words = format!("{id} is live.\n{}", words.collect::<String>());
    show(matches.get_flag("json"), &json!({ "deploy": id, "site": address, "preview": preview }), &words)
}

/// Moves the pointer to a deploy that is whole; gives which.
async fn roll_back(site: &Site, wanted: Option<DeployId>, clock: &Clock) -> Result<DeployId, Failure> {
    let live = site.live().await?;
    let id = match wanted {
        Some(id) => id,
        None => previous(live.as_ref())?,
    };
    if live.as_ref().is_some_and(|live| live.pointer.deploy == id) {
        return Err(Failure::from(format!("{id} is live already")));
    }
    let read: Option<Read> = site.manifest(&id).await?;
    let read = read
        .ok_or_else(|| Failure::from(format!("{} has no deploy {id}: `brim site deploys` lists them", site.bucket)))?;
    // It counts as new from here on, so that nobody who prunes at this moment takes it for an old one.
    let written = clock.now();
    site.touch_manifest(&read).await?;
    ensure_whole(site, &read.manifest).await?;
    match site.point(live.as_ref(), id, written, clock).await? {
        Moved::Done => Ok(id),
        Moved::Elsewhere(other) => {
            let other = other.map_or_else(|| "none".to_owned(), |id| id.to_string());
            Err(Failure::from(format!(
                "the site was moved to another deploy meanwhile ({other}): look, then try again"
            )))
        }
    }
}

fn previous(live: Option<&Live>) -> Result<DeployId, Failure> {
    let live = live.ok_or("no deploy is live: name the one that is to be")?;
    let previous = live.pointer.previous.first();
    previous.map(|previous| previous.deploy).ok_or_else(|| Failure::from("no deploy was live before this one"))
}

/// Fails where a file of the deploy is not stored, or not with its length.
async fn ensure_whole(site: &Site, manifest: &Manifest) -> Result<(), Failure> {
    let stored = site.files().await?;
    let mut missing = manifest
        .files
        .iter()
        .filter(|(_, file)| stored.get(&file.sha256).is_none_or(|stored| stored.size != file.size));
    let Some((path, _)) = missing.next() else { return Ok(()) };
    let number = count(missing.count() + 1, "file");
    let path = printable(path.as_str());
    Err(Failure::from(format!("{} is not whole: {number} of it are not stored any more, {path} for one", manifest.id)))
}
