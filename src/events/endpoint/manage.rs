//! Endpoints made, changed and removed by commands and by tenants.

use std::sync::Arc;
use std::time::Duration;

use super::change::Change;
use super::definition::{Definition, Endpoint, Origin, State};
use super::error::Error;
use super::given::Given;
use super::names::{EndpointId, TopicName};
use super::options::{Givers, OPTIONS, OptionFault};
use super::record::{Record, Stored};
use super::registry::Endpoints;
use crate::events::sign::SigningSecret;

/// The longest that a previous secret signs.
const MAX_ROTATION: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest reason for which an endpoint is disabled, in bytes.
const MAX_REASON_BYTES: usize = 1024;

/// An endpoint to be made.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    pub id: EndpointId,
    /// [`Origin::Operator`] or [`Origin::Tenant`].
    pub origin: Origin,
    /// The topic that it subscribes to; there must be one.
    pub topic: Option<TopicName>,
    /// A secret is made where there is none among them.
    pub given: Given,
}

impl Endpoints {
    /// Makes an endpoint, which hears of every change from now on. Its secret, whoever made that, is
    /// [`Secrets::current`](super::Secrets::current): to be told to whoever asked, this once.
    pub async fn add(&self, new: NewEndpoint) -> Result<Arc<Endpoint>, Error> {
        let NewEndpoint { id, origin, topic, given } = new;
        let given = self.checked(given, origin).await?;
        let added = id.clone();
        let endpoint = self
            .change(move |change| {
                change.check_free(&added, topic.as_ref())?;
                let record = change.new_record()?;
                change.put_stored(&added, record, (origin, topic), &given, None)
            })
            .await?;
        tracing::info!(webhook = %id, url = endpoint.url.origin(), "webhook added");
        Ok(endpoint)
    }

    /// Puts another definition in the place of the one that there is. Its secrets stay, unless one is given; so do its place in
    /// the log and everything that is not delivered yet.
    pub async fn replace(&self, id: &EndpointId, given: Given) -> Result<Arc<Endpoint>, Error> {
        let origin = self.get(id).ok_or_else(|| Error::NoSuch(id.name.clone()))?.origin;
        if origin == Origin::File {
            return Err(Error::Declared(id.name.clone()));
        }
        // What is checked has a secret in any case: the one that there is takes its place where none was given.
        let keeps_secret = given.get("secret").is_none();
        let (given, id) = (self.checked(given, origin).await?, id.clone());
        self.change(move |change| {
            let (record, stored) = change.changeable(&id)?;
            let before = stored.open(&change.shared.master, &id, record.number)?;
            let given = match keeps_secret {
                true => given.filtered(|key| key != "secret").or(&before.given.filtered(|key| key == "secret")),
                false => given,
            };
            let previous = before.secrets.previous.filter(|_| keeps_secret);
            change.put_stored(&id, record, (stored.origin, stored.topic), &given, previous)
        })
        .await
    }

    /// Removes an endpoint. What it was not told yet is not told any more.
    pub async fn remove(&self, id: &EndpointId) -> Result<(), Error> {
        let removed = id.clone();
        self.change(move |change| {
            change.changeable(&removed)?;
            change.remove(&removed);
            Ok(())
        })
        .await?;
        tracing::info!(webhook = %id, "webhook removed");
        Ok(())
    }

    /// Makes another secret and lets the one before sign beside it for `keep` (30 days at most); one that was already a
    /// previous one ceases at once.
    pub async fn rotate(&self, id: &EndpointId, keep: Duration) -> Result<Arc<Endpoint>, Error> {
        if keep > MAX_ROTATION {
            return Err(Error::Rotation);
        }
        let secret = SigningSecret::generate().map_err(|_| Error::Random)?;
        let rotated = id.clone();
        let endpoint = self
            .change(move |change| {
                let (record, stored) = change.changeable(&rotated)?;
                let before = stored.open(&change.shared.master, &rotated, record.number)?;
                let mut given = before.given;
                given.set("secret", secret.reveal().as_str());
                let until = change.now().plus(keep);
                let previous = (!keep.is_zero()).then_some((before.secrets.current, until));
                change.put_stored(&rotated, record, (stored.origin, stored.topic), &given, previous)
            })
            .await?;
        tracing::info!(webhook = %id, "secret rotated");
        Ok(endpoint)
    }

    /// Delivers nothing to it until it is resumed. Of declared endpoints too: what is being done is not what is declared.
    pub async fn pause(&self, id: &EndpointId) -> Result<Arc<Endpoint>, Error> {
        self.set_state(id, State::Paused).await
    }

    /// Delivers to it again, whether it was paused or disabled.
    pub async fn resume(&self, id: &EndpointId) -> Result<Arc<Endpoint>, Error> {
        self.set_state(id, State::Active).await
    }

    /// Delivers nothing to it any more, because of what it answered.
    pub async fn disable(&self, id: &EndpointId, reason: String) -> Result<Arc<Endpoint>, Error> {
        if reason.len() > MAX_REASON_BYTES {
            return Err(Error::LongReason(MAX_REASON_BYTES));
        }
        self.set_state(id, State::Disabled { reason }).await
    }

    async fn set_state(&self, id: &EndpointId, state: State) -> Result<Arc<Endpoint>, Error> {
        let (id, set) = (id.clone(), state.clone());
        let endpoint = self
            .change(move |change| {
                let record = Record { state: set, ..change.record(&id)? };
                change.put(&id, record)?.ok_or_else(|| Error::NoSuch(id.name.clone()))
            })
            .await?;
        tracing::info!(webhook = %endpoint.id, ?state, "the state of a webhook changed");
        Ok(endpoint)
    }

    /// Gives what was given, with a secret in any case, after everything was checked that can be known before a first message.
    async fn checked(&self, mut given: Given, origin: Origin) -> Result<Given, Error> {
        if given.get("secret").is_none() {
            let secret = SigningSecret::generate().map_err(|_| Error::Random)?;
            given.set("secret", secret.reveal().as_str());
        }
        check_givers(&given, origin)?;
        let definition = Definition::parse(&given).map_err(Error::Options)?;
        if origin == Origin::Tenant {
            self.reach().check_url(&definition.url)?;
        }
        tokio::task::spawn_blocking(move || definition.check_files()).await??;
        Ok(given)
    }
}

impl Change {
    /// That the name is free, and the topic there.
    fn check_free(&self, id: &EndpointId, topic: Option<&TopicName>) -> Result<(), Error> {
        if self.next.records.contains_key(id) && self.next.endpoints.contains_key(id) {
            return match self.next.declared.contains_key(id) {
                true => Err(Error::Declared(id.name.clone())),
                false => Err(Error::Exists(id.name.clone())),
            };
        }
        let has = |name: &TopicName| self.next.topics.contains_key(&(id.account.clone(), name.clone()));
        if TopicName::parse(id.name.as_str()).is_ok_and(|name| has(&name)) {
            return Err(Error::IsTopic(id.name.to_string()));
        }
        match topic.filter(|topic| !has(topic)) {
            Some(topic) => Err(Error::NoSuchTopic(topic.to_string())),
            None => Ok(()),
        }
    }

    fn put_stored(
        &mut self,
        id: &EndpointId,
        mut record: Record,
        of: (Origin, Option<TopicName>),
        given: &Given,
        previous: Option<(SigningSecret, crate::clock::Timestamp)>,
    ) -> Result<Arc<Endpoint>, Error> {
        let stored = Stored::seal(&self.shared.master, (id, record.number), of, given, previous)?;
        (record.stored, record.gone) = (Some(stored), None);
        self.put(id, record)?.ok_or_else(|| Error::NoSuch(id.name.clone()))
    }
}

fn check_givers(given: &Given, origin: Origin) -> Result<(), Error> {
    for option in OPTIONS.iter().filter(|option| given.get(option.key).is_some()) {
        match option.givers {
            Givers::Operators if origin == Origin::Tenant => return Err(Error::OperatorsOnly(option.key)),
            Givers::TheFile => {
                return Err(Error::Options(vec![OptionFault::Unknown { key: option.key.to_owned() }]));
            }
            _ => {}
        }
    }
    Ok(())
}
