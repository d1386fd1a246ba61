//! Writers of one key, and their readers.

use super::{LARGE, at_once, count, settles_to, sweeping};
use crate::harness::{Server, noise};
use crate::raw::Answer;

const RACERS: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn of_64_creators_exactly_one_wins() {
    let server = Server::start();
    let bucket = server.bucket().await;
    for (round, size) in [(0, 10), (1, 100_000), (2, 10), (3, 40_000)] {
        let target = format!("/{bucket}/{round}");
        let racers = (0..RACERS).map(|number| {
            let (client, target) = (server.client(), target.clone());
            async move { client.send("PUT", &target, &[("if-none-match", "*")], noise(size, number as u64)).await }
        });
        let answers = at_once(racers).await;
        let winners: Vec<_> = (0..RACERS).filter(|number| answers[*number].status == 200).collect();
        assert_eq!(winners.len(), 1, "{:?}", count(&answers));
        let lost = |answer: &Answer| {
            let error = answer.error();
            error == (412, "PreconditionFailed".into()) || error == (409, "ConditionalRequestConflict".into())
        };
        assert!(answers.iter().all(|answer| answer.status == 200 || lost(answer)), "{:?}", count(&answers));
        assert!(server.client().get(&target).await.body == noise(size, winners[0] as u64));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_never_see_a_mixture() {
    let server = Server::start();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}/k");
    let bodies: Vec<_> = [(10, 1), (40_000, 2), (200_000, 3)].map(|(size, seed)| noise(size, seed)).into();
    assert_eq!(server.client().put(&target, &bodies[0]).await.status, 200);
    let writers = (0..12).map(|number: usize| {
        let (client, target, body) = (server.client(), target.clone(), bodies[number % 3].clone());
        tokio::spawn(async move {
            for _ in 0..10 {
                assert_eq!(client.put(&target, &body).await.status, 200);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let reader = server.client();
    while !writers.iter().all(|writer| writer.is_finished()) {
        let seen = reader.get(&target).await;
        assert_eq!(seen.status, 200);
        assert!(bodies.contains(&seen.body), "{} bytes of no writer", seen.body.len());
    }
    for writer in writers {
        writer.await.expect("every write succeeds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_writes_to_one_key_leaves_one_of_them_whole() {
    let server = sweeping();
    let bucket = server.bucket().await;
    for size in [1000, LARGE] {
        let target = format!("/{bucket}/{size}");
        let racers = (0..RACERS).map(|number| {
            let (client, target) = (server.client(), target.clone());
            async move { client.put(&target, noise(size, number as u64)).await }
        });
        let answers = at_once(racers).await;
        let slow = |answer: &Answer| answer.error() == (503, "SlowDown".into());
        assert!(answers.iter().all(|answer| answer.status == 200 || slow(answer)), "{:?}", count(&answers));
        assert!(answers.iter().filter(|answer| answer.status == 200).count() > RACERS / 2, "{:?}", count(&answers));
        let kept = server.client().get(&target).await;
        let winner = (0..RACERS).find(|number| kept.body == noise(size, *number as u64));
        assert!(winner.is_some_and(|winner| answers[winner].status == 200), "{} bytes of {winner:?}", kept.body.len());
        assert_eq!(kept.header("etag"), answers[winner.unwrap()].header("etag"));
    }
    settles_to(&server, 1).await;
}

/// The bytes are the same, so a store that shares equal bytes could let the second writer point at what the deletion of
/// the first one's is about to remove.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_deleted_and_put_again_stay() {
    let server = sweeping();
    let bucket = server.bucket().await;
    let body = noise(LARGE, 7);
    let racers = (0..8).map(|number| {
        let (client, body) = (server.client(), body.clone());
        let (own, shared) = (format!("/{bucket}/{number}"), format!("/{bucket}/shared"));
        tokio::spawn(async move {
            for _ in 0..15 {
                for target in [&own, &shared] {
                    assert_eq!(client.put(target, &body).await.status, 200);
                    let read = client.get(target).await;
                    assert!(read.body == body || (*target == shared && read.status == 404), "{}", read.status);
                    assert_eq!(client.delete(target).await.status, 204);
                }
                assert_eq!(client.put(&own, &body).await.status, 200);
            }
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    settles_to(&server, 8).await;
    for number in 0..8 {
        assert!(server.client().get(&format!("/{bucket}/{number}")).await.body == body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_compare_entity_tags_lose_no_update() {
    let server = Server::start();
    let target = format!("/{}/counter", server.bucket().await);
    assert_eq!(server.client().put(&target, "0").await.status, 200);
    let racers = (0..16).map(|_| {
        let (client, target) = (server.client(), target.clone());
        tokio::spawn(async move {
            for _ in 0..5 {
                loop {
                    let seen = client.get(&target).await;
                    let next = (seen.text().parse::<u64>().unwrap() + 1).to_string();
                    let etag = seen.header("etag").unwrap();
                    let answer = client.send("PUT", &target, &[("if-match", etag)], next).await;
                    match answer.status {
                        200 => break,
                        409 | 412 | 503 => (),
                        _ => panic!("{answer:?}"),
                    }
                }
            }
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    assert_eq!(server.client().get(&target).await.text(), "80");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_conditional_deletions_one_wins() {
    let server = sweeping();
    let bucket = server.bucket().await;
    for round in 0..6 {
        let target = format!("/{bucket}/{round}");
        let stored = server.client().put(&target, noise(if round % 2 == 0 { 10 } else { LARGE }, round)).await;
        let etag = stored.header("etag").unwrap().to_owned();
        let racers = (0..16).map(|_| {
            let (client, target, etag) = (server.client(), target.clone(), etag.clone());
            async move { client.send("DELETE", &target, &[("if-match", &etag)], "").await }
        });
        let answers = at_once(racers).await;
        // S3 answers 404 to a condition on what is not there.
        let lost = |answer: &Answer| [404, 409, 412].contains(&answer.status);
        assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1, "{:?}", count(&answers));
        assert!(answers.iter().all(|answer| answer.status == 204 || lost(answer)), "{:?}", count(&answers));
    }
    settles_to(&server, 0).await;
}
