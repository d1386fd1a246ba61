//! What is given up, and what is sent once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bench::{Bench, id, status, until};
use super::receiver::{Receiver, Reply};
use crate::clock::Timestamp;
use crate::events::operate::{Deliveries, Error, Replay};

/// A receiver that fails until it is opened.
async fn closed() -> (Receiver, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(false));
    let is_open = open.clone();
    let script =
        move |_: usize, _: &_| if is_open.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::Status(500) };
    (Receiver::start(script).await, open)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_last_attempt_a_message_is_a_dead_letter_and_can_be_sent_again() {
    let (bench, (receiver, open)) = (Bench::new().await, closed().await);
    bench.endpoint("hook", &receiver.url(), &[("retry", "5ms,5ms"), ("concurrency", "1")]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..4).await;
    until("all are given up", || status(&dispatchers, "hook").dead == 4).await;
    until("and noted", || status(&dispatchers, "hook").backlog == 0).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let first = dispatchers.dead_letters(&id("hook"), None, 3).await.unwrap();
    let rest = dispatchers.dead_letters(&id("hook"), first.next.as_deref(), 3).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (3, 1, None));
    let letter = &first.items[0];
    assert_eq!((letter.attempts, letter.error.as_str()), (3, "status 500"));
    assert_eq!(letter.event.as_ref().unwrap().key, "k0");
    open.store(true, Ordering::SeqCst);
    bench.put("new").await;
    until("it works again", || receiver.accepted_keys().contains("new")).await;
    let one = Replay::Dead { messages: vec![letter.message.clone()] };
    assert_eq!(dispatchers.replay(&id("hook"), one).await.unwrap(), Some(1));
    until("the one arrives", || receiver.accepted_keys().len() == 2).await;
    dispatchers.replay(&id("hook"), Replay::Dead { messages: Vec::new() }).await.unwrap();
    until("the others arrive", || receiver.accepted_keys().len() == 5).await;
    let sent = receiver.received();
    let same = sent.iter().filter(|request| request.header("webhook-id") == letter.message).count();
    assert_eq!(same, 4, "three attempts and the replay have one id");
    dispatchers.stop().await;
    assert!(bench.fixture.rows(crate::events::tables::DEAD_LETTERS).await.is_empty());
    assert!(bench.fixture.rows(crate::events::tables::REPLAYS).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_was_promised_survives_whatever_comes_then() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    let dispatchers = bench.dispatch().await;
    bench.put("key").await;
    until("it is up to date", || status(&dispatchers, "hook").delivered == 1).await;
    dispatchers.stop().await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    let dispatchers = bench.dispatch().await;
    let now = bench.fixture.clock.now();
    let time = Timestamp::from_seconds(0)..now.plus(Duration::from_secs(60));
    let replay = Replay::Window { time, bucket: None, prefix: String::new() };
    dispatchers.replay(&id("hook"), replay).await.unwrap();
    assert_eq!(bench.fixture.rows(crate::events::tables::REPLAYS).await.len(), 1, "it is written when it is promised");
    drop(dispatchers);
    bench.endpoints.resume(&id("hook")).await.unwrap();
    let dispatchers = bench.dispatch().await;
    until("it arrives once more", || receiver.len() == 2).await;
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_of_the_log_is_sent_again_by_time_and_prefix() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..10).await;
    bench.fixture.clock.advance(Duration::from_secs(100));
    let start = bench.fixture.clock.now();
    for key in ["in/a", "in/b", "out/c"] {
        bench.put(key).await;
    }
    bench.fixture.clock.advance(Duration::from_secs(100));
    let end = bench.fixture.clock.now();
    bench.put("in/late").await;
    until("everything arrived", || receiver.len() == 14).await;
    let window = Replay::Window { time: start..end, bucket: Some("pail".into()), prefix: "in/".into() };
    dispatchers.replay(&id("hook"), window).await.unwrap();
    until("two come again", || receiver.len() == 16).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let received = receiver.received();
    assert_eq!(received.len(), 16);
    for again in &received[14..] {
        let before = received[..14].iter().find(|request| request.header("webhook-id") == again.header("webhook-id"));
        assert_eq!(before.unwrap().body, again.body);
        assert!(again.records()[0].0.starts_with("in"));
    }
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_can_be_told_each_with_an_id_of_its_own() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.put_all(0..600).await;
    bench.fixture.delete(&bench.bucket, "k5").await.unwrap();
    bench.endpoint("hook", &receiver.url(), &[("concurrency", "16")]).await;
    let dispatchers = bench.dispatch().await;
    let present = |prefix: &str| Replay::Present { bucket: "pail".into(), prefix: prefix.into() };
    dispatchers.replay(&id("hook"), present("k")).await.unwrap();
    until("every key is told", || receiver.accepted_keys().len() == 599).await;
    let ids: std::collections::BTreeSet<String> =
        receiver.received().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), receiver.len()), (599, 599));
    assert!(!receiver.accepted_keys().contains("k5"));
    let missing = Replay::Present { bucket: "missing".into(), prefix: String::new() };
    assert!(matches!(dispatchers.replay(&id("hook"), missing).await, Err(Error::NoSuchBucket(_))));
    let strange = Replay::Dead { messages: vec!["msg_x".into()] };
    assert!(matches!(dispatchers.replay(&id("hook"), strange).await, Err(Error::Undelivered(_))));
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_on_after_a_restart() {
    let (bench, (receiver, open)) = (Bench::new().await, closed().await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    bench.put_all(0..20).await;
    let dispatchers = bench.dispatch().await;
    let all = Replay::Window {
        time: Timestamp::from_millis(0)..bench.fixture.clock.now().plus(Duration::from_secs(1)),
        bucket: None,
        prefix: String::new(),
    };
    dispatchers.replay(&id("hook"), all).await.unwrap();
    dispatchers.stop().await;
    open.store(true, Ordering::SeqCst);
    bench.endpoints.resume(&id("hook")).await.unwrap();
    let dispatchers = bench.dispatch().await;
    until("each arrives twice", || receiver.accepted().len() == 40).await;
    assert_eq!(receiver.accepted_keys().len(), 20);
    dispatchers.stop().await;
}
