use super::*;
use crate::edge::origin::scripted::{Gate, answer, send};

const KEPT: &str = "cache-control: max-age=60\r\nsurrogate-key: news\r\n";

fn path(path: &str) -> What {
    What::Path(path.to_owned())
}

/// An origin whose answers wait for a gate each, and say their number.
fn gated(gates: [Gate; 4], headers: &'static str) -> Edge {
    Edge::new(move |seen| {
        let text = format!("answer {}", seen.number);
        vec![Step::Wait(gates[seen.number].clone()), answer(200, headers, &text)]
    })
}

#[tokio::test]
async fn after_a_purge_requests_start_anew_and_the_old_fill_is_not_stored() {
    for what in [path("/a"), What::Tag("NEWS".to_owned()), What::Prefix("/".to_owned()), What::All] {
        let gates: [Gate; 4] = Default::default();
        let edge = gated(gates.clone(), KEPT);
        let old = edge.begin("/a", &[]).await;
        edge.until_seen(1).await;
        edge.purge(what.clone(), false).await;
        let new = [edge.begin("/a", &[]).await, edge.begin("/a", &[]).await];
        if !matches!(what, What::Tag(_)) {
            // They collapse among themselves.
            edge.until_seen(2).await;
        }
        gates[0].open();
        assert_eq!(read(old.await.unwrap()).await.unwrap().text(), "answer 0", "who came before goes on");
        edge.until_seen(2).await;
        gates[1].open();
        for task in new {
            assert_eq!(read(task.await.unwrap()).await.unwrap().text(), "answer 1", "{what:?}");
        }
        let stored = edge.get("/a").await;
        assert_eq!((stored.text(), stored.found()), ("answer 1", Found::Hit), "{what:?}");
    }
}

#[tokio::test]
async fn a_purge_of_something_else_leaves_fills_alone() {
    for what in [path("/b"), What::Tag("sport".to_owned()), What::Prefix("/b".to_owned())] {
        let gates: [Gate; 4] = Default::default();
        let edge = gated(gates.clone(), KEPT);
        let old = edge.begin("/a", &[]).await;
        edge.until_seen(1).await;
        edge.purge(what.clone(), false).await;
        let new = edge.begin("/a", &[]).await;
        gates[0].open();
        for task in [old, new] {
            assert_eq!(read(task.await.unwrap()).await.unwrap().text(), "answer 0", "{what:?}");
        }
        assert_eq!((edge.get("/a").await.found(), edge.requests()), (Found::Hit, 1), "{what:?}");
    }
}

#[tokio::test]
async fn a_purge_within_a_body_detaches_by_what_its_head_said() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |seen| match seen.number {
        0 => {
            let head = format!("HTTP/1.1 200 OK\r\n{KEPT}content-length: 6\r\n\r\nold");
            vec![send(head), Step::Wait(held.clone()), send("old")]
        }
        _ => vec![answer(200, KEPT, "new")],
    });
    let old = edge.ask(Method::GET, "/a", &[]).await;
    edge.purge(What::Tag("news".to_owned()), false).await;
    assert_eq!(edge.get("/a").await.text(), "new");
    gate.open();
    assert_eq!(read(old).await.unwrap().text(), "oldold");
    let stored = edge.get("/a").await;
    assert_eq!((stored.text(), stored.found()), ("new", Found::Hit));
}

#[tokio::test]
async fn what_is_purged_while_it_is_revalidated_does_not_come_back() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |seen| match seen.number {
        0 => vec![answer(200, "cache-control: max-age=10\r\netag: \"1\"\r\n", "old")],
        1 => vec![Step::Wait(held.clone()), send("HTTP/1.1 304 x\r\netag: \"1\"\r\ncache-control: max-age=10\r\n\r\n")],
        _ => vec![answer(200, KEPT, "new")],
    });
    edge.get("/a").await;
    edge.pass(20);
    let revalidating = edge.begin("/a", &[]).await;
    edge.until_seen(2).await;
    edge.purge(path("/a"), false).await;
    let after = edge.get("/a").await;
    assert_eq!((after.text(), edge.origin.seen()[2].header("if-none-match")), ("new", None));
    gate.open();
    assert_eq!(read(revalidating.await.unwrap()).await.unwrap().text(), "old", "who came before may have it");
    let stored = edge.get("/a").await;
    assert_eq!((stored.text(), stored.found()), ("new", Found::Hit));
}

#[tokio::test]
async fn what_is_softly_purged_is_stale_and_what_is_purged_is_gone() {
    let edge = Edge::new(|seen| match seen.number {
        0 => vec![answer(200, "cache-control: max-age=60, stale-while-revalidate=60\r\n", "one")],
        1 => vec![answer(200, KEPT, "two")],
        _ => vec![Step::Close],
    });
    edge.get("/a").await;
    edge.purge(path("/a"), true).await;
    assert_eq!(edge.get("/a").await.found(), Found::StaleHit);
    until(|| edge.engine.under_way().fills == 0 && edge.requests() == 2).await;
    assert_eq!(edge.get("/a").await.text(), "two");
    edge.purge(path("/a"), false).await;
    assert_eq!(edge.get("/a").await.status, StatusCode::BAD_GATEWAY, "never stale after a hard purge");
}
