//! `brim webhook`: the webhooks of a running server, through `DIR/admin.sock`.

mod arguments;
mod text;

use std::collections::BTreeSet;

use clap::ArgMatches;
use serde::Serialize;
use serde_json::{Value, json};

use super::execute::execute;
use super::key::print;
use super::{Failure, options};
use crate::admin::{Answer, Command as Operation, ShownSecret, Webhook, WebhookCommand, WebhookDetails};
use crate::config::ServerConfig;
use crate::events::endpoint::EndpointName;
use crate::events::operate::{Attempt, DeadLetter, Outcome, Page};
use crate::names::AccountId;
use crate::telemetry::log;

pub use arguments::command;

/// A running server, and in whose name it is asked.
struct Asking {
    config: ServerConfig,
    account: Option<AccountId>,
    json: bool,
}

/// Carries out `brim webhook`.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (action, matches) = matches.subcommand().ok_or("no such command")?;
    let config = options::load(matches)?;
    // Only what an operator must act on: the rest would stand between the lines of the answer.
    log::init(config.log.format, "warn")?;
    let account = matches.get_one::<AccountId>("account").cloned();
    let asking = Asking { config, account, json: matches.get_flag("json") };
    let limit = || *matches.get_one::<usize>("limit").unwrap_or(&arguments::USUAL_ROWS);
    match action {
        "list" => asking.list(),
        "deliveries" => asking.attempts(&name(matches)?, matches.get_flag("failed"), limit()),
        "dead" => asking.dead(&name(matches)?, limit()),
        _ => asking.change(action, arguments::operation(action, matches)?),
    }
}

fn name(matches: &ArgMatches) -> Result<EndpointName, Failure> {
    matches.get_one::<EndpointName>("NAME").cloned().ok_or_else(|| Failure::from("no name"))
}

impl Asking {
    fn ask(&self, work: WebhookCommand) -> Result<Answer, Failure> {
        let work = Box::new(work);
        execute(&self.config, Operation::Webhook { account: self.account.clone(), work }, &mut |_| Ok(()))
    }

    fn change(&self, action: &str, work: WebhookCommand) -> Result<(), Failure> {
        match self.ask(work)? {
            Answer::Webhook(details) => print(&*details, self.json, as_json, text::details),
            Answer::WebhookSecret { webhook, secret } => {
                print(&(*webhook, secret), self.json, with_secret_as_json, text::with_secret)
            }
            Answer::Attempt(attempt) => self.tested(&attempt),
            Answer::Replaying { messages } => {
                print(&messages, self.json, |messages| json!({ "messages": messages }), text::replaying)
            }
            Answer::Done => {
                print(action, self.json, |action| json!({ "done": action }), |action| format!("{action}: done\n"))
            }
            _ => Err(other_answer()),
        }
    }

    /// A test that did not arrive is a command that failed.
    fn tested(&self, attempt: &Attempt) -> Result<(), Failure> {
        print(attempt, self.json, as_json, text::test)?;
        match attempt.outcome {
            Outcome::Delivered => Ok(()),
            _ => Err(Failure::from("the test message did not arrive")),
        }
    }

    fn list(&self) -> Result<(), Failure> {
        let (mut listed, mut after): (Vec<Webhook>, _) = (Vec::new(), None);
        loop {
            let Answer::Webhooks { webhooks, after: next } = self.ask(WebhookCommand::List { after: after.clone() })?
            else {
                return Err(other_answer());
            };
            listed.extend(webhooks);
            match next {
                None => return print(listed.as_slice(), self.json, as_json, text::list),
                // Every page begins behind the last of the one before, so this ends.
                Some(next) if after.as_ref().is_none_or(|after| next > *after) => after = Some(next),
                Some(_) => return Err(Failure::from("the server gave the same page twice")),
            }
        }
    }

    fn attempts(&self, name: &EndpointName, failed: bool, limit: usize) -> Result<(), Failure> {
        let attempts = pages(limit, |after| {
            match self.ask(WebhookCommand::Deliveries { name: name.clone(), after, failed })? {
                Answer::Attempts(page) => Ok(page),
                _ => Err(other_answer()),
            }
        })?;
        print(attempts.as_slice(), self.json, as_json::<[Attempt]>, text::attempts)
    }

    fn dead(&self, name: &EndpointName, limit: usize) -> Result<(), Failure> {
        let letters = pages(limit, |after| match self.ask(WebhookCommand::Dead { name: name.clone(), after })? {
            Answer::DeadLetters(page) => Ok(page),
            _ => Err(other_answer()),
        })?;
        print(letters.as_slice(), self.json, as_json::<[DeadLetter]>, text::dead)
    }
}

/// Asks for page after page, up to `limit` items.
fn pages<T>(limit: usize, ask: impl Fn(Option<String>) -> Result<Page<T>, Failure>) -> Result<Vec<T>, Failure> {
    let (mut items, mut after, mut seen) = (Vec::new(), None, BTreeSet::new());
    while items.len() < limit {
        let page = ask(after)?;
        items.extend(page.items);
        match page.next {
            None => break,
            Some(next) if seen.insert(next.clone()) => after = Some(next),
            Some(_) => return Err(Failure::from("the server gave the same page twice")),
        }
    }
    items.truncate(limit);
    Ok(items)
}

fn as_json<T: Serialize + ?Sized>(answer: &T) -> Value {
    json!(answer)
}

fn with_secret_as_json((webhook, secret): &(WebhookDetails, ShownSecret)) -> Value {
    json!({ "webhook": webhook, "secret": secret.expose() })
}

fn other_answer() -> Failure {
    Failure::from("the server gave another answer than was asked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_asked_for_until_there_are_enough_and_never_twice() {
        let ask = |after: Option<String>| {
            let from: u32 = after.map_or(0, |after| after.parse().unwrap());
            Ok(Page { items: vec![from, from + 1], next: (from < 4).then(|| (from + 2).to_string()) })
        };
        assert_eq!(pages(3, ask).unwrap(), [0, 1, 2]);
        assert_eq!(pages(100, ask).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert!(pages(100, |_| Ok(Page { items: vec![1], next: Some("same".to_owned()) })).is_err());
    }
}
