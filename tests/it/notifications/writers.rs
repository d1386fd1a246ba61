//! Clients that change keys of their own, and know what was acknowledged and what may have happened.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dice::Dice;
use crate::raw::Answer;
use crate::signed::Signed;

/// How many keys a writer has in each bucket.
const KEYS: u64 = 8;
const TAGS: &str = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";

/// A change that was asked for.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub bucket: &'static str,
    pub key: String,
    /// The event that it makes.
    pub name: &'static str,
}

/// A change that was acknowledged.
#[derive(Debug)]
pub struct Happened {
    pub attempt: Attempt,
    pub request: String,
    /// What a PUT was answered: no other has the same.
    pub etag: Option<String>,
}

/// One client.
pub struct Writer {
    number: usize,
    dice: Dice,
    buckets: &'static [&'static str],
    /// Whether a key has an object; what is not here is not known.
    there: HashMap<(&'static str, String), bool>,
    pub happened: Vec<Happened>,
    /// What was under way when the server was killed.
    pub unknown: Vec<Attempt>,
}

impl Writer {
    pub fn several(count: usize, buckets: &'static [&'static str], dice: &Dice) -> Vec<Self> {
        let writer = |number| Self {
            number,
            dice: dice.fork(number as u64),
            buckets,
            there: HashMap::new(),
            happened: Vec::new(),
            unknown: Vec::new(),
        };
        (0..count).map(writer).collect()
    }

    /// Changes keys until all writers together made `limit` changes, or the server is gone.
    pub async fn run(&mut self, client: &Signed, made: &AtomicUsize, limit: usize) {
        while made.load(Ordering::Relaxed) < limit {
            let attempt = self.choose();
            let place = (attempt.bucket, attempt.key.clone());
            let Some(answer) = self.ask(client, &attempt).await else {
                self.there.remove(&place);
                self.unknown.push(attempt);
                return;
            };
            assert!(matches!(answer.status, 200 | 204), "{attempt:?}: {answer:?}");
            let request = answer.header("x-amz-request-id").expect("every answer has one").to_owned();
            self.there.insert(place, !attempt.name.starts_with("ObjectRemoved"));
            let etag = answer.header("etag").map(|etag| etag.trim_matches('"').to_owned());
            self.happened.push(Happened { attempt, request, etag });
            made.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn choose(&mut self) -> Attempt {
        let bucket = self.buckets[self.dice.below(self.buckets.len() as u64) as usize];
        let key = format!("w{}/k{}", self.number, self.dice.below(KEYS));
        let there = self.there.get(&(bucket, key.clone())).copied().unwrap_or_default();
        let name = match self.dice.below(100) {
            0..=14 if there => "ObjectRemoved:Delete",
            15..=24 if there => "ObjectCreated:Copy",
            25..=34 if there => "ObjectTagging:Put",
            _ => "ObjectCreated:Put",
        };
        Attempt { bucket, key, name }
    }

    async fn ask(&mut self, client: &Signed, attempt: &Attempt) -> Option<Answer> {
        let target = format!("/{}/{}", attempt.bucket, attempt.key);
        match attempt.name {
            "ObjectRemoved:Delete" => client.try_send("DELETE", &target, &[], "").await,
            "ObjectTagging:Put" => client.try_send("PUT", &format!("{target}?tagging"), &[], TAGS).await,
            "ObjectCreated:Copy" => {
                let headers = [("x-amz-copy-source", target.as_str()), ("x-amz-metadata-directive", "REPLACE")];
                client.try_send("PUT", &target, &headers, "").await
            }
            _ => client.try_send("PUT", &target, &[], self.dice.next().to_string()).await,
        }
    }
}
