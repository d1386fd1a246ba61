//! Whoever listens, and what he may hear.

use std::sync::Arc;

use super::{Asked, Credentials, LISTEN, LISTEN_BUCKET, Listener, Rights};
use crate::events::stream::Audience;
use crate::guard::{Guard, Origin};
use crate::http::head::Head;
use crate::identity::{EntityName, Holder, IDENTITIES, Identities, KEYS, MasterKey, RootKey, Status};
use crate::names::{AccountId, BucketName};
use crate::store::Position;
use crate::store::change::{Cause, Change};
use crate::store::configuration::Kind;
use crate::store::log::Logged;
use crate::store::tests::fixture::Fixture;

struct Bench {
    fixture: Fixture,
    rights: Arc<Rights>,
}

impl Bench {
    async fn new() -> Self {
        let fixture = Fixture::beside(&[KEYS, IDENTITIES], Default::default()).await;
        let (master, root) = (MasterKey::generate().unwrap(), RootKey::generate().unwrap());
        let (kv, clock) = (fixture.kv.clone(), fixture.clock.clone());
        let identities = Identities::open(kv, master, root, Default::default(), clock.clone()).await.unwrap();
        let (store, identities) = (fixture.store.clone(), Arc::new(identities));
        let guard = Arc::new(Guard::new(store.clone(), identities.clone()));
        Self { fixture, rights: Arc::new(Rights { store, identities, guard, clock }) }
    }

    fn user(&self, name: &str) -> EntityName {
        EntityName::user(&AccountId::default(), name)
    }

    async fn allow(&self, user: &str, statements: &str) {
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        self.rights.identities.put_inline_policy(&self.user(user), "p", &document).await.unwrap();
    }

    /// A user with these statements, listening.
    async fn listener(&self, user: &str, statements: &str, bucket: Option<&str>) -> Listener {
        let account = AccountId::default();
        self.rights.identities.create_user(&account, user, "/").await.unwrap();
        self.allow(user, statements).await;
        let holder = Holder::User { account, name: user.to_owned() };
        let made = self.rights.identities.create_key(&holder, "").await.unwrap();
        let key = self.rights.identities.authenticate(&made.access_key_id, None).await.unwrap().unwrap();
        let credentials = Credentials { access_key_id: key.access_key_id.clone(), session_token: None };
        Listener::new(self.rights.clone(), asked(Some(credentials), bucket), key.caller.clone())
    }

    fn nobody(&self, bucket: &str) -> Listener {
        let caller = Arc::new(crate::access::Caller::anonymous());
        Listener::new(self.rights.clone(), asked(None, Some(bucket)), caller)
    }

    /// The change that an upload is.
    async fn put(&self, bucket: &str, key: &str) -> Change {
        let bucket = self.fixture.bucket(bucket).await;
        let position = self.fixture.put(&bucket, key, &bytes::Bytes::new()).await.unwrap().position;
        let page = self.fixture.store.read_log(Position(position.0 - 1), 1).await.unwrap().unwrap();
        match page.rows.into_iter().next().unwrap() {
            (_, Logged::Change(change)) => change,
            other => panic!("{other:?}"),
        }
    }
}

fn asked(credentials: Option<Credentials>, bucket: Option<&str>) -> Asked {
    Asked {
        head: Head::default(),
        origin: Origin { address: Some("127.0.0.1".parse().unwrap()), secure: false },
        signing: None,
        credentials,
        bucket: bucket.map(|name| BucketName::parse(name).unwrap()),
        prefix: String::new(),
    }
}

fn allow(action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"arn:aws:s3:::{resource}"}}"#)
}

#[tokio::test]
async fn each_bucket_is_asked_for_by_itself_and_again_at_every_page() {
    let bench = Bench::new().await;
    let (pail, tub) = (bench.put("pail", "k").await, bench.put("tub", "k").await);
    let both = [allow(LISTEN, "*"), allow(LISTEN_BUCKET, "pail")].join(",");
    let mut listener = bench.listener("ann", &both, None).await;
    assert!(listener.may_listen().await.unwrap());
    assert!(listener.may_hear(&pail).await.unwrap() && !listener.may_hear(&tub).await.unwrap());
    bench.allow("ann", &[allow(LISTEN, "*"), allow(LISTEN_BUCKET, "tub")].join(",")).await;
    assert!(listener.may_listen().await.unwrap());
    assert!(!listener.may_hear(&pail).await.unwrap() && listener.may_hear(&tub).await.unwrap());
    bench.allow("ann", &allow(LISTEN_BUCKET, "*")).await;
    assert!(!listener.may_listen().await.unwrap(), "not to every bucket");
}

#[tokio::test]
async fn a_key_that_is_disabled_hears_nothing_more() {
    let bench = Bench::new().await;
    bench.put("pail", "k").await;
    let mut listener = bench.listener("ann", &allow(LISTEN_BUCKET, "pail"), Some("pail")).await;
    assert!(listener.may_listen().await.unwrap());
    let id = listener.asked.credentials.as_ref().unwrap().access_key_id.to_string();
    bench.rights.identities.set_key_status(&id, None, Status::Disabled).await.unwrap();
    assert!(!listener.may_listen().await.unwrap());
}

#[tokio::test]
async fn a_bucket_s_policy_counts_while_the_bucket_is_there_and_never_for_a_site_s_own_objects() {
    let bench = Bench::new().await;
    let change = bench.put("pail", "k").await;
    let own = bench.put("pail", ".brim/site.toml").await;
    let mut nobody = bench.nobody("pail");
    assert!(!nobody.may_listen().await.unwrap());
    let bucket = bench.fixture.bucket("pail").await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"{LISTEN_BUCKET}","Resource":"arn:aws:s3:::pail"}}]}}"#
    );
    let document = Some(policy.into_bytes().into());
    bench.fixture.store.put_configuration(&bucket, Kind::Policy, document, Cause::default()).await.unwrap();
    assert!(nobody.may_listen().await.unwrap());
    assert!(nobody.may_hear(&change).await.unwrap());
    assert!(!nobody.may_hear(&own).await.unwrap());
    let mut ann = bench.listener("ann", &allow(LISTEN_BUCKET, "pail"), Some("pail")).await;
    bench.fixture.delete(&bench.fixture.bucket("pail").await, "k").await.unwrap();
    bench.fixture.delete(&bench.fixture.bucket("pail").await, ".brim/site.toml").await.unwrap();
    bench.fixture.delete_bucket("pail").await.unwrap();
    assert!(nobody.may_listen().await.unwrap(), "there is nothing to hear");
    assert!(!nobody.may_hear(&change).await.unwrap(), "what happened is the owner's");
    assert!(ann.may_listen().await.unwrap() && ann.may_hear(&change).await.unwrap());
}
