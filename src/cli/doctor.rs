//! `brim doctor`: what the machine lacks.

use std::io::{self, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::{Failure, options};
use crate::server::doctor::{self, Diagnosis, Health};
use crate::telemetry::log;

const AFTER_HELP: &str =
    "Exit status: 0 nothing is bad, 1 failed, 2 wrong command line or configuration, 3 something is bad.";

pub fn command() -> Command {
    Command::new("doctor")
        .about("Looks at what the machine lacks for a server")
        .long_about(
            "Looks at the data directory's file system, what a sync costs there, free space, permissions, limits, memory, \
             the clock and the ports, for a server with this configuration, and says what to do.\n\n\
             Changes nothing: it writes a small file into the data directory, or beside it where there is none yet, and \
             removes it.",
        )
        .after_help(AFTER_HELP)
        .args(options::arguments(|_| true))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print a JSON object per line"))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = options::load(matches)?;
    log::init(config.log.format, "warn")?;
    let found = doctor::examine(&config);
    let text = if matches.get_flag("json") { as_json(&found) } else { as_text(&found) };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    match count(&found, Health::Bad) {
        0 => Ok(()),
        bad => Err(Failure::Damage(format!("{bad} of {} checks are bad", found.len()))),
    }
}

fn count(found: &[Diagnosis], health: Health) -> usize {
    found.iter().filter(|diagnosis| diagnosis.health == health).count()
}

fn as_json(found: &[Diagnosis]) -> String {
    let lines = found.iter().map(|diagnosis| json!({ "diagnosis": diagnosis }));
    let [ok, warn, bad] = [Health::Ok, Health::Warn, Health::Bad].map(|health| count(found, health));
    let summary = json!({ "summary": { "ok": ok, "warn": warn, "bad": bad } });
    lines.chain([summary]).map(|line| format!("{line}\n")).collect()
}

fn as_text(found: &[Diagnosis]) -> String {
    let mut text = String::new();
    for Diagnosis { health, subject, found, advice } in found {
        let health = match health {
            Health::Ok => "ok",
            Health::Warn => "warn",
            Health::Bad => "bad",
        };
        text.push_str(&format!("{health:<5} {subject:<15} {found}\n"));
        if let Some(advice) = advice {
            text.push_str(&format!("{:<5} {:<15} -> {advice}\n", "", ""));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_health_and_what_to_do() {
        let ok = Diagnosis { health: Health::Ok, subject: "sync", found: "fast".into(), advice: None };
        let bad =
            Diagnosis { health: Health::Bad, subject: "port", found: "taken".into(), advice: Some("free it".into()) };
        let found = [ok, bad];
        let expected = "ok    sync            fast\nbad   port            taken\n                      -> free it\n";
        assert_eq!(as_text(&found), expected);
        let lines = as_json(&found);
        assert_eq!(lines.lines().last().unwrap(), r#"{"summary":{"bad":1,"ok":1,"warn":0}}"#);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(first, json!({ "diagnosis": { "health": "ok", "subject": "sync", "found": "fast" } }));
    }
}
