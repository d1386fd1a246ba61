//! What rules cost those who write, while the webhooks are paused: servers with none, one and ten take turns.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::drive::{self, Load, Measured};
use super::hooks::Hooks;
use super::number;
use super::options::Options;

const NAME: &str = "PUT 4 KiB x32 beside rules";
const CONNECTIONS: usize = 32;
const LENGTH: usize = 4096;
/// More than any machine puts in a second.
const AT_MOST: u64 = 20_000;
/// How much more processor time a PUT beside ten rules may take.
const MOST: f64 = 1.05;

pub fn run(options: &Options) {
    if !options.wants(NAME) {
        return;
    }
    // Nobody listens there, and nobody is asked.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let servers = [0, 1, 10].map(|count| (count, Hooks::start(options, count, nowhere, "")));
    let mut rounds: Vec<Vec<Measured>> = servers.iter().map(|_| Vec::new()).collect();
    for round in 0..number("EVENTS_ROUNDS", 5) {
        for turn in 0..servers.len() {
            // Nobody is always the first.
            let index = (turn + round as usize) % servers.len();
            rustix::fs::sync();
            rounds[index].push(put(options, &servers[index].1, round));
        }
    }
    println!("| row | rules | ops/s | server CPU us each | beside none |\n| --- | ---: | ---: | ---: | ---: |");
    let medians: Vec<Measured> = rounds.into_iter().map(median).collect();
    let none = medians[0].server_cpu_each();
    for ((count, _), measured) in servers.iter().zip(&medians) {
        let each = measured.server_cpu_each();
        let ratio = each.as_secs_f64() / none.as_secs_f64();
        println!("| {NAME} | {count} | {:.0} | {:.1} | {ratio:.3} |", measured.per_second(), micros(each));
    }
    let ratio = medians[2].server_cpu_each().as_secs_f64() / none.as_secs_f64();
    println!("\nAsked: at most {MOST} beside ten rules: {}.\n", if ratio <= MOST { "met" } else { "**not met**" });
}

/// Fresh keys, of which each tenth begins with another digit.
fn put(options: &Options, hooks: &Hooks, round: u64) -> Measured {
    let body = Bytes::from(vec![b'x'; LENGTH]);
    let key = |number: u64| format!("{}/{round}/{number:06}", number % 10);
    let request = |number| hooks.site.presigned("PUT", &key(number), body.clone());
    let requests = (0..options.at_most(AT_MOST)).map(request).collect();
    drive::measure(&hooks.site, Load::once(CONNECTIONS, requests), options.measured)
}

fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by_key(Measured::server_cpu_each);
    rounds.swap_remove(rounds.len() / 2)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
