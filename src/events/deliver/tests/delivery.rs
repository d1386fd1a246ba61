//! What receivers get, and what is made of their answers.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::bench::{Bench, id, status, until};
use super::receiver::{Receiver, Reply};
use crate::events::endpoint::State;
use crate::events::operate::{Breaker, Deliveries, Outcome};
use crate::store::change::Cause;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rules_ask_for_arrives_signed_and_nothing_else_does() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    let other = bench.fixture.bucket("other").await;
    bench.put("before the endpoint").await;
    let options = [("authorization", "Bearer t"), ("headers", "X-A: b"), ("ordering", "key")];
    let endpoint = bench.endpoint("hook", &receiver.url(), &options).await;
    let dispatchers = bench.dispatch().await;
    bench.put("a").await;
    bench.fixture.put(&other, "elsewhere", &bytes::Bytes::new()).await.unwrap();
    bench.fixture.delete(&bench.bucket, "a").await.unwrap();
    until("both arrive", || receiver.len() == 2).await;
    until("and are counted", || status(&dispatchers, "hook").delivered == 2).await;
    let received = receiver.received();
    for request in &received {
        assert_eq!((request.target.as_str(), request.records()[0].0.as_str()), ("/hook?x=1", "a"));
        assert_eq!((request.header("authorization"), request.header("x-a")), ("Bearer t", "b"));
        assert_eq!(request.header("host"), format!("127.0.0.1:{}", receiver.port));
        let (id, time) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        // By another way than ours: the secret's bytes, and the text of the specification.
        let secret = endpoint.secrets.current.reveal();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(&secret["whsec_".len()..]).unwrap());
        let signed = [format!("{id}.{time}.").as_bytes(), &request.body].concat();
        let signature = request.header("webhook-signature").strip_prefix("v1,").unwrap();
        hmac::verify(&key, &signed, &BASE64.decode(signature).unwrap()).unwrap();
    }
    assert_ne!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    let attempts = dispatchers.attempts(&id("hook"), None, false, 10).await.unwrap();
    assert_eq!(attempts.items.len(), 2);
    assert_eq!(attempts.items[0].event.as_ref().unwrap().name, "ObjectRemoved:Delete", "the newest first");
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_2xx_counts_and_every_attempt_has_the_same_id() {
    let stranger = Receiver::accepting().await;
    let location = stranger.url();
    let replies = move |number| match number {
        0 => Reply::Raw(
            format!("HTTP/1.1 301 x\r\nlocation: {location}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").into(),
        ),
        1 => Reply::Raw(b"HTTP/1.1 404 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec()),
        2 => Reply::Close,
        3 => Reply::Raw(b"HTTP/1.1 500 x\r\nconnection: close\r\ncontent-length: 5\r\n\r\n\x1b[31m".to_vec()),
        4 => Reply::Raw(b"nonsense\r\nconnection: close\r\n\r\n".to_vec()),
        _ => Reply::Status(204),
    };
    let (bench, receiver) = (Bench::new().await, Receiver::start(move |number, _| replies(number)).await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    let dispatchers = bench.dispatch().await;
    bench.put("a").await;
    until("it is delivered", || status(&dispatchers, "hook").delivered == 1).await;
    let received = receiver.received();
    let ids: std::collections::BTreeSet<&str> = received.iter().map(|request| request.header("webhook-id")).collect();
    let bodies: std::collections::BTreeSet<&[u8]> = received.iter().map(|request| &request.body[..]).collect();
    assert_eq!((received.len(), ids.len(), bodies.len()), (6, 1, 1));
    assert_eq!(stranger.len(), 0, "redirections are not followed");
    let failed = dispatchers.attempts(&id("hook"), None, true, 10).await.unwrap().items;
    let told: Vec<(Option<u16>, &str)> =
        failed.iter().map(|attempt| (attempt.status, attempt.answer.as_str())).collect();
    assert_eq!(told, [(None, ""), (Some(500), "\\u{1b}[31m"), (None, ""), (Some(404), ""), (Some(301), "")]);
    assert!(failed.iter().all(|attempt| attempt.outcome == Outcome::Deferred && attempt.error.is_some()));
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_disables_the_endpoint_and_its_backlog_is_kept() {
    let open = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_open = open.clone();
    let script = move |_: usize, _: &_| match is_open.load(std::sync::atomic::Ordering::SeqCst) {
        true => Reply::Status(200),
        false => Reply::Status(410),
    };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[("concurrency", "1")]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..5).await;
    let state = || bench.endpoints.get(&id("hook")).unwrap().state.clone();
    until("it is disabled", || matches!(state(), State::Disabled { .. })).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = receiver.len();
    bench.put_all(5..10).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(receiver.len(), before, "nothing is sent any more");
    open.store(true, std::sync::atomic::Ordering::SeqCst);
    bench.endpoints.resume(&id("hook")).await.unwrap();
    until("everything arrives", || receiver.accepted_keys().len() == 10).await;
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_keep_their_order_while_the_receiver_fails_at_random() {
    let fails = |number: usize| (number.wrapping_mul(0x9e37_79b9) >> 7).is_multiple_of(3);
    let script = move |number: usize, _: &_| if fails(number) { Reply::Status(500) } else { Reply::Status(200) };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[("ordering", "key"), ("concurrency", "16")]).await;
    let dispatchers = bench.dispatch().await;
    for number in 0..300 {
        bench.put(&format!("k{}", number % 7)).await;
    }
    until("all of it is delivered", || status(&dispatchers, "hook").delivered == 300).await;
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for (key, sequencer) in receiver.accepted() {
        let before = last.insert(key, sequencer.clone());
        assert!(before.is_none_or(|before| before < sequencer), "an older change came after a newer one");
    }
    assert_eq!(status(&dispatchers, "hook").deferred, 0);
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_hangs_delays_no_other() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    let dead = Receiver::start(|_, _| Reply::Silence).await;
    bench.tell(&bench.bucket, "all").await;
    bench.subscribe("all", "dead", &dead.url(), &[("timeout", "120s")]).await;
    for number in 0..9 {
        bench.subscribe("all", &format!("hook{number}"), &receiver.url(), &[]).await;
    }
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..500).await;
    until("the others have everything", || receiver.accepted().len() == 9 * 500).await;
    let told = status(&dispatchers, "dead");
    assert_eq!((told.delivered, told.failed), (0, 0), "it hangs still, in its first attempts");
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_failures_in_a_row_the_log_keeps_what_comes_and_one_success_ends_the_wait() {
    let open = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_open = open.clone();
    let script = move |_: usize, _: &_| match is_open.load(std::sync::atomic::Ordering::SeqCst) {
        true => Reply::Status(200),
        false => Reply::Status(500),
    };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    // The schedule is long: only probes can find out that it works again.
    bench.endpoint("hook", &receiver.url(), &[("retry", "300ms,1h,1h,1h"), ("concurrency", "4")]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..300).await;
    until("it is left alone", || status(&dispatchers, "hook").breaker == Breaker::Open).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let deferred = status(&dispatchers, "hook").deferred;
    assert!(deferred < 20, "{deferred} were tried");
    assert!(status(&dispatchers, "hook").backlog > 200);
    open.store(true, std::sync::atomic::Ordering::SeqCst);
    until("what is in the log arrives", || receiver.accepted_keys().len() >= 280).await;
    bench.fixture.clock.advance(Duration::from_secs(2 * 3600));
    until("and what was tried too", || receiver.accepted_keys().len() == 300).await;
    until("and is counted", || status(&dispatchers, "hook").deferred == 0).await;
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_kept_to() {
    let script = |number: usize, _: &_| match number {
        0 => Reply::Raw(b"HTTP/1.1 429 x\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n".to_vec()),
        _ => Reply::Status(200),
    };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[("concurrency", "1")]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..3).await;
    until("the first is tried", || receiver.len() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(receiver.len(), 1, "nothing is sent meanwhile");
    bench.fixture.clock.advance(Duration::from_secs(3600));
    until("everything arrives", || receiver.accepted_keys().len() == 3).await;
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_holds_nothing_up() {
    let script = |number: usize, _: &_| if number == 0 { Reply::Status(500) } else { Reply::Status(200) };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[("retry", "2h")]).await;
    let dispatchers = bench.dispatch().await;
    bench.put("before").await;
    until("it failed", || status(&dispatchers, "hook").deferred == 1).await;
    bench.fixture.clock.set_back(Duration::from_secs(24 * 3600));
    until("what waits is tried", || receiver.accepted_keys().contains("before")).await;
    bench.put("after").await;
    until("and what is new", || receiver.accepted_keys().contains("after")).await;
    until("that is noted", || status(&dispatchers, "hook").backlog == 0).await;
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_nobody_uses_are_closed() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    let dispatchers = bench.dispatch().await;
    bench.put("once").await;
    until("it arrives", || receiver.len() == 1).await;
    until("its connection is closed", || receiver.open.load(Ordering::SeqCst) == 0).await;
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_read_no_further_than_they_must_be() {
    let head =
        [b"HTTP/1.1 200 x\r\n".to_vec(), b"x-y: z\r\n".repeat(500), b"content-length: 0\r\n\r\n".to_vec()].concat();
    let script = move |number: usize, _: &_| match number {
        0 => Reply::Raw(head.clone()),
        _ => Reply::Endless(200),
    };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    let dispatchers = bench.dispatch().await;
    bench.put("a").await;
    until("a body without end is a success all the same", || status(&dispatchers, "hook").delivered == 1).await;
    let attempts = dispatchers.attempts(&id("hook"), None, false, 10).await.unwrap().items;
    assert_eq!(attempts[0].answer, "\\u{1b}".repeat(1024));
    assert_eq!(attempts[1].status, None, "a head without end is a failure: {:?}", attempts[1]);
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_together_where_that_is_asked_for() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[("batch", "10"), ("batch_linger", "100ms"), ("concurrency", "1")]).await;
    bench.put_all(0..25).await;
    let dispatchers = bench.dispatch().await;
    until("all of it arrives", || receiver.accepted_keys().len() == 25).await;
    let sizes: Vec<usize> = receiver.received().iter().map(|request| request.records().len()).collect();
    assert_eq!(sizes, [10, 10, 5]);
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_used_again_and_a_closed_one_costs_no_attempt() {
    let script = |number: usize, _: &_| if number == 10 { Reply::Close } else { Reply::Status(200) };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[("concurrency", "1")]).await;
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..50).await;
    until("all of it arrives", || status(&dispatchers, "hook").delivered == 50).await;
    assert_eq!(receiver.connections.load(std::sync::atomic::Ordering::SeqCst), 2);
    assert_eq!(status(&dispatchers, "hook").failed, 0);
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_goes_by_the_rules_of_its_time() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    bench.put("told").await;
    bench.rules.put(&bench.fixture.store, &bench.bucket, None, Cause::default()).await.unwrap();
    bench.put("not told").await;
    bench.tell(&bench.fixture.bucket("pail").await, "hook").await;
    bench.put("told again").await;
    let dispatchers = bench.dispatch().await;
    until("both arrive", || receiver.len() == 2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let keys: Vec<String> = receiver.accepted_keys().into_iter().collect();
    assert_eq!(keys, ["told", "told+again"]);
    dispatchers.stop().await;
}
