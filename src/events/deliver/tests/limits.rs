//! Endpoints that are as far behind as they may be.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, id, status, until};
use super::receiver::{Receiver, Reply};
use crate::events::deliver::MAX_DEFERRED;
use crate::events::deliver::rows::{Message, MessageEvent, Progress};
use crate::events::endpoint::{EndpointId, Given, NewEndpoint, Origin};
use crate::events::operate::Deliveries;
use crate::events::rules::RecordVersion;
use crate::events::tables::{self, CURSORS, DEFERRED, MessageRow};
use crate::kv::{Commit, Kv};
use crate::store::Error;
use crate::store::change::{Cause, Change, ChangeKind};
use crate::store::codec::encode;
use crate::store::tests::fixture::key;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drop_oldest_leaves_the_oldest_out_and_counts_them() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[("backlog_entries", "10")]).await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    bench.put_all(0..50).await;
    let dispatchers = bench.dispatch().await;
    until("the oldest are left out", || status(&dispatchers, "hook").gap == 40).await;
    assert_eq!(status(&dispatchers, "hook").backlog, 10);
    bench.endpoints.resume(&id("hook")).await.unwrap();
    until("the others arrive", || receiver.len() == 10).await;
    let expected: std::collections::BTreeSet<String> = (40..50).map(|number| format!("k{number}")).collect();
    assert_eq!(receiver.accepted_keys(), expected);
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_left_out() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[("backlog_age", "1h")]).await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    bench.put_all(0..20).await;
    bench.fixture.clock.advance(Duration::from_secs(4000));
    bench.put_all(20..25).await;
    let dispatchers = bench.dispatch().await;
    until("the old ones are left out", || status(&dispatchers, "hook").gap >= 20).await;
    bench.endpoints.resume(&id("hook")).await.unwrap();
    until("the others arrive", || receiver.accepted_keys().len() == 5).await;
    assert_eq!(receiver.len(), 5);
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reject_writes_refuses_changes_until_they_can_be_told() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[("backlog_entries", "5"), ("on_full", "reject-writes")]).await;
    let other = bench.fixture.bucket("other").await;
    let dispatchers = bench.dispatch().await;
    until("it is up to date", || status(&dispatchers, "hook").backlog == 0).await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    let mut taken = 0;
    let refused = loop {
        match bench.fixture.put(&bench.bucket, &format!("k{taken}"), &Bytes::new()).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 20, "nothing was refused");
    };
    assert!(matches!(refused, Error::Backlog(_)) && refused.to_string().contains("hook"), "{refused}");
    assert!(matches!(bench.fixture.delete(&bench.bucket, "k0").await, Err(Error::Backlog(_))));
    assert!(matches!(bench.fixture.copy(&bench.bucket, "k0", "copy").await, Err(Error::Backlog(_))));
    assert!(matches!(bench.fixture.rename(&bench.bucket, "k0", "moved").await, Err(Error::Backlog(_))));
    bench.fixture.put(&other, "a", &Bytes::new()).await.unwrap();
    bench.endpoints.resume(&id("hook")).await.unwrap();
    until("everything arrives", || receiver.accepted_keys().len() == taken).await;
    until("and is noted", || status(&dispatchers, "hook").backlog == 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.put("again").await;
    assert_eq!(status(&dispatchers, "hook").gap, 0);
    dispatchers.stop().await;
}

/// Rules name an endpoint of the bucket's own account: another account's of the same name is not asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_endpoint_of_another_account_refuses_nothing() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    let other = EndpointId { account: "000000000001".parse().unwrap(), ..id("hook") };
    let mut given = Given::default();
    [("url", receiver.url().as_str()), ("backlog_entries", "1"), ("on_full", "reject-writes")]
        .into_iter()
        .for_each(|(key, text)| given.set(key, text));
    let new = NewEndpoint { id: other.clone(), origin: Origin::Operator, topic: None, given };
    bench.endpoints.add(new).await.unwrap();
    bench.endpoints.pause(&other).await.unwrap();
    let dispatchers = bench.dispatch().await;
    bench.put_all(0..10).await;
    assert!(dispatchers.status(&other).is_some());
    bench.endpoint("hook", &receiver.url(), &[("backlog_entries", "1"), ("on_full", "reject-writes")]).await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    until("its own endpoint refuses", || dispatchers.status(&id("hook")).is_some()).await;
    bench.put("one").await;
    assert!(matches!(bench.fixture.put(&bench.bucket, "two", &Bytes::new()).await, Err(Error::Backlog(_))));
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_messages_as_may_wait_stop_the_reader_and_all_of_them_arrive() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    let endpoint = bench.endpoint("hook", &receiver.url(), &[("concurrency", "32")]).await;
    let log = bench.fixture.store.log_id().await.unwrap();
    let (now, start) = (bench.fixture.clock.now(), bench.head());
    let due = now.plus(Duration::from_secs(3600));
    let mut commit = Commit::new().put(CURSORS, tables::endpoint(endpoint.number), encode(&Progress::new(log, start)));
    for number in 0..MAX_DEFERRED {
        let change = Change {
            key: Some(key(&format!("held{number}"))),
            ..Change::of_bucket(&bench.bucket.record, ChangeKind::Put, now, Cause::default())
        };
        let event = MessageEvent { position: 1, rule_id: "r".into(), version: RecordVersion::default(), change };
        let (events, failure) = (vec![event], "status 500".to_owned());
        let message = Message { log, events, id: None, attempts: 1, due, since: now, failure };
        let row = MessageRow { position: 1, part: number as u64 + 1 };
        commit = commit.put(DEFERRED, tables::message(endpoint.number, row), encode(&message));
    }
    bench.fixture.kv.commit(commit).await.unwrap();
    let dispatchers = bench.dispatch().await;
    bench.put("new").await;
    until("all are known", || status(&dispatchers, "hook").deferred == MAX_DEFERRED as u64).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((receiver.len(), status(&dispatchers, "hook").backlog), (0, 1), "the reader stands still");
    bench.fixture.clock.advance(Duration::from_secs(3600));
    until("all of it arrives", || status(&dispatchers, "hook").delivered == MAX_DEFERRED as u64 + 1).await;
    assert_eq!(receiver.accepted_keys().len(), MAX_DEFERRED + 1);
    dispatchers.stop().await;
    assert_eq!(bench.fixture.rows(DEFERRED).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_failure_in_order_nothing_of_the_key_is_sent_and_others_are() {
    let script = |_: usize, request: &super::receiver::Received| match request.records()[0].0.as_str() {
        "stuck" => Reply::Status(500),
        _ => Reply::Status(200),
    };
    let (bench, receiver) = (Bench::new().await, Receiver::start(script).await);
    bench.endpoint("hook", &receiver.url(), &[("ordering", "key"), ("retry", "1h,1h"), ("concurrency", "4")]).await;
    let dispatchers = bench.dispatch().await;
    for number in 0..100 {
        bench.put("stuck").await;
        bench.put(&format!("k{number}")).await;
    }
    until("the others arrive", || receiver.accepted_keys().len() == 100).await;
    until("the cursor passes", || status(&dispatchers, "hook").backlog == 0).await;
    until("all of the key waits", || status(&dispatchers, "hook").deferred == 100).await;
    assert_eq!(receiver.received().iter().filter(|request| !request.accepted()).count(), 1);
    dispatchers.stop().await;
}
