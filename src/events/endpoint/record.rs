//! The rows of endpoints and topics: a version byte, then the record. What is secret rests sealed under the master key.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::definition::{Definition, Endpoint, Limits, Origin, Secrets, State};
use super::error::Error;
use super::given::Given;
use super::names::{EndpointId, EndpointName, TopicName};
use super::options::{OPTIONS, OptionFault};
use crate::clock::Timestamp;
use crate::events::sign::SigningSecret;
use crate::identity::{MasterKey, Sealed};
use crate::names::AccountId;
use crate::store::Position;

const VERSION: u8 = 1;

/// The row of the number that the next endpoint gets.
pub const NEXT_NUMBER: &[u8] = b"n";
/// Where the rows of all endpoints start.
pub const ENDPOINT: u8 = b'e';
/// Where the rows of all topics start.
pub const TOPIC: u8 = b't';

/// What is kept of an endpoint. What the file declares of one is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub number: u32,
    /// The end of the log when it was made.
    pub since: u64,
    pub created: Timestamp,
    pub state: State,
    pub stored: Option<Stored>,
    /// When the file ceased to declare it, where nothing else defines it.
    pub gone: Option<Timestamp>,
}

/// An endpoint that commands defined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub origin: Origin,
    pub topic: Option<TopicName>,
    /// The options that may be shown, as texts.
    pub open: BTreeMap<String, String>,
    /// [`Hidden`], as JSON.
    pub sealed: Sealed,
}

/// What is kept of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicRecord {
    pub created: Timestamp,
}

/// What is sealed of an endpoint.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Hidden {
    pub options: Given,
    /// The secret before, and until when it signs.
    pub previous: Option<(Zeroing, Timestamp)>,
}

/// A text that is wiped when it is dropped.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Zeroing(Zeroizing<String>);

/// A definition as it is stored, opened.
pub struct Opened {
    pub definition: Arc<Definition>,
    pub given: Given,
    pub secrets: Secrets,
}

pub fn key(id: &EndpointId) -> Vec<u8> {
    [&[ENDPOINT], id.account.as_str().as_bytes(), id.name.as_str().as_bytes()].concat()
}

pub fn topic_key(account: &AccountId, name: &TopicName) -> Vec<u8> {
    [&[TOPIC], account.as_str().as_bytes(), name.as_str().as_bytes()].concat()
}

/// The account and the name of a row's key.
pub fn parse_key(key: &[u8]) -> Option<(AccountId, &str)> {
    let text = std::str::from_utf8(key.get(1..)?).ok()?;
    let (account, name) = text.split_at_checked(12)?;
    Some((account.parse().ok()?, name))
}

pub fn endpoint_of(key: &[u8]) -> Option<EndpointId> {
    let (account, name) = parse_key(key)?;
    Some(EndpointId { account, name: EndpointName::parse(name).ok()? })
}

pub fn encode<R: Serialize>(record: &R) -> Vec<u8> {
    postcard::to_extend(record, vec![VERSION]).expect("encoding into a Vec does not fail")
}

/// Gives the record, or `None` if the bytes are damaged or of an unknown version.
pub fn decode<R: DeserializeOwned>(row: &[u8]) -> Option<R> {
    let (&VERSION, rest) = row.split_first()? else { return None };
    let (record, rest) = postcard::take_from_bytes(rest).ok()?;
    rest.is_empty().then_some(record)
}

impl Stored {
    /// Seals what is secret of `given`, among which there is a secret, for the endpoint `id` with this number.
    pub fn seal(
        master: &MasterKey,
        (id, number): (&EndpointId, u32),
        (origin, topic): (Origin, Option<TopicName>),
        given: &Given,
        previous: Option<(SigningSecret, Timestamp)>,
    ) -> Result<Self, Error> {
        let is_secret = |key: &str| OPTIONS.iter().any(|option| option.key == key && option.secret);
        let previous = previous.map(|(secret, until)| (Zeroing(secret.reveal()), until));
        let hidden = Hidden { options: given.filtered(is_secret), previous };
        let text = Zeroizing::new(serde_json::to_string(&hidden).map_err(|_| Error::Record(id.to_string()))?);
        let sealed = master.seal(&sealed_as(id, number), &text).map_err(|_| Error::Random)?;
        let open = given.iter().filter(|(key, _)| !is_secret(key));
        let open = open.map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
        Ok(Self { origin, topic, open, sealed })
    }

    /// The definition with its secrets.
    pub fn open(&self, master: &MasterKey, id: &EndpointId, number: u32) -> Result<Opened, Error> {
        let damaged = || Error::Record(id.to_string());
        let text = master.open(&sealed_as(id, number), &self.sealed).map_err(|_| Error::Sealed(id.clone()))?;
        let hidden: Hidden = serde_json::from_str(&text).map_err(|_| damaged())?;
        let mut given = hidden.options;
        self.open.iter().for_each(|(key, text)| given.set(key, text));
        let definition = Definition::parse(&given).map_err(Error::Options)?;
        let current = definition.secret.clone().ok_or_else(damaged)?;
        let previous = match hidden.previous {
            Some((secret, until)) => Some((SigningSecret::parse(&secret.0).map_err(|_| damaged())?, until)),
            None => None,
        };
        Ok(Opened { definition: Arc::new(definition), given, secrets: Secrets { current, previous } })
    }
}

impl Record {
    /// The endpoint that commands defined.
    pub fn endpoint(&self, id: &EndpointId, stored: &Stored, opened: Opened, limits: &Limits) -> Endpoint {
        let (origin, topic) = (stored.origin, stored.topic.clone());
        self.with(id, (origin, topic), opened.secrets, opened.definition, limits)
    }

    /// The endpoint that the file declares.
    pub fn declared(&self, id: &EndpointId, definition: &Arc<Definition>, limits: &Limits) -> Result<Endpoint, Error> {
        let missing = || Error::Options(vec![OptionFault::Missing { key: "secret_file".to_owned() }]);
        let current = definition.secret.clone().ok_or_else(missing)?;
        // As long as the file has it.
        let previous = definition.previous_secret.clone().map(|secret| (secret, Timestamp::from_millis(u64::MAX)));
        let secrets = Secrets { current, previous };
        Ok(self.with(id, (Origin::File, None), secrets, Arc::clone(definition), limits))
    }

    fn with(
        &self,
        id: &EndpointId,
        (origin, topic): (Origin, Option<TopicName>),
        secrets: Secrets,
        definition: Arc<Definition>,
        limits: &Limits,
    ) -> Endpoint {
        Endpoint {
            id: id.clone(),
            number: self.number,
            origin,
            topic,
            state: self.state.clone(),
            secrets,
            limits: definition.limits.or(limits),
            created_at: Position(self.since),
            created: self.created,
            definition,
        }
    }
}

/// What secrets are sealed with, so that those of one row never open in another.
fn sealed_as(id: &EndpointId, number: u32) -> String {
    format!("webhook {id} {number}")
}

impl From<String> for Zeroing {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Zeroing> for String {
    fn from(text: Zeroing) -> Self {
        text.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(name: &str) -> EndpointId {
        EndpointId { account: AccountId::default(), name: EndpointName::parse(name).unwrap() }
    }

    fn given() -> Given {
        let mut given = Given::default();
        given.set("url", "https://a.example/");
        given.set("authorization", "Bearer hunter2");
        given.set("secret", SigningSecret::generate().unwrap().reveal().as_str());
        given
    }

    #[test]
    fn what_is_secret_rests_sealed_and_opens_for_its_own_row_alone() {
        let master = MasterKey::generate().unwrap();
        let given = given();
        let previous = Some((SigningSecret::generate().unwrap(), Timestamp::from_seconds(9)));
        let stored =
            Stored::seal(&master, (&id("hook"), 7), (Origin::Operator, None), &given, previous.clone()).unwrap();
        let row = encode(&Record {
            number: 7,
            since: 3,
            created: Timestamp::from_seconds(1),
            state: State::Active,
            stored: Some(stored.clone()),
            gone: None,
        });
        assert!(!row.windows(7).any(|window| window == b"hunter2" || window == b"whsec_M"));
        let record: Record = decode(&row).unwrap();
        let opened = record.stored.unwrap().open(&master, &id("hook"), 7).unwrap();
        assert_eq!(opened.given, given);
        assert_eq!(opened.secrets.active(Timestamp::from_seconds(8)).len(), 2);
        assert_eq!(opened.secrets.active(Timestamp::from_seconds(9)).len(), 1);
        assert!(matches!(stored.open(&master, &id("other"), 7), Err(Error::Sealed(_))));
        assert!(matches!(stored.open(&master, &id("hook"), 8), Err(Error::Sealed(_))));
        assert!(matches!(stored.open(&MasterKey::generate().unwrap(), &id("hook"), 7), Err(Error::Sealed(_))));
    }

    #[test]
    fn keys_name_their_endpoint() {
        assert_eq!(endpoint_of(&key(&id("hook"))), Some(id("hook")));
        for wrong in [&b"e"[..], b"", b"e00000000000\xffa", b"e0000000000", b"e000000000000a.b"] {
            assert_eq!(endpoint_of(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (decode::<Record>(&bytes), decode::<TopicRecord>(&bytes), endpoint_of(&bytes));
        }
    }
}
