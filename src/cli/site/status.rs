//! `brim site status`: what a site is made of, and what is wrong with it.

use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use super::deploys::{Deploy, newest};
use super::failure::of_client;
use super::remote::{Live, Site};
use super::shown::{bytes, count, show};
use super::source::faults_of;
use super::{AFTER_HELP, settings, target, wait};
use crate::cli::Failure;
use crate::cli::findings::printable;
use crate::client;
use crate::site::deploy::{Manifest, OPTIONS, file_key};
use crate::site::{HEADERS, REDIRECTS, headers, redirects};

/// How many deploys are shown.
const SHOWN: usize = 5;
/// The files of rules besides the options, and the most bytes of each.
const RULES: [(&str, usize); 2] = [(REDIRECTS, redirects::MAX_FILE_BYTES), (HEADERS, headers::MAX_FILE_BYTES)];

pub fn command() -> Command {
    Command::new("status")
        .about("Tells what is live, which options count, and who may read the site")
        .after_help(AFTER_HELP)
        .args(target::arguments())
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let site = target::site(matches)?;
    let status = wait(look(&site))?;
    show(matches.get_flag("json"), &status.as_json(), &status.as_text())
}

struct Status {
    bucket: String,
    address: Option<String>,
    /// The index document; `None` where the bucket is no website.
    website: Seen<Option<String>>,
    live: Option<Live>,
    /// Of the live deploy.
    manifest: Option<Manifest>,
    deploys: Vec<Deploy>,
    stored: usize,
    /// Whether they are the deploy's own, and their faults; `None` where there are none.
    options: Option<(bool, Vec<String>)>,
    /// The faults of [`RULES`].
    rules: Vec<String>,
    public: Seen<bool>,
}

/// What the key may see, or not.
enum Seen<T> {
    Known(T),
    Denied,
}

impl<T> Seen<T> {
    fn of(seen: Result<T, client::Error>) -> Result<Self, Failure> {
        match seen {
            Ok(seen) => Ok(Self::Known(seen)),
            Err(error) if error.is_denied() => Ok(Self::Denied),
            Err(error) => Err(of_client(error)),
        }
    }

    fn known(&self) -> Option<&T> {
        match self {
            Self::Known(seen) => Some(seen),
            Self::Denied => None,
        }
    }
}

async fn look(site: &Site) -> Result<Status, Failure> {
    let Site { client, bucket, address } = site;
    let live = site.live().await?;
    let manifest = match &live {
        Some(live) => site.manifest(&live.pointer.deploy).await?.map(|read| read.manifest),
        None => None,
    };
    let (deploys, stored) = newest(site, SHOWN).await?;
    let options = settings::options(site).await?;
    let rules = match &options {
        Some(_) => rule_faults(site, live.as_ref().map(|_| manifest.as_ref())).await?,
        // Without options they are files like others.
        None => Vec::new(),
    };
    Ok(Status {
        bucket: bucket.to_string(),
        address: address.of_site(bucket),
        website: Seen::of(client.website_index(bucket).await)?,
        options: options.map(|(text, own)| (own, faults_of(OPTIONS, &text))),
        rules,
        public: Seen::of(is_public(site).await)?,
        live,
        manifest,
        deploys,
        stored,
    })
}

/// The faults of the live deploy's rules, or of the bucket's own where none is live. What the key may not read is left out,
/// and so is a deploy without a manifest.
async fn rule_faults(site: &Site, live: Option<Option<&Manifest>>) -> Result<Vec<String>, Failure> {
    let mut faults = Vec::new();
    for (name, most) in RULES {
        let key = match live {
            None => Some(name.to_owned()),
            Some(manifest) => manifest.and_then(|manifest| manifest.files.get(name)).map(|file| file_key(&file.sha256)),
        };
        let Some(key) = key else { continue };
        match site.client.get_object(&site.bucket, &key, most).await {
            Ok(Some(object)) => faults.extend(faults_of(name, &String::from_utf8_lossy(&object.body))),
            Ok(None) => {}
            Err(client::Error::TooLong(most)) => faults.push(format!("{name}: it has more than {most} bytes")),
            Err(error) if error.is_denied() => {}
            Err(error) => return Err(of_client(error)),
        }
    }
    Ok(faults)
}

/// Whether everybody may read, as far as policy and block of the bucket say: objects may have lists of their own.
async fn is_public(site: &Site) -> Result<bool, client::Error> {
    let Site { client, bucket, .. } = site;
    let blocked = client.public_access(bucket).await?.is_some_and(|access| access.blocks_policies());
    Ok(client.has_public_policy(bucket).await? && !blocked)
}

impl Status {
    fn as_json(&self) -> Value {
        let live = self.live.as_ref().map(|live| {
            json!({
                "deploy": live.pointer.deploy,
                "since": live.pointer.at.to_string(),
                "files": self.manifest.as_ref().map(|manifest| manifest.files.len()),
                "previous": live.pointer.previous.iter().map(|previous| previous.deploy).collect::<Vec<_>>(),
            })
        });
        let options = self.options.as_ref().map(|(own, faults)| json!({ "of_deploy": own, "faults": faults }));
        json!({
            "bucket": self.bucket,
            "site": self.address,
            "website": self.website.known().map(|index| json!({ "configured": index.is_some(), "index": index })),
            "live": live,
            "deploys": self.stored,
            "options": options,
            "rules": { "faults": self.rules },
            "public": self.public.known(),
        })
    }

    fn as_text(&self) -> String {
        let mut lines = vec![format!("bucket:  {}", self.bucket)];
        lines.extend(self.address.iter().map(|url| format!("site:    {url}")));
        lines.push(format!("website: {}", self.website_words()));
        lines.push(format!("live:    {}", self.live_words()));
        lines.push(format!("options: {}", self.options_words()));
        lines.extend(self.options.iter().flat_map(|(_, faults)| faults).map(|fault| format!("  {}", printable(fault))));
        if !self.rules.is_empty() {
            let faults = count(self.rules.len(), "fault");
            lines.push(format!("rules:   {faults} in {REDIRECTS} and {HEADERS}: the last valid ones count"));
            lines.extend(self.rules.iter().map(|fault| format!("  {}", printable(fault))));
        }
        lines.push(format!("public:  {}", self.public_words()));
        lines.push(format!("deploys: {} stored", self.stored));
        for deploy in &self.deploys {
            let (id, created, message) = (deploy.id, deploy.created, printable(&deploy.message));
            lines.push(format!("  {id}  {created}  {message}").trim_end().to_owned());
        }
        lines.join("\n") + "\n"
    }

    fn website_words(&self) -> String {
        match &self.website {
            Seen::Denied => "the key may not see it".to_owned(),
            Seen::Known(None) => "not configured: nothing is served; `brim site init` or a deploy does it".to_owned(),
            Seen::Known(Some(index)) if index.is_empty() => "every request is redirected elsewhere".to_owned(),
            Seen::Known(Some(index)) => format!("index document {}", printable(index)),
        }
    }

    fn live_words(&self) -> String {
        let Some(live) = &self.live else { return "no deploy: the bucket's own objects are the site".to_owned() };
        let since = format!("{} since {}", live.pointer.deploy, live.pointer.at);
        match &self.manifest {
            Some(manifest) => format!("{since}, {}, {}", count(manifest.files.len(), "file"), bytes(manifest.size())),
            None => format!("{since}, BUT ITS MANIFEST IS GONE: deploy again, or roll back"),
        }
    }

    fn options_words(&self) -> String {
        match &self.options {
            None => "none: served as S3 does".to_owned(),
            Some((own, faults)) => {
                let whose = if *own { "of the deploy" } else { "of the bucket" };
                match faults.len() {
                    0 => format!("{whose}, valid"),
                    faults => format!("{whose}, {}: the last valid ones count", count(faults, "fault")),
                }
            }
        }
    }

    fn public_words(&self) -> &'static str {
        match self.public {
            Seen::Denied => "the key may not see it",
            Seen::Known(true) => "everybody may read, by the bucket's policy",
            Seen::Known(false) => "not by the bucket's policy: `brim site init` changes that",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::*;
    use crate::client::scripted::{Scripted, answer};
    use crate::names::BucketName;
    use crate::site::deploy::{ContentHash, ContentType, DeployId, File, FilePath};

    fn site(server: &Scripted) -> Site {
        let (client, bucket) = (server.client(), BucketName::parse("site").unwrap());
        Site { address: Address::new(None, client.endpoint()), client, bucket }
    }

    #[tokio::test]
    async fn faulty_rules_are_told_of_the_bucket_and_of_a_deploy() {
        let denied = answer(403, "<Error><Code>AccessDenied</Code></Error>");
        let faulty = || answer(200, "/a /b 301\n/c\n");
        let server = Scripted::start(vec![Some(faulty()), Some(denied)]);
        let faults = rule_faults(&site(&server), None).await.unwrap();
        assert!(faults.len() == 1 && faults[0].starts_with("_redirects:2: "), "{faults:?}");
        assert_eq!(server.seen(), ["GET /site/_redirects", "GET /site/_headers"]);

        let sha256 = ContentHash::of(b"rules");
        let file = File { sha256, size: 1, content_type: ContentType::parse("text/plain").unwrap() };
        let files = [(FilePath::parse("_headers").unwrap(), file)].into();
        let id = DeployId::from_random([0; 10]);
        let manifest = Manifest::new(id, crate::clock::Timestamp::from_seconds(0), String::new(), files).unwrap();
        let long = "x".repeat(headers::MAX_FILE_BYTES + 1);
        let server = Scripted::start(vec![Some(answer(200, &long))]);
        let faults = rule_faults(&site(&server), Some(Some(&manifest))).await.unwrap();
        assert!(faults.len() == 1 && faults[0].contains("_headers: it has more than"), "{faults:?}");
        assert_eq!(server.seen(), [format!("GET /site/{}", file_key(&sha256))]);

        let server = Scripted::start(Vec::new());
        assert!(rule_faults(&site(&server), Some(None)).await.unwrap().is_empty());
    }
}
