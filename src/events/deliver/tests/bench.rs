//! A store with rules and endpoints, on a clock that runs and can be made to jump.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::super::{Dispatchers, Ports, Settings};
use crate::events::endpoint::{
    self, Endpoint, EndpointId, EndpointName, Endpoints, Given, NewEndpoint, Origin, Reach, TopicName,
};
use crate::events::operate::{Deliveries, EndpointStatus};
use crate::events::rules::{RuleBook, Rules, tests::rule};
use crate::events::tables;
use crate::identity::MasterKey;
use crate::kv::{Profile, Table};
use crate::names::AccountId;
use crate::store::bucket::Bucket;
use crate::store::change::Cause;
use crate::store::tests::fixture::Fixture;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bench {
    pub fixture: Fixture,
    pub endpoints: Arc<Endpoints>,
    pub rules: Arc<RuleBook>,
    pub bucket: Bucket,
    running: JoinHandle<()>,
}

impl Bench {
    /// A bucket `pail` whose every change goes to the endpoint `hook`.
    pub async fn new() -> Self {
        Self::reaching(Reach::default()).await
    }

    pub async fn reaching(reach: Reach) -> Self {
        let other = Table { id: 0, name: "other", profile: Profile::Records };
        let fixture = Fixture::beside(&[&[other][..], &tables::TABLES].concat(), Default::default()).await;
        let settings = endpoint::Settings { reach, limits: endpoint::Limits::default() };
        let (kv, head) = (fixture.kv.clone(), fixture.store.log_head());
        let master = MasterKey::generate().unwrap();
        let endpoints = Endpoints::open(kv, master, settings, Vec::new(), head, fixture.clock.clone()).await.unwrap();
        let rules = Arc::new(RuleBook::load(&fixture.store).await.unwrap());
        let bucket = fixture.bucket("pail").await;
        let clock = fixture.clock.clone();
        let running = tokio::spawn(async move {
            let mut last = std::time::Instant::now();
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let passed = Duration::from_millis(u64::try_from(last.elapsed().as_millis()).unwrap());
                last += passed;
                clock.advance(passed);
            }
        });
        let bench = Self { fixture, endpoints: Arc::new(endpoints), rules, bucket, running };
        bench.tell(&bench.bucket, "hook").await;
        bench
    }

    /// Has every change of the bucket told to an endpoint or a topic.
    pub async fn tell(&self, bucket: &Bucket, name: &str) {
        let patterns = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"];
        let rules = patterns.map(|pattern| rule(pattern, name, pattern, ("", ""))).into();
        let rules = Rules::new(rules).unwrap();
        self.rules.put(&self.fixture.store, bucket, Some(rules), Cause::default()).await.unwrap();
    }

    pub async fn endpoint(&self, name: &str, url: &str, options: &[(&str, &str)]) -> Arc<Endpoint> {
        self.endpoint_of(Origin::Operator, name, url, options).await.unwrap()
    }

    /// Subscribes an endpoint to a topic, which is made where there is none.
    pub async fn subscribe(&self, topic: &str, name: &str, url: &str, options: &[(&str, &str)]) {
        let topic = TopicName::parse(topic).unwrap();
        self.endpoints.create_topic(&AccountId::default(), &topic).await.unwrap();
        let given = given(url, options);
        let new = NewEndpoint { id: id(name), origin: Origin::Operator, topic: Some(topic), given };
        self.endpoints.add(new).await.unwrap();
    }

    pub async fn endpoint_of(
        &self,
        origin: Origin,
        name: &str,
        url: &str,
        options: &[(&str, &str)],
    ) -> Result<Arc<Endpoint>, endpoint::Error> {
        let given = given(url, options);
        self.endpoints.add(NewEndpoint { id: id(name), origin, topic: None, given }).await
    }

    pub async fn dispatch(&self) -> Arc<Dispatchers> {
        let ports = Ports {
            kv: self.fixture.kv.clone(),
            store: self.fixture.store.clone(),
            endpoints: self.endpoints.clone(),
            rules: self.rules.clone(),
            clock: self.fixture.clock.clone(),
        };
        let settings = Settings { region: "us-east-1".into(), host_id: "host".into() };
        Dispatchers::start(ports, settings).await.unwrap()
    }

    pub async fn put(&self, key: &str) -> u64 {
        self.fixture.put(&self.bucket, key, &Bytes::from_static(b"body")).await.unwrap().position.0
    }

    pub async fn put_all(&self, keys: std::ops::Range<usize>) {
        for number in keys {
            self.put(&format!("k{number}")).await;
        }
    }

    pub fn head(&self) -> u64 {
        *self.fixture.store.log_head().borrow()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn given(url: &str, options: &[(&str, &str)]) -> Given {
    let mut given = Given::default();
    given.set("url", url);
    given.set("timeout", "2s");
    given.set("retry", ["20ms,50ms,100ms,200ms,400ms,800ms", &",1s".repeat(20)].concat());
    options.iter().for_each(|(key, text)| given.set(key, *text));
    given
}

pub fn id(name: &str) -> EndpointId {
    EndpointId { account: AccountId::default(), name: EndpointName::parse(name).unwrap() }
}

pub fn status(dispatchers: &Dispatchers, name: &str) -> EndpointStatus {
    dispatchers.status(&id(name)).unwrap()
}

/// Waits until `holds`; panics with `what` where it never does.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
