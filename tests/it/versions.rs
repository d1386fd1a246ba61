//! Versions over HTTP: what SDKs hide or will not send.

use crate::harness::Server;
use crate::raw::Answer;
use crate::signed::Signed;

const ENABLED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const SUSPENDED: &str = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";

/// A server with one bucket that keeps versions.
struct World {
    server: Server,
    client: Signed,
    bucket: String,
}

impl World {
    async fn new() -> Self {
        let server = Server::start();
        let (client, bucket) = (server.client(), server.bucket().await);
        let world = Self { server, client, bucket };
        world.set(ENABLED).await;
        world
    }

    async fn set(&self, configuration: &str) {
        let answer = self.client.put(&format!("/{}?versioning=", self.bucket), configuration).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    fn target(&self, rest: &str) -> String {
        format!("/{}/{rest}", self.bucket)
    }

    async fn get(&self, rest: &str) -> Answer {
        self.client.get(&self.target(rest)).await
    }

    /// Puts an object and gives its version id.
    async fn put(&self, rest: &str, body: &str) -> String {
        let answer = self.client.put(&self.target(rest), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header("x-amz-version-id").expect("a version").to_owned()
    }

    async fn list(&self, query: &str) -> Answer {
        self.client.get(&format!("/{}?versions=&{query}", self.bucket)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_hides_an_object_and_removing_the_marker_shows_it_again() {
    let world = World::new().await;
    let (first, second) = (world.put("key", "one").await, world.put("key", "two").await);
    let deleted = world.client.delete(&world.target("key")).await;
    let marker = deleted.header("x-amz-version-id").unwrap().to_owned();
    assert_eq!((deleted.status, deleted.header("x-amz-delete-marker")), (204, Some("true")));

    let hidden = world.get("key").await;
    assert_eq!(hidden.error(), (404, "NoSuchKey".into()));
    assert_eq!(hidden.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(hidden.header("x-amz-version-id"), Some(marker.as_str()));
    let named = world.get(&format!("key?versionId={marker}")).await;
    assert_eq!(named.error(), (405, "MethodNotAllowed".into()));
    assert_eq!((named.header("allow"), named.header("x-amz-delete-marker")), (Some("DELETE"), Some("true")));
    assert!(named.header("last-modified").is_some());
    let head = world.client.head(&world.target(&format!("key?versionId={marker}"))).await;
    assert_eq!((head.status, head.header("x-amz-delete-marker"), head.body.len()), (405, Some("true"), 0));
    for (version, body) in [(&first, "one"), (&second, "two")] {
        let old = world.get(&format!("key?versionId={version}")).await;
        assert_eq!((old.text(), old.header("x-amz-version-id")), (body.to_owned(), Some(version.as_str())));
    }

    let removed = world.client.delete(&world.target(&format!("key?versionId={marker}"))).await;
    assert_eq!((removed.status, removed.header("x-amz-delete-marker")), (204, Some("true")));
    assert_eq!(removed.header("x-amz-version-id"), Some(marker.as_str()));
    assert_eq!(world.get("key").await.text(), "two");
    let removed = world.client.delete(&world.target(&format!("key?versionId={second}"))).await;
    assert_eq!((removed.status, removed.header("x-amz-delete-marker")), (204, None));
    assert_eq!(world.get("key").await.text(), "one");
    assert_eq!(world.server.damage(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_versions_shows_none() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let target = format!("/{bucket}/key");
    let status = client.get(&format!("/{bucket}?versioning=")).await;
    assert_eq!((status.status, status.element("Status")), (200, None));
    let null = format!("{target}?versionId=null");
    for answer in [client.put(&target, "body").await, client.get(&target).await, client.get(&null).await] {
        assert_eq!((answer.status, answer.header("x-amz-version-id")), (200, None));
    }
    let listed = client.get(&format!("/{bucket}?versions=")).await;
    assert_eq!((listed.element("VersionId"), listed.element("IsLatest")), (Some("null".into()), Some("true".into())));
    let deleted = client.delete(&target).await;
    assert_eq!((deleted.header("x-amz-version-id"), deleted.header("x-amz-delete-marker")), (None, None));
    let gone = client.get(&target).await;
    assert_eq!((gone.error(), gone.header("x-amz-delete-marker")), ((404, "NoSuchKey".into()), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_keeps_versions_and_replaces_the_null_one() {
    let world = World::new().await;
    let kept = world.put("key", "kept").await;
    world.set(SUSPENDED).await;
    let status = world.client.get(&format!("/{}?versioning=", world.bucket)).await;
    assert_eq!(status.element("Status").as_deref(), Some("Suspended"));
    for body in ["null one", "null two"] {
        assert_eq!(world.put("key", body).await, "null");
    }
    assert_eq!(world.list("").await.elements("VersionId"), ["null", &kept]);
    let deleted = world.client.delete(&world.target("key")).await;
    assert_eq!(deleted.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(deleted.header("x-amz-version-id"), Some("null"));
    assert_eq!(world.get("key?versionId=null").await.error(), (405, "MethodNotAllowed".into()));
    assert_eq!(world.list("").await.elements("VersionId"), ["null", &kept]);
    world.set(ENABLED).await;
    assert_ne!(world.put("key", "again").await, "null");
    assert_eq!(world.list("").await.elements("VersionId").len(), 3);
    assert_eq!(world.server.damage(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_that_can_be_none_and_those_of_nothing_are_told_apart() {
    let world = World::new().await;
    let version = world.put("key", "body").await;
    let unknown = "A".repeat(32);
    for method in ["GET", "HEAD"] {
        for (id, status) in [("", 400), ("x", 400), (&version[1..], 400), (&unknown, 404), ("null", 404)] {
            let target = world.target(&format!("key?versionId={id}"));
            assert_eq!(world.client.send(method, &target, &[], "").await.status, status, "{method} {id}");
        }
    }
    assert_eq!(world.get("key?versionId=").await.element("Message").unwrap(), "Version id cannot be the empty string");
    let malformed = world.get("key?versionId=x").await;
    assert_eq!(malformed.error(), (400, "InvalidArgument".into()));
    assert_eq!(malformed.element("Message").as_deref(), Some("Invalid version id specified"));
    let missing = world.get(&format!("key?versionId={unknown}")).await;
    assert_eq!(missing.error(), (404, "NoSuchVersion".into()));
    assert_eq!(missing.element("VersionId"), Some(unknown.clone()));
    assert_eq!(world.get(&format!("other?versionId={version}")).await.error().1, "NoSuchVersion");
    // Deleting what is not there succeeds, as it does for objects.
    let deleted = world.client.delete(&world.target(&format!("key?versionId={unknown}"))).await;
    assert_eq!((deleted.status, deleted.header("x-amz-version-id")), (204, Some(unknown.as_str())));
    assert_eq!(world.client.delete(&world.target("key?versionId=x")).await.error().0, 400);
    assert_eq!(world.get("key").await.text(), "body");
    let source = [("x-amz-copy-source", world.target("key"))];
    let source = source.each_ref().map(|(name, value)| (*name, value.as_str()));
    for (method, query, headers) in [("PUT", "", &[][..]), ("PUT", "", &source), ("POST", "uploads=&", &[])] {
        let target = world.target(&format!("key?{query}versionId={version}"));
        let refused = world.client.send(method, &target, headers, "other").await;
        assert_eq!(refused.error(), (400, "InvalidArgument".into()), "{method} {query}");
        assert_eq!(refused.element("Message").as_deref(), Some("This operation does not accept a version-id."));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_made_of_the_version_that_is_named() {
    let world = World::new().await;
    let (first, _) = (world.put("key", "one").await, world.put("key", "two").await);
    let source = format!("/{}/key?versionId={first}", world.bucket);
    let copied = world.client.send("PUT", &world.target("key"), &[("x-amz-copy-source", &source)], "").await;
    assert_eq!(copied.status, 200, "{copied:?}");
    assert_eq!(copied.header("x-amz-copy-source-version-id"), Some(first.as_str()));
    let restored = copied.header("x-amz-version-id").unwrap().to_owned();
    assert!(restored != first && world.get("key").await.text() == "one");

    let upload = world.client.post(&world.target("parts?uploads="), "").await.element("UploadId").unwrap();
    let part = world.target(&format!("parts?partNumber=1&uploadId={upload}"));
    let part = world.client.send("PUT", &part, &[("x-amz-copy-source", &source)], "").await;
    assert_eq!(part.header("x-amz-copy-source-version-id"), Some(first.as_str()));
    let etag = part.element("ETag").unwrap();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let target = world.target(&format!("parts?uploadId={upload}"));
    let (made, again) = (world.client.post(&target, &list).await, world.client.post(&target, &list).await);
    assert!(made.header("x-amz-version-id").is_some_and(|version| version.len() == 32), "{made:?}");
    assert_eq!(made.header("x-amz-version-id"), again.header("x-amz-version-id"));

    let marker = world.client.delete(&world.target("key")).await.header("x-amz-version-id").unwrap().to_owned();
    let plain = format!("/{}/key", world.bucket);
    let refused = world.client.send("PUT", &world.target("copy"), &[("x-amz-copy-source", &plain)], "").await;
    assert_eq!(refused.error(), (404, "NoSuchKey".into()));
    let marked = format!("{plain}?versionId={marker}");
    let refused = world.client.send("PUT", &world.target("copy"), &[("x-amz-copy-source", &marked)], "").await;
    assert_eq!(refused.error(), (400, "InvalidRequest".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_marker_counts_as_absent_for_conditional_writes() {
    let world = World::new().await;
    world.put("key", "one").await;
    let absent = [("if-none-match", "*")];
    let refused = world.client.send("PUT", &world.target("key"), &absent, "two").await;
    assert_eq!(refused.error(), (412, "PreconditionFailed".into()));
    world.client.delete(&world.target("key")).await;
    let refused = world.client.send("PUT", &world.target("key"), &[("if-match", "*")], "two").await;
    assert_eq!(refused.error(), (404, "NoSuchKey".into()));
    assert_eq!(world.client.send("PUT", &world.target("key"), &absent, "two").await.status, 200);
    assert_eq!(world.list("").await.elements("VersionId").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn versioning_is_configured_as_at_aws() {
    let world = World::new().await;
    let target = format!("/{}?versioning=", world.bucket);
    for (body, status, code) in [
        ("<VersioningConfiguration/>", 400, "IllegalVersioningConfigurationException"),
        ("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", 400, "MalformedXML"),
        ("<Other/>", 400, "MalformedXML"),
        ("", 400, "MalformedXML"),
        (
            "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>",
            501,
            "NotImplemented",
        ),
    ] {
        assert_eq!(world.client.put(&target, body).await.error(), (status, code.into()), "{body}");
    }
    let status = world.client.get(&target).await;
    assert_eq!((status.element("Status").as_deref(), status.element("MfaDelete")), (Some("Enabled"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_go_on_behind_both_markers_and_fold_common_prefixes() {
    let world = World::new().await;
    for key in ["a", "a", "dir/1", "dir/2", "z"] {
        world.put(key, "body").await;
    }
    world.client.delete(&world.target("a")).await;
    let (mut query, mut pages) = ("delimiter=%2F&max-keys=1".to_owned(), Vec::new());
    loop {
        let page = world.list(&query).await;
        assert_eq!(page.status, 200, "{page:?}");
        let (version, prefix) = (page.elements("VersionId"), page.elements("CommonPrefixes"));
        assert_eq!(version.len() + prefix.len(), 1);
        pages.push((page.element("Key"), page.element("IsLatest"), prefix.len()));
        if page.element("IsTruncated").as_deref() == Some("false") {
            break;
        }
        let (key, version) = (page.element("NextKeyMarker").unwrap(), page.element("NextVersionIdMarker"));
        let key = key.replace('/', "%2F");
        query = format!("delimiter=%2F&max-keys=1&key-marker={key}&version-id-marker={}", version.unwrap_or_default());
    }
    let shown = |key: &str, latest: &str| (Some(key.to_owned()), Some(latest.to_owned()), 0);
    let expected = [shown("a", "true"), shown("a", "false"), shown("a", "false"), (None, None, 1), shown("z", "true")];
    assert_eq!(pages, expected);
    let alone = world.list("version-id-marker=null").await;
    assert_eq!(alone.error(), (400, "InvalidArgument".into()));
    assert_eq!(world.list("key-marker=a&version-id-marker=x").await.error(), (400, "InvalidArgument".into()));
    assert_eq!(world.client.delete(&format!("/{}", world.bucket)).await.error(), (409, "BucketNotEmpty".into()));
}

/// What each client was told is there afterwards, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_and_deletions_of_one_key_lose_nothing() {
    let world = World::new().await;
    let target = world.target("key");
    let tasks = (0..48).map(|number: usize| {
        let (client, target) = (world.server.client(), target.clone());
        tokio::spawn(async move {
            loop {
                let answer = match number % 3 {
                    0 => client.delete(&target).await,
                    _ => client.put(&target, vec![b'x'; number * 2_000]).await,
                };
                if answer.status != 503 {
                    return answer.header("x-amz-version-id").expect("a version").to_owned();
                }
            }
        })
    });
    let mut made = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        made.push(task.await.unwrap());
    }
    let listed = world.list("").await;
    let mut versions = listed.elements("VersionId");
    made.sort();
    versions.sort();
    assert_eq!(versions, made);
    assert_eq!(listed.elements("IsLatest").iter().filter(|latest| *latest == "true").count(), 1);
    assert_eq!(listed.elements("DeleteMarker").len(), 16);
    assert_eq!(world.server.damage(), None);
}
