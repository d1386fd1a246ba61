//! `brim scrub`: reads every byte and verifies it.

use std::num::NonZeroU64;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::execute::execute;
use super::findings::{AFTER_HELP, Findings};
use super::progress::amount;
use super::{Failure, options};
use crate::admin::{Answer, Command as Operation};
use crate::config::size;
use crate::report::Unit;
use crate::store::scrub::Summary;
use crate::telemetry::log;

/// A third of what a plain hard disk gives, a small share of what any other does.
const DEFAULT_RATE: &str = "50MiB";

pub fn command() -> Command {
    let rate = Arg::new("rate").long("rate").value_name("SIZE").default_value(DEFAULT_RATE).value_parser(parse_rate);
    Command::new("scrub")
        .about("Reads every byte and verifies its checksums")
        .long_about(
            "Reads the bytes of every object and part from the disk and verifies the checksum of each block and of each \
             object or part as a whole.\n\n\
             Works while the server runs, through the socket in its data directory, and while it does not. A scrub that \
             was stopped goes on where it was the next time. Each finding says which object is damaged.",
        )
        .after_help(AFTER_HELP)
        .args(options::arguments(|flag| flag == "data"))
        .arg(rate.help("The most bytes to read per second, such as 50MiB; 0 sets no bound"))
        .arg(
            Arg::new("restart")
                .long("restart")
                .action(ArgAction::SetTrue)
                .help("Begins anew instead of going on where the last scrub was stopped"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print a JSON object per line"))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = options::load(matches)?;
    // What is found is told by the findings.
    log::init(config.log.format, "error,brim::blob=off,brim::store=off")?;
    let mut findings = Findings::new(matches.get_flag("json"));
    let rate = matches.get_one::<u64>("rate").copied().and_then(NonZeroU64::new);
    let operation = Operation::Scrub { rate, restart: matches.get_flag("restart") };
    let Answer::Scrubbed(summary) = execute(&config, operation, &mut |note| findings.hear(note))? else {
        return Err(Failure::from("the server gave another answer than that of a scrub"));
    };
    findings.end(&summary, &words(&summary))?;
    match summary.damaged {
        0 => Ok(()),
        damaged => Err(Failure::Damage(format!("{damaged} blobs or inline values are damaged"))),
    }
}

fn parse_rate(text: &str) -> Result<u64, String> {
    size(text).ok_or_else(|| "expected a size, such as 50MiB".to_owned())
}

fn words(summary: &Summary) -> String {
    let since = if summary.resumed { format!(", begun {} and gone on with", summary.began) } else { String::new() };
    format!(
        "read {} in {} blobs and {} inline values{since}\nfound {} damaged",
        amount(summary.bytes, Unit::Bytes),
        amount(summary.blobs, Unit::Files),
        amount(summary.inline_values, Unit::Rows),
        amount(summary.damaged, Unit::Rows),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_whether_a_scrub_was_gone_on_with() {
        let began = "1970-01-01T00:00:00.000Z".to_owned();
        let fresh = Summary { began, resumed: false, blobs: 1, inline_values: 2, bytes: 1 << 20, damaged: 0 };
        assert_eq!(words(&fresh), "read 1.00 MiB in 1 blobs and 2 inline values\nfound 0 damaged");
        assert!(words(&Summary { resumed: true, ..fresh }).contains("begun 1970-01-01T00:00:00.000Z and gone on with"));
    }
}
