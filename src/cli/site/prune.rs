//! `brim site prune`: removes old deploys, and the files that no deploy names any more.
//!
//! Others may deploy and roll back at the same time. The order is what keeps them safe, together with two ages and with
//! deletions that only count where the object is still the one that was listed. See
//! `docs/decisions/0028-deploys-are-manifests-and-a-pointer.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::deploys::READ_AT_ONCE;
use super::failure::of_client;
use super::remote::Site;
use super::shown::{bytes, count, show};
use super::{AFTER_HELP, target, wait};
use crate::cli::Failure;
use crate::client::{Deletion, Listed};
use crate::clock::{Clock, Timestamp};
use crate::config::duration;
use crate::site::deploy::{ContentHash, DeployId, Pointer};

/// Files that were stored later than this stay, unless less is asked for: a deploy under way may be about to name them.
const DEFAULT_AGE: &str = "24h";
/// Manifests that were written later than this stay in any case but a lower age: the pointer may be about to move to them.
/// Much longer than [`super::remote::MAX_PUBLISH_TIME`] and what two clocks may differ together.
const MANIFEST_AGE: Duration = Duration::from_secs(3 * 60 * 60);

pub fn command() -> Command {
    let option = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    let keep = option("keep", "N").default_value("20").value_parser(value_parser!(u32).range(1..));
    let age = |text: &str| duration(text).ok_or("a time is a number and a unit, such as 90m, 24h or 7d");
    let min_age = option("min-age", "TIME").default_value(DEFAULT_AGE).value_parser(age);
    let dry_run = Arg::new("dry-run").long("dry-run").short('n').action(ArgAction::SetTrue);
    Command::new("prune")
        .about("Removes old deploys and the files that only they have")
        .long_about(
            "Removes all but the newest deploys, and the files that no deploy names any more. The live deploy stays, and so do \
             the three that were live before it, deploys of the last three hours, and files of the last day. Safe beside deploys and \
             rollbacks that are under way, unless --min-age says less than a day.",
        )
        .after_help(AFTER_HELP)
        .args(target::arguments())
        .arg(keep.help("How many deploys to keep, those that never went live included"))
        .arg(min_age.help("Spare files younger than this; less is safe only while nobody deploys"))
        .arg(dry_run.help("Show what would be removed; remove nothing"))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let site = target::site(matches)?;
    let keep = *matches.get_one::<u32>("keep").ok_or("no number")? as usize;
    let min_age = *matches.get_one::<Duration>("min-age").ok_or("no age")?;
    let dry_run = matches.get_flag("dry-run");
    let pruned = wait(prune(&site, Rules { keep, min_age, dry_run }, &Clock::system()))?;
    let Pruned { deploys, kept, files, bytes: size } = &pruned;
    let (verb, tail) = if dry_run { ("would be removed", " Nothing was changed.") } else { ("removed", "") };
    let removed = deploys.iter().map(|id| format!("- {id}\n")).collect::<String>();
    let words = format!(
        "{removed}{} and {} ({}) {verb}, {} kept.{tail}\n",
        count(deploys.len(), "deploy"),
        count(*files, "file"),
        bytes(*size),
        count(*kept, "deploy"),
    );
    let document = json!({ "dry_run": dry_run, "deploys": deploys, "kept": kept, "files": files, "bytes": size });
    show(matches.get_flag("json"), &document, &words)
}

/// What goes.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// How many of the newest deploys stay.
    keep: usize,
    /// How old a file must be.
    min_age: Duration,
    dry_run: bool,
}

/// What was removed, or would be.
struct Pruned {
    deploys: Vec<DeployId>,
    kept: usize,
    files: usize,
    bytes: u64,
}

async fn prune(site: &Site, rules: Rules, clock: &Clock) -> Result<Pruned, Failure> {
    // The time first, then the pointer: whatever goes live after this has a manifest that is young by this time.
    let started = clock.now();
    let live = site.live().await?;
    let manifests = site.manifests().await?;
    let mut old = superfluous(&manifests, live.as_ref().map(|live| &live.pointer), rules, started);
    // Manifests before files: while a manifest is there, everything that it names is.
    if !rules.dry_run {
        let changed = remove(site, old.iter().map(|(_, listed)| listed)).await?;
        old.retain(|(_, listed)| !changed.contains(&listed.key));
    }
    let removed: Vec<DeployId> = old.iter().map(|(id, _)| *id).collect();
    // The age counts from before the manifests are read: what is younger, a manifest that is not read yet may name.
    let cutoff = clock.now();
    let remaining = site.manifests().await?.into_iter().map(|(id, _)| id).filter(|id| !removed.contains(id));
    let remaining: Vec<DeployId> = remaining.collect();
    let named = named_by(site, &remaining).await?;
    let files = site.files().await?.into_iter();
    let mut unnamed: Vec<Listed> = files
        .filter(|(hash, listed)| !named.contains(hash) && cutoff.since(listed.modified) > rules.min_age)
        .map(|(_, listed)| listed)
        .collect();
    if !rules.dry_run {
        let changed = remove(site, unnamed.iter()).await?;
        unnamed.retain(|listed| !changed.contains(&listed.key));
    }
    let bytes = unnamed.iter().map(|listed| listed.size).sum();
    Ok(Pruned { deploys: removed, kept: remaining.len(), files: unnamed.len(), bytes })
}

/// The manifests that are not among the newest, nor live, nor live before, nor young. `manifests` has the newest first.
fn superfluous(
    manifests: &[(DeployId, Listed)],
    pointer: Option<&Pointer>,
    rules: Rules,
    now: Timestamp,
) -> Vec<(DeployId, Listed)> {
    let pointed = |id: &DeployId| {
        pointer.is_some_and(|pointer| {
            pointer.deploy == *id || pointer.previous.iter().any(|previous| previous.deploy == *id)
        })
    };
    let old = manifests.iter().skip(rules.keep);
    let age = rules.min_age.min(MANIFEST_AGE);
    old.filter(|(id, listed)| !pointed(id) && now.since(listed.modified) > age).cloned().collect()
}

/// Every content that one of these deploys names. One that cannot be read stops it: its files would be taken for nobody's.
async fn named_by(site: &Site, deploys: &[DeployId]) -> Result<BTreeSet<ContentHash>, Failure> {
    let reading = stream::iter(deploys).map(|id| async move {
        let read = site.manifest(id).await?;
        // One that is gone was pruned by somebody else.
        let files = read.map(|read| read.manifest.files).unwrap_or_default();
        Ok::<_, Failure>(files.into_values().map(|file| file.sha256).collect::<BTreeSet<_>>())
    });
    reading
        .buffer_unordered(READ_AT_ONCE)
        .try_fold(BTreeSet::new(), |mut named, some| async move {
            named.extend(some);
            Ok(named)
        })
        .await
}

/// Removes what is still as it was listed; gives the keys of what is not.
async fn remove<'a>(site: &Site, listed: impl Iterator<Item = &'a Listed>) -> Result<Vec<String>, Failure> {
    let deletions: Vec<Deletion> =
        listed.map(|listed| Deletion { key: listed.key.clone(), modified: listed.modified_text.clone() }).collect();
    site.client.delete_objects(&site.bucket, &deletions).await.map_err(of_client)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn the_newest_the_pointed_at_and_the_young_stay() {
        let id = |number| DeployId::from_random([number; 10]);
        let hour = |number: u64| Timestamp::from_seconds(number * 3600);
        let listed = |number: u8| {
            let modified = hour(u64::from(number));
            (id(number), Listed { key: number.to_string(), size: 1, modified, modified_text: String::new() })
        };
        let manifests: Vec<_> = (0..10).rev().map(listed).collect();
        let removed = |pointer: Option<&Pointer>, keep, now| {
            let rules = Rules { keep, min_age: DAY, dry_run: false };
            let old = superfluous(&manifests, pointer, rules, hour(now));
            old.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(removed(None, 20, 100), []);
        assert_eq!(removed(None, 8, 100), [id(1), id(0)]);
        let pointer = Pointer::first(id(0), hour(0)).moved(id(2), hour(2));
        assert_eq!(removed(Some(&pointer), 7, 100), [id(1)]);
        assert_eq!(removed(None, 1, 9), (0..6).rev().map(id).collect::<Vec<_>>(), "6 was written three hours ago");
    }
}
