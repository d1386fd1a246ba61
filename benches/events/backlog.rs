//! What a large backlog costs in memory: the log is filled through the engine itself, then a webhook that nobody answers reads it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use brim::kv::rocks::{Durability, RocksKv, RocksOptions};
use brim::kv::{Commit, Item, Kv, Scan};
use brim::server::TABLES;
use brim::store::tables::LOG;
use bytes::Bytes;

use super::hooks::Hooks;
use super::options::Options;
use super::{drive, number};

const NAME: &str = "memory with a backlog";
/// How many entries are committed at a time.
const ENTRIES: u64 = 10_000;
/// How long the webhook has to do what it can.
const TIME: Duration = Duration::from_secs(30);

pub fn run(options: &Options) {
    if !options.wants(NAME) {
        return;
    }
    let backlog = number("EVENTS_BACKLOG", 10_000_000);
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    println!("| row | entries | peak RSS in MiB |\n| --- | ---: | ---: |");
    for entries in [1, backlog / 2, backlog] {
        let hooks = Hooks::start(options, 1, nowhere, &format!("backlog_entries = {}", backlog * 2));
        drive::exchange(&hooks.site, &hooks.site.presigned("PUT", "key", Bytes::from_static(b"x")));
        let hooks = hooks.restart(options, |data| fill(data, entries - 1));
        hooks.pause(options, false);
        std::thread::sleep(TIME);
        // The webhook must be told of all of it still.
        assert!(hooks.backlog(options).abs_diff(entries) < ENTRIES, "the webhook went on elsewhere");
        let peak = hooks.site.process.peak() as f64 / f64::from(1 << 20);
        println!("| {NAME} | {entries} | {peak:.0} |");
    }
}

/// Appends the log's last entry again and again.
fn fill(data: &Path, entries: u64) {
    let begun = Instant::now();
    let options = RocksOptions { durability: Durability::Relaxed, ..RocksOptions::default() };
    let kv = RocksKv::open(&data.join("kv"), options, TABLES).expect("a closed database");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let page = kv.scan(Scan::prefix(LOG, b"", 1000)).await.expect("a log");
        let Some(Item::Row { value, .. }) = page.items.last() else { panic!("an empty log") };
        let mut left = entries;
        while left > 0 {
            let count = left.min(ENTRIES);
            let commit = (0..count).fold(Commit::new(), |commit, _| commit.append(LOG, value.clone()));
            kv.commit(commit).await.expect("a commit");
            left -= count;
        }
    });
    kv.close();
    eprintln!("{entries} entries in {:.1?}", begun.elapsed());
}
