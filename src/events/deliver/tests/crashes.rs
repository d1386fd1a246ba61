//! Dispatchers that are dropped at any point, engines that fail, and logs that are not what they were.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::bench::{Bench, id, status, until};
use super::receiver::{Receiver, Reply};
use crate::events::deliver::rows::Progress;
use crate::events::tables::{self, CURSORS};
use crate::kv::{Commit, Fault, Kv};
use crate::names::LogId;
use crate::store::Position;
use crate::store::codec::{decode, encode};

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_point_it_is_killed_at_nothing_is_lost_and_keys_keep_their_order() {
    // Which run of the dispatchers a delivery belongs to: after a kill some of it comes again, from where it was noted.
    let run = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (current, accepted) = (run.clone(), Arc::new(Mutex::new(Vec::new())));
    let log = accepted.clone();
    let script = move |number: usize, request: &super::receiver::Received| {
        match number.wrapping_mul(0x9e37_79b9) >> 5 & 7 {
            0 => return Reply::Status(500),
            1 => return Reply::Close,
            _ => {}
        }
        let run = current.load(std::sync::atomic::Ordering::SeqCst);
        log.lock().extend(request.records().into_iter().map(|record| (run, record)));
        Reply::Status(200)
    };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[("ordering", "key"), ("concurrency", "8")]).await;
    let (mut state, mut written) = (7, Vec::new());
    for round in 0..25 {
        let dispatchers = bench.dispatch().await;
        for number in 0..20 {
            let key = format!("k{}", (round * 20 + number) % 9);
            written.push((key.clone(), format!("{:016X}", bench.put(&key).await)));
        }
        if random(&mut state).is_multiple_of(3) {
            bench.fixture.kv.fail_at(random(&mut state) % 10 + 1, Fault::AnswerLost);
        }
        tokio::time::sleep(Duration::from_millis(random(&mut state) % 150)).await;
        bench.fixture.kv.fail_at(0, Fault::Refused);
        drop(dispatchers);
        // What was under way when it was dropped may still arrive: it belongs to the run before.
        tokio::time::sleep(Duration::from_millis(30)).await;
        run.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
    let dispatchers = bench.dispatch().await;
    let missing = || {
        let accepted: std::collections::BTreeSet<_> =
            accepted.lock().iter().map(|(_, record)| record.clone()).collect();
        written.iter().filter(|record| !accepted.contains(record)).count()
    };
    until("every change arrives", || missing() == 0).await;
    until("and nothing is left", || {
        status(&dispatchers, "hook").backlog == 0 && status(&dispatchers, "hook").deferred == 0
    })
    .await;
    dispatchers.stop().await;
    let mut last: BTreeMap<(usize, String), String> = BTreeMap::new();
    for (run, (key, sequencer)) in accepted.lock().iter() {
        assert!(written.contains(&(key.clone(), sequencer.clone())), "nothing is told that did not happen");
        let before = last.insert((*run, key.clone()), sequencer.clone());
        // A delivery whose answer was lost comes once more.
        assert!(
            before.as_ref().is_none_or(|before| before <= sequencer),
            "run {run}: {key} {sequencer} after {before:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_delivered_and_noted_does_not_come_again() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..50).await;
    until("all of it arrives", || receiver.len() == 50).await;
    dispatchers.stop().await;
    let dispatchers = bench.dispatch().await;
    bench.put("last").await;
    until("the next one arrives", || receiver.len() == 51).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((receiver.len(), receiver.accepted_keys().len()), (51, 51));
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_it_goes_on_at_the_end_and_says_so() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    let endpoint = bench.endpoint("hook", &receiver.url(), &[]).await;
    bench.put_all(0..5).await;
    let row = tables::endpoint(endpoint.number);
    let progress = Progress::new(LogId([9; 16]), 2);
    bench.fixture.kv.commit(Commit::new().put(CURSORS, row.clone(), encode(&progress))).await.unwrap();
    let dispatchers = bench.dispatch().await;
    bench.put("after").await;
    until("what came later arrives", || receiver.len() == 1).await;
    dispatchers.stop().await;
    let progress: Progress = decode(&bench.fixture.kv.get(CURSORS, &row).await.unwrap().unwrap()).unwrap();
    assert_eq!(progress.log, bench.fixture.store.log_id().await.unwrap());
    let gap = progress.gap.unwrap();
    assert_eq!((gap.why, gap.to), (crate::events::deliver::rows::GapReason::Restored, bench.head() - 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_held_for_whoever_is_behind_and_a_trimmed_one_is_a_counted_gap() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[("backlog_age", "30d")]).await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    bench.put_all(0..10).await;
    let dispatchers = bench.dispatch().await;
    bench.fixture.clock.advance(Duration::from_secs(8 * 24 * 3600));
    bench.fixture.store.trim_log().await.unwrap();
    let start = bench.fixture.store.log_start().await.unwrap().0;
    assert!(start <= bench.head() - 10, "what it was not told stays");
    dispatchers.stop().await;
    bench.fixture.store.hold_log(None);
    assert!(bench.fixture.store.trim_log().await.unwrap() >= 10);
    bench.put("after").await;
    bench.endpoints.resume(&id("hook")).await.unwrap();
    let dispatchers = bench.dispatch().await;
    until("what is there arrives", || receiver.len() == 1).await;
    until("the gap is counted", || status(&dispatchers, "hook").gap >= 10).await;
    assert_eq!(bench.fixture.store.read_log(Position(0), 1).await.unwrap(), None);
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_an_endpoint_that_was_removed() {
    let (bench, receiver) = (Bench::new().await, Receiver::start(|_, _| Reply::Status(500)).await);
    bench.endpoint("hook", &receiver.url(), &[("retry", "1ms")]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..5).await;
    until("dead letters", || status(&dispatchers, "hook").dead >= 2).await;
    bench.endpoints.remove(&id("hook")).await.unwrap();
    until("it is gone", || crate::events::operate::Deliveries::status(&*dispatchers, &id("hook")).is_none()).await;
    dispatchers.stop().await;
    for table in tables::OF_ENDPOINT {
        assert_eq!(bench.fixture.rows(table).await.len(), 0, "{}", table.name);
    }
}
