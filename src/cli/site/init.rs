//! `brim site init`: a bucket that is a website, readable for everybody.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::deploy::INDEX;
use super::failure::of_client;
use super::remote::Site;
use super::shown::show;
use super::{AFTER_HELP, target, wait};
use crate::cli::Failure;

/// By this name the statement is found again.
const STATEMENT: &str = "BrimSitePublicRead";

pub fn command() -> Command {
    Command::new("init")
        .about("Makes a bucket a website that everybody can read")
        .long_about(
            "Makes the bucket if it is missing, makes it a website with the index document index.html if it is none, and lets \
             everybody read its objects, by a statement in its policy. Says what it did, and leaves alone what is there.",
        )
        .after_help(AFTER_HELP)
        .args(target::arguments())
        .arg(Arg::new("private").long("private").action(ArgAction::SetTrue).help("Leave alone who may read the bucket"))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let site = target::site(matches)?;
    let done = wait(init(&site, matches.get_flag("private")))?;
    let address = site.address.of_site(&site.bucket);
    let mut words = done.iter().map(|step| format!("{step}\n")).collect::<String>();
    if done.is_empty() {
        words.push_str("nothing had to be done\n");
    }
    words.extend(address.iter().map(|url| format!("site: {url}\n")));
    words.push_str(&format!("next: brim site deploy DIR --bucket {}\n", site.bucket));
    show(matches.get_flag("json"), &json!({ "done": done, "site": address }), &words)
}

/// Gives what was done, step by step.
async fn init(site: &Site, private: bool) -> Result<Vec<String>, Failure> {
    let Site { client, bucket, .. } = site;
    let mut done = Vec::new();
    if !client.has_bucket(bucket).await.map_err(of_client)? {
        client.create_bucket(bucket).await.map_err(of_client)?;
        done.push(format!("made the bucket {bucket}"));
    }
    if client.website_index(bucket).await.map_err(of_client)?.is_none() {
        client.put_website(bucket, INDEX).await.map_err(of_client)?;
        done.push(format!("made it a website with the index document {INDEX}"));
    }
    if !private {
        done.extend(open(site).await?);
    }
    Ok(done)
}

/// Lets everybody read: the block first, since it refuses public policies.
async fn open(site: &Site) -> Result<Vec<String>, Failure> {
    let Site { client, bucket, .. } = site;
    let mut done = Vec::new();
    let policy = client.policy(bucket).await.map_err(of_client)?;
    let access = client.public_access(bucket).await.map_err(of_client)?;
    if let Some(access) = access.filter(|access| access.blocks_policies()) {
        client.allow_public_policies(bucket, &access).await.map_err(of_client)?;
        done.push("set BlockPublicPolicy and RestrictPublicBuckets of its public access block to false".to_owned());
    }
    if let Some(policy) = with_statement(policy.as_deref(), bucket.as_str())? {
        client.put_policy(bucket, policy).await.map_err(|error| match error.is_denied() {
            true => Failure::from(format!(
                "{error}; the account's own public access block may refuse it too. --private leaves access alone"
            )),
            false => of_client(error),
        })?;
        done.push(format!("let everybody read its objects (s3:GetObject), by the statement {STATEMENT} in its policy"));
    }
    Ok(done)
}

/// The policy with the statement added; `None` where it is there already.
fn with_statement(policy: Option<&str>, bucket: &str) -> Result<Option<String>, Failure> {
    let statement = json!({
        "Sid": STATEMENT,
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
    });
    let mut document: Value = match policy {
        Some(policy) => serde_json::from_str(policy)?,
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
    };
    let none = "the bucket's policy has no statements";
    let statements = document.get_mut("Statement").ok_or(none)?;
    // A policy may have one statement without a list around it.
    if statements.is_object() {
        *statements = json!([statements.take()]);
    }
    let list = statements.as_array_mut().ok_or(none)?;
    if list.iter().any(|known| known["Sid"] == STATEMENT) {
        return Ok(None);
    }
    list.push(statement);
    Ok(Some(document.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_joins_those_that_are_there_once() {
        let fresh = with_statement(None, "docs").unwrap().unwrap();
        let document: Value = serde_json::from_str(&fresh).unwrap();
        assert_eq!(document["Statement"][0]["Resource"], "arn:aws:s3:::docs/*");
        assert_eq!(with_statement(Some(&fresh), "docs").unwrap(), None);

        let single = r#"{"Version":"2012-10-17","Id":"mine","Statement":{"Sid":"a","Effect":"Deny"}}"#;
        let document: Value = serde_json::from_str(&with_statement(Some(single), "docs").unwrap().unwrap()).unwrap();
        assert_eq!(document["Id"], "mine");
        let names: Vec<_> = document["Statement"].as_array().unwrap().iter().map(|known| &known["Sid"]).collect();
        assert_eq!(names, ["a", STATEMENT]);
        for broken in ["{}", "[]", "no"] {
            assert!(with_statement(Some(broken), "docs").is_err(), "{broken}");
        }
    }
}
