//! `brim site deploy`: a folder becomes the site, all of it at one moment.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::difference::Difference;
use super::failure::of_client;
use super::remote::{Live, Moved, Site};
use super::shown::{bytes, count, show};
use super::source::{IDLE_RULES, Source};
use super::upload::{self, Stored, Upload};
use super::{AFTER_HELP, target, wait};
use crate::cli::Failure;
use crate::cli::progress::Meter;
use crate::clock::{Clock, Timestamp};
use crate::site::deploy::{DeployId, MAX_MESSAGE_BYTES, Manifest};

/// The index document of a site that is configured here.
pub const INDEX: &str = "index.html";
/// How often files that somebody removed meanwhile are sent again before the deploy is given up.
const ROUNDS: usize = 3;
/// How long a deploy may take up to its manifest. With [`upload::REUSE_AGE`] and what two clocks may differ, less than the
/// age from which `brim site prune` removes files.
const MAX_UPLOAD_TIME: Duration = Duration::from_secs(6 * 60 * 60);

pub fn command() -> Command {
    let message = |text: &str| match text.len() <= MAX_MESSAGE_BYTES {
        true => Ok(text.to_owned()),
        false => Err(format!("a message has at most {MAX_MESSAGE_BYTES} bytes")),
    };
    let message = Arg::new("message").long("message").short('m').value_name("TEXT").value_parser(message);
    let dry_run = Arg::new("dry-run").long("dry-run").short('n').action(ArgAction::SetTrue);
    let concurrency = Arg::new("concurrency").long("concurrency").value_name("N").default_value("8");
    let concurrency = concurrency.value_parser(value_parser!(u8).range(1..=64));
    Command::new("deploy")
        .about("Publishes a folder, all of it at one moment")
        .long_about(
            "Publishes a folder: sends the files whose content is not stored yet, then moves the site to the new deploy in one \
             step. A reader sees the old site or the new one, and so it is wherever this command is stopped; run it again and \
             it goes on with what is missing.\n\n\
             Dotfiles stay behind, except for .well-known/ and .brim/site.toml. _redirects, _headers and .brim/site.toml are \
             checked before anything is sent. A bucket that is no website yet becomes one.",
        )
        .after_help(AFTER_HELP)
        .arg(Arg::new("DIR").required(true).value_parser(value_parser!(PathBuf)).help("The folder to publish"))
        .args(target::arguments())
        .arg(message.help("What changed, for `brim site deploys`"))
        .arg(dry_run.help("Show what would change; change nothing"))
        .arg(dotfiles())
        .arg(concurrency.help("How many files are sent at a time"))
}

/// `--include-dotfiles`.
pub fn dotfiles() -> Arg {
    Arg::new("include-dotfiles")
        .long("include-dotfiles")
        .value_name("PATH")
        .action(ArgAction::Append)
        .help("A dotfile or dot-folder to publish too, by its path in DIR; can be given again")
}

/// The dotfiles that are named.
pub fn named_dotfiles(matches: &ArgMatches) -> Vec<String> {
    matches.get_many::<String>("include-dotfiles").into_iter().flatten().cloned().collect()
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let site = target::site(matches)?;
    let json = matches.get_flag("json");
    let deploying = Deploying {
        site: &site,
        directory: matches.get_one::<PathBuf>("DIR").ok_or("no folder")?.clone(),
        dotfiles: named_dotfiles(matches),
        message: matches.get_one::<String>("message").cloned().unwrap_or_default(),
        dry_run: matches.get_flag("dry-run"),
        concurrency: usize::from(*matches.get_one::<u8>("concurrency").ok_or("no concurrency")?),
        clock: Clock::system(),
    };
    let mut meter = Meter::new(json);
    let outcome = wait(deploying.run(&mut meter))?;
    drop(meter);
    show(json, &outcome.as_json(&site), &outcome.as_text(&site))
}

struct Deploying<'a> {
    site: &'a Site,
    directory: PathBuf,
    dotfiles: Vec<String>,
    message: String,
    dry_run: bool,
    concurrency: usize,
    clock: Clock,
}

/// What a deploy came to.
struct Outcome {
    /// The live deploy after it; `None` before the first.
    deploy: Option<DeployId>,
    published: bool,
    dry_run: bool,
    source: Source,
    difference: Difference,
    uploads: Vec<Upload>,
    notes: Vec<String>,
}

impl Deploying<'_> {
    async fn run(&self, meter: &mut Meter) -> Result<Outcome, Failure> {
        let source = Source::read(&self.directory, &self.dotfiles, meter).await?;
        let started = self.clock.now();
        let live = self.site.live().await?;
        let current = self.current(live.as_ref()).await?;
        let nothing = Default::default();
        let difference =
            Difference::between(current.as_ref().map_or(&nothing, |manifest| &manifest.files), &source.files);
        let deploy = live.as_ref().map(|live| live.pointer.deploy);
        let mut outcome = Outcome {
            deploy,
            published: false,
            dry_run: self.dry_run,
            uploads: Vec::new(),
            notes: notes(&source),
            difference,
            source,
        };
        outcome.uploads = self.missing(&outcome.source, current.as_ref()).await?;
        let same = current.is_some() && outcome.difference.is_empty() && outcome.uploads.is_empty();
        if self.dry_run {
            return Ok(outcome);
        }
        outcome.notes.extend(self.ensure_website().await?);
        if same {
            return Ok(outcome);
        }
        upload::send(self.site, &outcome.uploads, self.concurrency, meter).await?;
        outcome.deploy = Some(self.publish(&outcome.source, live.as_ref(), current.as_ref(), started, meter).await?);
        outcome.published = true;
        Ok(outcome)
    }

    /// The manifest of the live deploy; `None` where there is none, or nothing to read: then every file is sent.
    async fn current(&self, live: Option<&Live>) -> Result<Option<Manifest>, Failure> {
        let Some(live) = live else { return Ok(None) };
        Ok(self.site.manifest(&live.pointer.deploy).await?.map(|read| read.manifest))
    }

    async fn missing(&self, source: &Source, live: Option<&Manifest>) -> Result<Vec<Upload>, Failure> {
        let files = self.site.files().await?;
        Ok(Stored { files: &files, live, now: self.clock.now() }.missing(&source.contents))
    }

    /// Makes the bucket a website where it is none. A key that may not do that deploys all the same.
    async fn ensure_website(&self) -> Result<Option<String>, Failure> {
        let Site { client, bucket, .. } = self.site;
        let configured = match client.website_index(bucket).await {
            Ok(None) => client.put_website(bucket, INDEX).await.map(|()| true),
            Ok(Some(_)) => Ok(false),
            Err(error) => Err(error),
        };
        match configured {
            Ok(true) => Ok(Some(format!("{bucket} was no website: it is one now, with the index document {INDEX}"))),
            Ok(false) => Ok(None),
            Err(error) if error.is_denied() => Ok(Some(format!(
                "whether {bucket} is a website is not known, for the key may not tell or change it: {error}"
            ))),
            Err(error) => Err(of_client(error)),
        }
    }

    /// Writes the manifest, looks once more whether every file is there, then moves the pointer. Up to the last step
    /// nobody sees any of it.
    async fn publish(
        &self,
        source: &Source,
        live: Option<&Live>,
        current: Option<&Manifest>,
        started: Timestamp,
        meter: &mut Meter,
    ) -> Result<DeployId, Failure> {
        let manifest = Manifest::new(new_id()?, self.clock.now(), self.message.clone(), source.files.clone())?;
        // Taken before: the manifest is at least as young as this says.
        let written = self.clock.now();
        self.site.put_manifest(&manifest).await?;
        if self.clock.now().since(started) > MAX_UPLOAD_TIME {
            return Err(Failure::from(
                "the upload took more than six hours: deploy again, what was sent is not sent again",
            ));
        }
        self.complete(source, current, meter).await?;
        match self.site.point(live, manifest.id, written, &self.clock).await? {
            Moved::Done => Ok(manifest.id),
            Moved::Elsewhere(deploy) => Err(Failure::from(self.conflict(manifest.id, deploy))),
        }
    }

    /// Every file must be there after the manifest is: whoever removes files from now on knows that they are named.
    async fn complete(&self, source: &Source, live: Option<&Manifest>, meter: &mut Meter) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let missing = self.missing(source, live).await?;
            if missing.is_empty() {
                return Ok(());
            }
            upload::send(self.site, &missing, self.concurrency, meter).await?;
        }
        Err(Failure::from("files vanish from the bucket as fast as they are sent: is something else removing them?"))
    }

    fn conflict(&self, id: DeployId, winner: Option<DeployId>) -> String {
        let bucket = &self.site.bucket;
        let what = match winner {
            Some(winner) => format!("another deploy went live meanwhile: {winner}"),
            None => "the site was detached from its deploys meanwhile".to_owned(),
        };
        let preview = self.site.address.of_preview(&id, bucket).map(|url| format!(", at {url}")).unwrap_or_default();
        format!(
            "{what}. This one is complete as {id}{preview}, but not live: `brim site rollback {id} --bucket {bucket}` makes it \
             live, deploying again starts from what is live now"
        )
    }
}

fn new_id() -> Result<DeployId, Failure> {
    let mut random = [0; 10];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| "the system has no random bytes")?;
    Ok(DeployId::from_random(random))
}

/// What an author may want to know.
fn notes(source: &Source) -> Vec<String> {
    let index = (!source.files.contains_key(INDEX)).then(|| format!("there is no {INDEX} at the top"));
    let left_out = (!source.left_out.is_empty()).then(|| {
        let names = source.left_out.iter().take(5).map(|path| crate::cli::findings::printable(path));
        let more = if source.left_out.len() > 5 { ", ..." } else { "" };
        let names = names.collect::<Vec<_>>().join(", ");
        format!(
            "{} left out ({names}{more}): --include-dotfiles names those to publish",
            count(source.left_out.len(), "dotfile")
        )
    });
    let idle = source.has_idle_rules().then(|| IDLE_RULES.to_owned());
    index.into_iter().chain(left_out).chain(idle).collect()
}

impl Outcome {
    fn as_text(&self, site: &Site) -> String {
        let source = &self.source;
        let mut text = self.difference.as_text();
        let (uploads, sent) = (count(self.uploads.len(), "file"), bytes(upload::size(&self.uploads)));
        let all = format!("{}, {}", count(source.files.len(), "file"), bytes(source.size()));
        text.push_str(&match (self.dry_run, self.published, &self.deploy) {
            (true, _, _) => format!("{all}; {uploads} ({sent}) would be sent. Nothing was changed.\n"),
            (false, true, Some(deploy)) => format!("{all}; {uploads} ({sent}) sent. {deploy} is live.\n"),
            (false, _, Some(deploy)) => format!("{all}; nothing changed. {deploy} is live.\n"),
            (false, _, None) => format!("{all}; nothing changed.\n"),
        });
        text.extend(self.notes.iter().map(|note| format!("note: {note}\n")));
        if !self.dry_run {
            text.push_str(&self.addresses(site));
        }
        text
    }

    fn addresses(&self, site: &Site) -> String {
        let own = site.address.of_site(&site.bucket).map(|url| format!("site:    {url}\n"));
        let preview = self.deploy.and_then(|id| site.address.of_preview(&id, &site.bucket));
        own.into_iter().chain(preview.map(|url| format!("preview: {url}\n"))).collect()
    }

    fn as_json(&self, site: &Site) -> Value {
        json!({
            "deploy": self.deploy,
            "published": self.published,
            "dry_run": self.dry_run,
            "files": self.source.files.len(),
            "bytes": self.source.size(),
            "uploaded": self.uploads.len(),
            "uploaded_bytes": upload::size(&self.uploads),
            "difference": self.difference.as_json(),
            "notes": self.notes,
            "site": site.address.of_site(&site.bucket),
            "preview": self.deploy.and_then(|id| site.address.of_preview(&id, &site.bucket)),
        })
    }
}
