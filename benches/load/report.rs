//! What was measured, as Markdown tables or as JSON.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::bars::BARS;
use super::drive::Measured;
use super::lab::Place;
use super::machine::Machine;
use super::options::Options;
use super::rows::ROWS;

/// One row at one server.
pub struct Figure {
    pub row: &'static str,
    pub place: Place,
    pub measured: Measured,
}

/// Prints everything on standard output.
pub fn print(options: &Options, machine: &Machine, figures: &[Figure]) {
    if options.json {
        println!("{:#}", as_json(options, machine, figures));
        return;
    }
    print_machine(options, machine);
    println!("\n| row | server | ops/s | MB/s | p50 ms | p99 ms | CPU us/op | client CPU us/op | peak MiB | failed |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for figure in figures {
        println!("{figure}");
    }
    print_limits(machine, figures);
    println!("\n| row | asked | measured | |\n| --- | --- | ---: | --- |");
    for verdict in BARS.iter().filter_map(|bar| bar.judge(machine, figures)) {
        let met = if verdict.met { "met" } else { "**not met**" };
        println!("| {} | {} | {:.2} | {met} |", verdict.row, verdict.asked, verdict.measured);
    }
}

fn print_machine(options: &Options, machine: &Machine) {
    println!("{}; {} s each, {} keys.\n", machine.description, options.measured.as_secs(), options.keys);
    println!("| the machine alone | |\n| --- | ---: |");
    println!("| 64 MiB written and synced | {:.0} MB/s |", machine.write);
    println!("| 64 MiB written, not synced | {:.0} MB/s |", machine.page_cache);
    println!("| syncs of 250 bytes, one after the other | {:.0}/s |", machine.syncs);
    println!("| MD5, one core | {:.0} MB/s |", machine.md5);
    println!("| 4 KiB and an answer over loopback, 32 connections | {:.0}/s |", machine.echoes);
    println!("| one stream over loopback | {:.0} MB/s |", machine.loopback);
}

fn print_limits(machine: &Machine, figures: &[Figure]) {
    println!("\n| row | the machine's own limit | | reached |\n| --- | --- | ---: | ---: |");
    for figure in figures.iter().filter(|figure| figure.place.server() == Place::Brim.server()) {
        let row = ROWS.iter().find(|row| row.name == figure.row);
        let Some(limit) = row.and_then(|row| row.limit.of(machine)) else { continue };
        let (reached, unit) = match limit.in_bytes {
            true => (figure.measured.megabytes_per_second(), " MB/s"),
            false => (figure.measured.per_second(), "/s"),
        };
        let share = 100.0 * reached / limit.value;
        println!("| {} | {} | {:.0}{unit} | {share:.0} % |", figure.row, limit.name, limit.value);
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = &self.measured;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        write!(
            f,
            "| {} | {} | {:.0} | {:.1} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {} |",
            self.row,
            self.place.server(),
            measured.per_second(),
            measured.megabytes_per_second(),
            millis(measured.p50),
            millis(measured.p99),
            micros(measured.server_cpu_each()),
            micros(measured.client_cpu_each()),
            measured.peak as f64 / f64::from(1 << 20),
            measured.failures,
        )
    }
}

fn as_json(options: &Options, machine: &Machine, figures: &[Figure]) -> serde_json::Value {
    let rows = figures.iter().map(|figure| {
        let measured = &figure.measured;
        json!({
            "row": figure.row,
            "server": figure.place.server(),
            "operations": measured.operations,
            "operations_per_second": measured.per_second(),
            "megabytes_per_second": measured.megabytes_per_second(),
            "p50_seconds": measured.p50.as_secs_f64(),
            "p99_seconds": measured.p99.as_secs_f64(),
            "server_cpu_seconds_each": measured.server_cpu_each().as_secs_f64(),
            "client_cpu_seconds_each": measured.client_cpu_each().as_secs_f64(),
            "peak_bytes": measured.peak,
            "failures": measured.failures,
        })
    });
    let bars = BARS.iter().filter_map(|bar| bar.judge(machine, figures)).map(|verdict| {
        json!({ "row": verdict.row, "asked": verdict.asked, "measured": verdict.measured, "met": verdict.met })
    });
    json!({
        "machine": {
            "description": machine.description,
            "synced_write_megabytes_per_second": machine.write,
            "unsynced_write_megabytes_per_second": machine.page_cache,
            "syncs_per_second": machine.syncs,
            "md5_megabytes_per_second": machine.md5,
            "echoes_per_second": machine.echoes,
            "loopback_megabytes_per_second": machine.loopback,
        },
        "seconds": options.measured.as_secs(),
        "keys": options.keys,
        "rows": rows.collect::<Vec<_>>(),
        "bars": bars.collect::<Vec<_>>(),
    })
}
