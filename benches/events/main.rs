//! Notifications: how fast a backlog is delivered, what rules cost those who write, and what a large backlog costs in memory.
//!
//! `make bench-events`, or `cargo bench --bench events --profile release -- [PART OF A ROW'S NAME...]`, on a machine that does
//! nothing else. `docs/performance.md` has the figures and what limits them.
//!
//! Environment: `EVENTS` (100,000) of each delivery row, `EVENTS_BACKLOG` (10,000,000) of the memory row, `EVENTS_ROUNDS` (5) of the
//! rows that put objects; `LOAD_SECONDS`, `LOAD_DIRECTORY` and `LOAD_BRIM` as the load benchmark has them.

mod backlog;
#[allow(dead_code, reason = "the load benchmark needs more of it")]
#[path = "../load/client.rs"]
mod client;
mod deliveries;
#[allow(dead_code, reason = "the load benchmark needs more of it")]
#[path = "../load/drive.rs"]
mod drive;
mod hooks;
#[allow(dead_code, reason = "the load benchmark needs more of it")]
#[path = "../load/options.rs"]
mod options;
#[allow(dead_code, reason = "the load benchmark needs more of it")]
#[path = "../load/process.rs"]
mod process;
mod puts;
mod receiver;
#[allow(dead_code, reason = "the load benchmark needs more of it")]
#[path = "../load/servers.rs"]
mod servers;
#[allow(dead_code, reason = "the load benchmark needs more of it")]
#[path = "../load/signer.rs"]
mod signer;

use options::Options;

fn main() {
    let options = Options::read();
    deliveries::run(&options);
    puts::run(&options);
    backlog::run(&options);
}

/// A number from the environment.
fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}
