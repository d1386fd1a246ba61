//! `brim site add`, `remove` and `list`: custom domains, through `DIR/admin.sock` while a server runs, on the data directory
//! itself otherwise.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::execute::execute;
use super::key::print;
use super::{AFTER_HELP, Failure, options};
use crate::admin::{Answer, Command as Operation, SiteCommand};
use crate::config::ServerConfig;
use crate::names::{BucketName, HostName};
use crate::store::domains::{Source, State, Summary};
use crate::telemetry::log;

/// What stands where a domain has no account: the configuration gave it to the bucket.
const BY_CONFIGURATION: &str = "configuration";

/// The commands for custom domains, to stand below `brim site`.
pub fn commands() -> [Command; 3] {
    let domain =
        || Arg::new("DOMAIN").required(true).value_parser(HostName::parse).help("A host name, such as www.example.com");
    let bucket = Arg::new("bucket").long("bucket").value_name("BUCKET").required(true).value_parser(BucketName::parse);
    [
        local("add", "Gives a domain to a bucket, whose website it is from the next request on")
            .arg(domain())
            .arg(bucket.help("The bucket; its account has the domain from then on")),
        local("remove", "Takes a domain from the bucket that has it").arg(domain()),
        local("list", "Lists the custom domains and their buckets"),
    ]
}

/// A command that works on the data directory, or on the server that runs there.
fn local(name: &'static str, about: &'static str) -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    Command::new(name).about(about).after_help(AFTER_HELP).args(options::arguments(|flag| flag == "data")).arg(json)
}

/// Carries out the command `name` of [`commands`] with its arguments.
pub fn run(name: &str, matches: &ArgMatches) -> Result<(), Failure> {
    let config = options::load(matches)?;
    // Only what an operator must act on: the rest would stand between the lines of the answer.
    log::init(config.log.format, "warn")?;
    let json = matches.get_flag("json");
    match name {
        "add" => print(&add(&config, matches)?, json, Added::as_json, Added::as_text),
        "remove" => print(&remove(&config, matches)?, json, Removed::as_json, Removed::as_text),
        "list" => print(list(&config)?.as_slice(), json, |domains| json!(domains), domains_as_text),
        _ => Err(Failure::from("no such command")),
    }
}

/// A domain and the bucket that it was given to.
struct Added {
    domain: HostName,
    bucket: BucketName,
    before: Option<BucketName>,
}

/// A domain and the bucket that it was taken from.
struct Removed {
    domain: HostName,
    bucket: BucketName,
}

fn add(config: &ServerConfig, matches: &ArgMatches) -> Result<Added, Failure> {
    let domain = domain(matches)?;
    let bucket: BucketName = matches.get_one("bucket").cloned().ok_or("no bucket is named")?;
    match ask(config, SiteCommand::Add { domain: domain.clone(), bucket: bucket.clone() })? {
        Answer::AddedDomain { before } => Ok(Added { domain, bucket, before }),
        _ => Err(another_answer()),
    }
}

fn remove(config: &ServerConfig, matches: &ArgMatches) -> Result<Removed, Failure> {
    let domain = domain(matches)?;
    match ask(config, SiteCommand::Remove { domain: domain.clone() })? {
        Answer::RemovedDomain { bucket } => Ok(Removed { domain, bucket }),
        _ => Err(another_answer()),
    }
}

/// Asks for page after page. Ends because every page begins behind the last domain of the one before.
fn list(config: &ServerConfig) -> Result<Vec<Summary>, Failure> {
    let mut listed: Vec<Summary> = Vec::new();
    let mut after = None;
    loop {
        let Answer::Domains { domains, after: next } = ask(config, SiteCommand::List { after: after.clone() })? else {
            return Err(another_answer());
        };
        listed.extend(domains);
        if next.is_none() {
            return Ok(listed);
        }
        if next <= after {
            return Err(Failure::from("the server gave the same page twice"));
        }
        after = next;
    }
}

fn domain(matches: &ArgMatches) -> Result<HostName, Failure> {
    Ok(matches.get_one("DOMAIN").cloned().ok_or("no domain is named")?)
}

fn ask(config: &ServerConfig, work: SiteCommand) -> Result<Answer, Failure> {
    // What works with domains has nothing to tell before its answer.
    execute(config, Operation::Site { work }, &mut |_| Ok(()))
}

fn another_answer() -> Failure {
    Failure::from("the server gave another answer than the one to this command")
}

impl Added {
    fn as_json(&self) -> Value {
        json!({ "domain": self.domain, "bucket": self.bucket, "before": self.before })
    }

    fn as_text(&self) -> String {
        let Self { domain, bucket, before } = self;
        match before {
            None => format!("{domain} is at bucket {bucket}\n"),
            Some(before) if before == bucket => format!("{domain} is at bucket {bucket} already\n"),
            Some(before) => format!("{domain} is at bucket {bucket}, and no longer at {before}\n"),
        }
    }
}

impl Removed {
    fn as_json(&self) -> Value {
        json!({ "domain": self.domain, "bucket": self.bucket })
    }

    fn as_text(&self) -> String {
        format!("{} is no longer at bucket {}\n", self.domain, self.bucket)
    }
}

fn domains_as_text(domains: &[Summary]) -> String {
    let mut text = format!("{:<40}  {:<30}  {:<13}  STATE\n", "DOMAIN", "BUCKET", "ACCOUNT");
    for Summary { domain, bucket, source, state } in domains {
        let account = match source {
            Source::Configuration => BY_CONFIGURATION,
            Source::Claim { account, .. } => account.as_str(),
        };
        let (domain, bucket) = (domain.as_str(), bucket.as_str());
        text.push_str(&format!("{domain:<40}  {bucket:<30}  {account:<13}  {}\n", state_in_words(*state)));
    }
    text
}

fn state_in_words(state: State) -> &'static str {
    match state {
        State::InForce => "in force",
        State::Overridden => "overridden by the configuration",
        State::NoBucket => "the bucket is gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn lists_show_one_domain_per_line() {
        let domain = HostName::parse("www.example.com").unwrap();
        let bucket = BucketName::parse("pail").unwrap();
        let source = Source::Claim { account: Default::default(), created: Timestamp::from_seconds(0) };
        let declared = Summary { domain, bucket, source: Source::Configuration, state: State::InForce };
        let claimed = Summary { source, state: State::Overridden, ..declared.clone() };
        let text = domains_as_text(&[declared, claimed.clone()]);
        let expected = [
            "DOMAIN                                    BUCKET                          ACCOUNT        STATE",
            "www.example.com                           pail                            configuration  in force",
            "www.example.com                           pail                            000000000000   overridden by the configuration",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        let json = json!([claimed]);
        assert_eq!((&json[0]["domain"], &json[0]["state"]), (&json!("www.example.com"), &json!("overridden")));
        assert_eq!(json[0]["source"]["claim"]["account"], "000000000000");
    }
}
