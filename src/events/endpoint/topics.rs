//! Topics: names that several endpoints, their subscriptions, are told under.

use super::error::Error;
use super::names::{EndpointId, EndpointName, TopicName};
use super::registry::Endpoints;
use crate::names::AccountId;

impl Endpoints {
    /// Makes a topic; nothing happens where there is one of that name. Refused where an endpoint has the name.
    pub async fn create_topic(&self, account: &AccountId, name: &TopicName) -> Result<(), Error> {
        let (account, name) = (account.clone(), name.clone());
        self.change(move |change| {
            if change.next.topics.contains_key(&(account.clone(), name.clone())) {
                return Ok(());
            }
            let endpoint = EndpointName::parse(name.as_str()).ok();
            let id = endpoint.map(|name| EndpointId { account: account.clone(), name });
            match id.filter(|id| change.next.endpoints.contains_key(id)) {
                Some(id) => Err(Error::Exists(id.name)),
                None => change.put_topic(&account, &name),
            }
        })
        .await
    }

    /// Removes a topic with its subscriptions; nothing happens where there is none.
    pub async fn remove_topic(&self, account: &AccountId, name: &TopicName) -> Result<(), Error> {
        let (account, name) = (account.clone(), name.clone());
        self.change(move |change| {
            if change.remove_topic(&account, &name) {
                let subscribed = change
                    .next
                    .endpoints
                    .values()
                    .filter(|endpoint| endpoint.id.account == account && endpoint.topic.as_ref() == Some(&name));
                let ids: Vec<EndpointId> = subscribed.map(|endpoint| endpoint.id.clone()).collect();
                ids.iter().for_each(|id| change.remove(id));
            }
            Ok(())
        })
        .await
    }

    /// The topics of an account, by name.
    pub fn topics(&self, account: &AccountId) -> Vec<TopicName> {
        let snapshot = self.snapshot();
        snapshot.topics.keys().filter(|(of, _)| of == account).map(|(_, name)| name.clone()).collect()
    }

    /// Whether the account has a topic of this name.
    pub fn has_topic(&self, account: &AccountId, name: &TopicName) -> bool {
        self.snapshot().topics.contains_key(&(account.clone(), name.clone()))
    }
}
