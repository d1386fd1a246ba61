//! The edge under load: hits out of its cache, beside nginx's `proxy_cache` and beside Varnish, in one run.
//!
//! `make bench-edge`, or `cargo bench --bench edge --profile release -- [PART OF A ROW'S NAME...]`, on a machine that does nothing
//! else. Every server has the first processor for itself, the client and the origin have the second one. The servers take
//! turns, round after round, and the median round counts. Last comes how fast an edge forgets what was overwritten.
//! `docs/performance.md` has the figures and what limits them.
//!
//! Environment: `EDGE_SECONDS` (3) for each server in each round, `EDGE_ROUNDS` (5), `LOAD_NGINX` and `LOAD_VARNISH` (`nginx` and
//! `varnishd` in the path; empty leaves one out), `LOAD_EDGE` and `LOAD_BRIM` (the binaries just
//! built).

// The load benchmark needs more of an answer.
#[allow(dead_code)]
#[path = "../load/client.rs"]
mod client;
mod drive;
mod gone;
mod options;
mod origin;
mod process;
mod report;
mod rows;
mod servers;
// The load benchmark signs chunks too.
#[allow(dead_code)]
#[path = "../load/signer.rs"]
mod signer;

use self::drive::Measured;
use self::gone::Pair;
use self::options::Options;
use self::origin::Origin;
use self::process::stay_on;
use self::report::Figure;
use self::rows::ROWS;
use self::servers::Server;

/// The processor of the client and of the origin; the servers have the first one.
const OWN_PROCESSOR: usize = 1;

fn main() {
    let options = Options::read();
    stay_on(OWN_PROCESSOR);
    let origin = Origin::start();
    let rows: Vec<_> = ROWS.iter().filter(|row| options.wants(row.name)).collect();
    let servers = if rows.is_empty() { Vec::new() } else { Server::start_all(&options, origin.address()) };
    let mut figures = Vec::new();
    for row in rows {
        for server in &servers {
            server.warm_up(row);
        }
        let mut rounds: Vec<Vec<Measured>> = servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..options.rounds {
            for (server, measured) in servers.iter().zip(&mut rounds) {
                measured.push(drive::measure(server, row, options.measured));
            }
        }
        for (server, measured) in servers.iter().zip(rounds) {
            let figure = Figure { row: row.name, server: server.name, measured: Measured::median(measured) };
            eprintln!("{figure}");
            figures.push(figure);
        }
    }
    report::print(&options, &figures);
    let wanted: Vec<_> = gone::ROWS.iter().filter(|(row, ..)| options.wants(row)).collect();
    if !wanted.is_empty() {
        let pair = Pair::start(&options);
        let figures: Vec<_> = wanted.iter().map(|(row, loaded, most)| (*row, *most, pair.measure(*loaded))).collect();
        report::print_gone(&figures);
    }
}
