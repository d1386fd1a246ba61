//! Deliveries: a backlog is made while the webhook is paused, then it is resumed, and a receiver counts.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::hooks::Hooks;
use super::options::Options;
use super::receiver::Receiver;
use super::{drive, number};

const ROWS: &[(&str, &str)] = &[
    ("deliver over 1 connection", "concurrency = 1"),
    ("deliver over 32 connections", "concurrency = 32"),
    ("deliver over 256 connections", "concurrency = 256"),
    ("deliver over 32 connections, in order of keys", "concurrency = 32\nordering = \"key\""),
];
/// How long nothing may arrive.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn run(options: &Options) {
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| options.wants(name)).collect();
    if rows.is_empty() {
        return;
    }
    println!("| row | events/s | server CPU us each |\n| --- | ---: | ---: |");
    let events = number("EVENTS", 100_000);
    for (name, more) in rows {
        let receiver = Receiver::start();
        let hooks = Hooks::start(options, 1, receiver.address, more);
        let put = |number| hooks.site.presigned("PUT", &format!("{number:06}"), Bytes::from_static(b"x"));
        drive::send_all(&hooks.site, 32, (0..events).map(put).collect());
        rustix::fs::sync();
        let (cpu, begun) = (hooks.site.process.cpu(), Instant::now());
        hooks.pause(options, false);
        wait(&receiver, events);
        let (elapsed, cpu) = (begun.elapsed(), hooks.site.process.cpu() - cpu);
        println!(
            "| {name} | {:.0} | {:.1} |",
            events as f64 / elapsed.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / events as f64
        );
    }
    println!();
}

/// Until so many arrived.
fn wait(receiver: &Receiver, events: u64) {
    let (mut count, mut last) = (0, Instant::now());
    while count < events {
        std::thread::sleep(Duration::from_millis(2));
        let now = receiver.count();
        if now != count {
            (count, last) = (now, Instant::now());
        }
        assert!(last.elapsed() < PATIENCE, "{count} of {events} arrived, and then nothing");
    }
}
