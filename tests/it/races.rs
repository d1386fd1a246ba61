//! Many clients at once: whatever the order, one outcome, and nothing half done.

use std::collections::BTreeMap;
use std::future::Future;

use crate::harness::{Server, noise};
use crate::raw::Answer;
use crate::signed::Signed;

const RACERS: usize = 64;
const PART: usize = 5 * 1024 * 1024;

/// Runs all of them at once; gives the answers in order.
async fn at_once<F: Future<Output = Answer> + Send + 'static>(racers: impl IntoIterator<Item = F>) -> Vec<Answer> {
    let running: Vec<_> = racers.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for one in running {
        answers.push(one.await.expect("a racer ends"));
    }
    answers
}

fn count(answers: &[Answer]) -> BTreeMap<(u16, String), usize> {
    answers.iter().fold(BTreeMap::new(), |mut counts, answer| {
        *counts.entry(answer.error()).or_default() += 1;
        counts
    })
}

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

struct Upload {
    target: String,
    id: String,
    list: String,
}

impl Upload {
    async fn with_parts(client: &Signed, target: &str, parts: &[Vec<u8>]) -> Self {
        let id = client.post(&format!("{target}?uploads="), "").await.element("UploadId").expect("an upload id");
        let mut list = String::from("<CompleteMultipartUpload>");
        for (number, body) in (1..).zip(parts) {
            let answer = client.put(&format!("{target}?partNumber={number}&uploadId={id}"), body).await;
            let etag = answer.header("etag").unwrap_or_else(|| panic!("{answer:?}"));
            list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        }
        Self { target: target.to_owned(), id, list: list + "</CompleteMultipartUpload>" }
    }

    fn complete(&self, client: Signed) -> impl Future<Output = Answer> + Send + use<> {
        let (target, list) = (format!("{}?uploadId={}", self.target, self.id), self.list.clone());
        async move { client.post(&target, list).await }
    }

    fn abort(&self, client: Signed) -> impl Future<Output = Answer> + Send + use<> {
        let target = format!("{}?uploadId={}", self.target, self.id);
        async move { client.delete(&target).await }
    }
}

/// Whether a completion succeeded: an error may stand in the body of a 200.
fn completed(answer: &Answer) -> bool {
    answer.status == 200 && answer.element("ETag").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_completions_of_one_upload_agree() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}/k");
    let parts = [noise(PART, 1), noise(1000, 2)];
    let upload = Upload::with_parts(&client, &target, &parts).await;
    let answers = at_once((0..16).map(|_| upload.complete(server.client()))).await;
    let etags: Vec<_> =
        answers.iter().filter(|answer| completed(answer)).map(|answer| answer.element("ETag")).collect();
    assert!(!etags.is_empty(), "{:?}", count(&answers));
    assert!(etags.windows(2).all(|pair| pair[0] == pair[1]), "{etags:?}");
    let refused = answers.iter().filter(|answer| !completed(answer));
    for answer in refused {
        let code = answer.element("Code").unwrap_or_default();
        assert!(
            ["ConditionalRequestConflict", "OperationAborted", "SlowDown"].contains(&code.as_str()),
            "{}",
            answer.text()
        );
    }
    assert!(client.get(&target).await.body == parts.concat());
    assert!(completed(&upload.complete(client.clone()).await), "a retry gets the same answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_against_aborts_leave_one_outcome() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    for round in 0..12 {
        let target = format!("/{bucket}/{round}");
        let parts = [noise(100_000, round)];
        let upload = Upload::with_parts(&client, &target, &parts).await;
        let completions = tokio::spawn(at_once((0..3).map(|_| upload.complete(server.client())).collect::<Vec<_>>()));
        let aborts = tokio::spawn(at_once((0..2).map(|_| upload.abort(server.client())).collect::<Vec<_>>()));
        let (completions, aborts) = (completions.await.unwrap(), aborts.await.unwrap());
        let stored = client.get(&target).await;
        if completions.iter().any(completed) {
            assert!(stored.status == 200 && stored.body == parts.concat(), "{:?}", count(&completions));
        } else {
            assert_eq!(stored.status, 404);
            assert!(aborts.iter().any(|answer| answer.status == 204), "{:?} {:?}", count(&completions), count(&aborts));
        }
        let open = client.get(&format!("/{bucket}?uploads=")).await;
        assert!(open.elements("UploadId").is_empty(), "{}", open.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_object_hides_below_a_deleted_bucket() {
    let server = Server::start();
    let client = server.client();
    for round in 0..20 {
        let bucket = server.bucket().await;
        let target = format!("/{bucket}/k{round}");
        let body = noise(if round % 2 == 0 { 10 } else { 100_000 }, round);
        let (writer, remover) = (server.client(), server.client());
        let (put_target, bucket_target) = (target.clone(), format!("/{bucket}"));
        let writing = tokio::spawn(async move { writer.put(&put_target, &body).await });
        let removing = tokio::spawn(async move { remover.delete(&bucket_target).await });
        let (put, removed) = (writing.await.unwrap(), removing.await.unwrap());
        let there = client.head(&format!("/{bucket}")).await.status == 200;
        match (put.status, removed.status) {
            (200, 409) => assert!(there && client.get(&target).await.status == 200),
            (404 | 409 | 503, 204) => assert!(!there),
            // Above all not both: the object would be out of reach, and in the next bucket of this name.
            other => panic!("{other:?}: {} {}", put.text(), removed.text()),
        }
        assert_eq!(client.put(&format!("/{bucket}"), "").await.status, 200);
        let listed = client.get(&format!("/{bucket}?list-type=2")).await;
        assert_eq!(listed.elements("Key").len(), usize::from(put.status == 200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_changing_object_is_one_of_its_versions() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let source = format!("/{bucket}/source");
    let versions: Vec<_> = (0..8).map(|seed| noise(if seed % 2 == 0 { 100 } else { 150_000 }, seed)).collect();
    assert_eq!(client.put(&source, &versions[0]).await.status, 200);
    let (writer, target, bodies) = (server.client(), source.clone(), versions.clone());
    let writing = tokio::spawn(async move {
        for body in bodies.iter().cycle().take(40) {
            assert_eq!(writer.put(&target, body).await.status, 200);
        }
    });
    let mut copies = 0;
    while !writing.is_finished() {
        let copy = format!("/{bucket}/copy{copies}");
        let answer = client.send("PUT", &copy, &[("x-amz-copy-source", &source)], "").await;
        if answer.status == 200 && answer.element("ETag").is_some() {
            copies += 1;
        } else {
            assert!([409, 503].contains(&answer.status), "{answer:?}");
        }
    }
    writing.await.expect("every write succeeds");
    assert!(copies > 0);
    // The sources are gone or replaced; the copies keep the bytes alive.
    assert_eq!(client.delete(&source).await.status, 204);
    for number in 0..copies {
        let copy = client.get(&format!("/{bucket}/copy{number}")).await;
        assert!(versions.contains(&copy.body), "copy {number} of {} bytes", copy.body.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renames_of_one_object_move_it_once() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let body = noise(50_000, 1);
    assert_eq!(client.put(&format!("/{bucket}/from"), &body).await.status, 200);
    let racers = (0..16).map(|number| {
        let (client, target) = (server.client(), format!("/{bucket}/to{number}?renameObject="));
        async move { client.send("PUT", &target, &[("x-amz-rename-source", "from")], "").await }
    });
    let answers = at_once(racers).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{:?}", count(&answers));
    let listed = client.get(&format!("/{bucket}?list-type=2")).await;
    assert_eq!(listed.elements("Key").len(), 1);
    let moved = client.get(&format!("/{bucket}/{}", listed.elements("Key")[0])).await;
    assert!(moved.body == body);
}
