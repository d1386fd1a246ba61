//! Deleting a bucket while others use it.

use super::{LARGE, at_once, count, settles_to, sweeping};
use crate::harness::noise;

#[tokio::test(flavor = "multi_thread")]
async fn no_object_hides_below_a_deleted_bucket() {
    let server = sweeping();
    let client = server.client();
    for round in 0..20 {
        let bucket = server.bucket().await;
        let target = format!("/{bucket}/k{round}");
        let body = noise(if round % 2 == 0 { 10 } else { LARGE }, round);
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
async fn a_bucket_made_again_knows_nothing_of_the_one_before() {
    let server = sweeping();
    let client = server.client();
    let mut kept = 0;
    for round in 0..10 {
        let bucket = server.bucket().await;
        let started = client.post(&format!("/{bucket}/upload?uploads="), "").await;
        let part = format!("/{bucket}/upload?partNumber=1&uploadId={}", started.element("UploadId").unwrap());
        let writers = (0..4).map(|number| {
            let (client, target) = (server.client(), format!("/{bucket}/{number}"));
            async move { client.put(&target, noise(LARGE, number)).await }
        });
        let writers = tokio::spawn(at_once(writers.collect::<Vec<_>>()));
        let (adder, remover) = (server.client(), server.client());
        let (part_target, bucket_target) = (part.clone(), format!("/{bucket}"));
        let adding = tokio::spawn(async move { adder.put(&part_target, noise(LARGE, round)).await });
        let removed = remover.delete(&bucket_target).await;
        let (writers, added) = (writers.await.unwrap(), adding.await.unwrap());
        let stored = writers.iter().filter(|answer| answer.status == 200).count();
        if removed.status == 204 {
            assert_eq!(stored, 0, "{:?}", count(&writers));
            assert_eq!(client.put(&bucket_target, "").await.status, 200);
            assert_eq!(client.put(&part, "x").await.error(), (404, "NoSuchUpload".into()), "{added:?}");
        } else {
            assert_eq!(removed.error(), (409, "BucketNotEmpty".into()));
            // Uploads are the deletion's to abort only where it succeeds.
            assert_eq!(client.put(&part, noise(LARGE, round)).await.status, 200);
            kept += stored + 1;
        }
        let listed = client.get(&format!("/{bucket}?list-type=2")).await;
        assert_eq!(listed.elements("Key").len(), if removed.status == 204 { 0 } else { stored });
        let open = client.get(&format!("/{bucket}?uploads=")).await;
        assert_eq!(open.elements("UploadId").len(), usize::from(removed.status != 204), "{}", open.text());
    }
    settles_to(&server, kept).await;
}
