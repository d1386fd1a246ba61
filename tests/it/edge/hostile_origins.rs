//! Origins that are dead, slow, broken or hostile: a bounded and correct answer, and never a damaged body in the cache.

use std::time::{Duration, Instant};

use super::process::Edge;
use super::scripted::{Gate, Scripted, Step, answer, send};
use crate::raw::Raw;

/// What the edges here wait for an origin at most, as the configuration says it.
const QUICK: &str = "connect_timeout = \"1s\"\nfirst_byte_timeout = \"1s\"\nidle_timeout = \"1s\"\n";
/// When such a wait must be over.
const SOON: Duration = Duration::from_secs(8);
/// What makes an answer storable.
const FRESH: &str = "cache-control: max-age=1000\r\n";

/// An edge that does not wait for long.
fn quick(origin: &Scripted) -> Edge {
    let url = origin.url();
    Edge::start(&format!("[[site]]\nhosts = [\"*\"]\n[site.origin]\nurl = \"{url}\"\n{QUICK}"))
}

/// The first answer is damaged like this, the later ones are good.
fn damaged_once(steps: Vec<Step>) -> Scripted {
    Scripted::answers(vec![steps, vec![answer(200, FRESH, "good")]])
}

/// What comes until the connection ends: everything that a client was shown.
async fn everything(mut connection: Raw) -> String {
    let mut all = String::new();
    while let Some(line) = connection.next_line().await {
        all.push_str(&line);
        all.push('\n');
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_origin_is_a_502_at_once() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = Edge::start(&format!("[[site]]\nhosts = [\"*\"]\norigin = \"http://{address}\"\n"));
    let start = Instant::now();
    assert_eq!(edge.get("/").await.status, 502);
    assert!(start.elapsed() < SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_origin_is_a_504_in_time_and_not_stored() {
    let gate = Gate::default();
    let origin = damaged_once(vec![Step::Wait(gate.clone())]);
    let edge = quick(&origin);
    let start = Instant::now();
    assert_eq!(edge.get("/").await.status, 504);
    assert!(start.elapsed() < SOON);
    assert_eq!(edge.get("/").await.text(), "good");
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_a_502_and_not_stored() {
    for bytes in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 2000 x\r\n\r\n",
        "HTTP/1.1 200 x\r\ncache-control: max-age=1000\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 x\r\ncache-control: max-age=1000\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 x\r\ncache-control: max-age=1000\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ] {
        let origin = damaged_once(vec![send(bytes), Step::Close]);
        let edge = quick(&origin);
        assert_eq!(edge.get("/").await.status, 502, "{bytes:?}");
        assert_eq!(edge.get("/").await.text(), "good", "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_without_end_are_a_502_and_cost_little() {
    for (start, again) in [
        ("HTTP/1.1 200 x\r\n", "a: 0123456789012345678901234567890123456789\r\n"),
        ("HTTP/1.1 200 x\r\na: ", "0123456789012345678901234567890123456789"),
        ("", "HTTP/1.1 103 x\r\nlink: </a>\r\n\r\n"),
    ] {
        let origin = damaged_once(vec![send(start), Step::Repeat(again.into(), Duration::ZERO)]);
        let edge = quick(&origin);
        assert_eq!(edge.get("/").await.status, 502, "{again:?}");
        assert_eq!(edge.get("/").await.text(), "good", "{again:?}");
        assert!(edge.memory() < 100 << 20, "{}", edge.memory());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_do_not_get_in_the_way() {
    let interim = "HTTP/1.1 103 x\r\nlink: </a>\r\n\r\nHTTP/1.1 100 x\r\n\r\n".repeat(20);
    let origin = Scripted::answers(vec![vec![send(interim), answer(200, FRESH, "good")]]);
    let edge = quick(&origin);
    for _ in 0..2 {
        assert_eq!(edge.get("/").await.text(), "good");
    }
    assert_eq!(origin.seen().len(), 1);
}

/// Bodies that end early, in every framing that can tell, after the first bytes of them went out.
fn cuts() -> Vec<Vec<Step>> {
    let head = |rest: &str| send(format!("HTTP/1.1 200 x\r\n{FRESH}etag: \"damaged\"\r\n{rest}"));
    vec![
        vec![head("content-length: 10\r\n\r\nevil"), Step::Close],
        vec![head("content-length: 10\r\n\r\nevil"), Step::Reset],
        vec![head("transfer-encoding: chunked\r\n\r\n4\r\nevil\r\n"), Step::Close],
        vec![head("transfer-encoding: chunked\r\n\r\n9\r\nevil"), Step::Close],
        vec![head("transfer-encoding: chunked\r\n\r\n4\r\nevil\r\nzz\r\n"), Step::Close],
        // Silent for longer than the edge waits.
        vec![head("content-length: 10\r\n\r\nevil"), Step::Pause(Duration::from_secs(3)), Step::Close],
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_is_never_shown_as_whole_nor_stored() {
    for (number, steps) in cuts().into_iter().enumerate() {
        let origin = damaged_once(steps);
        let edge = quick(&origin);
        let shown = everything(edge.asked("GET", "/", &[("connection", "close")]).await).await;
        // Nothing at all, or a body that is shorter than announced, or chunks without the last one.
        let whole = shown.contains("content-length: 4") || shown.ends_with("0\n\n");
        let framed = shown.contains("content-length: 10") || shown.contains("transfer-encoding: chunked");
        assert!(shown.is_empty() || (framed && !whole), "{number}: {shown}");
        let again = edge.get("/").await;
        assert_eq!(again.text(), "good", "{number}");
        assert_eq!(edge.get("/").await.text(), "good", "{number}");
        assert_eq!(origin.seen().len(), 2, "{number}: what is good is stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_together_are_all_told_of_the_cut() {
    let gate = Gate::default();
    let head = send(format!("HTTP/1.1 200 x\r\n{FRESH}content-length: 10\r\n\r\n"));
    let origin = damaged_once(vec![head, Step::Wait(gate.clone()), send("evil"), Step::Close]);
    let edge = quick(&origin);
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(edge.asked("GET", "/", &[("connection", "close")]).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    gate.open();
    for connection in waiting {
        let shown = everything(connection).await;
        // Cut off, or answered by a fetch of its own.
        assert!(shown.contains("content-length: 10") || shown.ends_with("good"), "{shown}");
    }
    assert_eq!(edge.get("/").await.text(), "good");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_behind_a_body_are_nobodys_answer() {
    let evil = "HTTP/1.1 200 x\r\ncache-control: max-age=1000\r\ncontent-length: 4\r\n\r\nevil";
    let origin = Scripted::start(move |seen| match seen.number {
        0 => vec![send(format!("HTTP/1.1 200 x\r\n{FRESH}content-length: 4\r\n\r\ngood{evil}"))],
        _ => vec![answer(200, FRESH, "good")],
    });
    let edge = quick(&origin);
    for target in ["/a", "/b", "/c", "/a", "/b", "/c"] {
        assert_eq!(edge.get(target).await.text(), "good", "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_nobody_asked_for_is_not_stored_as_the_whole() {
    let part = "content-range: bytes 0-3/100\r\netag: \"a\"\r\n";
    let origin = Scripted::start(move |seen| match seen.number {
        0 => vec![answer(206, &format!("{FRESH}{part}"), "part")],
        _ => vec![answer(200, &format!("{FRESH}etag: \"a\"\r\n"), "good")],
    });
    let edge = quick(&origin);
    for _ in 0..2 {
        let answer = edge.get("/").await;
        assert!(answer.status == 502 || (answer.status, answer.text()) == (200, "good".to_owned()), "{answer:?}");
    }
    assert_eq!(edge.get("/").await.text(), "good");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unasked_304_is_not_an_answer_from_the_cache() {
    let origin = Scripted::start(|seen| match seen.number {
        0 => vec![send("HTTP/1.1 304 x\r\ncache-control: max-age=1000\r\netag: \"a\"\r\n\r\n")],
        _ => vec![answer(200, FRESH, "good")],
    });
    let edge = quick(&origin);
    assert_ne!(edge.get("/").await.status, 200, "there is nothing that it could stand for");
    assert_eq!(edge.get("/").await.text(), "good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_for_another_entity_does_not_revive_what_is_stored() {
    let origin = Scripted::start(|seen| match seen.number {
        0 => vec![answer(200, "cache-control: max-age=0\r\netag: \"a\"\r\n", "old")],
        1 => vec![send("HTTP/1.1 304 x\r\ncache-control: max-age=1000\r\netag: \"b\"\r\n\r\n")],
        _ => vec![answer(200, "cache-control: max-age=1000\r\netag: \"b\"\r\n", "new")],
    });
    let edge = quick(&origin);
    assert_eq!(edge.get("/").await.text(), "old");
    let second = edge.get("/").await;
    assert!(second.status >= 500 || second.text() == "new", "{second:?}");
    assert_eq!(edge.get("/").await.text(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_ends_with_who_asked_for_it() {
    for head in ["transfer-encoding: chunked\r\n\r\n", "content-length: 9999999999999\r\n\r\n", "\r\n"] {
        let piece = match head.starts_with("transfer") {
            true => format!("10000\r\n{}\r\n", "x".repeat(0x10000)),
            false => "x".repeat(0x10000),
        };
        let start = send(format!("HTTP/1.1 200 x\r\n{FRESH}etag: \"a\"\r\n{head}"));
        let origin = damaged_once(vec![start, Step::Repeat(piece.into_bytes(), Duration::ZERO)]);
        let url = origin.url();
        let bounds = "memory = \"32MiB\"\nfill_memory = \"32MiB\"\n";
        let site = format!("[[site]]\nhosts = [\"*\"]\n[site.origin]\nurl = \"{url}\"\n{QUICK}");
        let edge = Edge::start(&format!("{bounds}{site}"));
        let mut connection = edge.asked("GET", "/", &[]).await;
        for _ in 0..5 {
            connection.next_line().await;
        }
        // Nobody reads: the edge must hold the origin back, not the bytes.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(edge.memory() < 200 << 20, "{head:?}: {}", edge.memory());
        drop(connection);
        assert_eq!(edge.get("/other").await.text(), "good", "{head:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_of_two_versions_are_never_mixed() {
    const LENGTH: usize = 3 << 20;
    // The version changes after the first slice was fetched.
    let origin = Scripted::start(|seen| {
        let version = if seen.number == 0 { 'a' } else { 'b' };
        let (from, to) = match seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
            Some((from, to)) => (from.parse().unwrap_or(0), to.parse().unwrap_or(LENGTH - 1).min(LENGTH - 1)),
            None => (0, LENGTH - 1),
        };
        let current = format!("\"{version}\"");
        let wanted = seen.header("if-range").is_none_or(|tag| tag == current);
        let (from, to) = if wanted { (from, to) } else { (0, LENGTH - 1) };
        let body = version.to_string().repeat(to + 1 - from);
        let common = format!("{FRESH}etag: {current}\r\naccept-ranges: bytes\r\n");
        if wanted && seen.header("range").is_some() {
            vec![answer(206, &format!("{common}content-range: bytes {from}-{to}/{LENGTH}\r\n"), &body)]
        } else {
            vec![answer(200, &common, &body)]
        }
    });
    let edge = quick(&origin);
    let first = edge.ask("GET", "/", &[("range", "bytes=0-9")]).await;
    assert_eq!((first.status, first.text()), (206, "a".repeat(10)));
    for range in ["bytes=1048570-1048580", "bytes=0-2097160", "bytes=0-"] {
        let shown = everything(edge.asked("GET", "/", &[("range", range), ("connection", "close")]).await).await;
        let body = shown.split_once("\n\n").map_or("", |(_, body)| body).trim_end();
        assert!(!(body.contains('a') && body.contains('b')), "{range}: mixed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_not_the_one_asked_for_is_not_given_out_as_it() {
    let origin = Scripted::start(|seen| match seen.header("range") {
        Some(_) => vec![answer(206, &format!("{FRESH}etag: \"a\"\r\ncontent-range: bytes 50-53/3000000\r\n"), "evil")],
        None => vec![answer(200, FRESH, "good")],
    });
    let edge = quick(&origin);
    let shown = edge.ask("GET", "/", &[("range", "bytes=0-3")]).await;
    assert!(shown.status != 206 || shown.header("content-range") == Some("bytes 50-53/3000000"), "{shown:?}");
    let whole = edge.get("/").await;
    assert_eq!((whole.status, whole.text()), (200, "good".to_owned()));
}
