//! Endpoints as those who use them see them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::events::tables::ENDPOINTS;
use crate::identity::{MASTER_KEY_BYTES, MasterKey};
use crate::kv::{Item, Kv, MemoryKv, Scan};
use crate::names::AccountId;

struct Fixture {
    kv: Arc<MemoryKv>,
    head: watch::Sender<u64>,
    clock: Clock,
}

impl Fixture {
    fn new() -> Self {
        let clock = Clock::fixed(Timestamp::from_seconds(1_000));
        Self { kv: Arc::new(MemoryKv::new(&[ENDPOINTS])), head: watch::Sender::new(7), clock }
    }

    async fn open(&self, declared: Vec<Declared>) -> Endpoints {
        self.open_with(1, declared).await.unwrap()
    }

    async fn open_with(&self, key: u8, declared: Vec<Declared>) -> Result<Endpoints, Error> {
        let master = MasterKey::new(zeroize::Zeroizing::new([key; MASTER_KEY_BYTES]));
        let (kv, head) = (Arc::clone(&self.kv), self.head.subscribe());
        Endpoints::open(kv, master, Settings::default(), declared, head, self.clock.clone()).await
    }
}

fn id(name: &str) -> EndpointId {
    EndpointId { account: AccountId::default(), name: EndpointName::parse(name).unwrap() }
}

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).unwrap()
}

fn given(pairs: &[(&str, &str)]) -> Given {
    let mut given = Given::default();
    given.set("url", "http://93.184.215.14/hook");
    pairs.iter().for_each(|(key, text)| given.set(key, *text));
    given
}

fn new(name: &str, origin: Origin, pairs: &[(&str, &str)]) -> NewEndpoint {
    NewEndpoint { id: id(name), origin, topic: None, given: given(pairs) }
}

fn declared(name: &str, pairs: &[(&str, &str)]) -> Declared {
    let given = given(&[&[("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")], pairs].concat());
    Declared { id: id(name), definition: Arc::new(Definition::parse(&given).unwrap()) }
}

fn secret(endpoint: &Endpoint) -> String {
    endpoint.secrets.current.reveal().to_string()
}

#[tokio::test]
async fn what_is_added_is_there_after_a_restart_and_its_secret_is_in_no_row() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    let mut changed = endpoints.changed();
    changed.mark_unchanged();
    let made = endpoints
        .add(new("hook", Origin::Operator, &[("authorization", "Bearer hunter2"), ("timeout", "3s")]))
        .await
        .unwrap();
    assert!(changed.has_changed().unwrap());
    assert_eq!((made.number, made.created_at.0, made.timeout.as_secs()), (1, 7, 3));
    assert!(matches!(endpoints.add(new("hook", Origin::Operator, &[])).await, Err(Error::Exists(_))));

    let again = fixture.open(vec![]).await;
    let read = again.get(&id("hook")).unwrap();
    assert_eq!(secret(&read), secret(&made));
    assert_eq!(read.authorization.as_ref().unwrap(), "Bearer hunter2");
    assert!(!format!("{read:?}").contains("hunter2") && !format!("{read:?}").contains(&secret(&read)[6..]));
    for item in fixture.kv.scan(Scan::prefix(ENDPOINTS, b"", 100)).await.unwrap().items {
        let Item::Row { value, .. } = item else { continue };
        let text = String::from_utf8_lossy(&value).into_owned();
        assert!(!text.contains("hunter2") && !text.contains(&secret(&read)[6..]));
    }
    assert!(matches!(fixture.open_with(2, vec![]).await, Err(Error::Sealed(_))));
}

#[tokio::test]
async fn numbers_are_never_given_again() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    endpoints.add(new("a", Origin::Operator, &[])).await.unwrap();
    endpoints.remove(&id("a")).await.unwrap();
    assert!(!endpoints.is_known(1) && endpoints.all().is_empty());
    let endpoints = fixture.open(vec![]).await;
    assert_eq!(endpoints.add(new("a", Origin::Operator, &[])).await.unwrap().number, 2);
    assert!(matches!(endpoints.remove(&id("b")).await, Err(Error::NoSuch(_))));
}

#[tokio::test]
async fn two_secrets_sign_while_one_takes_the_place_of_the_other() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    let before = endpoints.add(new("hook", Origin::Operator, &[])).await.unwrap();
    let rotated = endpoints.rotate(&id("hook"), Duration::from_secs(60)).await.unwrap();
    assert_ne!(secret(&rotated), secret(&before));
    let active: Vec<String> =
        rotated.secrets.active(fixture.clock.now()).iter().map(|secret| secret.reveal().to_string()).collect();
    assert_eq!(active, [secret(&rotated), secret(&before)]);

    let read = fixture.open(vec![]).await.get(&id("hook")).unwrap();
    assert_eq!(read.secrets.active(fixture.clock.now()).len(), 2);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(read.secrets.active(fixture.clock.now()).len(), 1);
    let at_once = endpoints.rotate(&id("hook"), Duration::ZERO).await.unwrap();
    assert!(at_once.secrets.previous.is_none());
    assert!(matches!(endpoints.rotate(&id("hook"), Duration::from_secs(31 * 86_400)).await, Err(Error::Rotation)));
}

#[tokio::test]
async fn a_definition_is_replaced_and_what_belongs_to_the_endpoint_stays() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    let before = endpoints.add(new("hook", Origin::Operator, &[("headers", "X-A: b")])).await.unwrap();
    endpoints.pause(&id("hook")).await.unwrap();
    fixture.head.send_replace(9);
    let after = endpoints.replace(&id("hook"), given(&[("concurrency", "3")])).await.unwrap();
    assert_eq!((after.concurrency, after.headers.len(), after.number), (3, 0, before.number));
    assert_eq!((&after.state, after.created_at.0), (&State::Paused, 7));
    assert_eq!(secret(&after), secret(&before));
    assert!(matches!(endpoints.replace(&id("other"), given(&[])).await, Err(Error::NoSuch(_))));
}

#[tokio::test]
async fn what_the_file_declares_is_changed_by_the_file_alone() {
    let fixture = Fixture::new();
    let endpoints =
        fixture.open(vec![declared("hook", &[("previous_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx")])]).await;
    let hook = endpoints.get(&id("hook")).unwrap();
    assert_eq!((hook.origin, hook.secrets.active(fixture.clock.now()).len()), (Origin::File, 2));
    for refused in [
        endpoints.add(new("hook", Origin::Operator, &[])).await.map(drop),
        endpoints.replace(&id("hook"), given(&[])).await.map(drop),
        endpoints.rotate(&id("hook"), Duration::ZERO).await.map(drop),
        endpoints.remove(&id("hook")).await,
    ] {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("declared by the configuration file"), "{error}");
    }
    assert_eq!(endpoints.pause(&id("hook")).await.unwrap().state, State::Paused);
    let again = fixture.open(vec![declared("hook", &[])]).await;
    assert_eq!(again.get(&id("hook")).unwrap().state, State::Paused);
}

#[tokio::test]
async fn a_declaration_that_comes_back_goes_on_where_it_was_and_is_forgotten_in_time() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![declared("a", &[]), declared("b", &[])]).await;
    let (a, b) = (endpoints.get(&id("a")).unwrap(), endpoints.get(&id("b")).unwrap());
    endpoints.declare(vec![declared("b", &[("timeout", "2s")])]).await.unwrap();
    assert!(endpoints.get(&id("a")).is_none() && endpoints.is_known(a.number));
    assert_eq!(endpoints.get(&id("b")).unwrap().timeout.as_secs(), 2);

    fixture.head.send_replace(100);
    endpoints.declare(vec![declared("a", &[]), declared("b", &[])]).await.unwrap();
    let back = endpoints.get(&id("a")).unwrap();
    assert_eq!((back.number, back.created_at), (a.number, a.created_at));
    assert_eq!(endpoints.get(&id("b")).unwrap().number, b.number);

    endpoints.declare(vec![]).await.unwrap();
    fixture.clock.advance(Duration::from_secs(31 * 86_400));
    endpoints.declare(vec![]).await.unwrap();
    assert!(!endpoints.is_known(a.number));
}

#[tokio::test]
async fn one_that_did_not_change_stays_the_very_same() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    let made = endpoints.add(new("hook", Origin::Operator, &[])).await.unwrap();
    endpoints.add(new("other", Origin::Operator, &[])).await.unwrap();
    endpoints.declare(vec![declared("file", &[])]).await.unwrap();
    assert!(Arc::ptr_eq(&made, &endpoints.get(&id("hook")).unwrap()));
    endpoints.pause(&id("hook")).await.unwrap();
    assert!(!Arc::ptr_eq(&made, &endpoints.get(&id("hook")).unwrap()));
}

#[tokio::test]
async fn the_file_counts_before_what_commands_made() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    let made = endpoints.add(new("hook", Origin::Operator, &[])).await.unwrap();
    endpoints.declare(vec![declared("hook", &[])]).await.unwrap();
    assert_eq!(endpoints.get(&id("hook")).unwrap().origin, Origin::File);
    endpoints.declare(vec![]).await.unwrap();
    let back = endpoints.get(&id("hook")).unwrap();
    assert_eq!((back.origin, secret(&back)), (Origin::Operator, secret(&made)));
}

#[tokio::test]
async fn tenants_name_neither_private_addresses_nor_files_of_the_server() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    for url in ["http://169.254.169.254/latest", "http://localhost:9000/", "https://[::1]/"] {
        let tried = endpoints.add(new("hook", Origin::Tenant, &[("url", url)])).await;
        assert!(matches!(tried, Err(Error::Forbidden(_))), "{url}: {tried:?}");
    }
    for (key, text) in [("ca_file", "/etc/passwd"), ("on_full", "reject-writes")] {
        let tried = endpoints.add(new("hook", Origin::Tenant, &[("url", "https://a.example"), (key, text)])).await;
        assert!(matches!(tried, Err(Error::OperatorsOnly(named)) if named == key), "{tried:?}");
    }
    assert!(endpoints.add(new("hook", Origin::Tenant, &[])).await.is_ok());
    let trusted = new("own", Origin::Operator, &[("url", "http://127.0.0.1:1/"), ("on_full", "reject-writes")]);
    assert_eq!(endpoints.add(trusted).await.unwrap().limits.on_full, OnFull::RejectWrites);
}

#[tokio::test]
async fn what_cannot_work_is_refused_when_it_is_given() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    let add = async |pairs: &[(&str, &str)]| {
        endpoints.add(new("hook", Origin::Operator, pairs)).await.unwrap_err().to_string()
    };
    assert!(add(&[("url", "https://a.example"), ("ca_file", "/nowhere/ca.pem")]).await.contains("/nowhere/ca.pem"));
    assert!(add(&[("url", "a.example"), ("timeout", "0s")]).await.contains("timeout is \"0s\""));
    assert!(add(&[("previous_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]).await.contains("no option"));
    assert!(endpoints.all().is_empty());
}

#[tokio::test]
async fn a_target_is_an_endpoint_or_a_topic_with_its_subscriptions() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    let account = AccountId::default();
    endpoints.add(new("hook", Origin::Operator, &[])).await.unwrap();
    assert!(matches!(endpoints.create_topic(&account, &topic("hook")).await, Err(Error::Exists(_))));
    endpoints.create_topic(&account, &topic("news")).await.unwrap();
    endpoints.create_topic(&account, &topic("news")).await.unwrap();
    assert_eq!(endpoints.resolve(&account, "news").unwrap().len(), 0);
    assert!(matches!(endpoints.add(new("news", Origin::Operator, &[])).await, Err(Error::IsTopic(_))));

    let subscription = |name: &str, of: &str| NewEndpoint { topic: Some(topic(of)), ..new(name, Origin::Tenant, &[]) };
    endpoints.add(subscription("s1", "news")).await.unwrap();
    assert!(matches!(endpoints.add(subscription("s2", "olds")).await, Err(Error::NoSuchTopic(_))));

    let endpoints = fixture.open(vec![]).await;
    let named = |name: &str| {
        endpoints.resolve(&account, name).map(|found| found.iter().map(|e| e.id.name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(named("news"), Some(vec!["s1".to_owned()]));
    assert_eq!(named("hook"), Some(vec!["hook".to_owned()]));
    assert_eq!((named("s1"), named("nothing"), named("a.b")), (None, None, None));
    let other: AccountId = "123456789012".parse().unwrap();
    assert!(endpoints.resolve(&other, "hook").is_none() && endpoints.of_account(&other).is_empty());

    endpoints.remove_topic(&account, &topic("news")).await.unwrap();
    assert!(endpoints.get(&id("s1")).is_none() && !endpoints.has_topic(&account, &topic("news")));
    assert_eq!(endpoints.topics(&account), []);
}

#[tokio::test]
async fn a_disabled_endpoint_is_resumed_by_hand() {
    let fixture = Fixture::new();
    let endpoints = fixture.open(vec![]).await;
    endpoints.add(new("hook", Origin::Operator, &[])).await.unwrap();
    let disabled = endpoints.disable(&id("hook"), "410 Gone".into()).await.unwrap();
    assert!(!disabled.is_active());
    assert!(matches!(endpoints.disable(&id("hook"), "x".repeat(1025)).await, Err(Error::LongReason(_))));
    let endpoints = fixture.open(vec![]).await;
    assert_eq!(endpoints.get(&id("hook")).unwrap().state, State::Disabled { reason: "410 Gone".into() });
    assert!(endpoints.resume(&id("hook")).await.unwrap().is_active());
}
