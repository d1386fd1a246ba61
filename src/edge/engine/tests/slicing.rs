use super::*;
use crate::edge::cache::SLICE_LENGTH;
use crate::edge::origin::scripted::{Gate, answer, send};

const MIB: usize = SLICE_LENGTH as usize;
const HEADERS: &str = "cache-control: max-age=60\r\netag: \"1\"\r\n";

/// Answers as a server of files does: all of `body`, or the range that is asked for.
fn serve(seen: &Seen, body: &[u8], headers: &str) -> Vec<Step> {
    let range = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = range else {
        let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n", body.len());
        return vec![send(head), send(body)];
    };
    let first: usize = first.parse().unwrap();
    let last = last.parse().map_or(body.len() - 1, |last: usize| last.min(body.len() - 1));
    if first > last {
        return vec![answer(416, "", "")];
    }
    let part = &body[first..=last];
    let head = format!(
        "HTTP/1.1 206 x\r\n{headers}content-range: bytes {first}-{last}/{}\r\ncontent-length: {}\r\n\r\n",
        body.len(),
        part.len()
    );
    vec![send(head), send(part)]
}

fn limits() -> Limits {
    Limits { whole: MIB as u64, ..Limits::default() }
}

#[tokio::test]
async fn a_long_body_is_kept_in_slices_and_its_ranges_cost_nothing_more() {
    let body = pattern(3 * MIB + 100);
    let held = body.clone();
    let edge = Edge::with(move |seen| serve(seen, &held, HEADERS), |_| (), limits());
    let all = edge.get("/a").await;
    assert_eq!((all.found(), all.body == body), (Found::Miss, true));
    for (range, part) in [
        ("bytes=0-9", 0..10),
        ("bytes=1048570-1048580", 1_048_570..1_048_581),
        ("bytes=-100", body.len() - 100..body.len()),
        ("bytes=5-", 5..body.len()),
    ] {
        let got = edge.get_with("/a", &[("range", range)]).await;
        assert_eq!((got.status.as_u16(), got.found()), (206, Found::Hit), "{range}");
        assert!(got.body == body[part], "{range}");
    }
    let parts = edge.get_with("/a", &[("range", "bytes=0-1,2097151-2097153")]).await;
    assert_eq!(parts.header("content-length"), parts.body.len().to_string());
    let again = edge.get("/a").await;
    assert!(again.body == body && again.found() == Found::Hit);
    assert_eq!(edge.requests(), 1);
}

#[tokio::test]
async fn a_range_of_what_is_not_stored_costs_its_slices() {
    let body = pattern(5 * MIB);
    let held = body.clone();
    let edge = Edge::with(move |seen| serve(seen, &held, HEADERS), |_| (), limits());
    let range = format!("bytes={}-{}", MIB + 10, 2 * MIB + 20);
    let got = edge.get_with("/a", &[("range", &range)]).await;
    assert_eq!((got.status.as_u16(), got.found()), (206, Found::Miss));
    assert!(got.body == body[MIB + 10..2 * MIB + 21]);
    let asked = format!("bytes={}-{}", MIB, 3 * MIB - 1);
    assert_eq!(edge.origin.seen()[0].header("range"), Some(asked.as_str()));
    assert_eq!(edge.get_with("/a", &[("range", &range)]).await.found(), Found::Hit);
    assert_eq!(edge.requests(), 1);
    // The slice that was begun is read to its end, also when nobody waits for it any more.
    until(|| edge.engine.under_way().bytes == 0).await;
    // The rest comes when somebody wants it, and is asked for with what is known of the body.
    let all = edge.get("/a").await;
    assert!(all.body == body);
    let seen = edge.origin.seen();
    assert_eq!(seen[1].header("if-range"), Some("\"1\""));
    let asked: Vec<_> = seen[1..].iter().map(|seen| seen.header("range").unwrap().to_owned()).collect();
    assert_eq!(asked, ["bytes=0-1048575", "bytes=3145728-5242879"]);
    assert!(edge.get("/a").await.found() == Found::Hit && edge.requests() == seen.len());
    until(|| edge.engine.under_way().bytes == 0).await;
}

#[tokio::test]
async fn a_small_body_asked_for_by_range_is_stored_whole() {
    let edge = Edge::with(|seen| serve(seen, b"0123456789", HEADERS), |_| (), limits());
    let got = edge.get_with("/a", &[("range", "bytes=2-4")]).await;
    assert_eq!((got.status.as_u16(), got.text(), got.header("content-range")), (206, "234", "bytes 2-4/10"));
    let all = edge.get("/a").await;
    assert_eq!((all.status.as_u16(), all.text(), all.found()), (200, "0123456789", Found::Hit));
    assert_eq!(edge.requests(), 1);
}

#[tokio::test]
async fn ranges_of_what_cannot_be_sliced_are_passed_on_in_the_clients_own_words() {
    let weak = "cache-control: max-age=60\r\netag: W/\"1\"\r\n";
    let body = pattern(2 * MIB);
    let held = body.clone();
    let edge = Edge::with(move |seen| serve(seen, &held, weak), |_| (), limits());
    for _ in 0..2 {
        let got = edge.get_with("/a", &[("range", "bytes=5-9")]).await;
        assert_eq!((got.status.as_u16(), got.header("content-range")), (206, "bytes 5-9/2097152"));
        assert!(got.body == body[5..10]);
    }
    assert_eq!(edge.origin.seen().last().unwrap().header("range"), Some("bytes=5-9"));
}

#[tokio::test]
async fn a_body_that_changed_is_never_mixed_with_the_one_before() {
    let (old, new) = (pattern(3 * MIB), vec![7; 3 * MIB]);
    let (held_old, held_new) = (old.clone(), new.clone());
    let edge = Edge::with(
        move |seen| match seen.number {
            0 => serve(seen, &held_old, HEADERS),
            _ if seen.header("if-range") == Some("\"1\"") => {
                let head = format!("HTTP/1.1 200 OK\r\netag: \"2\"\r\ncontent-length: {}\r\n\r\n", 3 * MIB);
                vec![send(head), send(&held_new)]
            }
            _ => serve(seen, &held_new, "cache-control: max-age=60\r\netag: \"2\"\r\n"),
        },
        |_| (),
        limits(),
    );
    edge.get_with("/a", &[("range", "bytes=0-9")]).await;
    // Its first slice is stored, and is sent before the second one is asked for.
    let mixed = edge.ask(Method::GET, "/a", &[]).await;
    assert!(read(mixed).await.is_err(), "the client learns that it was cut off");
    let all = edge.get("/a").await;
    assert!(all.body == new);
    // Where nothing was sent yet, the new body is.
    let edge_seen = edge.requests();
    assert!(edge_seen >= 3);
}

#[tokio::test]
async fn a_body_that_changed_before_anything_was_sent_is_fetched_anew() {
    let (old, new) = (pattern(3 * MIB), vec![7; 3 * MIB]);
    let edge = Edge::with(
        move |seen| match (seen.number, seen.header("if-range")) {
            (0, _) => serve(seen, &old, HEADERS),
            (_, Some("\"1\"")) => vec![answer(200, "etag: \"2\"\r\n", "something else")],
            _ => serve(seen, &new, "cache-control: max-age=60\r\netag: \"2\"\r\n"),
        },
        |_| (),
        limits(),
    );
    edge.get_with("/a", &[("range", "bytes=0-9")]).await;
    let got = edge.get_with("/a", &[("range", "bytes=2097152-2097161")]).await;
    assert_eq!((got.status.as_u16(), got.body), (206, vec![7; 10]));
}

#[tokio::test]
async fn whoever_falls_behind_goes_on_with_the_slices() {
    let body = pattern(4 * MIB);
    let held = body.clone();
    let edge = Edge::with(move |seen| serve(seen, &held, HEADERS), |_| (), limits());
    let (slow, fast) = (edge.begin("/a", &[]).await, edge.begin("/a", &[]).await);
    let (slow, fast) = (slow.await.unwrap(), fast.await.unwrap());
    assert!(read(fast).await.unwrap().body == body, "the slow one holds nobody up");
    assert!(read(slow).await.unwrap().body == body);
    assert_eq!(edge.requests(), 1);
}

#[tokio::test]
async fn a_slow_reader_holds_back_the_origin() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::with(
        move |_| {
            let head = format!("HTTP/1.1 200 OK\r\n{HEADERS}content-length: {}\r\n\r\n", 40 * MIB);
            let mut steps = vec![send(head)];
            steps.extend((0..40).map(|_| send(vec![1; MIB])));
            steps.push(Step::Wait(held.clone()));
            steps
        },
        |_| (),
        limits(),
    );
    let answer = edge.ask(Method::GET, "/a", &[]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(edge.engine.under_way().bytes <= 2 * SLICE_LENGTH);
    drop(answer);
    until(|| edge.engine.under_way().bytes == 0).await;
    gate.open();
}

#[tokio::test]
async fn a_body_of_unknown_length_that_grows_too_long_reaches_its_clients_and_is_not_stored() {
    let gate = Gate::default();
    let held = gate.clone();
    let script = move |_: &Seen| {
        let mut steps = vec![
            Step::Wait(held.clone()),
            send("HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n"),
        ];
        for _ in 0..4 {
            steps.extend([send("100000\r\n"), send(vec![7; MIB]), send("\r\n")]);
        }
        steps.push(send("0\r\n\r\n"));
        steps
    };
    let edge = Edge::with(script, |_| (), limits());
    let (first, second) = (edge.begin("/a", &[]).await, edge.begin("/a", &[]).await);
    gate.open();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let (first, second) = tokio::join!(read(first), read(second));
    assert_eq!((first.unwrap().body.len(), second.unwrap().body.len()), (4 * MIB, 4 * MIB));
    assert_eq!(edge.requests(), 1);
    assert_eq!(edge.get("/a").await.found(), Found::Miss);
    until(|| edge.engine.under_way().bytes == 0).await;
}

#[tokio::test]
async fn without_memory_for_it_a_body_is_passed_through() {
    let body = pattern(MIB);
    let held = body.clone();
    let edge = Edge::with(
        move |seen| serve(seen, &held, HEADERS),
        |_| (),
        Limits { fill_memory: 1000, whole: 8 * MIB as u64 },
    );
    let got = edge.get("/a").await;
    assert!(got.body == body);
    assert_eq!(got.header("cache-status"), "brim-edge; fwd=uri-miss; detail=memory");
    assert_eq!(edge.engine.under_way().bytes, 0);
}
