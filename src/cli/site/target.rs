//! Which bucket on which server: the arguments that say so.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::address::{Address, parse_website_url};
use super::failure::of_client;
use super::remote::Site;
use crate::cli::Failure;
use crate::client::{Client, Flags, Settings, Surroundings};
use crate::names::BucketName;

/// `--bucket` and what says how to reach it.
pub fn arguments() -> [Arg; 7] {
    let option = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    [
        option("bucket", "BUCKET").short('b').required(true).value_parser(BucketName::parse).help("The site's bucket"),
        option("endpoint-url", "URL")
            .help("Where the S3 API is [env: AWS_ENDPOINT_URL] [default: http://127.0.0.1:9000]"),
        option("website-url", "URL")
            .value_parser(parse_website_url)
            .help("Where sites are served, to print addresses: BUCKET is put before its host"),
        option("profile", "NAME").help("The profile of the key to use [env: AWS_PROFILE]"),
        option("region", "REGION").help("The server's region [env: AWS_REGION] [default: us-east-1]"),
        option("ca-bundle", "FILE")
            .value_parser(value_parser!(PathBuf))
            .help("The authorities to trust over HTTPS, in PEM, instead of the machine's [env: AWS_CA_BUNDLE]"),
        json(),
    ]
}

/// `--json`.
pub fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")
}

/// The site that the arguments mean. Nothing is sent yet.
pub fn site(matches: &ArgMatches) -> Result<Site, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let flags = Flags {
        profile: text("profile"),
        endpoint_url: text("endpoint-url"),
        region: text("region"),
        ca_bundle: matches.get_one::<PathBuf>("ca-bundle").cloned(),
    };
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::resolve(&flags, &Surroundings { variable: &variable }).map_err(of_client)?;
    let client = Client::new(settings).map_err(of_client)?;
    let bucket = matches.get_one::<BucketName>("bucket").ok_or("no bucket")?.clone();
    let address = Address::new(matches.get_one::<String>("website-url").cloned(), client.endpoint());
    Ok(Site { client, bucket, address })
}
