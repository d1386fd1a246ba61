//! What operators see of deliveries, and ask of them.

use async_trait::async_trait;

use super::Dispatchers;
use super::desk::Shared;
use super::error::Error as Fault;
use super::replay::Replay as Wish;
use super::rows::{self, Delivery, Message};
use crate::events::endpoint::{Endpoint, EndpointId};
use crate::events::operate::{Attempt, DeadLetter, Deliveries, EndpointStatus, Error, MAX_PAGE, Outcome, Page, Replay};
use crate::events::record::{render, test_event};
use crate::events::tables::{self, DEAD_LETTERS, DELIVERIES};
use crate::kv::{Item, Scan};
use crate::names::BucketName;
use crate::store;
use crate::store::codec::decode;

/// The bucket that test messages name.
const TEST_BUCKET: &str = "test";
/// Attempts that are read at a time while failed ones are looked for.
const READ: u64 = 500;

#[async_trait]
impl Deliveries for Dispatchers {
    fn status(&self, id: &EndpointId) -> Option<EndpointStatus> {
        let desk = self.desk(id).ok()?;
        let status = desk.status.lock().clone();
        Some(status)
    }

    async fn test(&self, id: &EndpointId) -> Result<Attempt, Error> {
        let bucket = BucketName::parse(TEST_BUCKET).map_err(|error| Error::Undelivered(error.to_string()))?;
        let now = self.shared.ports.clock.now();
        let request = format!("{:016X}", now.as_millis());
        let message = test_event(&bucket, &request, &self.shared.origin.host_id, now);
        let (sequence, delivery) = self.send_once(id, message).await?;
        Ok(attempt(sequence, delivery))
    }

    async fn attempts(
        &self,
        id: &EndpointId,
        after: Option<&str>,
        failed: bool,
        limit: usize,
    ) -> Result<Page<Attempt>, Error> {
        let endpoint = self.desk(id)?.endpoint.borrow().clone();
        let before = match after {
            Some(after) => after.parse().map_err(|_| Error::Page(after.to_owned()))?,
            None => u64::MAX,
        };
        Ok(self.shared.attempts(&endpoint, before, failed, limit.clamp(1, MAX_PAGE)).await?)
    }

    async fn dead_letters(
        &self,
        id: &EndpointId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, Error> {
        let endpoint = self.desk(id)?.endpoint.borrow().clone();
        let prefix = tables::endpoint(endpoint.number);
        let start = match after {
            Some(after) => {
                [&prefix[..], &hex::decode(after).map_err(|_| Error::Page(after.to_owned()))?, b"\0"].concat()
            }
            None => prefix.to_vec(),
        };
        let scan = Scan { start, ..Scan::prefix(DEAD_LETTERS, &prefix, limit.clamp(1, MAX_PAGE)) };
        let page = self.shared.ports.kv.scan(scan).await.map_err(Fault::Kv)?;
        let (mut items, mut last) = (Vec::new(), None);
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            items.push(self.shared.letter(&endpoint, &decode(&value)?));
            last = Some(hex::encode(&key[prefix.len()..]));
        }
        Ok(Page { items, next: last.filter(|_| page.more) })
    }

    async fn replay(&self, id: &EndpointId, what: Replay) -> Result<Option<u64>, Error> {
        let named = |bucket: &str| BucketName::parse(bucket).map_err(|_| Error::NoSuchBucket(bucket.to_owned()));
        let wish = match what {
            Replay::Dead { messages } if messages.is_empty() => Wish::DeadLetters,
            Replay::Dead { messages } => Wish::Messages(messages),
            Replay::Window { time, bucket, prefix } => {
                let bucket = bucket.as_deref().map(named).transpose()?;
                Wish::Window { from: time.start, to: time.end, bucket, prefix }
            }
            Replay::Present { bucket, prefix } => Wish::Present { bucket: named(&bucket)?, prefix },
        };
        Ok(self.resend(id, wish).await?)
    }
}

impl Shared {
    /// Attempts with numbers below `before`, the newest first.
    async fn attempts(
        &self,
        endpoint: &Endpoint,
        before: u64,
        failed: bool,
        limit: usize,
    ) -> Result<Page<Attempt>, Fault> {
        let (first, next) = self.progress(endpoint).await?.attempts;
        let (mut items, mut end) = (Vec::new(), before.min(next));
        while end > first && items.len() < limit {
            let start = end.saturating_sub(READ).max(first);
            let rows = self.attempts_between(endpoint.number, start, end).await?;
            let wanted = rows.into_iter().rev().map(|(sequence, row)| attempt(sequence, row));
            items.extend(wanted.filter(|attempt| !failed || attempt.error.is_some()).take(limit - items.len()));
            end = start;
        }
        let full = items.len() == limit;
        let last = items.last().map(|last: &Attempt| last.sequence).filter(|last| full && *last > first);
        Ok(Page { items, next: last.map(|last| last.to_string()) })
    }

    async fn attempts_between(&self, number: u32, start: u64, end: u64) -> Result<Vec<(u64, Delivery)>, Fault> {
        let bytes = |sequence| tables::numbered(number, sequence).to_vec();
        let (start, end) = (bytes(start), bytes(end));
        let scan = Scan { table: DELIVERIES, start, end, limit: READ as usize, group: None };
        let mut rows = Vec::new();
        for item in self.ports.kv.scan(scan).await?.items {
            let Item::Row { key, value } = item else { continue };
            let sequence = tables::parse_numbered(&key).ok_or(store::Error::Record("an attempt's key"))?;
            rows.push((sequence, decode(&value)?));
        }
        Ok(rows)
    }

    fn letter(&self, endpoint: &Endpoint, message: &Message) -> DeadLetter {
        let id = message.id.clone();
        DeadLetter {
            message: id.unwrap_or_else(|| render(endpoint.format, &message.events(&self.origin)).id),
            event: message.events.first().map(rows::MessageEvent::summary),
            events: u32::try_from(message.events.len()).unwrap_or(u32::MAX),
            at: message.events.iter().map(|event| event.change.at).min().unwrap_or(message.since),
            given_up: message.due,
            attempts: message.attempts,
            error: message.failure.clone(),
        }
    }
}

fn attempt(sequence: u64, delivery: Delivery) -> Attempt {
    Attempt {
        sequence,
        message: delivery.message,
        at: delivery.at,
        attempt: delivery.attempt,
        event: delivery.event,
        events: delivery.events,
        status: delivery.status,
        took: std::time::Duration::from_millis(delivery.millis),
        error: delivery.error,
        answer: delivery.answer,
        outcome: match delivery.outcome {
            rows::Outcome::Delivered | rows::Outcome::Test { delivered: true } => Outcome::Delivered,
            rows::Outcome::Retry(_) => Outcome::Deferred,
            rows::Outcome::Dead | rows::Outcome::Test { delivered: false } => Outcome::Dead,
        },
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSuch(id) => Self::NoSuch(id),
            Fault::ManyReplays(_) => Self::Replaying,
            Fault::Trimmed(first) => Self::Trimmed(first),
            Fault::Store(store::Error::NoSuchBucket(bucket)) => Self::NoSuchBucket(bucket.to_string()),
            Fault::Store(error) => Self::Store(error),
            Fault::Kv(error) => Self::Store(error.into()),
            other => Self::Undelivered(other.to_string()),
        }
    }
}
