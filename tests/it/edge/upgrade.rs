//! Other protocols through an edge: bytes both ways once an origin went over to what the client asked for.

use std::time::Duration;

use super::process::Edge;
use super::scripted::{Scripted, Step, answer, send};
use crate::raw::{Answer, Raw};

const ASKED: [(&str, &str); 2] = [("connection", "upgrade"), ("upgrade", "echo")];
const SWITCHES: &str = "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/// Goes over to the protocol `echo`, greets, and sends back what comes.
fn echoing() -> Scripted {
    Scripted::start(|_| vec![send(format!("{SWITCHES}hello\n")), Step::Echo])
}

async fn switched(edge: &Edge) -> (Raw, Answer) {
    let mut connection = edge.asked("GET", "/socket", &ASKED).await;
    let head = connection.answer().await;
    (connection, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_go_both_ways_until_both_sides_are_done() {
    let origin = echoing();
    let edge = Edge::in_front_of(&origin, "");
    let (mut connection, head) = switched(&edge).await;
    assert_eq!((head.status, head.header("upgrade")), (101, Some("echo")));
    assert_eq!(connection.next_line().await.as_deref(), Some("hello"), "what came right behind the head");
    for line in ["one".to_owned(), "x".repeat(100_000), "GET / HTTP/1.1".to_owned()] {
        connection.send(format!("{line}\n")).await;
        assert_eq!(connection.next_line().await.unwrap(), line);
    }
    connection.send("last").await;
    connection.finish().await;
    assert_eq!(connection.next_line().await.as_deref(), Some("last"), "after the client was done");
    assert_eq!(connection.next_line().await, None);
    assert_eq!(origin.seen().len(), 1, "what went through was no request of the edge");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_has_a_tunnel_of_its_own() {
    let origin = echoing();
    let edge = Edge::in_front_of(&origin, "default_ttl = \"1h\"\n");
    let (mut first, _) = switched(&edge).await;
    let (mut second, _) = switched(&edge).await;
    for (connection, line) in [(&mut first, "first"), (&mut second, "second")] {
        assert_eq!(connection.next_line().await.as_deref(), Some("hello"));
        connection.send(format!("{line}\n")).await;
        assert_eq!(connection.next_line().await.as_deref(), Some(line));
    }
    assert_eq!(origin.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_stays_with_http_is_heard() {
    let origin = Scripted::start(|_| vec![answer(426, "upgrade: other\r\nconnection: upgrade\r\n", "not that one")]);
    let edge = Edge::in_front_of(&origin, "");
    let (mut connection, refused) = switched(&edge).await;
    assert_eq!((refused.status, refused.text().as_str()), (426, "not that one"));
    connection.send("GET /next HTTP/1.1\r\nHost: site.test\r\n\r\n").await;
    assert_eq!(connection.answer().await.status, 426, "the connection goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_goes_over_to_what_nobody_asked_for_is_not_followed() {
    let origin = Scripted::start(|_| vec![send(SWITCHES.replace("echo", "other")), Step::Echo]);
    let edge = Edge::in_front_of(&origin, "");
    let (_, refused) = switched(&edge).await;
    assert_eq!(refused.status, 502);
    let unasked = edge.get("/socket").await;
    assert_eq!(unasked.status, 502, "a 101 that answers no wish");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_ends_with_the_origin_and_does_not_hold_up_a_stop() {
    let origin = Scripted::start(|_| vec![send(format!("{SWITCHES}bye\n")), Step::Close]);
    let edge = Edge::in_front_of(&origin, "");
    let (mut connection, _) = switched(&edge).await;
    assert_eq!(connection.next_line().await.as_deref(), Some("bye"));
    assert!(connection.is_closed_within(Duration::from_secs(30)).await);

    let origin = echoing();
    let mut edge = Edge::in_front_of(&origin, "");
    let (mut open, _) = switched(&edge).await;
    assert_eq!(open.next_line().await.as_deref(), Some("hello"));
    edge.signal("TERM");
    assert!(edge.ended_well(), "{}", edge.log());
    assert!(open.is_closed_within(Duration::from_secs(30)).await);
}
