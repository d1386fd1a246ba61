//! How far a command is, on standard error: a bar on a terminal, a line now and then where there is none, nothing where
//! a program reads the output.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::admin::Progress;
use crate::report::Unit;

/// The time between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// How often the bar's clock moves on by itself.
const TICK: Duration = Duration::from_millis(200);

/// Shows progress until it is dropped; the bar goes away with it.
pub struct Meter {
    shown: Shown,
    phase: String,
}

enum Shown {
    Nothing,
    /// When the next line is due.
    Lines(Instant),
    Bar(ProgressBar),
}

impl Meter {
    /// Shows nothing if `quiet`, otherwise what suits standard error.
    pub fn new(quiet: bool) -> Self {
        let shown = match quiet {
            true => Shown::Nothing,
            false if io::stderr().is_terminal() => Shown::Bar(bar()),
            false => Shown::Lines(Instant::now() + LINE_INTERVAL),
        };
        Self { shown, phase: String::new() }
    }

    pub fn show(&mut self, progress: &Progress) {
        let entered = self.phase != progress.phase;
        if entered {
            self.phase.clone_from(&progress.phase);
        }
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Lines(due) if Instant::now() >= *due => {
                *due = Instant::now() + LINE_INTERVAL;
                eprintln!("brim: {}", line(progress));
            }
            Shown::Lines(_) => {}
            Shown::Bar(bar) => draw(bar, progress, entered),
        }
    }

    /// Has `print` write to the terminal without the bar in its way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(print),
            Shown::Nothing | Shown::Lines(_) => print(),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(TICK);
    bar
}

fn draw(bar: &ProgressBar, progress: &Progress, entered: bool) {
    if entered {
        bar.reset();
        bar.set_style(style(progress));
        bar.set_message(progress.phase.clone());
    }
    match progress.total {
        // An estimate that was too low must not show more than everything.
        Some(total) => bar.set_length(total.max(progress.done)),
        None => bar.unset_length(),
    }
    bar.set_position(progress.done);
}

fn style(progress: &Progress) -> ProgressStyle {
    let (done, total, pace) = match progress.unit {
        Unit::Bytes => ("{bytes}", "{total_bytes}", "{bytes_per_sec}"),
        Unit::Rows | Unit::Files => ("{human_pos}", "{human_len}", "{per_sec}"),
    };
    let template = match progress.total {
        Some(_) => format!("{{msg}} {{wide_bar}} {done} of {total} ({pace}, {{eta}} left)"),
        None => format!("{{spinner}} {{msg}} {done} ({pace})"),
    };
    // The fallback is indicatif's own: a bar without our words.
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn line(progress: &Progress) -> String {
    let mut line = format!("{}: {}", progress.phase, amount(progress.done, progress.unit));
    if let Some(total) = progress.total.filter(|total| *total > 0) {
        let percent = (u128::from(progress.done) * 100 / u128::from(total)).min(100);
        write!(line, " of {} ({percent}%)", amount(total, progress.unit)).expect("writing to a String does not fail");
    }
    line
}

/// A number for people: bytes with a unit, anything else with separators.
pub fn amount(count: u64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => HumanBytes(count).to_string(),
        Unit::Rows | Unit::Files => HumanCount(count).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_it_is() {
        let progress = |done, total, unit| Progress { phase: "copying".to_owned(), done, total, unit };
        assert_eq!(line(&progress(1_234_567, None, Unit::Rows)), "copying: 1,234,567");
        assert_eq!(line(&progress(1 << 20, Some(4 << 20), Unit::Bytes)), "copying: 1.00 MiB of 4.00 MiB (25%)");
        assert_eq!(line(&progress(9, Some(3), Unit::Files)), "copying: 9 of 3 (100%)");
        assert_eq!(line(&progress(0, Some(0), Unit::Files)), "copying: 0");
    }

    #[test]
    fn every_style_has_a_valid_template() {
        for unit in [Unit::Bytes, Unit::Rows, Unit::Files] {
            for total in [None, Some(u64::MAX)] {
                let progress = Progress { phase: "{x".to_owned(), done: u64::MAX, total, unit };
                let bar = ProgressBar::hidden();
                draw(&bar, &progress, true);
                assert_eq!((bar.position(), bar.length()), (u64::MAX, total));
            }
        }
    }

    #[test]
    fn a_quiet_meter_stays_out_of_the_way() {
        let mut meter = Meter::new(true);
        meter.show(&Progress { phase: "p".to_owned(), done: 1, total: None, unit: Unit::Rows });
        assert_eq!(meter.aside(|| 7), 7);
    }
}
