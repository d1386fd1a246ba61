//! `brim policy`: through `DIR/admin.sock` while a server runs, on the data directory itself otherwise.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use serde_json::json;

use super::execute::execute;
use super::findings::printable;
use super::key::print;
use super::{Failure, options};
use crate::admin::{Answer, Asked, BucketSeen, Command as Operation, Explanation, ObjectSeen, Who};
use crate::names::AccountId;
use crate::telemetry::log;

pub fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).global(true).help("Print JSON");
    Command::new("policy")
        .about("Tells what policies allow")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(options::arguments(|flag| flag == "data"))
        .arg(json)
        .subcommand(explain())
}

fn explain() -> Command {
    let option = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let condition = option("condition", "KEY=VALUE").action(ArgAction::Append).value_parser(condition);
    Command::new("explain")
        .about("Tells why a request would be allowed or denied")
        .long_about(
            "Judges a request that nobody made as the server judges requests, and prints the statement, the grant or \
             whatever else decided, then what was looked at: the caller's policies, the bucket's policy and settings, and \
             the stored object's owner, list and tags where they count.\n\n\
             Works while the server runs, through the socket in its data directory, and while it does not.",
        )
        .after_help("Exit status: 0 allowed, 1 failed, 2 wrong command line or configuration, 4 denied.")
        .arg(option("action", "ACTION").required(true).help("What is done, in IAM's words: s3:GetObject"))
        .arg(
            option("resource", "RESOURCE")
                .required(true)
                .help("BUCKET, BUCKET/KEY, the ARN of either, or * for what is done to an account"),
        )
        .arg(option("key", "ID").help("Whoever holds this access key asks"))
        .arg(option("user", "NAME").help("This user asks"))
        .arg(flag("root").help("The account itself asks"))
        .arg(flag("anonymous").help("Nobody in particular asks: the request is not signed"))
        .group(ArgGroup::new("caller").args(["key", "user", "root", "anonymous"]).required(true))
        .arg(options::account().conflicts_with_all(["key", "anonymous"]))
        .arg(option("version-id", "ID").help("The version of the object that the request names"))
        .arg(condition.help(
            "A fact of the request, such as aws:SourceIp=10.0.0.1; any number of them. Unless said otherwise, it is made \
             now and without TLS",
        ))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (_, matches) = matches.subcommand().ok_or("no such command")?;
    let config = options::load(matches)?;
    // Only what an operator must act on: the rest would stand between the lines of the answer.
    log::init(config.log.format, "warn")?;
    let operation = Operation::Explain(Box::new(asked(matches)));
    // A judgement has nothing to tell before its answer.
    let Answer::Explained(explanation) = execute(&config, operation, &mut |_| Ok(()))? else {
        return Err(Failure::from("the server gave another answer than an explanation"));
    };
    print(&*explanation, matches.get_flag("json"), |explanation| json!(explanation), as_text)?;
    if explanation.allowed { Ok(()) } else { Err(Failure::Denied) }
}

fn asked(matches: &ArgMatches) -> Asked {
    let text = |argument: &str| matches.get_one::<String>(argument).cloned();
    let account = matches.get_one::<AccountId>("account").cloned();
    let caller = match (text("key"), text("user")) {
        (Some(id), _) => Who::Key(id),
        (None, Some(name)) => Who::User { account, name },
        (None, None) if matches.get_flag("root") => Who::Root { account },
        (None, None) => Who::Anonymous,
    };
    Asked {
        caller,
        action: text("action").unwrap_or_default(),
        resource: text("resource").unwrap_or_default(),
        version: text("version-id"),
        conditions: matches.get_many("condition").unwrap_or_default().cloned().collect(),
    }
}

/// Takes `KEY=VALUE` apart; the value may have more equals signs.
fn condition(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a condition is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn as_text(explanation: &Explanation) -> String {
    let verdict = if explanation.allowed { "allowed" } else { "denied" };
    let mut lines = vec![verdict.to_owned(), printable(&explanation.reason), String::new()];
    let caller = explanation.caller.as_deref().unwrap_or("nobody in particular, for the request is not signed");
    lines.push(format!("caller: {}", printable(caller)));
    lines.push(format!("action: {}", explanation.action));
    lines.push(format!("resource: {}", printable(&explanation.resource)));
    match explanation.identity_policies.as_slice() {
        [] => lines.push("identity policies: none".to_owned()),
        policies => lines.extend(policies.iter().map(|name| format!("identity policy: {}", printable(name)))),
    }
    if let Some(bucket) = &explanation.bucket {
        lines.extend(bucket_lines(bucket));
        lines.push(format!("object: {}", object_words(&explanation.object)));
    }
    lines.join("\n") + "\n"
}

fn bucket_lines(bucket: &BucketSeen) -> [String; 4] {
    let lists = if bucket.lists_count { "access control lists count" } else { "access control lists do not count" };
    let block = match bucket.public_access_block.as_slice() {
        [] => "none".to_owned(),
        rules => rules.join(", "),
    };
    [
        format!("bucket owner: account {}", bucket.owner),
        format!("bucket policy: {}", if bucket.policy { "yes" } else { "no" }),
        format!("object ownership: {}, so {lists}", bucket.ownership),
        format!("public access block: {block}"),
    ]
}

fn object_words(object: &ObjectSeen) -> String {
    match object {
        ObjectSeen::NotAsked => "not looked at: nothing that is stored has a say in this".to_owned(),
        ObjectSeen::Missing => "not found, so no owner, list or tags counted".to_owned(),
        ObjectSeen::Found { owner, tags, grants } => {
            let tags = match tags.as_slice() {
                [] => "no tags".to_owned(),
                tags => format!("tags {}", tags.iter().map(tag).collect::<Vec<_>>().join(", ")),
            };
            let list = match grants {
                None => "a private list".to_owned(),
                Some(1) => "a list with 1 grant".to_owned(),
                Some(grants) => format!("a list with {grants} grants"),
            };
            format!("found, owned by account {owner}, with {tags} and {list}")
        }
    }
}

fn tag((name, value): &(String, String)) -> String {
    format!("{}={}", printable(name), printable(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation() -> Explanation {
        Explanation {
            allowed: false,
            reason: "statement 1 of the bucket policy denies it".into(),
            caller: Some("arn:aws:iam::000000000000:user/bob".into()),
            action: "s3:GetObject".into(),
            resource: "arn:aws:s3:::pail/a\u{1b}[2J".into(),
            identity_policies: vec!["user bob, inline policy reads".into()],
            bucket: Some(BucketSeen {
                owner: AccountId::default(),
                policy: true,
                ownership: "ObjectWriter".into(),
                lists_count: true,
                public_access_block: vec!["IgnorePublicAcls".into(), "RestrictPublicBuckets".into()],
            }),
            object: ObjectSeen::Found {
                owner: AccountId::default(),
                tags: vec![("team".into(), "red".into())],
                grants: Some(1),
            },
        }
    }

    #[test]
    fn the_verdict_comes_first_then_why_then_what_was_looked_at() {
        let expected = "denied\n\
                        statement 1 of the bucket policy denies it\n\
                        \n\
                        caller: arn:aws:iam::000000000000:user/bob\n\
                        action: s3:GetObject\n\
                        resource: arn:aws:s3:::pail/a\\u{1b}[2J\n\
                        identity policy: user bob, inline policy reads\n\
                        bucket owner: account 000000000000\n\
                        bucket policy: yes\n\
                        object ownership: ObjectWriter, so access control lists count\n\
                        public access block: IgnorePublicAcls, RestrictPublicBuckets\n\
                        object: found, owned by account 000000000000, with tags team=red and a list with 1 grant\n";
        assert_eq!(as_text(&explanation()), expected);
    }

    #[test]
    fn what_has_no_say_is_not_shown() {
        let explanation =
            Explanation { allowed: true, caller: None, identity_policies: Vec::new(), bucket: None, ..explanation() };
        let text = as_text(&explanation);
        assert!(text.starts_with("allowed\n") && text.ends_with("\nidentity policies: none\n"), "{text}");
        assert!(text.contains("caller: nobody in particular"), "{text}");
    }

    #[test]
    fn one_caller_is_named_and_conditions_are_pairs() {
        let parse = |arguments: &[&str]| {
            let all = [&["explain", "--action", "s3:GetObject", "--resource", "pail/a"], arguments].concat();
            explain().try_get_matches_from(all).map(|matches| asked(&matches)).ok()
        };
        let account: AccountId = "123456789012".parse().unwrap();
        assert_eq!(
            parse(&["--root", "--account", "123456789012"]).unwrap().caller,
            Who::Root { account: Some(account) }
        );
        assert_eq!(parse(&["--key", "BRIMA"]).unwrap().caller, Who::Key("BRIMA".into()));
        let asked = parse(&["--anonymous", "--condition", "s3:prefix=a=b", "--condition", "aws:Referer="]).unwrap();
        assert_eq!(asked.caller, Who::Anonymous);
        let pairs = [("s3:prefix", "a=b"), ("aws:Referer", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(asked.conditions, pairs);
        for wrong in [
            &[][..],
            &["--root", "--anonymous"],
            &["--key", "BRIMA", "--account", "123456789012"],
            &["--root", "--condition", "s3:prefix"],
        ] {
            assert!(parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
