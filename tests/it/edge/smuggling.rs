//! Requests that two servers in a row may read differently: refused, or read in one way only.

use std::time::Duration;

use super::process::Edge;
use super::scripted::{Scripted, answer};
use crate::raw::Raw;

/// What must not reach an origin.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: site.test\r\n\r\n";
/// When a refused connection must have been closed.
const SOON: Duration = Duration::from_secs(10);

fn origin() -> Scripted {
    Scripted::answers(vec![vec![answer(200, "cache-control: max-age=1000\r\n", "good")]])
}

/// What came to the origin: methods and targets.
fn targets(origin: &Scripted) -> Vec<String> {
    origin.seen().iter().map(|seen| seen.target().to_owned()).collect()
}

/// Sends these bytes on a connection of their own; gives the first status, and whether the connection was closed.
async fn sent(edge: &Edge, bytes: &str) -> (Option<u16>, bool) {
    let mut connection = Raw::connect(edge.http).await;
    connection.send(bytes).await;
    let status = connection.try_answer().await.map(|answer| answer.status);
    (status, connection.is_closed_within(SOON).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_with_two_ends_are_refused() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    for framing in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 99999999999999999999999",
        "Content-Length: ",
        "Content-Length : 5",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\0\r\nTransfer-Encoding: chunked\r\nContent-Length: 0",
        "no colon here",
        ": no name",
        "bad name: x",
        "b\u{e4}d: x",
    ] {
        let request = format!("POST /framing HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        let (status, closed) = sent(&edge, &request).await;
        assert!(matches!(status, Some(400 | 501) | None), "{framing:?}: {status:?}");
        assert!(closed, "{framing:?}");
        assert_eq!(targets(&origin), [] as [&str; 0], "{framing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_and_a_length_are_chunks_alone_and_the_last_of_their_connection() {
    // RFC 9112 section 6.1: refused, or processed by its Transfer-Encoding alone and the connection closed.
    let both = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\nContent-Length: 4",
    ];
    for framing in both {
        let origin = origin();
        let edge = Edge::in_front_of(&origin, "");
        let request =
            format!("POST /both HTTP/1.1\r\nHost: site.test\r\n{framing}\r\n\r\n2\r\nab\r\n0\r\n\r\n{SMUGGLED}");
        let (status, closed) = sent(&edge, &request).await;
        assert!(matches!(status, Some(200 | 400)) && closed, "{framing:?}: {status:?}");
        for seen in origin.seen() {
            assert_eq!((seen.target(), seen.body.as_slice()), ("POST /both", b"ab".as_slice()), "{framing:?}");
            assert!(seen.header("content-length").is_none(), "{framing:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_said_whatever_follows_it() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    for request in [
        "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: +5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n",
    ] {
        let (status, closed) = sent(&edge, &format!("{request}0\r\n\r\n{SMUGGLED}")).await;
        assert!(matches!(status, Some(200 | 400)) && closed, "{request:?}: {status:?}");
    }
    assert!(!targets(&origin).iter().any(|target| target.contains("smuggled")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_1_0_body_has_no_chunks() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    let request =
        format!("POST / HTTP/1.0\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    let (status, closed) = sent(&edge, &request).await;
    assert!(matches!(status, Some(400 | 501) | None) && closed, "{status:?}");
    assert_eq!(targets(&origin), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_chunks_end_the_connection() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    for body in [
        "-1\r\nx\r\n0\r\n\r\n",
        "+1\r\nx\r\n0\r\n\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        "1 1\r\nx\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx\r\n0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "zz\r\nx\r\n0\r\n\r\n",
        "\r\n1\r\nx\r\n0\r\n\r\n",
    ] {
        let request =
            format!("POST /chunks HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}{SMUGGLED}");
        let (_, closed) = sent(&edge, &request).await;
        assert!(closed, "{body:?}");
        assert!(!targets(&origin).iter().any(|target| target.contains("smuggled")), "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_in_chunks_an_origin_gets_framed_by_the_edge() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    let mut connection = Raw::connect(edge.http).await;
    let length = SMUGGLED.len();
    let chunks = format!("{length:x};ext=\"a\r\n{SMUGGLED}\r\n0\r\nContent-Length: 3\r\nX-Trailer: 1\r\n\r\n");
    connection.send(format!("POST /a HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
    connection.send("GET /b HTTP/1.1\r\nHost: site.test\r\n\r\n").await;
    assert_eq!(connection.answer().await.text(), "good");
    assert_eq!(connection.answer().await.text(), "good");
    let seen = origin.seen();
    assert_eq!(targets(&origin), ["POST /a", "GET /b"]);
    assert_eq!(seen[0].body, SMUGGLED.as_bytes());
    assert!(!seen.iter().any(|seen| seen.header("x-trailer").is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_request_that_is_answered_from_the_cache_is_no_request() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    edge.get("/a").await;
    for method in ["GET", "HEAD"] {
        let mut connection = Raw::connect(edge.http).await;
        let length = SMUGGLED.len();
        connection.send(format!("{method} /a HTTP/1.1\r\nHost: site.test\r\nContent-Length: {length}\r\n\r\n")).await;
        connection.send(SMUGGLED).await;
        connection.send("GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n").await;
        // Answers, or ends the connection; a HEAD has no body to read.
        if method == "GET" {
            while connection.try_answer().await.is_some_and(|answer| answer.status == 200) {
                connection.finish().await;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!targets(&origin).iter().any(|target| target.contains("smuggled")), "{:?}", targets(&origin));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_targets_that_can_be_read_in_two_ways_are_refused() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test b.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@a.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test:port\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test:99999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \r\n\r\n",
        "GET x HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET / HTTP/1.1 x\r\nHost: a.test\r\n\r\n",
        "GET / HTTP/9.1\r\nHost: a.test\r\n\r\n",
        "GET / http/1.1\r\nHost: a.test\r\n\r\n",
        "G\u{1}T / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n",
    ] {
        let mut connection = Raw::connect(edge.http).await;
        connection.send(request).await;
        let status = connection.try_answer().await.map(|answer| answer.status);
        assert!(status.is_none_or(|status| (400..=505).contains(&status)), "{request:?}: {status:?}");
    }
    assert_eq!(targets(&origin), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absolute_target_decides_the_host() {
    let origin = origin();
    let other = Scripted::answers(vec![vec![answer(200, "", "other")]]);
    let edge = Edge::start(&format!(
        "[[site]]\nhosts = [\"a.test\"]\norigin = \"{}\"\n[[site]]\nhosts = [\"b.test\"]\norigin = \"{}\"\n",
        origin.url(),
        other.url()
    ));
    let mut connection = Raw::connect(edge.http).await;
    connection.send("GET http://a.test/x HTTP/1.1\r\nHost: b.test\r\n\r\n").await;
    let answer = connection.answer().await;
    // RFC 9112 section 3.2.2: the target's host counts. To refuse the contradiction is as safe.
    assert!(answer.text() == "good" || answer.status == 400, "{answer:?}");
    assert_eq!(targets(&other), [] as [&str; 0]);
    let mut connection = Raw::connect(edge.http).await;
    connection.send("GET /x HTTP/1.1\r\nHost: b.test\r\n\r\n").await;
    assert_eq!(connection.answer().await.text(), "other", "the cache keeps them apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_only_look_like_lines_stay_what_they_are() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    let target = "/a%0d%0aX-Evil:%201?b=%0d%0a%0d%0aGET%20/smuggled";
    assert_eq!(edge.ask("GET", target, &[("x-odd", "%0d%0ax-evil: 1")]).await.text(), "good");
    let seen = &origin.seen()[0];
    assert_eq!(seen.target(), format!("GET {target}"));
    assert!(seen.header("x-evil").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_connection_names_end_here_but_not_those_that_are_the_edges() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    let connection = "close, x-hop, host, via, x-forwarded-for, cdn-loop, transfer-encoding";
    let headers = [("connection", connection), ("x-hop", "1"), ("keep-alive", "1"), ("te", "gzip"), ("x-stays", "1")];
    assert_eq!(edge.ask("GET", "/", &headers).await.status, 200);
    let seen = &origin.seen()[0];
    for gone in ["x-hop", "keep-alive", "te", "proxy-connection"] {
        assert!(seen.header(gone).is_none(), "{gone}: {:?}", seen.head);
    }
    for there in ["host", "via", "x-forwarded-for", "cdn-loop", "x-stays"] {
        assert!(seen.header(there).is_some(), "{there}: {:?}", seen.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_name_another_target_end_here_and_do_not_poison_the_cache() {
    let origin = Scripted::start(|seen| {
        let named = ["x-original-url", "x-rewrite-url", "x-http-method-override", "x-forwarded-host", "forwarded"];
        let found = named.iter().filter(|name| seen.header(name).is_some_and(|value| value.contains("evil")));
        vec![answer(200, "cache-control: max-age=1000\r\n", &format!("{:?}", found.collect::<Vec<_>>()))]
    });
    let edge = Edge::in_front_of(&origin, "");
    let headers = [
        ("x-original-url", "/evil"),
        ("x-rewrite-url", "/evil"),
        ("x-http-method-override", "evil"),
        ("x-forwarded-host", "evil"),
        ("forwarded", "host=evil"),
    ];
    assert_eq!(edge.ask("GET", "/", &headers).await.text(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_differ_only_a_little_are_different() {
    let origin = Scripted::start(|seen| vec![answer(200, "cache-control: max-age=1000\r\n", seen.target())]);
    let edge = Edge::in_front_of(&origin, "");
    let targets = [
        "/a", "/a?", "/a?b", "/a?b=", "/a%3fb", "/a/", "//a", "/A", "/%61", "/a%2f", "/./a", "/a;b", "/a?b&c", "/a?c&b",
    ];
    for _ in 0..2 {
        for target in targets {
            assert_eq!(edge.get(target).await.text(), format!("GET {target}"));
        }
    }
    let (first, second) = (edge.ask("GET", "/a", &[("x-host", "b")]).await, edge.get("/a").await);
    assert_eq!(first.text(), second.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_long_is_a_431_and_too_slow_a_408() {
    let origin = origin();
    let edge = Edge::in_front_of(&origin, "");
    let long = "x".repeat(1 << 20);
    let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\nX-Long: {long}\r\n\r\n");
    let (status, closed) = sent(&edge, &request).await;
    assert!(matches!(status, Some(431) | None) && closed, "{status:?}");
    let many = "a: b\r\n".repeat(100_000);
    let (status, closed) = sent(&edge, &format!("GET / HTTP/1.1\r\nHost: site.test\r\n{many}\r\n")).await;
    assert!(matches!(status, Some(431) | None) && closed, "{status:?}");
    let target = "x".repeat(1 << 20);
    let (status, closed) = sent(&edge, &format!("GET /{target} HTTP/1.1\r\nHost: site.test\r\n\r\n")).await;
    assert!(matches!(status, Some(414 | 431 | 400) | None) && closed, "{status:?}");
    assert_eq!(targets(&origin), [] as [&str; 0]);
}
