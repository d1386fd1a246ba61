//! `brim webhook`: the webhooks of a running server, through `DIR/admin.sock`.

mod arguments;
mod text;

use clap::ArgMatches;
use serde::Serialize;
use serde_json::{Value, json};

use super::execute::execute;
use super::key::print;
use super::{Failure, options};
use crate::admin::{
    Answer, Command as Operation, Letter, ShownSecret, Tested, Webhook, WebhookCommand, WebhookDetails,
};
use crate::config::ServerConfig;
use crate::events::deliver::{Delivery, Outcome};
use crate::events::endpoint::EndpointName;
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
            Answer::Tested(tested) => self.tested(&tested),
            Answer::Done => {
                print(action, self.json, |action| json!({ "done": action }), |action| format!("{action}: done\n"))
            }
            _ => Err(other_answer()),
        }
    }

    /// A test that did not arrive is a command that failed.
    fn tested(&self, tested: &Tested) -> Result<(), Failure> {
        print(tested, self.json, as_json, text::test)?;
        if tested.delivered { Ok(()) } else { Err(Failure::from("the test message did not arrive")) }
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

    /// Asks for page after page. Ends because every page begins before the last attempt of the one before.
    fn attempts(&self, name: &EndpointName, failed: bool, limit: usize) -> Result<(), Failure> {
        let (mut attempts, mut before): (Vec<Delivery>, _) = (Vec::new(), None);
        while attempts.len() < limit {
            let Answer::Attempts(page) = self.ask(WebhookCommand::Deliveries { name: name.clone(), before })? else {
                return Err(other_answer());
            };
            let Some((last, _)) = page.last() else { break };
            if before.is_some_and(|before| *last >= before) {
                return Err(Failure::from("the server gave the same page twice"));
            }
            before = Some(*last);
            attempts
                .extend(page.into_iter().map(|(_, attempt)| attempt).filter(|attempt| !failed || has_failed(attempt)));
        }
        attempts.truncate(limit);
        print(attempts.as_slice(), self.json, as_json, text::attempts)
    }

    /// Asks for page after page, each behind those before.
    fn dead(&self, name: &EndpointName, limit: usize) -> Result<(), Failure> {
        let mut letters: Vec<Letter> = Vec::new();
        while letters.len() < limit {
            let Answer::DeadLetters(page) =
                self.ask(WebhookCommand::Dead { name: name.clone(), skip: letters.len() })?
            else {
                return Err(other_answer());
            };
            if page.is_empty() {
                break;
            }
            letters.extend(page);
        }
        letters.truncate(limit);
        print(letters.as_slice(), self.json, as_json, text::dead)
    }
}

fn has_failed(attempt: &Delivery) -> bool {
    !matches!(attempt.outcome, Outcome::Delivered | Outcome::Test { delivered: true })
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
