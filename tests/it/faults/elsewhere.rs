//! Ways in which other stores lost data, where no other test has them; and that `docs/reliability.md` names real tests.

use std::fs;
use std::path::Path;

use crate::harness::{Server, noise};

const PART: usize = 5 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_takes_nothing_of_another_to_the_same_key() {
    let server = Server::start_with(&[("BRIM_STORE_SWEEP_INTERVAL", "1s")]);
    let (client, target) = (server.client(), format!("/{}/k", server.bucket().await));
    let begin =
        async || client.post(&format!("{target}?uploads="), "").await.element("UploadId").expect("an upload id");
    let (failing, good) = (begin().await, begin().await);
    let mut etags = Vec::new();
    for (upload, number) in [(&failing, 1), (&good, 1), (&failing, 2), (&good, 2)] {
        let size = if number == 1 { PART } else { 100_000 };
        let part = format!("{target}?partNumber={number}&uploadId={upload}");
        let answer = client.put(&part, noise(size, number)).await;
        etags.push(answer.header("etag").expect("an ETag").to_owned());
    }
    let list = |first: &str, second: &str| {
        let part = |number, etag| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
        format!("<CompleteMultipartUpload>{}{}</CompleteMultipartUpload>", part(1, first), part(2, second))
    };
    let wrong = client.post(&format!("{target}?uploadId={failing}"), list("\"0\"", &etags[2])).await;
    assert_eq!(wrong.error().1, "InvalidPart");
    let right = client.post(&format!("{target}?uploadId={good}"), list(&etags[1], &etags[3])).await;
    assert_eq!(right.status, 200, "{right:?}");
    assert_eq!(client.delete(&format!("{target}?uploadId={failing}")).await.status, 204);
    // Two rounds of the sweeper.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert!(client.get(&target).await.body == [noise(PART, 1), noise(100_000, 2)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_below_another_outlives_it() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    for key in ["a", "a/", "a/b", "a/b/c"] {
        assert_eq!(client.put(&format!("/{bucket}/{key}"), key).await.status, 200);
    }
    for (gone, left) in [("a/b", vec!["a", "a/", "a/b/c"]), ("a/", vec!["a", "a/b/c"]), ("a", vec!["a/b/c"])] {
        assert_eq!(client.delete(&format!("/{bucket}/{gone}")).await.status, 204);
        assert_eq!(client.get(&format!("/{bucket}?list-type=2")).await.elements("Key"), left);
    }
    assert_eq!(client.get(&format!("/{bucket}/a/b/c")).await.text(), "a/b/c");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_behind_a_thousand_deleted_keys() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let key = |number: usize| format!("key-{number:04}");
    let puts = (0..1010).map(|number| {
        let (client, target) = (client.clone(), format!("/{bucket}/{}", key(number)));
        async move { assert_eq!(client.put(&target, "x").await.status, 200) }
    });
    let running: Vec<_> = puts.map(tokio::spawn).collect();
    for one in running {
        one.await.expect("every PUT succeeds");
    }
    for number in 0..1005 {
        assert_eq!(client.delete(&format!("/{bucket}/{}", key(number))).await.status, 204);
    }
    for page in ["", "&max-keys=1000", "&start-after=key-0500", "&prefix=key-1"] {
        let listed = client.get(&format!("/{bucket}?list-type=2{page}")).await;
        assert_eq!(listed.elements("Key"), (1005..1010).map(key).collect::<Vec<_>>(), "{page}");
        assert_eq!(listed.element("IsTruncated").as_deref(), Some("false"));
    }
}

fn text_below(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).expect("a directory of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text_below(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            text.push_str(&fs::read_to_string(path).expect("a text"));
        }
    }
}

#[test]
fn every_test_that_the_page_on_reliability_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for directory in ["src", "tests"] {
        text_below(&root.join(directory), &mut code);
    }
    let page = fs::read_to_string(root.join("docs/reliability.md")).expect("the page");
    let quoted = page.split('`').skip(1).step_by(2);
    let is_test = |name: &&str| {
        name.matches('_').count() > 1
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let names: Vec<_> = quoted.filter(is_test).filter(|name| *name != "sync_file_range").collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        assert!(
            code.contains(&format!("fn {name}(")) || code.contains(&format!("def {name}(")),
            "there is no test {name}"
        );
    }
}
