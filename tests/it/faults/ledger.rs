//! What was acknowledged, and so must be there.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};

use crate::harness::noise;
use crate::raw::Answer;
use crate::signed::Signed;

/// What is under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    Absent,
    Present(Body),
}

/// The bytes of an object, by what they are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub size: usize,
    pub seed: u64,
    /// Whether they were uploaded as one part: the ETag tells.
    pub part: bool,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged, as this position of the change log where the answer says so.
    Done(Option<u64>),
    /// It was refused for what it asked, and did nothing.
    Refused,
    /// The answer was an error of the server's, or did not come: it happened or not.
    Unknown,
}

/// The history of the keys that one client alone changes.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    keys: BTreeMap<String, History>,
}

#[derive(Debug, Clone)]
struct History {
    /// Acknowledged states, oldest first, and since which position they hold.
    acknowledged: Vec<(Option<u64>, Object)>,
    /// Later ones that nobody acknowledged.
    possible: Vec<Object>,
    /// What was asked for and what became of it, to be read where something is wrong.
    trail: Vec<String>,
}

/// What is found under a key: one of the known states, or something else, in words.
pub type Found = Result<Object, String>;

impl Body {
    pub fn bytes(&self) -> Vec<u8> {
        noise(self.size, self.seed)
    }

    fn etag(&self) -> String {
        let md5 = Md5::digest(self.bytes());
        match self.part {
            true => format!("\"{}-1\"", hex::encode(Md5::digest(md5))),
            false => format!("\"{}\"", hex::encode(md5)),
        }
    }
}

impl Outcome {
    /// Judges an answer; `None` is an answer that did not come.
    pub fn of(answer: &Option<Answer>) -> Self {
        match answer {
            // A completion may send its status before its outcome.
            Some(answer) if answer.status < 300 && !answer.text().contains("<Error>") => {
                Self::Done(answer.header("x-brim-position").and_then(|position| position.parse().ok()))
            }
            Some(answer) if (400..500).contains(&answer.status) => Self::Refused,
            _ => Self::Unknown,
        }
    }
}

impl Ledger {
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Writes down that `key` was to become any of `states`.
    pub fn record(&mut self, key: &str, states: &[Object], outcome: Outcome) {
        let history = self.keys.entry(key.to_owned()).or_default();
        history.trail.push(format!("{states:?}: {outcome:?}"));
        match (outcome, states) {
            (Outcome::Refused, _) => {}
            (Outcome::Done(position), [state]) => {
                // What changed nothing, such as deleting what is not there, has no position: it holds since the last one.
                let position = position.or(history.acknowledged.last().and_then(|(position, _)| *position));
                history.acknowledged.push((position, state.clone()));
                history.possible.clear();
            }
            // A copy of what is not known for sure.
            (Outcome::Done(_), _) => {
                history.acknowledged.clear();
                history.possible = states.to_vec();
            }
            (Outcome::Unknown, _) => history.possible.extend_from_slice(states),
        }
    }

    /// What may be under `key`, as far as its client knows.
    pub fn allowed(&self, key: &str) -> Vec<Object> {
        self.keys.get(key).map_or_else(|| vec![Object::Absent], History::allowed)
    }

    /// Takes what was found for what is there.
    fn settle(&mut self, key: &str, found: Object) {
        let history = self.keys.entry(key.to_owned()).or_default();
        history.trail = vec![format!("found {found:?}")];
        history.acknowledged = vec![(None, found)];
        history.possible.clear();
    }

    /// All positions at which something was acknowledged.
    pub fn positions(&self) -> impl Iterator<Item = u64> {
        self.keys.values().flat_map(|history| history.acknowledged.iter().filter_map(|(position, _)| *position))
    }

    /// Whether `found` is what `key` was when the change log ended with `position`.
    pub fn was(&self, key: &str, position: u64, found: &Object) -> bool {
        let Some(history) = self.keys.get(key) else { return *found == Object::Absent };
        let since = |at: &Option<u64>| at.is_none_or(|at| at <= position);
        let last = history.acknowledged.iter().rev().find(|(at, _)| since(at));
        let all = history.acknowledged.last().is_none_or(|(at, _)| since(at));
        *last.map_or(&Object::Absent, |(_, state)| state) == *found || (all && history.possible.contains(found))
    }

    /// Every state that `key` ever had.
    fn ever(&self, key: &str) -> Vec<Object> {
        let Some(history) = self.keys.get(key) else { return vec![Object::Absent] };
        let states = history.acknowledged.iter().map(|(_, state)| state).chain(&history.possible);
        [Object::Absent].iter().chain(states).cloned().collect()
    }

    /// Reads `key` whole and says which of its states it has.
    pub async fn read(&self, client: &Signed, bucket: &str, key: &str) -> Found {
        let target = format!("/{bucket}/{key}");
        let answer = client.try_send("GET", &target, &[], "").await.ok_or_else(|| format!("{key}: cut short"))?;
        let head = client.try_send("HEAD", &target, &[], "").await.ok_or_else(|| format!("{key}: no answer"))?;
        match answer.error() {
            (404, code) if code == "NoSuchKey" && head.status == 404 => return Ok(Object::Absent),
            (200, _) if head.status == 200 && head.header("etag") == answer.header("etag") => {}
            (status, code) => return Err(format!("{key}: {status} {code}, HEAD {}", head.status)),
        }
        let found = self.ever(key).into_iter().find(|state| match state {
            Object::Present(body) => {
                body.size == answer.body.len()
                    && answer.header("etag") == Some(&body.etag())
                    && body.bytes() == answer.body
            }
            Object::Absent => false,
        });
        found.ok_or_else(|| format!("{key}: {} bytes that it never had", answer.body.len()))
    }
}

impl Default for History {
    /// Nothing was there before the first change.
    fn default() -> Self {
        Self { acknowledged: vec![(None, Object::Absent)], possible: Vec::new(), trail: Vec::new() }
    }
}

impl History {
    fn allowed(&self) -> Vec<Object> {
        self.acknowledged.last().map(|(_, state)| state).into_iter().chain(&self.possible).cloned().collect()
    }
}

/// Everything that is wrong with what is found, in words: an acknowledged change that is not there, bytes that were
/// never written, keys that nobody made, listed objects that cannot be read. What is found is what the ledgers hold then.
pub async fn losses(client: &Signed, bucket: &str, ledgers: &mut [Ledger]) -> Vec<String> {
    let mut losses = Vec::new();
    let mut present = BTreeSet::new();
    for ledger in ledgers {
        for key in ledger.keys().map(str::to_owned).collect::<Vec<_>>() {
            match ledger.read(client, bucket, &key).await {
                Ok(found) => {
                    if !ledger.allowed(&key).contains(&found) {
                        let (allowed, trail) = (ledger.allowed(&key), &ledger.keys[&key].trail);
                        losses.push(format!("{key}: {found:?} instead of {allowed:?} after {trail:#?}"));
                    }
                    if found != Object::Absent {
                        present.insert(key.clone());
                    }
                    ledger.settle(&key, found);
                }
                Err(wrong) => {
                    present.insert(key);
                    losses.push(wrong);
                }
            }
        }
    }
    let listed = list(client, bucket).await;
    losses.extend(listed.symmetric_difference(&present).map(|key| format!("{key}: listed or present, not both")));
    losses
}

/// Lists the whole bucket, in pages.
pub async fn list(client: &Signed, bucket: &str) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    let mut token = String::new();
    loop {
        let page = client.get(&format!("/{bucket}?list-type=2&max-keys=100{token}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        listed.extend(page.elements("Key"));
        match page.element("NextContinuationToken") {
            Some(next) => {
                token =
                    format!("&continuation-token={}", next.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"))
            }
            None => return listed,
        }
    }
}
