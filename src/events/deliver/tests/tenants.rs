//! Endpoints of those who are not trusted with the operator's networks.

use super::bench::{Bench, id, status, until};
use super::receiver::Receiver;
use crate::events::endpoint::{Origin, Reach};
use crate::events::operate::{Deliveries, Outcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_looked_up_and_every_address_checked_at_every_attempt() {
    // The name is checked when it is used: this one was public when the endpoint was made, as far as anybody could tell.
    let receiver = Receiver::accepting().await;
    let allowed = Bench::reaching(Reach::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()])).await;
    let url = format!("http://localhost:{}/", receiver.port);
    let listening = tokio::net::lookup_host(("localhost", 80)).await.unwrap().any(|address| address.is_ipv4());
    assert!(listening, "localhost has an IPv4 address here");
    allowed.endpoint_of(Origin::Tenant, "hook", &url, &[]).await.unwrap();
    let dispatchers = allowed.dispatch().await;
    allowed.put_all(0..5).await;
    until("the operator allows it", || status(&dispatchers, "hook").delivered == 5).await;
    dispatchers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_public_gets_no_connection_and_the_log_says_why() {
    let receiver = Receiver::accepting().await;
    let bench = Bench::new().await;
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    assert!(bench.endpoint_of(Origin::Tenant, "hook", &url, &[]).await.is_err(), "it is told when it can be known");
    let trusted = bench.endpoint("trusted", &url, &[]).await;
    let mut tenant = trusted.as_ref().clone();
    tenant.origin = Origin::Tenant;
    let sender = crate::events::deliver::sender::Sender::new(&tenant, bench.endpoints.reach()).await;
    let message = crate::events::record::test_event(
        &crate::store::tests::fixture::bucket_name("pail"),
        "1",
        "2",
        bench.fixture.clock.now(),
    );
    let attempt = sender.send(&message, &tenant, bench.fixture.clock.now()).await;
    assert!(attempt.failure().contains("127.0.0.1 is not a public address"), "{attempt:?}");
    assert_eq!(receiver.connections.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_tells_what_happens_whatever_the_state() {
    let (bench, receiver) = (Bench::new().await, Receiver::accepting().await);
    bench.endpoint("hook", &receiver.url(), &[]).await;
    bench.endpoint("nobody", "http://127.0.0.1:1/", &[]).await;
    bench.endpoint("unknown", "http://name.invalid/", &[]).await;
    bench.endpoints.pause(&id("hook")).await.unwrap();
    let dispatchers = bench.dispatch().await;
    let attempt = dispatchers.test(&id("hook")).await.unwrap();
    assert_eq!((attempt.status, attempt.outcome), (Some(204), Outcome::Delivered));
    assert!(String::from_utf8_lossy(&receiver.received()[0].body).contains("s3:TestEvent"));
    let attempt = dispatchers.test(&id("nobody")).await.unwrap();
    assert!(attempt.error.as_deref().unwrap().contains("no connection to 127.0.0.1:1"), "{attempt:?}");
    let attempt = dispatchers.test(&id("unknown")).await.unwrap();
    assert!(attempt.error.as_deref().unwrap().contains("name.invalid does not resolve"), "{attempt:?}");
    assert!(dispatchers.test(&id("none")).await.is_err());
    dispatchers.stop().await;
    let dispatchers = bench.dispatch().await;
    let listed = dispatchers.attempts(&id("hook"), None, false, 10).await.unwrap().items;
    assert_eq!((listed.len(), listed[0].event.as_ref()), (1, None));
    dispatchers.stop().await;
}
