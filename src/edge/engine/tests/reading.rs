use super::*;
use crate::edge::origin::scripted::{answer, send};

const TAGGED: &str = "cache-control: max-age=60\r\netag: \"1\"\r\ncontent-type: text/plain\r\n";

#[tokio::test]
async fn conditions_and_ranges_are_answered_from_the_whole_stored_or_not() {
    let edge = Edge::new(|_| vec![answer(200, TAGGED, "0123456789")]);
    for (path, found) in [("/a", Found::Miss), ("/a", Found::Hit), ("/a", Found::Hit)] {
        let same = edge.get_with(path, &[("if-none-match", "\"1\"")]).await;
        assert_eq!((same.status.as_u16(), same.text(), same.found()), (304, "", found));
        assert_eq!((same.header("etag"), same.header("content-type")), ("\"1\"", ""));
    }
    assert_eq!(edge.get_with("/a", &[("if-match", "\"1\"")]).await.status, StatusCode::OK);
    let part = edge.get_with("/a", &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status.as_u16(), part.text(), part.header("content-range")), (206, "234", "bytes 2-4/10"));
    assert_eq!(part.header("content-length"), "3");
    let beyond = edge.get_with("/a", &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */10"));
    let other = edge.get_with("/a", &[("range", "bytes=2-4"), ("if-range", "\"2\"")]).await;
    assert_eq!((other.status.as_u16(), other.text()), (200, "0123456789"));
    let parts = edge.get_with("/a", &[("range", "bytes=0-1,8-")]).await;
    assert_eq!(parts.status.as_u16(), 206);
    assert_eq!(parts.header("content-length"), parts.body.len().to_string());
    assert!(parts.header("content-type").starts_with("multipart/byteranges; boundary="));
    assert!(parts.text().contains("Content-Range: bytes 8-9/10\r\n\r\n89\r\n--"), "{}", parts.text());
    assert_eq!(edge.requests(), 1);
    assert!(edge.origin.seen()[0].header("if-none-match").is_none());
}

#[tokio::test]
async fn who_wants_another_response_than_the_stored_one_is_answered_by_the_origin() {
    let edge = Edge::new(|seen| match seen.header("if-match") {
        Some("\"2\"") => vec![answer(200, "etag: \"2\"\r\n", "newer")],
        Some(_) => vec![answer(412, "", "")],
        None => vec![answer(200, TAGGED, "0123456789")],
    });
    edge.get("/a").await;
    let newer = edge.get_with("/a", &[("if-match", "\"2\"")]).await;
    assert_eq!((newer.status.as_u16(), newer.text(), newer.found()), (200, "newer", Found::Miss));
    assert_eq!(newer.header("cache-status"), "brim-edge; fwd=request");
    assert_eq!(edge.get_with("/a", &[("if-match", "\"3\"")]).await.status, StatusCode::PRECONDITION_FAILED);
    let old = [("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")];
    assert_eq!(edge.get_with("/a", &old).await.found(), Found::Miss);
    assert_eq!(edge.get("/a").await.found(), Found::Hit);
    assert_eq!(edge.requests(), 4);
}

#[tokio::test]
async fn a_head_is_answered_from_what_a_get_stored() {
    let edge = Edge::new(|seen| match seen.target().starts_with("HEAD") {
        true => vec![send(format!("HTTP/1.1 200 OK\r\n{TAGGED}content-length: 10\r\n\r\n"))],
        false => vec![answer(200, TAGGED, "0123456789")],
    });
    let head = || async { read(edge.ask(Method::HEAD, "/a", &[]).await).await.unwrap() };
    let miss = head().await;
    assert_eq!((miss.found(), miss.header("content-length"), miss.text()), (Found::Miss, "10", ""));
    assert_eq!(edge.get("/a").await.found(), Found::Miss, "an answer to HEAD is not stored");
    let hit = head().await;
    assert_eq!((hit.found(), hit.header("content-length"), hit.text()), (Found::Hit, "10", ""));
    assert_eq!(edge.requests(), 2);
}

#[tokio::test]
async fn a_compressed_form_is_made_once_and_is_validated_as_its_parent_is() {
    let body = "all work and no play ".repeat(100);
    let held = body.clone();
    let script = move |_: &Seen| vec![answer(200, TAGGED, &held)];
    let edge = Edge::with(script, |behaviour| behaviour.compression = Compression::ALL, Limits::default());
    let accept = [("accept-encoding", "gzip")];
    let mut lengths = Vec::new();
    for found in [Found::Miss, Found::Hit, Found::Hit] {
        let got = edge.get_with("/a", &accept).await;
        assert_eq!((got.found(), got.header("content-encoding"), got.header("etag")), (found, "gzip", "W/\"1\""));
        assert_eq!(got.header("vary"), "accept-encoding");
        assert!(got.body.len() < body.len() / 4 && got.body.starts_with(&[0x1f, 0x8b]));
        lengths.push(got.header("content-length").to_owned());
    }
    assert_eq!(lengths[0], "", "it was compressed as it came");
    assert!(!lengths[1].is_empty() && lengths[1] == lengths[2]);
    let same = edge.get_with("/a", &[("accept-encoding", "gzip"), ("if-none-match", "W/\"1\"")]).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    let plain = edge.get("/a").await;
    assert_eq!((plain.text(), plain.header("vary")), (body.as_str(), "accept-encoding"));
    let part = edge.get_with("/a", &[("accept-encoding", "gzip"), ("range", "bytes=0-2")]).await;
    assert_eq!((part.text(), part.header("content-encoding")), ("all", ""));
    assert_eq!(edge.requests(), 1);
}

#[tokio::test]
async fn a_confirmed_response_is_chosen_as_before() {
    let body = "all work and no play ".repeat(100);
    let script = move |seen: &Seen| match seen.header("if-none-match") {
        Some(_) => vec![send("HTTP/1.1 304 x\r\ncache-control: max-age=60\r\n\r\n")],
        None => vec![answer(200, TAGGED, &body)],
    };
    let edge = Edge::with(script, |behaviour| behaviour.compression = Compression::ALL, Limits::default());
    edge.get_with("/a", &[("accept-encoding", "gzip")]).await;
    edge.pass(70);
    let renewed = edge.get_with("/a", &[("accept-encoding", "gzip")]).await;
    assert_eq!((renewed.found(), renewed.header("content-encoding")), (Found::RefreshHit, "gzip"));
    let other = edge.get_with("/a", &[("accept-encoding", "br")]).await;
    assert_eq!((other.found(), other.header("content-encoding")), (Found::Hit, "br"), "of the same parent");
}

#[tokio::test]
async fn what_slow_readers_hold_counts_until_they_are_done() {
    let edge = Edge::new(|_| vec![answer(200, TAGGED, &"x".repeat(1000))]);
    let slow = edge.ask(Method::GET, "/a", &[]).await;
    until(|| edge.engine.under_way().fills == 0).await;
    assert!(edge.engine.under_way().bytes >= 1000);
    assert_eq!(edge.get("/a").await.found(), Found::Hit);
    read(slow).await.unwrap();
    assert_eq!(edge.engine.under_way().bytes, 0);
}

#[tokio::test]
async fn an_upstream_age_counts() {
    let edge = Edge::answers(vec![vec![answer(200, "cache-control: max-age=60\r\nage: 50\r\n", "x")]]);
    assert_eq!(edge.get("/a").await.header("age"), "50");
    edge.pass(5);
    assert_eq!(edge.get("/a").await.header("age"), "55");
    edge.pass(5);
    assert_eq!(edge.get("/a").await.found(), Found::Miss);
}

/// What a hit costs in the engine alone: `cargo test --release --lib a_hit_costs -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn a_hit_costs_little() {
    let edge = Edge::new(|_| vec![answer(200, TAGGED, &"x".repeat(1024))]);
    edge.get("/a").await;
    let start = std::time::Instant::now();
    for _ in 0..200_000 {
        let answer = edge.ask(Method::GET, "/a", &[("accept", "*/*"), ("user-agent", "test")]).await;
        assert_eq!(answer.outcome.result, Found::Hit);
    }
    println!("{:?} a hit", start.elapsed() / 200_000);
}
