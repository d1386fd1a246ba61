//! `brim edge` and `brim purge`: the edges of a running server, through `DIR/admin.sock`.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use super::execute::execute;
use super::key::print;
use super::{AFTER_HELP, Failure, options};
use crate::admin::{Answer, Command as Operation, EdgeCommand, EdgeList, Gone};
use crate::config::{ServerConfig, duration};
use crate::edges::EdgeState;
use crate::feed::{Purge, Scope, Target};
use crate::names::{AccountId, HostName};
use crate::telemetry::log;

/// How long a command waits for the edges where nobody says: longer than any lease.
const PATIENCE: &str = "15s";

pub fn command() -> Command {
    let position =
        Arg::new("position").long("position").value_name("P").required(true).value_parser(value_parser!(u64));
    Command::new("edge")
        .about("Shows the edges of a running server, and waits for them")
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(local(
            "list",
            "Lists the edges that were heard of: their leases, and up to where they have dropped what was overwritten",
        ))
        .subcommand(
            local("wait", "Waits until no live edge holds anything of before a change")
                .arg(position.help("The change's position: what x-brim-position said in the answer to the write"))
                .arg(time()),
        )
}

/// `brim purge`.
pub fn purge_command() -> Command {
    let items = Arg::new("ITEM").num_args(1..).required(true).value_parser(Target::parse);
    let scope = |name: &'static str| {
        Arg::new(name).long(name).conflicts_with_all(["site", "host"].iter().filter(|other| **other != name))
    };
    local("purge", "Has the edges of a running server drop what they hold, and waits until they have")
        .long_about(
            "Has the edges of a running server drop what they hold: in all their sites, in one, or under one host. An item is a \
             path, a path that ends in * and stands for all that begin so, or a tag with # before it. Waits until no live edge \
             holds any of it.",
        )
        .arg(items.help("/path, /pa*, /* or #tag"))
        .arg(scope("site").value_name("ID").help("Only in this site"))
        .arg(scope("host").value_name("HOST").value_parser(HostName::parse).help("Only under this host"))
        .arg(Arg::new("soft").long("soft").action(ArgAction::SetTrue).help("Only mark it as stale"))
        .arg(options::account().help("Only at the edges of this account; at all where none is named"))
        .arg(time())
}

fn time() -> Arg {
    Arg::new("timeout")
        .long("timeout")
        .value_name("TIME")
        .default_value(PATIENCE)
        .value_parser(|text: &str| duration(text).ok_or("a time such as 15s or 500ms"))
        .help("How long to wait")
}

fn local(name: &'static str, about: &'static str) -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    Command::new(name).about(about).after_help(AFTER_HELP).args(options::arguments(|flag| flag == "data")).arg(json)
}

/// Carries out `brim edge`.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().ok_or("no such command")?;
    match name {
        "list" => {
            let Answer::Edges(edges) = ask(matches, EdgeCommand::List)? else { return Err(other_answer()) };
            print(&edges, matches.get_flag("json"), |edges| json!(edges), edges_as_text)
        }
        "wait" => {
            let position = *matches.get_one::<u64>("position").ok_or("no position")?;
            gone(matches, EdgeCommand::Wait { position, time: millis(matches) })
        }
        _ => Err(Failure::from("no such command")),
    }
}

/// Carries out `brim purge`.
pub fn run_purge(matches: &ArgMatches) -> Result<(), Failure> {
    let scope = match (matches.get_one::<String>("site"), matches.get_one::<HostName>("host")) {
        (Some(site), _) => Scope::Site(site.clone()),
        (None, Some(host)) => Scope::Host(host.as_str().to_owned()),
        (None, None) => Scope::Everything,
    };
    let (soft, targets) = (matches.get_flag("soft"), matches.get_many::<Target>("ITEM").unwrap_or_default());
    let purges = targets.map(|target| Purge { scope: scope.clone(), target: target.clone(), soft }).collect();
    let account = matches.get_one::<AccountId>("account").cloned();
    gone(matches, EdgeCommand::Purge { account, purges, time: millis(matches) })
}

/// Has something gone, and tells whether it is; where it is not, the command failed.
fn gone(matches: &ArgMatches, command: EdgeCommand) -> Result<(), Failure> {
    let Answer::Gone(answer) = ask(matches, command)? else { return Err(other_answer()) };
    print(&answer, matches.get_flag("json"), |answer| json!(answer), gone_as_text)?;
    match answer.gone {
        true if answer.unknown => Err(Failure::from("no live edge has such a site or host: brim edge list shows them")),
        true => Ok(()),
        false => Err(Failure::from("not every live edge has said that it is gone: brim edge list shows which")),
    }
}

fn ask(matches: &ArgMatches, work: EdgeCommand) -> Result<Answer, Failure> {
    let config: ServerConfig = options::load(matches)?;
    // Only what an operator must act on: the rest would stand between the lines of the answer.
    log::init(config.log.format, "warn")?;
    execute(&config, Operation::Edge { work }, &mut |_| Ok(()))
}

fn millis(matches: &ArgMatches) -> u64 {
    matches.get_one::<Duration>("timeout").map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn other_answer() -> Failure {
    Failure::from("the server gave another answer than was asked for")
}

fn gone_as_text(answer: &Gone) -> String {
    match answer.gone {
        true => format!("position {}: gone from every live edge\n", answer.position),
        false => format!("position {}: not known to be gone\n", answer.position),
    }
}

fn edges_as_text(list: &EdgeList) -> String {
    let mut text = format!(
        "{:<24}  {:<6}  {:>7}  {:>12}  {:>8}  {:<24}  SITES\n",
        "EDGE", "STATE", "LEASE", "APPLIED", "BEHIND", "READS THE FEED"
    );
    for edge in &list.edges {
        let state = match edge.state {
            EdgeState::Live => "live",
            EdgeState::Lost => "lost",
        };
        let through = match &edge.behind {
            Some(shield) => format!("through {shield}"),
            None => format!("from {}", edge.address),
        };
        let (lease, behind) =
            (format!("{:.1}s", edge.lease as f64 / 1000.0), list.position.saturating_sub(edge.applied));
        let line = format!(
            "{:<24}  {state:<6}  {lease:>7}  {:>12}  {behind:>8}  {through:<24}  {}",
            edge.name,
            edge.applied,
            edge.sites.join(" ")
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&format!("the log ends at {}\n", list.position));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edges::Listed;

    #[test]
    fn lists_show_one_edge_per_line() {
        let edge = Listed {
            name: "fra-1".into(),
            run: 7,
            behind: None,
            principal: "arn:aws:iam::000000000000:user/edge".into(),
            address: "192.0.2.1".into(),
            state: EdgeState::Live,
            lease: 11_500,
            applied: 40,
            sites: vec!["www".into(), "shop".into()],
        };
        let text = edges_as_text(&EdgeList { edges: vec![edge], position: 42 });
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "fra-1                     live      11.5s            40         2  from 192.0.2.1            www shop"
        );
        assert_eq!(text.lines().last().unwrap(), "the log ends at 42");
    }

    #[test]
    fn items_and_scopes_are_checked_before_anything_is_asked() {
        let parsed = |arguments: &[&str]| purge_command().try_get_matches_from(arguments).map(drop).is_ok();
        assert!(parsed(&["purge", "/a", "/b*", "#shop", "--site", "www", "--soft", "--timeout", "2s"]));
        assert!(parsed(&["purge", "/*", "--host", "www.example.com", "--account", "123456789012"]));
        for wrong in [
            &["purge"][..],
            &["purge", "a"],
            &["purge", "/a*b"],
            &["purge", "/a", "--site", "www", "--host", "a.example"],
            &["purge", "/a", "--host", "a b"],
            &["purge", "/a", "--timeout", "soon"],
        ] {
            assert!(!parsed(wrong), "{wrong:?}");
        }
    }
}
