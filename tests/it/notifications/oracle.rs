//! Many clients change things, two receivers fail in every way, and the server is killed again and again: what was acknowledged
//! is delivered, what did not happen is not, and keys keep their order where that is asked for.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::receiver::Receiver;
use super::writers::{Attempt, Happened, Writer};
use crate::dice::{Dice, first_seed};
use crate::harness::Server;
use crate::operator::{brim, data};
use crate::signed::Signed;

const CLIENTS: usize = 32;
const KILLS: usize = 10;
const MUTATIONS: usize = 100_000;
/// How long the last deliveries may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// The buckets, each told to the endpoint of its name, and whether that wants the order of keys.
const BUCKETS: [(&str, bool); 2] = [("ordered", true), ("parallel", false)];
const NAMES: [&str; 2] = [BUCKETS[0].0, BUCKETS[1].0];
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// 20 ms to 1 s, and so often that nothing is given up.
fn retry() -> String {
    let waits = (0..100).map(|attempt| format!("\"{}ms\"", (20u64 << attempt.min(6)).min(1_000)));
    waits.collect::<Vec<_>>().join(",")
}

fn configure(folder: &Path, receivers: &[Receiver]) -> String {
    let secret = folder.join("secret");
    std::fs::write(&secret, format!("whsec_{SECRET}\n")).unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let endpoint = |((name, ordered), receiver): (&(&str, bool), &Receiver)| {
        let ordering = if *ordered { "key" } else { "none" };
        format!(
            "[[webhooks]]\nname = \"{name}\"\nurl = \"http://{}/hook\"\nsecret_file = \"secret\"\nordering = \"{ordering}\"\n\
             concurrency = 64\ntimeout = \"2s\"\nretry = [{}]\nretry_max_age = \"30d\"\n",
            receiver.address,
            retry()
        )
    };
    let file = folder.join("brim.toml");
    std::fs::write(&file, BUCKETS.iter().zip(receivers).map(endpoint).collect::<String>()).unwrap();
    file.to_str().unwrap().to_owned()
}

async fn make_buckets(client: &Signed) {
    for name in NAMES {
        assert_eq!(client.put(&format!("/{name}"), "").await.status, 200);
        let rule = format!(
            "<NotificationConfiguration><QueueConfiguration><Queue>arn:brim:sqs:::{name}</Queue>\
             <Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event><Event>s3:ObjectTagging:*</Event>\
             </QueueConfiguration></NotificationConfiguration>"
        );
        let skip = [("x-amz-skip-destination-validation", "true")];
        let put = client.send("PUT", &format!("/{name}?notification"), &skip, rule).await;
        assert_eq!(put.status, 200, "{}", put.text());
    }
}

/// Has all of them write until there are so many changes; kills the server then, if asked to, while they go on.
async fn write_until(server: &mut Option<Server>, writers: &mut [Writer], made: &Arc<AtomicUsize>, until: usize) {
    let client = server.as_ref().expect("it runs").client();
    let killed = (until < MUTATIONS).then(|| server.take()).flatten();
    let limit = if killed.is_some() { usize::MAX } else { until };
    let ended = CancellationToken::new();
    let killing = killed.map(|mut server| {
        let (made, ended) = (Arc::clone(made), ended.clone());
        tokio::task::spawn_blocking(move || {
            while made.load(Ordering::Relaxed) < until && !ended.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(!ended.is_cancelled(), "the server ended by itself: {}", server.log());
            server.kill();
        })
    });
    join_all(writers.iter_mut().map(|writer| writer.run(&client, made, limit))).await;
    // Where the server was killed, that was before.
    if made.load(Ordering::Relaxed) < until {
        ended.cancel();
    }
    if let Some(killing) = killing {
        killing.await.expect("the process ends");
    }
}

/// What happened in a bucket, and what may have.
fn of<'w>(writers: &'w [Writer], bucket: &str) -> (Vec<&'w Happened>, Vec<&'w Attempt>) {
    let happened = writers.iter().flat_map(|writer| &writer.happened).filter(|one| one.attempt.bucket == bucket);
    let unknown = writers.iter().flat_map(|writer| &writer.unknown).filter(|one| one.bucket == bucket);
    (happened.collect(), unknown.collect())
}

/// Until everything that was acknowledged is here, and nothing is on its way that was not.
async fn wait_for_all(server: &Server, receivers: &[Receiver], writers: &[Writer]) {
    let deadline = Instant::now() + PATIENCE;
    // Looking takes a while: not more often than that.
    let pause = || tokio::time::sleep(Duration::from_millis(500));
    for (receiver, bucket) in receivers.iter().zip(NAMES) {
        let happened = of(writers, bucket).0;
        while receiver.ledger.lock().missing(&happened) > 0 && Instant::now() < deadline {
            pause().await;
        }
    }
    while !is_quiet(server) && Instant::now() < deadline {
        pause().await;
    }
}

/// Whether every endpoint was told of everything. Nothing may have been given up or left out.
fn is_quiet(server: &Server) -> bool {
    let output = brim(&["webhook", "list", "--json", "--data"]).arg(server.data()).output().expect("the binary starts");
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let statuses: Vec<_> = list.as_array().expect("a list").iter().map(|webhook| &webhook["status"]).collect();
    let sum = |names: &[&str]| -> u64 {
        statuses.iter().flat_map(|status| names.iter().map(|name| status[*name].as_u64().expect("a count"))).sum()
    };
    assert_eq!((statuses.len(), sum(&["dead", "gap"])), (BUCKETS.len(), 0), "{list}");
    sum(&["backlog", "deferred", "in_flight"]) == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_delivered_whatever_fails() {
    let seed = first_seed();
    eprintln!("SOAK_SEED={seed}");
    let dice = Dice::new(seed);
    let (folder, data) = data();
    let start = |(number, (_, ordered)): (usize, &(&str, bool))| {
        Receiver::start(Ledger::new(SECRET, *ordered), dice.fork(1_000 + number as u64))
    };
    let receivers = join_all(BUCKETS.iter().enumerate().map(start)).await;
    let file = configure(folder.path(), &receivers);
    let start = || Server::start_on(&data, &[("BRIM_CONFIG", &file)]).unwrap_or_else(|refused| panic!("{refused}"));
    let mut server = Some(start());
    make_buckets(&server.as_ref().unwrap().client()).await;

    let (mut writers, made) = (Writer::several(CLIENTS, &NAMES, &dice), Arc::new(AtomicUsize::new(0)));
    for round in 1..=KILLS + 1 {
        write_until(&mut server, &mut writers, &made, MUTATIONS * round / (KILLS + 1)).await;
        server.get_or_insert_with(start);
    }
    wait_for_all(server.as_ref().unwrap(), &receivers, &writers).await;
    for (receiver, bucket) in receivers.iter().zip(NAMES) {
        let (happened, unknown) = of(&writers, bucket);
        let ledger = receiver.ledger.lock();
        let faults = ledger.faults(&happened, &unknown);
        assert!(faults.is_empty(), "SOAK_SEED={seed}, {bucket}: {faults:#?}");
        assert!(ledger.attempts() > happened.len(), "nothing failed");
        eprintln!("{bucket}: {} changes in {} attempts", happened.len(), ledger.attempts());
    }
}
