//! `brim user`: through `DIR/admin.sock` while a server runs, on the data directory itself otherwise.

use std::fs::File;
use std::io::{self, Read};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::execute::execute;
use super::key::{print, status_word};
use super::{AFTER_HELP, Failure, options};
use crate::admin::{Answer, Command as Operation, UserCommand, UserDetails, UserSummary};
use crate::config::ServerConfig;
use crate::names::AccountId;
use crate::telemetry::log;

/// The most bytes that are read of a policy: above the longest one.
const MAX_POLICY_BYTES: u64 = 64 * 1024;

pub fn command() -> Command {
    let user = || Arg::new("USER").required(true).help("The user's name");
    let policy = || Arg::new("POLICY").required(true).help("The policy's name");
    let file = Arg::new("FILE").required(true).help("The policy document, in JSON; - reads standard input");
    let path = Arg::new("path").long("path").value_name("PATH").default_value("/").help("The user's path, as in IAM");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).global(true).help("Print JSON");
    Command::new("user")
        .about("Makes and manages users and their policies")
        .long_about(
            "Makes and manages users and their policies. A user may do what policies allow; `brim key create --user` makes \
             keys for it.\n\n\
             Works while the server runs, through the socket in its data directory, and while it does not.",
        )
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(options::arguments(|flag| flag == "data"))
        .arg(options::account().global(true))
        .arg(json)
        .subcommand(Command::new("create").about("Makes a user without keys and policies").arg(user()).arg(path))
        .subcommand(Command::new("list").about("Lists the users of the account"))
        .subcommand(Command::new("show").about("Shows a user with its keys, groups and policies").arg(user()))
        .subcommand(Command::new("delete").about("Removes a user that has neither keys nor policies").arg(user()))
        .subcommand(
            Command::new("policy")
                .about("Manages a user's inline policies")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(
                    Command::new("put").about("Puts a policy, in the place of one with the same name").args([
                        user(),
                        policy(),
                        file,
                    ]),
                )
                .subcommand(Command::new("list").about("Lists the names of the policies").arg(user()))
                .subcommand(Command::new("show").about("Prints a policy as it was put").args([user(), policy()]))
                .subcommand(Command::new("delete").about("Removes a policy").args([user(), policy()])),
        )
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().ok_or("no such command")?;
    let config = options::load(matches)?;
    // Only what an operator must act on: the rest would stand between the lines of the answer.
    log::init(config.log.format, "warn")?;
    let (json, account) = (matches.get_flag("json"), matches.get_one::<AccountId>("account").cloned());
    let asking = Asking { config, account };
    if name == "list" {
        return print(asking.list()?.as_slice(), json, |users| json!(users), users_as_text);
    }
    let (command, done) = match name {
        "policy" => policy_command(matches)?,
        _ => user_command(name, matches)?,
    };
    match asking.ask(command)? {
        Answer::User(details) => print(&*details, json, |details| json!(details), details_as_text),
        Answer::Policies(names) => print(names.as_slice(), json, |names| json!(names), names_as_text),
        Answer::Policy(document) => print(&document, json, document_as_json, |document| format!("{document}\n")),
        _ => print(&done, json, |done| json!({ "done": done }), |done| format!("{done}\n")),
    }
}

/// The command, and what to say when it is done.
fn user_command(name: &str, matches: &ArgMatches) -> Result<(UserCommand, String), Failure> {
    let user = text(matches, "USER");
    let done = format!("{user} is deleted");
    match name {
        "create" => Ok((UserCommand::Create { user, path: text(matches, "path") }, String::new())),
        "show" => Ok((UserCommand::Show { user }, String::new())),
        "delete" => Ok((UserCommand::Delete { user }, done)),
        _ => Err(Failure::from("no such command")),
    }
}

fn policy_command(matches: &ArgMatches) -> Result<(UserCommand, String), Failure> {
    let (name, matches) = matches.subcommand().ok_or("no such command")?;
    let user = text(matches, "USER");
    let policy = || text(matches, "POLICY");
    match name {
        "put" => {
            let (policy, document) = (policy(), document(&text(matches, "FILE"))?);
            let done = format!("{policy} of {user} is put");
            Ok((UserCommand::PutPolicy { user, policy, document }, done))
        }
        "list" => Ok((UserCommand::ListPolicies { user }, String::new())),
        "show" => Ok((UserCommand::ShowPolicy { user, policy: policy() }, String::new())),
        "delete" => {
            let policy = policy();
            let done = format!("{policy} of {user} is deleted");
            Ok((UserCommand::DeletePolicy { user, policy }, done))
        }
        _ => Err(Failure::from("no such command")),
    }
}

fn text(matches: &ArgMatches, argument: &str) -> String {
    matches.get_one::<String>(argument).cloned().unwrap_or_default()
}

/// Reads a policy from a file, or from standard input where that is `-`.
fn document(file: &str) -> Result<String, Failure> {
    let source: Box<dyn Read> = match file {
        "-" => Box::new(io::stdin()),
        path => Box::new(File::open(path).map_err(|error| format!("{path}: {error}"))?),
    };
    let mut document = String::new();
    let read = source.take(MAX_POLICY_BYTES + 1).read_to_string(&mut document);
    let read = read.map_err(|error| format!("{file}: {error}"))?;
    match read as u64 <= MAX_POLICY_BYTES {
        true => Ok(document),
        false => Err(Failure::from(format!("{file} has more than {MAX_POLICY_BYTES} bytes"))),
    }
}

struct Asking {
    config: ServerConfig,
    account: Option<AccountId>,
}

impl Asking {
    fn ask(&self, command: UserCommand) -> Result<Answer, Failure> {
        // What works with users has nothing to tell before its answer.
        execute(&self.config, Operation::User { account: self.account.clone(), work: command }, &mut |_| Ok(()))
    }

    /// Asks for page after page. Ends because every page begins behind the last user of the one before.
    fn list(&self) -> Result<Vec<UserSummary>, Failure> {
        let mut listed: Vec<UserSummary> = Vec::new();
        let mut after = None;
        loop {
            let Answer::Users { users, after: next } = self.ask(UserCommand::List { after: after.clone() })? else {
                return Err(Failure::from("the server gave another answer than a list"));
            };
            listed.extend(users);
            if next.is_none() {
                return Ok(listed);
            }
            if next <= after {
                return Err(Failure::from("the server gave the same page twice"));
            }
            after = next;
        }
    }
}

fn document_as_json(document: &String) -> Value {
    serde_json::from_str(document).unwrap_or_else(|_| json!(document))
}

fn names_as_text(names: &[String]) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

fn users_as_text(users: &[UserSummary]) -> String {
    let mut text = format!("{:<24}  {:<21}  {:<24}  {:<8}  PATH\n", "NAME", "ID", "CREATED", "SET BY");
    for user in users {
        let (name, id, created, path) = (&user.name, &user.id, user.created.to_string(), &user.path);
        text.push_str(&format!("{name:<24}  {id:<21}  {created:<24}  {:<8}  {path}\n", set_by(user)));
    }
    text
}

fn details_as_text(details: &UserDetails) -> String {
    let user = &details.user;
    let mut text = format!(
        "name: {}\naccount: {}\nid: {}\npath: {}\ncreated: {}\nset by: {}\n",
        user.name,
        user.account,
        user.id,
        user.path,
        user.created,
        set_by(user)
    );
    for key in &details.keys {
        text.push_str(&format!("access key: {}, {}\n", key.access_key_id, status_word(key.status)));
    }
    let lines = [
        ("group", &details.groups),
        ("inline policy", &details.inline_policies),
        ("attached policy", &details.attached_policies),
    ];
    for (what, names) in lines {
        for name in names {
            text.push_str(&format!("{what}: {name}\n"));
        }
    }
    text
}

fn set_by(user: &UserSummary) -> &'static str {
    if user.declared { "config" } else { "command" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn bob() -> UserSummary {
        UserSummary {
            account: AccountId::default(),
            name: "bob".into(),
            path: "/team/".into(),
            id: "AIDABBBBBBBBBBBBBBBBB".into(),
            created: Timestamp::from_seconds(0),
            declared: false,
        }
    }

    #[test]
    fn lists_show_one_user_per_line() {
        let expected = "bob                       AIDABBBBBBBBBBBBBBBBB  1970-01-01T00:00:00.000Z  command   /team/";
        assert_eq!(users_as_text(&[bob()]).lines().nth(1).unwrap(), expected);
    }

    #[test]
    fn a_user_is_shown_with_everything_it_has() {
        let details = UserDetails {
            user: bob(),
            keys: Vec::new(),
            groups: vec!["ops".into()],
            inline_policies: vec!["uploads".into()],
            attached_policies: vec!["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".into()],
        };
        let text = details_as_text(&details);
        for line in ["name: bob", "path: /team/", "group: ops", "inline policy: uploads", "set by: command"] {
            assert!(text.lines().any(|shown| shown == line), "{line} not in {text}");
        }
        assert_eq!(json!(details)["user"]["name"], "bob");
    }

    #[test]
    fn policies_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.json");
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(document(path.to_str().unwrap()).unwrap(), "{}");
        std::fs::write(&path, " ".repeat(MAX_POLICY_BYTES as usize + 1)).unwrap();
        assert!(document(path.to_str().unwrap()).is_err());
        assert!(document("/nonexistent/policy.json").is_err());
    }
}
