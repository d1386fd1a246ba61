use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::edge::origin::scripted::{Gate, answer, send};
use crate::edge::rules::pages::ErrorPage;

const KEPT: &str = "cache-control: max-age=60\r\n";

#[tokio::test]
async fn a_body_that_is_cut_off_is_an_error_for_everybody_and_stored_for_nobody() {
    let gates: [Gate; 2] = Default::default();
    let held = gates.clone();
    let edge = Edge::new(move |seen| {
        let head = |framing: &str| send(format!("HTTP/1.1 200 OK\r\n{KEPT}{framing}\r\n\r\n"));
        let wait = |number: usize| Step::Wait(held[number].clone());
        match seen.number {
            0 => vec![wait(0), head("content-length: 10"), send("hello"), Step::Close],
            1 => vec![wait(1), head("transfer-encoding: chunked"), send("5\r\nhello\r\n"), Step::Reset],
            _ => vec![answer(200, KEPT, "helloworld")],
        }
    });
    for gate in gates {
        let (first, second) = (edge.begin("/a", &[]).await, edge.begin("/a", &[]).await);
        gate.open();
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert!(read(first).await.is_err());
        assert!(read(second).await.is_err());
        until(|| edge.engine.under_way().fills == 0).await;
    }
    assert_eq!(edge.get("/a").await.text(), "helloworld");
}

#[tokio::test]
async fn an_origin_that_is_dead_is_a_502_once_for_all() {
    let gate = Gate::default();
    let edge = Edge::answers(vec![vec![Step::Wait(gate.clone()), Step::Close]]);
    let (first, second) = (edge.begin("/a", &[]).await, edge.begin("/a", &[]).await);
    gate.open();
    for task in [first, second] {
        let got = read(task.await.unwrap()).await.unwrap();
        assert_eq!((got.status, got.found()), (StatusCode::BAD_GATEWAY, Found::Error));
        assert_eq!(got.header("cache-control"), "no-store");
    }
    assert_eq!(edge.requests(), 1);
}

#[tokio::test]
async fn stale_is_better_than_an_error_where_the_origin_allows_it() {
    let phase = Arc::new(AtomicUsize::new(0));
    let held = Arc::clone(&phase);
    let edge = Edge::new(move |seen| match (held.load(Ordering::SeqCst), seen.target()) {
        (0, "GET /lenient") => vec![answer(200, "cache-control: max-age=10, stale-if-error=100\r\n", "good")],
        (0, _) => vec![answer(200, "cache-control: max-age=10, must-revalidate\r\n", "good")],
        (1, _) => vec![Step::Close],
        _ => vec![answer(503, "", "bad")],
    });
    edge.get("/lenient").await;
    edge.get("/strict").await;
    edge.pass(20);
    phase.store(1, Ordering::SeqCst);
    let stale = edge.get("/lenient").await;
    assert_eq!((stale.text(), stale.found(), stale.header("age")), ("good", Found::StaleHit, "20"));
    assert_eq!(stale.header("cache-status"), "brim-edge; hit; ttl=-10; detail=origin-failed");
    assert_eq!(edge.get("/strict").await.status, StatusCode::BAD_GATEWAY);
    phase.store(2, Ordering::SeqCst);
    assert_eq!(edge.get("/lenient").await.text(), "good");
    let strict = edge.get("/strict").await;
    assert_eq!((strict.status, strict.text()), (StatusCode::SERVICE_UNAVAILABLE, "bad"));
    edge.pass(100);
    assert_eq!(edge.get("/lenient").await.text(), "bad", "the window is over");
}

#[tokio::test]
async fn a_page_takes_the_place_of_an_error_or_the_error_stays() {
    let page = |status: u16, path: &str, answer: Option<u16>| ErrorPage {
        status: StatusCode::from_u16(status).unwrap(),
        path: path.to_owned(),
        answer: answer.map(|status| StatusCode::from_u16(status).unwrap()),
    };
    let pages = Pages::new(vec![page(404, "/sorry", Some(410)), page(500, "/missing", None)], None);
    let script = |seen: &Seen| match seen.target() {
        "GET /sorry" => vec![answer(200, KEPT, "we are sorry")],
        "GET /broken" => vec![answer(500, "", "the origin's own words")],
        _ => vec![answer(404, "", "nothing here")],
    };
    let edge = Edge::with(script, |behaviour| behaviour.pages = pages, Limits::default());
    let sorry = edge.get("/gone").await;
    assert_eq!((sorry.status.as_u16(), sorry.text()), (410, "we are sorry"));
    assert_eq!(edge.get("/gone2").await.found(), Found::Hit, "the page is cached like any other");
    let broken = edge.get("/broken").await;
    assert_eq!((broken.status.as_u16(), broken.text()), (500, "the origin's own words"), "the page cannot be had");
}

#[tokio::test]
async fn an_application_of_one_page_answers_its_routes() {
    let script = |seen: &Seen| match seen.target() {
        "GET /index.html" => vec![answer(200, KEPT, "app")],
        _ => vec![answer(404, "", "")],
    };
    let pages = Pages::new(Vec::new(), Some("/index.html".to_owned()));
    let edge = Edge::with(script, |behaviour| behaviour.pages = pages, Limits::default());
    let route = edge.get("/some/place").await;
    assert_eq!((route.status, route.text()), (StatusCode::OK, "app"));
    assert_eq!(edge.get("/app.js").await.status, StatusCode::NOT_FOUND);
    let head = read(edge.ask(Method::HEAD, "/other", &[]).await).await.unwrap();
    assert_eq!((head.status, head.header("content-length"), head.text()), (StatusCode::OK, "3", ""));
}

#[tokio::test]
async fn a_request_that_came_through_here_before_is_a_loop() {
    let edge = Edge::answers(vec![vec![answer(200, KEPT, "one")]]);
    let got = edge.get_with("/a", &[("cdn-loop", "other, edge-1")]).await;
    assert_eq!((got.status, edge.requests()), (StatusCode::LOOP_DETECTED, 0));
    let posted = edge.ask(Method::POST, "/a", &[("cdn-loop", "edge-1")]).await;
    assert_eq!(posted.response.status(), StatusCode::LOOP_DETECTED);
}

#[tokio::test]
async fn a_client_that_wants_what_is_stored_alone_never_reaches_the_origin() {
    let edge = Edge::with(|_| vec![answer(200, KEPT, "one")], |b| b.cached.honour_requests = true, Limits::default());
    let wish = [("cache-control", "only-if-cached")];
    assert_eq!(edge.get_with("/a", &wish).await.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(edge.requests(), 0);
    edge.get("/a").await;
    assert_eq!(edge.get_with("/a", &wish).await.text(), "one");
}
