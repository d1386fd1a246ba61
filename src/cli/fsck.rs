//! `brim fsck`: checks that records, references and bytes belong together.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::execute::execute;
use super::findings::{AFTER_HELP, Findings};
use super::progress::amount;
use super::{Failure, options};
use crate::admin::{Answer, Command as Operation};
use crate::report::Unit;
use crate::store::fsck::Summary;
use crate::telemetry::log;

pub fn command() -> Command {
    let repair = Arg::new("repair").long("repair").action(ArgAction::SetTrue);
    Command::new("fsck")
        .about("Checks that every object has its bytes, and that nothing is left over")
        .long_about(
            "Checks every record against every other and against the files: each object and part has its bytes and its \
             reference, each reference its object, and whatever else there is waits to be removed. `brim scrub` reads \
             the bytes themselves.\n\n\
             Works while the server runs, through the socket in its data directory, and while it does not. Each finding \
             says what is wrong, what it means and what to do.",
        )
        .after_help(AFTER_HELP)
        .args(options::arguments(|flag| flag == "data"))
        .arg(repair.help(
            "Mends what can be mended without losing a byte; what belongs to nothing is moved to DIR/blobs/quarantine. \
             Needs a stopped server",
        ))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print a JSON object per line"))
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = options::load(matches)?;
    // What is found is told by the findings.
    log::init(config.log.format, "error,brim::blob=off,brim::store=off")?;
    let mut findings = Findings::new(matches.get_flag("json"));
    let operation = Operation::Fsck { repair: matches.get_flag("repair") };
    let Answer::Checked(summary) = execute(&config, operation, &mut |note| findings.hear(note))? else {
        return Err(Failure::from("the server gave another answer than that of a check"));
    };
    findings.end(&summary, &words(&summary))?;
    match summary.damage {
        0 => Ok(()),
        damage => Err(Failure::Damage(format!("{damage} findings of damage"))),
    }
}

fn words(summary: &Summary) -> String {
    let count = |count| amount(count, Unit::Rows);
    format!(
        "checked {} buckets, {} objects, {} versions, {} open uploads, {} parts, {} references, {} inline values, {} blobs, {} entries \
         of the change log; {} wait to be swept\nfound {} damaged and {} untidy, mended {}",
        count(summary.buckets),
        count(summary.objects),
        count(summary.versions),
        count(summary.uploads),
        count(summary.parts),
        count(summary.references),
        count(summary.inline_values),
        count(summary.blobs),
        count(summary.log_entries),
        count(summary.queued),
        count(summary.damage),
        count(summary.untidy),
        count(summary.repaired),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_everything() {
        let summary = Summary { objects: 1_000, damage: 2, ..Summary::default() };
        let words = words(&summary);
        assert!(
            words.contains("1,000 objects") && words.ends_with("found 2 damaged and 0 untidy, mended 0"),
            "{words}"
        );
    }
}
