//! What is configured for buckets, and what is said of objects in place.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{Fixture, annotate, body, bucket_name, key};
use super::fsck::NOTHING;
use crate::kv::Fault;
use crate::names::AccountId;
use crate::store::Error;
use crate::store::annotate::Annotation;
use crate::store::bucket::CreateBucket;
use crate::store::change::{Cause, ChangeKind};
use crate::store::configuration::Kind;
use crate::store::tables::CONFIGURATIONS;

const POLICY: Bytes = Bytes::from_static(b"policy");
const RULES: Bytes = Bytes::from_static(b"rules");

impl Fixture {
    pub async fn configure(&self, name: &str, kind: Kind, document: Option<Bytes>) {
        let bucket = self.bucket(name).await;
        self.store.put_configuration(&bucket, kind, document, Cause::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_bucket_has_the_documents_that_were_put_last() {
    let fixture = Fixture::new().await;
    fixture.configure("other", Kind::Policy, Some(RULES)).await;
    let unconfigured = fixture.bucket("bucket").await;
    fixture.configure("bucket", Kind::Policy, Some(RULES)).await;
    fixture.configure("bucket", Kind::Policy, Some(POLICY)).await;
    fixture.configure("bucket", Kind::Cors, Some(RULES)).await;
    let bucket = fixture.bucket("bucket").await;
    let configured = fixture.store.configuration(&bucket).await.unwrap();
    assert_eq!((configured.get(Kind::Policy), configured.get(Kind::Cors)), (Some(&POLICY), Some(&RULES)));
    assert_eq!(configured.get(Kind::Acl), None);
    fixture.configure("bucket", Kind::Cors, None).await;
    let bucket = fixture.bucket("bucket").await;
    assert_eq!(fixture.store.configuration(&bucket).await.unwrap().get(Kind::Cors), None);
    let none = fixture.store.configuration(&unconfigured).await.unwrap();
    assert_eq!(none.get(Kind::Policy), None, "as of a row from before");
    let changes = fixture.changes().await;
    assert_eq!(changes.iter().filter(|(kind, _)| *kind == ChangeKind::BucketConfiguration).count(), 5);
    assert_eq!(fixture.check().await, NOTHING);
}

#[tokio::test]
async fn documents_are_read_once_for_each_change() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    // Counts the calls from here on, and fails none.
    fixture.kv.fail_at(u64::MAX, Fault::Refused);
    fixture.store.configuration(&bucket).await.unwrap();
    assert_eq!(fixture.kv.calls(), 0, "nothing was ever configured");
    fixture.configure("bucket", Kind::Policy, Some(POLICY)).await;
    let bucket = fixture.bucket("bucket").await;
    fixture.kv.fail_at(u64::MAX, Fault::Refused);
    let first = fixture.store.configuration(&bucket).await.unwrap();
    assert_eq!(fixture.kv.calls(), 1);
    assert!(Arc::ptr_eq(&first, &fixture.store.configuration(&bucket).await.unwrap()));
    assert_eq!(fixture.kv.calls(), 1);
}

#[tokio::test]
async fn a_new_bucket_is_configured_from_the_beginning_and_takes_its_documents_with_it() {
    let fixture = Fixture::new().await;
    let create = CreateBucket {
        name: bucket_name("new"),
        account: AccountId::default(),
        region: "us-east-1".to_owned(),
        configuration: vec![(Kind::Acl, POLICY), (Kind::Tagging, RULES)],
        cause: Cause::default(),
    };
    fixture.store.create_bucket(create).await.unwrap();
    fixture.configure("bucket", Kind::Policy, Some(POLICY)).await;
    let bucket = fixture.bucket("new").await;
    let configured = fixture.store.configuration(&bucket).await.unwrap();
    assert_eq!((configured.get(Kind::Acl), configured.get(Kind::Tagging)), (Some(&POLICY), Some(&RULES)));
    assert_eq!(fixture.rows(CONFIGURATIONS).await.len(), 3);
    fixture.delete_bucket("new").await.unwrap();
    assert_eq!(fixture.rows(CONFIGURATIONS).await.len(), 1, "another bucket's stay");
    let again = fixture.bucket("new").await;
    assert_eq!(fixture.store.configuration(&again).await.unwrap().get(Kind::Acl), None);
    let gone = fixture.store.put_configuration(&bucket, Kind::Policy, None, Cause::default()).await;
    assert!(matches!(gone, Err(Error::NoSuchBucket(_))), "the bucket of this name is another one");
}

/// Whoever read the bucket's row before it changed is not refused: the commit is tried again with the new one.
#[tokio::test]
async fn writes_go_on_while_the_bucket_is_being_configured() {
    let fixture = Fixture::new().await;
    let before = fixture.bucket("bucket").await;
    let upload = fixture.create_upload(&before, "parts").await.unwrap();
    let old = fixture.store.upload(&before, &key("parts"), upload).await.unwrap();
    fixture.put(&before, "source", &body(1, 9)).await.unwrap();
    for change in 0..7 {
        fixture.configure("bucket", Kind::Policy, Some(POLICY)).await;
        match change {
            0 => drop(fixture.put(&before, "key", &body(1, 9)).await.unwrap()),
            1 => drop(fixture.copy(&before, "source", "copy").await.unwrap()),
            2 => drop(fixture.rename(&before, "copy", "renamed").await.unwrap()),
            3 => drop(fixture.delete(&before, "key").await.unwrap()),
            4 => drop(fixture.part(&before, "parts", upload, 1, &body(2, 9)).await.unwrap()),
            5 => drop(fixture.create_upload(&before, "another").await.unwrap()),
            _ => fixture.store.abort_upload(&old).await.unwrap(),
        }
    }
    fixture.configure("bucket", Kind::Policy, Some(POLICY)).await;
    fixture.store.put_configuration(&before, Kind::Cors, Some(RULES), Cause::default()).await.unwrap();
    assert_eq!(fixture.bucket("bucket").await.record.configuration, 9);
    fixture.check().await;
}

#[tokio::test]
async fn annotations_change_in_place_what_is_said_of_an_object() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let put = fixture.put(&bucket, "key", &body(1, 9)).await.unwrap().record;
    fixture.clock.advance(std::time::Duration::from_secs(10));
    let tags = vec![("a".to_owned(), "b".to_owned())];
    for annotation in [Annotation::NoTags, Annotation::Tags(tags.clone()), Annotation::Acl(vec![1, 2])] {
        let store = &fixture.store;
        store.annotate_object(annotate(&bucket, &key("key"), None, annotation)).await.unwrap();
    }
    let now = fixture.store.object(&bucket, &key("key")).await.unwrap().record;
    assert_eq!((&now.metadata.tags, now.acl.as_slice()), (&tags, &[1, 2][..]));
    assert_eq!((now.summary, now.data), (put.summary, put.data));
    assert_eq!(fixture.get(&bucket, "key").await.unwrap(), body(1, 9));
    let kinds: Vec<_> = fixture.changes().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds[2..], [ChangeKind::Untagging, ChangeKind::Tagging, ChangeKind::Acl]);
    let (none, acl) = (key("none"), Annotation::Acl(Vec::new()));
    let missing = fixture.store.annotate_object(annotate(&bucket, &none, None, acl)).await;
    assert!(matches!(missing, Err(Error::NoSuchKey(_))));
    assert_eq!(fixture.check().await, NOTHING, "the bytes are where they were");
}

#[tokio::test]
async fn what_steers_a_site_raises_the_generation_with_every_change_and_nothing_else_does() {
    let fixture = Fixture::new().await;
    fixture.put(&fixture.bucket("bucket").await, "plain", &body(1, 10)).await.unwrap();
    let generation = async || fixture.bucket("bucket").await.record.configuration;
    let mut before = generation().await;
    let mut raised = async |what: &str, expected: bool| {
        let now = generation().await;
        assert_eq!(now > before, expected, "{what}");
        before = now;
    };
    for (key, steers) in [(".brim/current", true), ("_redirects", true), (".brim/files/0", false), ("page", false)] {
        let bucket = fixture.bucket("bucket").await;
        fixture.put(&bucket, key, &body(2, 10)).await.unwrap();
        raised(&format!("put {key}"), steers).await;
        // With a row from before, as a request has that came meanwhile: the commit is tried again.
        fixture.put(&bucket, key, &body(3, 10)).await.unwrap();
        raised(&format!("overwrite {key}"), steers).await;
        fixture.copy(&fixture.bucket("bucket").await, "plain", key).await.unwrap();
        raised(&format!("copy to {key}"), steers).await;
        fixture.rename(&fixture.bucket("bucket").await, key, "moved").await.unwrap();
        raised(&format!("rename {key}"), steers).await;
        fixture.rename(&fixture.bucket("bucket").await, "moved", key).await.unwrap();
        raised(&format!("rename to {key}"), steers).await;
        fixture.delete(&bucket, key).await.unwrap();
        raised(&format!("delete {key}"), steers).await;
        fixture.put_parts(&fixture.bucket("bucket").await, key, &[(1, body(4, 10))]).await;
        raised(&format!("complete {key}"), steers).await;
    }
    assert_eq!(fixture.check().await.orphans, 0);
}
