//! Clients that change objects, and write down what was acknowledged.

use std::time::Duration;

use super::ledger::{Body, Ledger, Object, Outcome};
use crate::dice::Dice;
use crate::raw::Answer;
use crate::signed::Signed;

/// How many keys each client has: few, so that most changes overwrite or delete something.
const KEYS: u64 = 24;

/// How many kinds of changes there are, and how many of them always say their position.
pub const KINDS: u64 = 15;
const POSITIONED_KINDS: u64 = 11;

/// Bodies that are written past the page cache, but for an end that is not aligned.
const LARGE: (u64, u64) = ((1 << 20) + 1, 3 << 20);

/// Of so many multipart uploads one has a large part.
const LARGE_PARTS: u64 = 4;

/// The bucket that all of them write to.
pub const BUCKET: &str = "kept";

/// What a failing disk may be told as.
const SERVER_ERRORS: [(u16, &str); 4] =
    [(500, "InternalError"), (503, "ServiceUnavailable"), (503, "SlowDown"), (507, "InsufficientStorage")];

/// Which changes a client makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// All kinds.
    All,
    /// Those whose answer says its position in the change log.
    Positioned,
}

/// One client and the keys that are its own.
pub struct Worker {
    pub ledger: Ledger,
    name: String,
    mix: Mix,
    dice: Dice,
    /// Whether its own second bucket may be there or not.
    side_bucket: Vec<bool>,
}

impl Worker {
    /// Makes `count` clients; different names have different keys.
    pub fn several(count: u64, name: &str, mix: Mix, dice: &Dice) -> Vec<Self> {
        let worker = |number| Self {
            ledger: Ledger::default(),
            name: format!("{name}{number}"),
            mix,
            dice: dice.fork(number),
            side_bucket: vec![false],
        };
        (0..count).map(worker).collect()
    }

    /// Makes one change of each of these kinds; panics where the server is gone.
    pub async fn run_fixed(&mut self, client: &Signed, kinds: &[u64]) {
        for kind in kinds {
            assert!(self.step_of(client, *kind).await.is_some(), "the server is gone, or cut an answer short");
        }
    }

    /// Changes things until the server is gone or `most` changes are made; gives how many were acknowledged.
    pub async fn run(&mut self, client: &Signed, most: usize) -> usize {
        let mut done = 0;
        for _ in 0..most {
            match self.step(client).await {
                Some(Outcome::Done(_)) => done += 1,
                Some(_) => {}
                None => break,
            }
        }
        done
    }

    /// Makes one change; `None` where the server is gone.
    async fn step(&mut self, client: &Signed) -> Option<Outcome> {
        let kind = self.dice.below(if self.mix == Mix::All { KINDS } else { POSITIONED_KINDS });
        self.step_of(client, kind).await
    }

    async fn step_of(&mut self, client: &Signed, kind: u64) -> Option<Outcome> {
        let key = format!("{}/{}", self.name, self.dice.below(KEYS));
        match kind {
            0..=1 => self.put(client, &key, 0, 2_000).await,
            2..=4 => self.put(client, &key, 20_000, 32_768).await,
            5..=6 => self.put(client, &key, 33_000, 200_000).await,
            7 => self.put(client, &key, LARGE.0, LARGE.1).await,
            8..=9 => self.delete(client, &key).await,
            10 => self.copy(client, &key).await,
            11 => self.rename(client, &key).await,
            12 => self.side_bucket(client).await,
            13 => self.check(client, &key).await,
            _ => self.multipart(client, &key).await,
        }
    }

    fn body_between(&mut self, (least, most): (u64, u64), part: bool) -> Body {
        let size = least + self.dice.below(most + 1 - least);
        Body { size: size as usize, seed: self.dice.next(), part }
    }

    async fn put(&mut self, client: &Signed, key: &str, least: u64, most: u64) -> Option<Outcome> {
        let body = self.body_between((least, most), false);
        self.put_body(client, key, body).await
    }

    pub async fn put_body(&mut self, client: &Signed, key: &str, body: Body) -> Option<Outcome> {
        let answer = client.try_send("PUT", &format!("/{BUCKET}/{key}"), &[], body.bytes()).await;
        self.noted(key, &[Object::Present(body)], answer)
    }

    pub async fn delete(&mut self, client: &Signed, key: &str) -> Option<Outcome> {
        let answer = client.try_send("DELETE", &format!("/{BUCKET}/{key}"), &[], "").await;
        self.noted(key, &[Object::Absent], answer)
    }

    async fn copy(&mut self, client: &Signed, key: &str) -> Option<Outcome> {
        let source = format!("{}/{}", self.name, self.dice.below(KEYS));
        let copied = self.ledger.allowed(&source);
        let header = format!("/{BUCKET}/{source}");
        let headers = [("x-amz-copy-source", header.as_str()), ("x-amz-metadata-directive", "REPLACE")];
        let answer = client.try_send("PUT", &format!("/{BUCKET}/{key}"), &headers, "").await;
        self.noted(key, &copied, answer)
    }

    async fn rename(&mut self, client: &Signed, key: &str) -> Option<Outcome> {
        let source = format!("{}/{}", self.name, self.dice.below(KEYS));
        let [Object::Present(moved)] = &self.ledger.allowed(&source)[..] else { return Some(Outcome::Refused) };
        if source == key {
            return Some(Outcome::Refused);
        }
        let moved = Object::Present(moved.clone());
        let target = format!("/{BUCKET}/{key}?renameObject=");
        let answer = client.try_send("PUT", &target, &[("x-amz-rename-source", &source)], "").await;
        self.ledger.record(&source, &[Object::Absent], Outcome::of(&answer));
        self.noted(key, &[moved], answer)
    }

    async fn multipart(&mut self, client: &Signed, key: &str) -> Option<Outcome> {
        let large = self.dice.below(LARGE_PARTS) == 0;
        let body = self.body_between(if large { LARGE } else { (1, 120_000) }, true);
        let target = format!("/{BUCKET}/{key}");
        let begun = client.try_send("POST", &format!("{target}?uploads="), &[], "").await?;
        let Some(upload) = begun.element("UploadId") else { return Some(Outcome::Unknown) };
        let part = format!("{target}?partNumber=1&uploadId={upload}");
        let part = client.try_send("PUT", &part, &[], body.bytes()).await?;
        let Some(etag) = part.header("etag").filter(|_| part.status == 200) else { return Some(Outcome::Unknown) };
        let list = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
        let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        let answer = client.try_send("POST", &format!("{target}?uploadId={upload}"), &[], list).await;
        self.noted(key, &[Object::Present(body)], answer)
    }

    /// Makes or deletes a bucket of its own.
    async fn side_bucket(&mut self, client: &Signed) -> Option<Outcome> {
        let make = !self.side_bucket.contains(&true);
        let target = format!("/{}-side", self.name);
        let answer = client.try_send(if make { "PUT" } else { "DELETE" }, &target, &[], "").await;
        match Outcome::of(&answer) {
            Outcome::Done(_) => self.side_bucket = vec![make],
            Outcome::Refused => {}
            Outcome::Unknown => self.side_bucket.push(make),
        }
        answer.map(|answer| Outcome::of(&Some(answer)))
    }

    /// Reads a key while others write.
    async fn check(&mut self, client: &Signed, key: &str) -> Option<Outcome> {
        let target = format!("/{BUCKET}/{key}");
        let answer = client.try_send("GET", &target, &[], "").await?;
        if answer.status >= 500 {
            return Some(Outcome::Unknown);
        }
        let found = match answer.status {
            200 => answer.body.len(),
            _ => 0,
        };
        let allowed = self.ledger.allowed(key);
        let fits = allowed.iter().any(|state| match state {
            Object::Absent => answer.status == 404,
            Object::Present(body) => answer.status == 200 && body.bytes() == answer.body,
        });
        assert!(fits, "{key}: {} with {found} bytes, where {allowed:?} was expected", answer.status);
        Some(Outcome::Refused)
    }

    /// Whether the second bucket is there or not, as it may be; what is found counts from now on.
    pub async fn side_bucket_loss(&mut self, client: &Signed) -> Option<String> {
        let target = format!("/{}-side", self.name);
        let found = client.head(&target).await.status == 200;
        let allowed = std::mem::replace(&mut self.side_bucket, vec![found]);
        (!allowed.contains(&found)).then(|| format!("{target}: present is {found} instead of {allowed:?}"))
    }

    fn noted(&mut self, key: &str, states: &[Object], answer: Option<Answer>) -> Option<Outcome> {
        let outcome = Outcome::of(&answer);
        if let Some(answer) = answer.as_ref().filter(|answer| answer.status >= 500) {
            let (status, code) = answer.error();
            assert!(SERVER_ERRORS.contains(&(status, code.as_str())), "{key}: {status} {code:?}");
        }
        self.ledger.record(key, states, outcome);
        answer.map(|_| outcome)
    }
}

/// Runs all of them at once, `most` changes each at the most, until the server is gone; gives how many changes were
/// acknowledged.
pub async fn run_all(workers: &mut Vec<Worker>, client: &Signed, most: usize) -> usize {
    let running: Vec<_> = std::mem::take(workers)
        .into_iter()
        .map(|mut worker| {
            let client = Signed::new(client.address, &client.access_key, &client.secret_key);
            tokio::spawn(async move {
                let done = worker.run(&client, most).await;
                (worker, done)
            })
        })
        .collect();
    let mut acknowledged = 0;
    for one in running {
        let (worker, done) = one.await.expect("no worker finds anything wrong");
        workers.push(worker);
        acknowledged += done;
    }
    acknowledged
}

/// A moment between the two, in milliseconds.
pub fn moment(dice: &mut Dice, from: u64, to: u64) -> Duration {
    Duration::from_millis(from + dice.below(to - from))
}
