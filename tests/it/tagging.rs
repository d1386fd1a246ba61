//! Tags of objects and buckets.

use crate::harness::Server;
use crate::raw::Answer;

fn document(tags: &[(&str, &str)]) -> String {
    let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.iter().map(tag).collect::<String>())
}

fn tags(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.elements("Key").into_iter().zip(answer.elements("Value")).collect()
}

fn owned(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn object_tags_are_set_shown_counted_and_removed_in_place() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let (key, tagging) = (format!("/{bucket}/k"), format!("/{bucket}/k?tagging"));
    let put = client.send("PUT", &key, &[("x-amz-tagging", "a=1&b%20c=")], "content").await;
    assert_eq!(put.status, 200);
    let before = client.head(&key).await;
    assert_eq!(before.header("x-amz-tagging-count"), Some("2"));
    assert_eq!(tags(&client.get(&tagging).await), owned(&[("a", "1"), ("b c", "")]));

    let other = [("Ünïcode", "v+-=._:/@"), ("x", "y"), ("z", "")];
    let set = client.put(&tagging, document(&other)).await;
    assert_eq!((set.status, set.text().as_str()), (200, ""));
    assert!(set.header("x-brim-position").is_some());
    assert_eq!(tags(&client.get(&tagging).await), owned(&other));
    let after = client.head(&key).await;
    assert_eq!(after.header("x-amz-tagging-count"), Some("3"));
    for same in ["etag", "last-modified", "content-length"] {
        assert_eq!(after.header(same), before.header(same), "{same}");
    }
    assert_eq!(client.get(&key).await.text(), "content");

    assert_eq!(client.delete(&tagging).await.status, 204);
    assert_eq!(tags(&client.get(&tagging).await), []);
    assert_eq!(client.head(&key).await.header("x-amz-tagging-count"), None);
}

#[tokio::test]
async fn wrong_object_tags_are_refused_and_change_nothing() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let (key, tagging) = (format!("/{bucket}/k"), format!("/{bucket}/k?tagging"));
    client.send("PUT", &key, &[("x-amz-tagging", "kept=1")], "").await;
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let eleven: Vec<(&str, &str)> = eleven.iter().map(|key| (key.as_str(), "")).collect();
    for (body, code) in [
        (String::new(), "MalformedXML"),
        ("<Tagging/>".to_owned(), "MalformedXML"),
        (document(&eleven), "BadRequest"),
        (document(&[("a", "1"), ("a", "2")]), "InvalidTag"),
        (document(&[("aws:a", "1")]), "InvalidTag"),
        (document(&[("", "1")]), "InvalidTag"),
        (document(&[(&"k".repeat(129), "1")]), "InvalidTag"),
        (document(&[("k", &"v".repeat(257))]), "InvalidTag"),
        (document(&[("k", "a?b")]), "InvalidTag"),
    ] {
        assert_eq!(client.put(&tagging, &body).await.error(), (400, code.to_owned()), "{body:.200}");
    }
    for (value, code) in [("a=1&a=2", "InvalidArgument"), ("a=%zz", "InvalidArgument"), ("aws:a=1", "InvalidTag")] {
        let refused = client.send("PUT", &key, &[("x-amz-tagging", value)], "").await;
        assert_eq!(refused.error(), (400, code.to_owned()), "{value}");
    }
    assert_eq!(tags(&client.get(&tagging).await), owned(&[("kept", "1")]));
    let missing = format!("/{bucket}/missing?tagging");
    for answer in [client.get(&missing).await, client.put(&missing, document(&[])).await, client.delete(&missing).await]
    {
        assert_eq!(answer.error(), (404, "NoSuchKey".to_owned()));
    }
}

#[tokio::test]
async fn copies_take_the_source_s_tags_or_their_own() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    client.send("PUT", &format!("/{bucket}/source"), &[("x-amz-tagging", "a=1")], "x").await;
    let source = ("x-amz-copy-source", format!("{bucket}/source"));
    let copied = async |key: &str, more: &[(&str, &str)]| {
        let mut headers = vec![(source.0, source.1.as_str())];
        headers.extend(more);
        let copied = client.send("PUT", &format!("/{bucket}/{key}"), &headers, "").await;
        assert_eq!(copied.status, 200, "{}", copied.text());
        tags(&client.get(&format!("/{bucket}/{key}?tagging")).await)
    };
    assert_eq!(copied("same", &[("x-amz-tagging", "b=2")]).await, owned(&[("a", "1")]));
    let replace = ("x-amz-tagging-directive", "REPLACE");
    assert_eq!(copied("other", &[replace, ("x-amz-tagging", "b=2")]).await, owned(&[("b", "2")]));
    assert_eq!(copied("none", &[replace]).await, []);
    assert_eq!(copied("metadata", &[("x-amz-metadata-directive", "REPLACE")]).await, owned(&[("a", "1")]));
}

#[tokio::test]
async fn bucket_tags_are_a_set_or_none_at_all() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let tagging = format!("/{bucket}?tagging");
    let none = client.get(&tagging).await;
    assert_eq!(none.error(), (404, "NoSuchTagSet".to_owned()));
    assert_eq!(none.element("BucketName"), Some(bucket.clone()));
    let fifty: Vec<String> = (0..50).map(|n| format!("key {n}")).collect();
    let mut fifty: Vec<(&str, &str)> = fifty.iter().map(|key| (key.as_str(), "value")).collect();
    assert_eq!(client.put(&tagging, document(&fifty)).await.status, 204);
    assert_eq!(tags(&client.get(&tagging).await), owned(&fifty));
    fifty.push(("one more", ""));
    assert_eq!(client.put(&tagging, document(&fifty)).await.error(), (400, "BadRequest".to_owned()));
    let reserved = client.put(&tagging, document(&[("aws:x", "")])).await;
    assert_eq!(reserved.error(), (400, "InvalidTag".to_owned()));
    assert_eq!(tags(&client.get(&tagging).await).len(), 50, "what is refused changes nothing");
    assert_eq!(client.delete(&tagging).await.status, 204);
    assert_eq!(client.get(&tagging).await.status, 404);
}

#[tokio::test]
async fn a_bucket_may_be_made_with_tags() {
    let server = Server::start();
    let client = server.client();
    let configuration = |tags: &[(&str, &str)]| {
        let set = document(tags).replace("<Tagging><TagSet>", "<Tags>").replace("</TagSet></Tagging>", "</Tags>");
        format!("<CreateBucketConfiguration>{set}</CreateBucketConfiguration>")
    };
    assert_eq!(client.put("/tagged", configuration(&[("a", "1"), ("b", "2")])).await.status, 200);
    assert_eq!(tags(&client.get("/tagged?tagging").await), owned(&[("a", "1"), ("b", "2")]));
    assert_eq!(client.put("/refused", configuration(&[("aws:a", "1")])).await.error(), (400, "InvalidTag".to_owned()));
    assert_eq!(client.head("/refused").await.status, 404);
}

#[tokio::test]
async fn policies_may_ask_for_the_tags_that_are_set() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    client.put(&format!("/{bucket}/k"), "").await;
    let policy = format!(
        "{{\"Version\": \"2012-10-17\", \"Statement\": [{{\"Effect\": \"Deny\", \"Principal\": \"*\",\
         \"Action\": \"s3:PutObjectTagging\", \"Resource\": \"arn:aws:s3:::{bucket}/*\",\
         \"Condition\": {{\"StringNotEquals\": {{\"s3:RequestObjectTag/team\": \"red\"}}}}}}]}}"
    );
    assert_eq!(client.put(&format!("/{bucket}?policy"), policy).await.status, 204);
    let tagging = format!("/{bucket}/k?tagging");
    for wrong in [vec![], vec![("team", "blue")], vec![("other", "red")]] {
        assert_eq!(client.put(&tagging, document(&wrong)).await.error(), (403, "AccessDenied".to_owned()), "{wrong:?}");
    }
    assert_eq!(client.put(&tagging, document(&[("team", "red"), ("x", "y")])).await.status, 200);
    assert_eq!(tags(&client.get(&tagging).await).len(), 2);
}

#[tokio::test]
async fn every_version_has_tags_of_its_own() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(client.put(&format!("/{bucket}?versioning"), enabled).await.status, 200);
    let put = async |value: &str| {
        let put = client.send("PUT", &format!("/{bucket}/k"), &[("x-amz-tagging", value)], "").await;
        put.header("x-amz-version-id").unwrap().to_owned()
    };
    let (first, second) = (put("a=1").await, put("a=2").await);
    let of = |version: &str| format!("/{bucket}/k?tagging&versionId={version}");
    let set = client.put(&of(&first), document(&[("a", "changed")])).await;
    assert_eq!((set.status, set.header("x-amz-version-id")), (200, Some(first.as_str())));
    let shown = client.get(&of(&first)).await;
    assert_eq!(shown.header("x-amz-version-id"), Some(first.as_str()));
    assert_eq!(tags(&shown), owned(&[("a", "changed")]));
    assert_eq!(tags(&client.get(&format!("/{bucket}/k?tagging")).await), owned(&[("a", "2")]));
    assert_eq!(client.delete(&format!("/{bucket}/k?tagging")).await.header("x-amz-version-id"), Some(second.as_str()));
    assert_eq!(tags(&client.get(&of(&second)).await), []);
    assert_eq!(tags(&client.get(&of(&first)).await), owned(&[("a", "changed")]));
    // A delete marker has no tags.
    let marker = client.delete(&format!("/{bucket}/k")).await.header("x-amz-version-id").unwrap().to_owned();
    assert_eq!(client.get(&format!("/{bucket}/k?tagging")).await.error().0, 404);
    assert_eq!(client.put(&of(&marker), document(&[])).await.error().0, 405);
}
