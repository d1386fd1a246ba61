//! Notifications of a running server: rules, endpoints, streams, and those who deliver.

use std::sync::Arc;

use super::foundation::Foundation;
use super::http_listener::silence;
use super::start::StartError;
use super::storage::Storage;
use crate::admin::Webhooks;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::events::Events;
use crate::events::deliver::{self, Dispatchers, Ports};
use crate::events::endpoint::Endpoints;
use crate::events::record;
use crate::events::rules::RuleBook;
use crate::events::stream::Streams;
use crate::telemetry::HostId;

/// What is open of notifications while a server runs.
pub struct Notifications {
    pub events: Arc<Events>,
    pub dispatchers: Arc<Dispatchers>,
}

impl Notifications {
    /// Opens the endpoints and the rules of buckets, and begins to deliver.
    pub async fn open(
        config: &ServerConfig,
        foundation: &Foundation,
        storage: &Storage,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        let store = &storage.store;
        let (master, settings) = (foundation.dir.master_key()?, config.endpoint_settings());
        let (kv, declared, head) = (foundation.kv.clone(), config.declared_webhooks(), store.log_head());
        let endpoints = Endpoints::open(kv, master, settings, declared, head, clock.clone()).await?;
        let rules = Arc::new(RuleBook::load(store).await?);
        let origin = record::Origin {
            log: store.log_id().await?,
            region: config.s3.region.as_str().into(),
            host_id: HostId::of_instance(foundation.dir.instance()).as_str().into(),
        };
        let (kv, endpoints) = (foundation.kv.clone(), Arc::new(endpoints));
        let ports = Ports { kv, store: Arc::clone(store), endpoints, rules, clock: clock.clone() };
        let settings = deliver::Settings { region: Arc::clone(&origin.region), host_id: Arc::clone(&origin.host_id) };
        let streams = Arc::new(Streams::new(Arc::clone(store), origin, silence(config)));
        let (endpoints, rules) = (Arc::clone(&ports.endpoints), Arc::clone(&ports.rules));
        let dispatchers = Dispatchers::start(ports, settings).await?;
        dispatchers.keep_attempts(config.events.delivery_retention);
        let events = Arc::new(Events { rules, targets: dispatchers.clone(), endpoints, streams });
        Ok(Self { events, dispatchers })
    }

    /// Ends the deliveries. What is under way has a few seconds.
    pub async fn stop(&self) {
        self.dispatchers.stop().await;
    }

    /// What operators ask of them.
    pub fn webhooks(&self, config: &ServerConfig, foundation: &Foundation, clock: &Clock) -> Webhooks {
        Webhooks {
            endpoints: Arc::clone(&self.events.endpoints),
            deliveries: self.dispatchers.clone(),
            identities: Arc::clone(&foundation.identities),
            clock: clock.clone(),
            region: config.s3.region.clone(),
        }
    }
}
