//! Completing, aborting and adding parts to one multipart upload, or to several of one key.

use std::future::Future;

use super::{LARGE, PART, at_once, count, settles_to, sweeping};
use crate::harness::noise;
use crate::raw::Answer;
use crate::signed::Signed;

#[derive(Clone)]
struct Upload {
    target: String,
    id: String,
    list: String,
}

impl Upload {
    async fn start(client: &Signed, target: &str) -> Self {
        Self::with_parts(client, target, &[]).await
    }

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
    let server = sweeping();
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
    settles_to(&server, 1).await;
    assert!(client.get(&target).await.body == parts.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_against_aborts_leave_one_outcome() {
    let server = sweeping();
    let client = server.client();
    let bucket = server.bucket().await;
    let mut objects = 0;
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
            objects += 1;
        } else {
            assert_eq!(stored.status, 404);
            assert!(aborts.iter().any(|answer| answer.status == 204), "{:?} {:?}", count(&completions), count(&aborts));
        }
        let open = client.get(&format!("/{bucket}?uploads=")).await;
        assert!(open.elements("UploadId").is_empty(), "{}", open.text());
    }
    settles_to(&server, objects).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_outlives_an_aborted_upload() {
    let server = sweeping();
    let client = server.client();
    let bucket = server.bucket().await;
    for round in 0..8 {
        let target = format!("/{bucket}/{round}");
        let upload = Upload::start(&client, &target).await;
        let parts = (1..=8).map(|number| {
            let (client, target) = (server.client(), format!("{target}?partNumber={number}&uploadId={}", upload.id));
            async move { client.put(&target, noise(if number % 2 == 0 { 10 } else { LARGE }, number)).await }
        });
        let parts = tokio::spawn(at_once(parts.collect::<Vec<_>>()));
        let aborted = upload.abort(client.clone()).await;
        let parts = parts.await.unwrap();
        assert_eq!(aborted.status, 204, "{aborted:?}");
        let gone = |answer: &Answer| answer.error() == (404, "NoSuchUpload".into());
        assert!(parts.iter().all(|answer| answer.status == 200 || gone(answer)), "{:?}", count(&parts));
        let listed = client.get(&format!("{target}?uploadId={}", upload.id)).await;
        assert_eq!(listed.error(), (404, "NoSuchUpload".into()));
        assert!(client.put(&format!("{target}?partNumber=9&uploadId={}", upload.id), "x").await.status == 404);
    }
    settles_to(&server, 0).await;
}

/// What ends one upload of a key leaves the parts of another alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upload_takes_nothing_from_another_of_its_key() {
    let server = sweeping();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    for round in 0..6 {
        let (old, new) = ([noise(LARGE, round)], [noise(LARGE, 100 + round)]);
        let first = Upload::with_parts(&client, &target, &old).await;
        let second = Upload::with_parts(&client, &target, &new).await;
        let wrong = Upload { list: first.list.replace("<ETag>", "<ETag>0"), ..first.clone() };
        let ends: Vec<_> = match round % 3 {
            0 => vec![tokio::spawn(first.abort(client.clone()))],
            1 => vec![tokio::spawn(wrong.complete(client.clone())), tokio::spawn(first.abort(client.clone()))],
            _ => vec![tokio::spawn(first.complete(client.clone()))],
        };
        let kept = second.complete(client.clone()).await;
        assert!(completed(&kept), "{kept:?}");
        for end in ends {
            end.await.unwrap();
        }
        let stored = client.get(&target).await;
        let expected = if round % 3 == 2 { vec![&old[0], &new[0]] } else { vec![&new[0]] };
        assert!(expected.contains(&&stored.body), "round {round}: {} {}", stored.status, stored.body.len());
        assert!(completed(&second.complete(client.clone()).await), "a retry gets the same answer");
        settles_to(&server, 1).await;
        assert!(client.get(&target).await.body == stored.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_one_number_leave_the_last_one_whole() {
    let server = sweeping();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let upload = Upload::start(&client, &target).await;
    let racers = (0..24).map(|seed| {
        let (client, target) = (server.client(), format!("{target}?partNumber=1&uploadId={}", upload.id));
        async move { client.put(&target, noise(LARGE, seed)).await }
    });
    let answers = at_once(racers).await;
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)), "{:?}", count(&answers));
    let listed = client.get(&format!("{target}?uploadId={}", upload.id)).await;
    let etag = listed.element("ETag").unwrap().replace("&quot;", "\"");
    let winner = answers.iter().position(|answer| answer.header("etag") == Some(etag.as_str())).unwrap();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    assert!(completed(&Upload { list, ..upload }.complete(client.clone()).await));
    assert!(client.get(&target).await.body == noise(LARGE, winner as u64));
    settles_to(&server, 1).await;
}
