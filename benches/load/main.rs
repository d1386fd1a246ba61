//! Load over HTTP: the real server on loopback, its figures beside those of the machine and of a peer in the same run.
//!
//! `cargo bench --bench load --profile release [-- [--json] [PART OF A ROW'S NAME]...]`; see [`options`] for the environment.
//! The tables are Markdown, for `docs/performance.md`. Progress goes to standard error.

mod bars;
mod client;
mod drive;
mod fill;
mod lab;
mod machine;
mod options;
mod process;
mod report;
mod rows;
mod servers;
mod signer;

use lab::Lab;
use machine::Machine;
use options::Options;
use report::Figure;

fn main() {
    let options = Options::read();
    let machine = Machine::measure(&options);
    eprintln!("{machine:#?}");
    let lab = Lab::new(&options);
    let mut figures = Vec::new();
    for row in rows::ROWS.iter().filter(|row| options.wants(row.name)) {
        for place in row.places {
            let Some(site) = lab.site(*place) else { continue };
            // What the row before left to be written is not this row's load.
            rustix::fs::sync();
            let measured = (row.run)(&site, &options);
            let figure = Figure { row: row.name, place: *place, measured };
            eprintln!("{figure}");
            figures.push(figure);
        }
    }
    report::print(&options, &machine, &figures);
}
