//! `brim key`: through `DIR/admin.sock` while a server runs, on the data directory itself otherwise.

use std::io::{self, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::execute::execute;
use super::{AFTER_HELP, Failure, options};
use crate::admin::{Answer, Command as Operation};
use crate::config::ServerConfig;
use crate::identity::{KeySummary, SecretKey, Status};
use crate::names::{AccountId, BucketName};
use crate::telemetry::log;

pub fn command() -> Command {
    let id = || Arg::new("ID").required(true).help("The access key id");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).global(true).help("Print JSON");
    let user = Arg::new("user").long("user").value_name("NAME").help("The user whom the key is for");
    let edge = Arg::new("edge").long("edge").value_name("BUCKET").action(ArgAction::Append);
    let edge = edge.value_parser(BucketName::parse).help(
        "Makes the key for an edge in front of this bucket, which may read it and hear of changes, and nothing else; may be \
         given several times. The user is made, edge-BUCKET where none is named",
    );
    let description = Arg::new("description").long("description").value_name("TEXT").default_value("");
    Command::new("key")
        .about("Makes and manages access keys")
        .long_about(
            "Makes and manages access keys. A key that is made for a user may do what policies allow the user; any other has \
             full access to its account.\n\n\
             Works while the server runs, through the socket in its data directory, and while it does not.",
        )
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(options::arguments(|flag| flag == "data"))
        .arg(json)
        .subcommand(
            Command::new("create")
                .about("Makes a key and prints it; its secret is shown this once")
                .arg(user)
                .arg(edge)
                .arg(options::account())
                .arg(description.help("What the key is for, shown in lists")),
        )
        .subcommand(Command::new("list").about("Lists the keys, without their secrets").arg(options::account().help("Only keys of this account")))
        .subcommand(Command::new("disable").about("Stops a key from working, from the next request on").arg(id()))
        .subcommand(Command::new("enable").about("Lets a disabled key work again").arg(id()))
        .subcommand(Command::new("delete").about("Removes a key for good").arg(id()))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().ok_or("no such command")?;
    let config = options::load(matches)?;
    // Only what an operator must act on: the rest would stand between the lines of the answer.
    log::init(config.log.format, "warn")?;
    let json = matches.get_flag("json");
    if name == "list" {
        let mut keys = list(&config)?;
        if let Some(account) = matches.get_one::<AccountId>("account") {
            keys.retain(|key| key.account == *account);
        }
        return print(keys.as_slice(), json, keys_as_json, keys_as_text);
    }
    let operation = operation(name, matches)?;
    let changed = Changed::of(&operation);
    match ask(&config, operation)? {
        Answer::CreatedKey { access_key_id, secret_access_key } => {
            print(&(access_key_id, secret_access_key), json, created_as_json, created_as_text)
        }
        _ => print(&changed, json, Changed::as_json, Changed::as_text),
    }
}

fn operation(name: &str, matches: &ArgMatches) -> Result<Operation, Failure> {
    let text = |argument: &str| matches.get_one::<String>(argument).cloned().unwrap_or_default();
    match name {
        "create" if matches.contains_id("edge") => Ok(Operation::CreateEdgeKey {
            description: text("description"),
            account: matches.get_one::<AccountId>("account").cloned(),
            user: matches.get_one::<String>("user").cloned(),
            buckets: matches.get_many::<BucketName>("edge").unwrap_or_default().cloned().collect(),
        }),
        "create" => Ok(Operation::CreateKey {
            description: text("description"),
            account: matches.get_one::<AccountId>("account").cloned(),
            user: matches.get_one::<String>("user").cloned(),
        }),
        "disable" => Ok(Operation::DisableKey { access_key_id: text("ID") }),
        "enable" => Ok(Operation::EnableKey { access_key_id: text("ID") }),
        "delete" => Ok(Operation::DeleteKey { access_key_id: text("ID") }),
        _ => Err(Failure::from("no such command")),
    }
}

fn ask(config: &ServerConfig, operation: Operation) -> Result<Answer, Failure> {
    // What works with keys has nothing to tell before its answer.
    execute(config, operation, &mut |_| Ok(()))
}

/// Asks for page after page. Ends because every page begins behind the last key of the one before.
fn list(config: &ServerConfig) -> Result<Vec<KeySummary>, Failure> {
    let mut listed: Vec<KeySummary> = Vec::new();
    let mut after = None;
    loop {
        let Answer::Keys { keys, after: next } = ask(config, Operation::ListKeys { after: after.clone() })? else {
            return Err(Failure::from("the server gave another answer than a list"));
        };
        listed.extend(keys);
        if next.is_none() {
            return Ok(listed);
        }
        if next <= after {
            return Err(Failure::from("the server gave the same page twice"));
        }
        after = next;
    }
}

/// Prints an answer as JSON or as text.
pub fn print<T: ?Sized>(
    answer: &T,
    json: bool,
    as_json: fn(&T) -> Value,
    as_text: fn(&T) -> String,
) -> Result<(), Failure> {
    let text = if json { format!("{:#}\n", as_json(answer)) } else { as_text(answer) };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn created_as_json((id, secret): &(String, SecretKey)) -> Value {
    json!({ "access_key_id": id, "secret_access_key": secret.expose() })
}

/// Two lines for a profile of `~/.aws/credentials`.
fn created_as_text((id, secret): &(String, SecretKey)) -> String {
    format!("aws_access_key_id = {id}\naws_secret_access_key = {}\n", secret.expose())
}

pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Disabled => "disabled",
    }
}

fn keys_as_json(keys: &[KeySummary]) -> Value {
    let key = |key: &KeySummary| {
        json!({
            "access_key_id": key.access_key_id,
            "status": status_word(key.status),
            "created": key.created.to_string(),
            "account": key.account,
            "user": key.user,
            "description": key.description,
        })
    };
    keys.iter().map(key).collect()
}

fn keys_as_text(keys: &[KeySummary]) -> String {
    let mut text = format!(
        "{:<20}  {:<8}  {:<24}  {:<12}  {:<16}  DESCRIPTION\n",
        "ACCESS KEY ID", "STATUS", "CREATED", "ACCOUNT", "USER"
    );
    for key in keys {
        let (id, status, created) = (&key.access_key_id, status_word(key.status), key.created.to_string());
        let (account, user) = (key.account.as_str(), key.user.as_deref().unwrap_or("-"));
        let line = format!("{id:<20}  {status:<8}  {created:<24}  {account:<12}  {user:<16}  {}", key.description);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A key and what became of it.
struct Changed {
    access_key_id: String,
    status: &'static str,
}

impl Changed {
    fn of(operation: &Operation) -> Self {
        let (access_key_id, status) = match operation {
            Operation::DisableKey { access_key_id } => (access_key_id.clone(), "disabled"),
            Operation::EnableKey { access_key_id } => (access_key_id.clone(), "active"),
            Operation::DeleteKey { access_key_id } => (access_key_id.clone(), "deleted"),
            _ => (String::new(), "unchanged"),
        };
        Self { access_key_id, status }
    }

    fn as_json(&self) -> Value {
        json!({ "access_key_id": self.access_key_id, "status": self.status })
    }

    fn as_text(&self) -> String {
        format!("{} is {}\n", self.access_key_id, self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_new_key_is_printed_as_a_profile_or_as_json() {
        let made = ("BRIMA".to_owned(), SecretKey::parse("a-secret").unwrap());
        assert_eq!(created_as_text(&made), "aws_access_key_id = BRIMA\naws_secret_access_key = a-secret\n");
        assert_eq!(created_as_json(&made), json!({ "access_key_id": "BRIMA", "secret_access_key": "a-secret" }));
    }

    #[test]
    fn lists_show_one_key_per_line() {
        let key = KeySummary {
            access_key_id: "BRIMAAAAAAAAAAAAAAAA".into(),
            status: Status::Disabled,
            created: Timestamp::from_seconds(0),
            description: "laptop".into(),
            account: Default::default(),
            user: None,
        };
        let text = keys_as_text(std::slice::from_ref(&key));
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "BRIMAAAAAAAAAAAAAAAA  disabled  1970-01-01T00:00:00.000Z  000000000000  -                 laptop"
        );
        assert_eq!(keys_as_json(&[key])[0]["created"], "1970-01-01T00:00:00.000Z");
    }
}
