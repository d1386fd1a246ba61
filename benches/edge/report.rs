//! What was measured, as Markdown tables, and what was asked.

use std::fmt;
use std::time::Duration;

use super::drive::Measured;
use super::gone::Gone;
use super::options::Options;
use super::rows::ROWS;
use super::servers::{BRIM, NGINX, VARNISH};

/// How much longer a hundredth of the requests may take than at the better of the others.
const TAIL: f64 = 1.2;

/// One row at one server: the median of the rounds.
pub struct Figure {
    pub row: &'static str,
    pub server: &'static str,
    pub measured: Measured,
}

/// Prints everything on standard output.
pub fn print(options: &Options, figures: &[Figure]) {
    println!("{} rounds of {} s; the median.\n", options.rounds, options.measured.as_secs());
    println!(
        "| row | server | requests/s | CPU us each | p50 ms | p99 ms |\n| --- | --- | ---: | ---: | ---: | ---: |"
    );
    for figure in figures {
        println!("{figure}");
    }
    println!("\n| row | asked | measured | |\n| --- | --- | ---: | --- |");
    for row in ROWS {
        judge(row.name, figures);
    }
}

/// Prints how long overwritten objects stayed, beside the most that the p99 may be.
pub fn print_gone(figures: &[(&str, Duration, Gone)]) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!("\n| row | p50 ms | p99 ms | max ms | asked: p99 at most | |\n| --- | ---: | ---: | ---: | ---: | --- |");
    for (row, most, gone) in figures {
        let [p50, p99, longest] = [500, 990, 1000].map(|share| millis(gone.at(share)));
        let verdict = if gone.at(990) <= *most { "met" } else { "**not met**" };
        println!("| {row} | {p50:.2} | {p99:.2} | {longest:.2} | {} | {verdict} |", millis(*most));
    }
}

fn judge(row: &str, figures: &[Figure]) {
    let of = |server: &str| {
        let found = figures.iter().find(|figure| figure.row == row && figure.server == server);
        found.map(|figure| figure.measured)
    };
    let Some(brim) = of(BRIM) else { return };
    // Varnish keeps large bodies in memory, nginx has sendfile: each is asked where it is strong.
    let (peer, name) = if row.contains("MiB") { (of(VARNISH), VARNISH) } else { (of(NGINX), NGINX) };
    if let Some(peer) = peer {
        let measured = brim.per_cpu_second() / peer.per_cpu_second();
        verdict(row, &format!("as many requests for each CPU-second as {name}"), measured, measured >= 1.0);
    }
    let tail = [of(NGINX), of(VARNISH)].into_iter().flatten().map(|peer| peer.p99).min();
    if let Some(tail) = tail {
        let measured = brim.p99.as_secs_f64() / tail.as_secs_f64();
        verdict(row, &format!("p99 at most {TAIL} of the better peer's"), measured, measured <= TAIL);
    }
}

fn verdict(row: &str, asked: &str, measured: f64, met: bool) {
    println!("| {row} | {asked} | {measured:.2} | {} |", if met { "met" } else { "**not met**" });
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { operations, p50, p99, cpu, .. } = self.measured;
        write!(
            f,
            "| {} | {} | {:.0} | {:.1} | {:.2} | {:.2} |",
            self.row,
            self.server,
            self.measured.per_second(),
            cpu.as_secs_f64() * 1e6 / operations.max(1) as f64,
            p50.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3,
        )
    }
}
