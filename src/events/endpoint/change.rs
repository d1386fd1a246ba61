//! A change of endpoints: what becomes of the rows and of what is in memory, committed as one.

use std::sync::Arc;

use super::definition::{Endpoint, State};
use super::error::Error;
use super::names::{EndpointId, TopicName};
use super::record::{self, NEXT_NUMBER, Record, Stored, TopicRecord};
use super::registry::{Endpoints, MAX_ENDPOINTS, MAX_TOPICS, Shared, Snapshot};
use crate::clock::Timestamp;
use crate::events::tables::ENDPOINTS;
use crate::kv::{Commit, CommitError};
use crate::names::AccountId;

/// What is about to be.
pub struct Change {
    pub(super) shared: Arc<Shared>,
    pub(super) next: Snapshot,
    commit: Commit,
}

impl Endpoints {
    /// Commits what `step` makes of the state, in a task of its own: whoever hangs up does not stop it half-way. Gives what
    /// `step` gave.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Change) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let _changing = shared.changing.lock().await;
            let next = (*shared.snapshot()).clone();
            let mut change = Change { shared: Arc::clone(&shared), next, commit: Commit::new() };
            let outcome = step(&mut change)?;
            let Change { next, commit, .. } = change;
            if !commit.writes.is_empty() {
                shared.kv.commit(commit.durable()).await.map_err(|error| match error {
                    CommitError::Engine(error) => Error::from(error),
                    CommitError::Conflict { .. } => Error::Record("a commit without expectations".to_owned()),
                })?;
            }
            *shared.snapshot.write() = Arc::new(next);
            shared.changed.send_modify(|times| *times += 1);
            Ok(outcome)
        })
        .await?
    }
}

impl Change {
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The record of an endpoint that there is.
    pub fn record(&self, id: &EndpointId) -> Result<Record, Error> {
        let known = self.next.endpoints.contains_key(id).then(|| self.next.records.get(id)).flatten();
        known.cloned().ok_or_else(|| Error::NoSuch(id.name.clone()))
    }

    /// The record of an endpoint that commands may change, with its definition.
    pub fn changeable(&self, id: &EndpointId) -> Result<(Record, Stored), Error> {
        let record = self.record(id)?;
        match record.stored.clone() {
            Some(stored) if !self.next.declared.contains_key(id) => Ok((record, stored)),
            _ => Err(Error::Declared(id.name.clone())),
        }
    }

    /// A record with a number of its own, for an endpoint that hears of what is to come.
    pub fn new_record(&mut self) -> Result<Record, Error> {
        if self.next.endpoints.len() >= MAX_ENDPOINTS {
            return Err(Error::ManyEndpoints);
        }
        let number = self.next.next_number;
        // Four thousand million endpoints after one another: more than anybody makes.
        self.next.next_number = number.checked_add(1).ok_or(Error::ManyEndpoints)?;
        self.put_row(NEXT_NUMBER.to_vec(), record::encode(&self.next.next_number));
        let since = *self.shared.head.borrow();
        Ok(Record { number, since, created: self.now(), state: State::Active, stored: None, gone: None })
    }

    /// Puts a record, and the endpoint that it and the file make.
    pub fn put(&mut self, id: &EndpointId, record: Record) -> Result<Option<Arc<Endpoint>>, Error> {
        let endpoint = self.endpoint(id, &record)?.map(Arc::new);
        match &endpoint {
            Some(endpoint) => self.next.endpoints.insert(id.clone(), Arc::clone(endpoint)),
            None => self.next.endpoints.remove(id),
        };
        if self.next.records.get(id) != Some(&record) {
            self.put_row(record::key(id), record::encode(&record));
            self.next.records.insert(id.clone(), record);
        }
        Ok(endpoint)
    }

    /// Removes an endpoint with all that is known of it.
    pub fn remove(&mut self, id: &EndpointId) {
        self.next.endpoints.remove(id);
        self.next.records.remove(id);
        self.delete_row(record::key(id));
    }

    pub fn put_topic(&mut self, account: &AccountId, name: &TopicName) -> Result<(), Error> {
        if self.next.topics.len() >= MAX_TOPICS {
            return Err(Error::ManyTopics);
        }
        let topic = TopicRecord { created: self.now() };
        self.put_row(record::topic_key(account, name), record::encode(&topic));
        self.next.topics.insert((account.clone(), name.clone()), topic);
        Ok(())
    }

    /// Removes a topic; whether there was one.
    pub fn remove_topic(&mut self, account: &AccountId, name: &TopicName) -> bool {
        self.delete_row(record::topic_key(account, name));
        self.next.topics.remove(&(account.clone(), name.clone())).is_some()
    }

    fn endpoint(&self, id: &EndpointId, record: &Record) -> Result<Option<Endpoint>, Error> {
        let limits = &self.shared.settings.limits;
        if let Some(definition) = self.next.declared.get(id) {
            return record.declared(id, definition, limits).map(Some);
        }
        let Some(stored) = &record.stored else { return Ok(None) };
        let opened = stored.open(&self.shared.master, id, record.number)?;
        Ok(Some(record.endpoint(id, stored, opened, limits)))
    }

    fn put_row(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.commit = std::mem::take(&mut self.commit).put(ENDPOINTS, key, value);
    }

    fn delete_row(&mut self, key: Vec<u8>) {
        self.commit = std::mem::take(&mut self.commit).delete(ENDPOINTS, key);
    }
}
