//! What can be asked of `brim webhook`, and what it makes of it. The flags of `add` are the options of endpoints.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::super::{AFTER_HELP, Failure, options};
use crate::admin::WebhookCommand;
use crate::clock::{Clock, Timestamp};
use crate::config::duration;
use crate::events::endpoint::{
    DEFAULT_ROTATION, Definition, EndpointName, EndpointOption, Form, Given, Givers, OPTIONS, OptionFault,
};
use crate::events::operate::Replay;
use crate::private_file;
use crate::units::time_text;

/// How many rows are shown where nobody says, and at most.
pub const USUAL_ROWS: usize = 50;
const MAX_ROWS: usize = 10_000;

const LONG_ABOUT: &str = "\
Makes and manages webhooks: endpoints that are told of changes in buckets. A bucket's notification configuration names one by an \
ARN that ends in its name, such as arn:aws:sqs:us-east-1:ACCOUNT:NAME.

Works while the server runs, through the socket in its data directory. What the configuration file declares ([[webhooks]]) can \
be shown, tested, paused, resumed and replayed here, and changed in the file alone.";

const REPLAY_ABOUT: &str = "\
Sends something once more: dead letters, what happened in a time as far as the change log goes back, or what there is now (an \
ObjectCreated:Put for every object under a prefix). What is sent again has the webhook-id that it had, so that receivers which \
remember those do nothing twice.";

pub fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).global(true).help("Print JSON");
    Command::new("webhook")
        .about("Makes and manages webhooks, which are told of changes in buckets")
        .long_about(LONG_ABOUT)
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(options::arguments(|flag| flag == "data"))
        .arg(options::account().global(true))
        .arg(json)
        .subcommand(add())
        .subcommand(
            Command::new("list").about("Lists webhooks and how they fare; those of all accounts where none is named"),
        )
        .subcommand(of_one("show", "Shows a webhook with its options, without its secrets"))
        .subcommand(of_one("test", "Sends a test message now, and tells how it went"))
        .subcommand(of_one(
            "pause",
            "Sends nothing until it is resumed; what happens meanwhile is sent then, within the limits",
        ))
        .subcommand(of_one("resume", "Sends again, whether it was paused, or disabled by a receiver that answered 410"))
        .subcommand(
            of_one(
                "rotate-secret",
                "Makes another secret and prints it this once; the one before signs as well for a while",
            )
            .arg(
                time("keep", "How long the secret before signs as well; 0 for not at all")
                    .default_value(usual_rotation()),
            ),
        )
        .subcommand(of_one("remove", "Removes a webhook; what it was not told yet is not told any more"))
        .subcommand(replay())
        .subcommand(
            of_one("deliveries", "Shows the delivery log, the newest attempt first")
                .arg(Arg::new("failed").long("failed").action(ArgAction::SetTrue).help("Only attempts that failed"))
                .arg(limit()),
        )
        .subcommand(of_one("dead", "Shows the dead letters, the oldest first: what was given up").arg(limit()))
}

fn of_one(action: &'static str, about: &'static str) -> Command {
    let name = Arg::new("NAME").required(true).value_parser(EndpointName::parse).help("The webhook's name");
    Command::new(action).about(about).arg(name)
}

fn add() -> Command {
    let replace = Arg::new("replace").long("replace").action(ArgAction::SetTrue).help(
        "Puts this definition in the place of the one that there is, which keeps its secret and its place in the log",
    );
    of_one("add", "Makes a webhook and prints its secret; it is shown this once")
        .args(given_by_commands().map(flag))
        .arg(replace)
}

fn replay() -> Command {
    let time = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TIME").value_parser(moment).help(help)
    };
    of_one("replay", "Sends something once more")
        .long_about(REPLAY_ABOUT)
        .arg(Arg::new("dead").long("dead").action(ArgAction::SetTrue).help("All dead letters"))
        .arg(
            Arg::new("message")
                .long("message")
                .value_name("ID")
                .action(ArgAction::Append)
                .help("The dead letter with this webhook-id; may be given several times"),
        )
        .arg(time("since", "What happened from this time on: RFC 3339, or how long ago, such as 2h"))
        .arg(
            time("until", "And before this one; now where it is not given")
                .requires("since")
                .conflicts_with_all(["dead", "message", "present"]),
        )
        .arg(
            Arg::new("bucket")
                .long("bucket")
                .value_name("BUCKET")
                .conflicts_with_all(["dead", "message"])
                .help("Only in this bucket"),
        )
        .arg(
            Arg::new("prefix")
                .long("prefix")
                .value_name("PREFIX")
                .default_value("")
                .conflicts_with_all(["dead", "message"])
                .help("Only keys that begin so"),
        )
        .arg(
            Arg::new("present")
                .long("present")
                .action(ArgAction::SetTrue)
                .requires("bucket")
                .help("An ObjectCreated:Put for every object that there is now"),
        )
        .group(clap::ArgGroup::new("what").args(["dead", "message", "since", "present"]).required(true))
}

fn limit() -> Arg {
    Arg::new("limit")
        .long("limit")
        .value_name("N")
        .value_parser(|text: &str| {
            text.parse::<usize>().ok().filter(|n| (1..=MAX_ROWS).contains(n)).ok_or("a number from 1 to 10000")
        })
        .help(format!("How many rows to show at most [default: {USUAL_ROWS}]"))
}

fn time(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("TIME")
        .value_parser(|text: &str| match text {
            "0" => Ok(Duration::ZERO),
            text => duration(text).ok_or("a time such as 24h or 30m"),
        })
        .help(help)
}

fn usual_rotation() -> String {
    time_text(DEFAULT_ROTATION)
}

/// A time, as RFC 3339 or as how long ago it was.
fn moment(text: &str) -> Result<Timestamp, &'static str> {
    if let Some(ago) = duration(text) {
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        return Ok(Timestamp::from_millis(Clock::system().now().as_millis().saturating_sub(ago)));
    }
    let time: jiff::Timestamp =
        text.parse().map_err(|_| "a time such as 2026-11-23T20:00:00Z, or how long ago, such as 2h")?;
    u64::try_from(time.as_millisecond()).map(Timestamp::from_millis).map_err(|_| "a time from 1970 on")
}

fn given_by_commands() -> impl Iterator<Item = &'static EndpointOption> {
    OPTIONS.iter().filter(|option| option.givers != Givers::TheFile)
}

/// The flag's name: the key with hyphens; of the headers, which are given one by one, the singular.
fn flag_name(option: &EndpointOption) -> String {
    match option.form {
        Form::Table => option.key.trim_end_matches('s').to_owned(),
        _ => option.file_key().replace('_', "-"),
    }
}

fn flag(option: &'static EndpointOption) -> Arg {
    let default = if option.default.is_empty() { String::new() } else { format!(" [default: {}]", option.default) };
    let (value, place) = match option.form {
        Form::Text | Form::Number => ("VALUE", String::new()),
        Form::List => ("A,B", String::new()),
        Form::Table => ("NAME: VALUE", "; may be given several times".to_owned()),
        Form::Path => ("FILE", ", as the server finds it".to_owned()),
        Form::File => ("FILE", ", in this file".to_owned()),
    };
    let help = format!("{}{place}: {}{default}", option.doc.replace('`', ""), option.expects);
    let argument = Arg::new(option.key).long(flag_name(option)).value_name(value).help(help);
    match option.form {
        Form::Table => argument.action(ArgAction::Append),
        Form::Path | Form::File => argument.value_parser(value_parser!(PathBuf)),
        _ => argument,
    }
    .required(option.key == "url")
}

/// What the arguments of `action` ask for.
pub fn operation(action: &str, matches: &ArgMatches) -> Result<WebhookCommand, Failure> {
    let name = super::name(matches)?;
    Ok(match action {
        "add" => WebhookCommand::Add { name, given: given(matches)?, replace: matches.get_flag("replace") },
        "show" => WebhookCommand::Show { name },
        "test" => WebhookCommand::Test { name },
        "pause" => WebhookCommand::Pause { name },
        "resume" => WebhookCommand::Resume { name },
        "rotate-secret" => {
            let keep = matches.get_one::<Duration>("keep").copied().unwrap_or(DEFAULT_ROTATION);
            WebhookCommand::RotateSecret { name, keep: u64::try_from(keep.as_millis()).unwrap_or(u64::MAX) }
        }
        "remove" => WebhookCommand::Remove { name },
        "replay" => WebhookCommand::Replay { name, replay: what(matches) },
        _ => return Err(Failure::from("no such command")),
    })
}

fn what(matches: &ArgMatches) -> Replay {
    let prefix = matches.get_one::<String>("prefix").cloned().unwrap_or_default();
    let bucket = matches.get_one::<String>("bucket").cloned();
    if let Some(since) = matches.get_one::<Timestamp>("since") {
        let until = matches.get_one::<Timestamp>("until").copied().unwrap_or_else(|| Clock::system().now());
        return Replay::Window { time: *since..until, bucket, prefix };
    }
    match bucket.filter(|_| matches.get_flag("present")) {
        Some(bucket) => Replay::Present { bucket, prefix },
        None => {
            let messages = matches.get_many::<String>("message").unwrap_or_default().cloned().collect();
            Replay::Dead { messages }
        }
    }
}

/// The options that the flags give, checked before the server is asked.
fn given(matches: &ArgMatches) -> Result<Given, Failure> {
    let mut given = Given::default();
    for option in given_by_commands().filter(|option| matches.contains_id(option.key)) {
        match option.form {
            Form::Table => {
                let lines: Vec<&str> =
                    matches.get_many::<String>(option.key).unwrap_or_default().map(String::as_str).collect();
                if lines.iter().any(|line| line.contains('\n')) {
                    return Err(Failure::Refused(format!("--{}: one line each", flag_name(option))));
                }
                given.set(option.key, lines.join("\n"));
            }
            Form::File => given.set(option.key, secret_of(path(matches, option)?)?),
            Form::Path => {
                given.set(option.key, std::path::absolute(path(matches, option)?)?.to_string_lossy().into_owned());
            }
            Form::Text | Form::Number | Form::List => {
                given.set(option.key, matches.get_one::<String>(option.key).cloned().unwrap_or_default());
            }
        }
    }
    Definition::parse(&given).map_err(|faults| Failure::Refused(in_flags(&faults)))?;
    Ok(given)
}

fn path<'m>(matches: &'m ArgMatches, option: &EndpointOption) -> Result<&'m Path, Failure> {
    matches.get_one::<PathBuf>(option.key).map(PathBuf::as_path).ok_or_else(|| Failure::from("no path"))
}

fn secret_of(path: &Path) -> Result<String, Failure> {
    let bytes = private_file::read(path)?.ok_or_else(|| format!("there is no file {}", path.display()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{} is no text", path.display()))?;
    Ok(text.trim_end().to_owned())
}

fn in_flags(faults: &[OptionFault]) -> String {
    faults.iter().map(OptionFault::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<WebhookCommand, String> {
        let all = [&["webhook"], arguments].concat();
        let matches = command().try_get_matches_from(all).map_err(|error| error.to_string())?;
        let (action, matches) = matches.subcommand().unwrap();
        operation(action, matches).map_err(|failure| failure.to_string())
    }

    #[test]
    fn options_are_flags() {
        let refused = parsed(&["add", "hook", "--url", "http://a.example/", "--ca-file", "ca.pem"]).unwrap_err();
        assert!(refused.contains("does not begin with https://"), "{refused}");
        let Ok(WebhookCommand::Add { name, given, replace }) = parsed(&[
            "add",
            "hook",
            "--url",
            "https://a.example/",
            "--header",
            "X-A: b",
            "--header",
            "X-C: d",
            "--retry",
            "1s,2s",
            "--batch-linger",
            "2s",
            "--ca-file",
            "ca.pem",
            "--replace",
        ]) else {
            panic!("refused")
        };
        assert_eq!((name.as_str(), replace), ("hook", true));
        assert_eq!((given.get("headers"), given.get("batch_linger")), (Some("X-A: b\nX-C: d"), Some("2s")));
        assert!(Path::new(given.get("ca_file").unwrap()).is_absolute());
    }

    #[test]
    fn secrets_come_from_files_that_others_cannot_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        private_file::write(&file, b"Bearer hunter2\n").unwrap();
        let path = file.to_str().unwrap();
        let add = ["add", "hook", "--url", "http://a.example/", "--authorization-file", path];
        let Ok(WebhookCommand::Add { given, .. }) = parsed(&add) else { panic!("refused") };
        assert_eq!(given.get("authorization"), Some("Bearer hunter2"));
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(parsed(&add).unwrap_err().contains("other users"));
    }

    #[test]
    fn wrong_arguments_are_refused_before_the_server_is_asked() {
        for wrong in [
            &["add", "hook"][..],
            &["add", "a.b", "--url", "http://a.example/"],
            &["add", "hook", "--url", "http://me:secret@a.example/"],
            &["add", "hook", "--url", "http://a.example/", "--concurrency", "0"],
            &["add", "hook", "--url", "http://a.example/", "--previous-secret-file", "x"],
            &["replay", "hook"],
            &["replay", "hook", "--dead", "--since", "1h"],
            &["replay", "hook", "--present"],
            &["replay", "hook", "--until", "1h"],
            &["replay", "hook", "--present", "--bucket", "pail", "--until", "1h"],
            &["replay", "hook", "--dead", "--bucket", "pail"],
            &["replay", "hook", "--message", "msg_1", "--prefix", "a/"],
            &["replay", "hook", "--since", "yesterday"],
            &["deliveries", "hook", "--limit", "0"],
            &["rotate-secret", "hook", "--keep", "soon"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_replay_is_of_dead_letters_of_a_time_or_of_what_there_is() {
        let of = |arguments: &[&str]| match parsed(&[&["replay", "hook"], arguments].concat()).unwrap() {
            WebhookCommand::Replay { replay, .. } => replay,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(&["--dead"]), Replay::Dead { messages: vec![] });
        assert_eq!(
            of(&["--message", "msg_1", "--message", "msg_2"]),
            Replay::Dead { messages: vec!["msg_1".into(), "msg_2".into()] }
        );
        let present = Replay::Present { bucket: "pail".into(), prefix: "a/".into() };
        assert_eq!(of(&["--present", "--bucket", "pail", "--prefix", "a/"]), present);
        let window = of(&["--since", "2026-11-23T20:00:00Z", "--until", "2026-11-23T21:00:00Z"]);
        let hour = 1_795_464_000_000;
        let time = Timestamp::from_millis(hour)..Timestamp::from_millis(hour + 3_600_000);
        assert_eq!(window, Replay::Window { time, bucket: None, prefix: String::new() });
    }

    #[test]
    fn keeping_a_secret_has_a_usual_time() {
        let keep = |arguments: &[&str]| match parsed(&[&["rotate-secret", "hook"], arguments].concat()).unwrap() {
            WebhookCommand::RotateSecret { keep, .. } => keep,
            other => panic!("{other:?}"),
        };
        assert_eq!((keep(&[]), keep(&["--keep", "0"]), keep(&["--keep", "1m"])), (86_400_000, 0, 60_000));
    }
}
