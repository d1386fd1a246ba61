//! Copying and renaming what others change.

use super::{LARGE, at_once, count, settles_to, sweeping};
use crate::harness::{Server, noise};
use crate::raw::Answer;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_changing_object_is_one_of_its_versions() {
    let server = sweeping();
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

fn copied(answer: &Answer) -> bool {
    answer.status == 200 && answer.element("ETag").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_outlives_the_deletion_of_its_source() {
    let server = sweeping();
    let client = server.client();
    let bucket = server.bucket().await;
    let mut copies = Vec::new();
    for round in 0..20 {
        let (source, copy) = (format!("/{bucket}/source"), format!("/{bucket}/copy{round}"));
        let body = noise(if round % 2 == 0 { 100 } else { LARGE }, round);
        assert_eq!(client.put(&source, &body).await.status, 200);
        let (copier, from, to) = (server.client(), source.clone(), copy.clone());
        let copying = tokio::spawn(async move { copier.send("PUT", &to, &[("x-amz-copy-source", &from)], "").await });
        assert_eq!(client.delete(&source).await.status, 204);
        let answer = copying.await.unwrap();
        if copied(&answer) {
            copies.push((copy, body));
        } else {
            assert!([404, 409, 503].contains(&answer.status), "{answer:?}");
            assert_eq!(client.head(&copy).await.status, 404);
        }
    }
    settles_to(&server, copies.iter().filter(|(_, body)| body.len() == LARGE).count()).await;
    for (copy, body) in copies {
        assert!(client.get(&copy).await.body == body, "{copy}");
    }
}

/// Of a rename and a write to its source or its target, each happens before the other or not at all: every body that
/// was taken in is at one of the two keys, or was replaced there.
#[tokio::test(flavor = "multi_thread")]
async fn renames_against_writes_lose_no_body() {
    let server = sweeping();
    let client = server.client();
    let bucket = server.bucket().await;
    for round in 0..16 {
        let (old, new) = (noise(LARGE, 2 * round), noise(LARGE, 2 * round + 1));
        let (from, to) = (format!("/{bucket}/from"), format!("/{bucket}/to"));
        assert_eq!(client.put(&from, &old).await.status, 200);
        let written = if round % 2 == 0 { from.clone() } else { to.clone() };
        let (renamer, writer, body) = (server.client(), server.client(), new.clone());
        let target = format!("{to}?renameObject=");
        let renaming =
            tokio::spawn(async move { renamer.send("PUT", &target, &[("x-amz-rename-source", "from")], "").await });
        let writing = tokio::spawn(async move { writer.put(&written, &body).await });
        let (renamed, written) = (renaming.await.unwrap(), writing.await.unwrap());
        assert_eq!(written.status, 200, "{written:?}");
        let (at_from, at_to) = (client.get(&from).await, client.get(&to).await);
        let found = (at_from.status == 200).then_some(&at_from.body);
        let moved = (at_to.status == 200).then_some(&at_to.body);
        let fits = match (renamed.status, round % 2) {
            // The source was replaced before the rename, or after it.
            (200, 0) => (found, moved) == (None, Some(&new)) || (found, moved) == (Some(&new), Some(&old)),
            // The target was replaced before the rename, or after it.
            (200, _) => found.is_none() && [Some(&old), Some(&new)].contains(&moved),
            (409 | 412 | 503, 0) => (found, moved) == (Some(&new), None),
            (409 | 412 | 503, _) => (found, moved) == (Some(&old), Some(&new)),
            _ => false,
        };
        assert!(fits, "round {round}: {renamed:?}, from {}, to {}", at_from.status, at_to.status);
        client.delete(&from).await;
        client.delete(&to).await;
    }
    settles_to(&server, 0).await;
}
