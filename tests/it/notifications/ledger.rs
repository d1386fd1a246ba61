//! What a receiver was told, and whether that is all of what happened, only what happened, and in order.

use std::collections::{BTreeMap, HashMap};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::receiver::Message;
use super::writers::{Attempt, Happened};

/// How many faults are kept: the first ones say what is wrong.
const MAX_FAULTS: usize = 10;

/// What one receiver was told.
pub struct Ledger {
    secret: Vec<u8>,
    /// Whether events of one key must come in order.
    ordered: bool,
    /// By id of message, which must always have one body.
    bodies: HashMap<String, Vec<u8>>,
    /// By request and key.
    told: HashMap<(String, String), Told>,
    /// The events of each key that came, and whether they were accepted.
    come: HashMap<String, BTreeMap<u64, bool>>,
    faults: Vec<String>,
    attempts: usize,
}

struct Told {
    name: String,
    etag: String,
    /// The message that told of it.
    id: String,
    accepted: bool,
}

impl Ledger {
    /// Of an endpoint with this secret, whose `whsec_` is left out.
    pub fn new(secret: &str, ordered: bool) -> Self {
        Self {
            secret: BASE64.decode(secret).expect("base64"),
            ordered,
            bodies: HashMap::new(),
            told: HashMap::new(),
            come: HashMap::new(),
            faults: Vec::new(),
            attempts: 0,
        }
    }

    pub fn attempts(&self) -> usize {
        self.attempts
    }

    /// Takes a message down. `accepted`: whether the receiver is going to say that it has it.
    pub fn note(&mut self, message: &Message, accepted: bool) {
        self.attempts += 1;
        if message.asked != "POST /hook HTTP/1.1" {
            self.fault(format!("{} was sent by {}", message.id, message.asked));
        }
        if !self.is_genuine(message) {
            self.fault(format!("{} is not signed", message.id));
        }
        let known = self.bodies.entry(message.id.clone()).or_insert_with(|| message.body.clone());
        if *known != message.body {
            self.fault(format!("{} has two bodies", message.id));
        }
        let document: Value = serde_json::from_slice(&message.body).expect("JSON");
        for record in document["Records"].as_array().into_iter().flatten() {
            self.note_record(&message.id, record, accepted);
        }
    }

    fn note_record(&mut self, id: &str, record: &Value, accepted: bool) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (request, name) = (text(&record["responseElements"]["x-amz-request-id"]), text(&record["eventName"]));
        // The keys of the test are the same in their encoded form.
        let key = text(&record["s3"]["object"]["key"]);
        if self.ordered
            && let Some(sequencer) = record["s3"]["object"]["sequencer"].as_str()
        {
            let sequencer = u64::from_str_radix(sequencer, 16).expect("hexadecimal digits");
            self.note_order(&key, sequencer, accepted);
        }
        let etag = text(&record["s3"]["object"]["eTag"]);
        let first = || Told { name: name.clone(), etag, id: id.to_owned(), accepted };
        let told = self.told.entry((request, key)).or_insert_with(first);
        told.accepted |= accepted;
        if (told.name.as_str(), told.id.as_str()) != (name.as_str(), id) {
            let fault = format!("one change is both {} in {} and {name} in {id}", told.name, told.id);
            self.fault(fault);
        }
    }

    /// An event may come again, also together with those behind it where the server was killed before it could note that they
    /// were accepted. One that comes for the first time is the newest of its key, and the one before it was accepted.
    fn note_order(&mut self, key: &str, sequencer: u64, accepted: bool) {
        let come = self.come.entry(key.to_owned()).or_default();
        let newest = come.last_key_value().map(|(sequencer, accepted)| (*sequencer, *accepted));
        let known = come.get(&sequencer).copied();
        come.insert(sequencer, accepted || known.unwrap_or_default());
        match (known, newest) {
            (None, Some((newest, _))) if sequencer < newest => {
                self.fault(format!("{key}: {sequencer:x} came after {newest:x}"));
            }
            (None, Some((newest, false))) => self.fault(format!("{key}: {sequencer:x} passed {newest:x}")),
            _ => {}
        }
    }

    /// By the specification of Standard Webhooks: HMAC-SHA256 over id, timestamp and body.
    fn is_genuine(&self, message: &Message) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let head = format!("{}.{}.", message.id, message.timestamp);
        let signed = [head.as_bytes(), &message.body].concat();
        let given = message.signature.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
        given.filter_map(|text| BASE64.decode(text).ok()).any(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    /// How many of those that were acknowledged are not here yet.
    pub fn missing(&self, happened: &[&Happened]) -> usize {
        happened.iter().filter(|happened| !self.has(happened)).count()
    }

    fn has(&self, happened: &Happened) -> bool {
        let place = (happened.request.clone(), happened.attempt.key.clone());
        self.told.get(&place).is_some_and(|told| {
            let same = happened.etag.as_ref().is_none_or(|etag| told.etag == *etag);
            told.accepted && same && told.name == happened.attempt.name
        })
    }

    /// What is wrong: what is missing, what did not happen, and what came as it may not.
    pub fn faults(&self, happened: &[&Happened], unknown: &[&Attempt]) -> Vec<String> {
        let missing = happened.iter().filter(|happened| !self.has(happened)).map(|one| format!("never came: {one:?}"));
        let mut known: HashMap<(&str, &str), &str> = HashMap::new();
        for one in happened {
            known.insert((&one.request, &one.attempt.key), one.attempt.name);
        }
        // Of what was under way at a kill, each may have happened once.
        let mut possible: HashMap<(&str, &str), usize> = HashMap::new();
        for attempt in unknown {
            *possible.entry((&attempt.key, attempt.name)).or_default() += 1;
        }
        let mut invented = Vec::new();
        for ((request, key), told) in &self.told {
            if known.get(&(request.as_str(), key.as_str())).is_some_and(|name| *name == told.name) {
                continue;
            }
            match possible.get_mut(&(key.as_str(), told.name.as_str())) {
                Some(left) if *left > 0 => *left -= 1,
                _ => invented.push(format!("did not happen: {} of {key} by {request}", told.name)),
            }
        }
        let all = self.faults.iter().cloned().chain(missing.take(MAX_FAULTS));
        all.chain(invented.into_iter().take(MAX_FAULTS)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

    fn attempt() -> Attempt {
        Attempt { bucket: "b", key: "k".into(), name: "ObjectCreated:Put" }
    }

    fn happened(request: &str) -> Happened {
        Happened { attempt: attempt(), request: request.into(), etag: Some("e".into()) }
    }

    /// A message about one change of the key `k`.
    fn message(request: &str, sequencer: u64) -> Message {
        let body = format!(
            r#"{{"Records":[{{"eventName":"ObjectCreated:Put","responseElements":{{"x-amz-request-id":"{request}"}},
            "s3":{{"object":{{"key":"k","eTag":"e","sequencer":"{sequencer:016X}"}}}}}}]}}"#
        );
        let (id, timestamp) = (format!("msg_{request}"), "1".to_owned());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(SECRET).unwrap());
        let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
        let (asked, signature) = ("POST /hook HTTP/1.1".to_owned(), format!("v1,{}", BASE64.encode(tag)));
        Message { asked, id, timestamp, signature, body: body.into() }
    }

    fn told(messages: &[(Message, bool)]) -> Ledger {
        let mut ledger = Ledger::new(SECRET, true);
        messages.iter().for_each(|(message, accepted)| ledger.note(message, *accepted));
        ledger
    }

    #[test]
    fn what_is_right_has_no_fault() {
        let (a, b) = (happened("a"), happened("b"));
        let again =
            [(message("a", 1), false), (message("a", 1), true), (message("b", 2), true), (message("a", 1), true)];
        assert!(told(&again).faults(&[&a, &b], &[]).is_empty());
        assert!(told(&again).faults(&[&a], &[&attempt()]).is_empty(), "b was under way");
    }

    #[test]
    fn every_wrong_is_a_fault() {
        let (a, b) = (happened("a"), happened("b"));
        let other_bytes = Happened { etag: Some("f".into()), ..happened("a") };
        let forged = Message { signature: "v1,AAAA".into(), ..message("a", 1) };
        let other = Message { id: "msg_a".into(), ..message("b", 2) };
        let twice = Message { id: "msg_b".into(), ..message("a", 1) };
        let elsewhere = Message { asked: "GET /elsewhere HTTP/1.1".into(), ..message("a", 1) };
        for (wrong, messages, happened) in [
            ("never came", vec![(message("a", 1), true)], vec![&a, &b]),
            ("never came", vec![(message("a", 1), false)], vec![&a]),
            ("never came", vec![(message("a", 1), true)], vec![&other_bytes]),
            ("did not happen", vec![(message("a", 1), true)], vec![]),
            ("passed", vec![(message("a", 1), false), (message("b", 2), true), (message("a", 1), true)], vec![&a, &b]),
            ("came after", vec![(message("b", 2), true), (message("a", 1), true)], vec![&a, &b]),
            ("is not signed", vec![(forged, true)], vec![&a]),
            ("one change is both", vec![(message("a", 1), true), (twice, true)], vec![&a]),
            ("was sent by GET /elsewhere", vec![(elsewhere, true)], vec![&a]),
            ("has two bodies", vec![(message("a", 1), true), (other, true)], vec![&a, &b]),
        ] {
            let faults = told(&messages).faults(&happened, &[]);
            assert!(faults.iter().any(|fault| fault.contains(wrong)), "{wrong}: {faults:?}");
        }
    }
}
