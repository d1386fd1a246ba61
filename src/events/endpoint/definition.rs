//! What an endpoint is: where it is, how it is spoken to, how often, and what becomes of what it does not take.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::names::{EndpointId, TopicName};
use super::url::EndpointUrl;
use crate::clock::Timestamp;
use crate::events::record::Format;
use crate::events::sign::SigningSecret;
use crate::store::Position;
use crate::tls;

/// How long a rotated secret signs beside the new one where nobody says.
pub const DEFAULT_ROTATION: Duration = Duration::from_secs(24 * 3600);

/// Who hears of changes. A change of anything in it, or of the files that it names, makes another one of it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: EndpointId,
    /// Names its rows in the tables of deliveries: given once, never again.
    pub number: u32,
    pub origin: Origin,
    /// The topic that it is a subscription of. It hears what the topic is told, and is no target by itself.
    pub topic: Option<TopicName>,
    pub state: State,
    pub secrets: Secrets,
    pub limits: Limits,
    /// It hears of what comes behind this position of the log.
    pub created_at: Position,
    pub created: Timestamp,
    pub definition: Arc<Definition>,
}

/// What may be told of an endpoint by those who define it. Nothing secret is shown by `Debug`.
#[derive(Debug, Clone)]
pub struct Definition {
    pub url: EndpointUrl,
    pub format: Format,
    /// `None` where a secret is to be made.
    pub secret: Option<SigningSecret>,
    /// Another secret that signs beside it.
    pub previous_secret: Option<SigningSecret>,
    /// The value of the header `Authorization`; marked as sensitive.
    pub authorization: Option<HeaderValue>,
    /// Sent with every request; values are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How many requests may be under way at a time.
    pub concurrency: usize,
    pub ordering: Ordering,
    pub batch: Batch,
    /// How long an attempt may take, from the look-up of the name to the end of the answer.
    pub timeout: Duration,
    pub retry: RetryPolicy,
    pub limits: GivenLimits,
    pub tls: Tls,
}

/// Who defined an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration file, which alone can change it.
    File,
    Operator,
    /// Someone who is not trusted with the operator's networks: every address is checked, see
    /// [`Reach`](super::Reach).
    Tenant,
}

/// Which order deliveries keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// None: many are under way at a time.
    #[default]
    None,
    /// Those of one key come one after the other; one that fails holds up what is behind it.
    Key,
}

/// How many events one request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    pub most: usize,
    /// How long an event waits for others.
    pub linger: Duration,
}

/// When a delivery that failed is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait before the second attempt, the third, and so on; there are no more attempts than that.
    pub schedule: Vec<Duration>,
    /// How old an event may become before it is given up.
    pub max_age: Duration,
}

/// How far an endpoint may be behind, and what happens beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the log.
    pub entries: u64,
    pub age: Duration,
    pub on_full: OnFull,
}

/// The limits that a definition names; the server's count for the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenLimits {
    pub entries: Option<u64>,
    pub age: Option<Duration>,
    pub on_full: OnFull,
}

/// What happens where an endpoint is as far behind as it may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFull {
    /// The oldest events are left out, and counted.
    #[default]
    DropOldest,
    /// Changes that it would hear of are refused.
    RejectWrites,
}

/// Whom it trusts, and who Brim says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    pub authorities: tls::Authorities,
    pub identity: Option<tls::Identity>,
}

/// Whether deliveries are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Active,
    /// By the operator: what happens meanwhile is delivered later, within the limits.
    Paused,
    /// By what the receiver answered; as [`Paused`](Self::Paused), until it is resumed.
    Disabled {
        reason: String,
    },
}

/// What deliveries are signed with.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub current: SigningSecret,
    /// The one before, and until when it signs as well.
    pub previous: Option<(SigningSecret, Timestamp)>,
}

impl Endpoint {
    /// The last parts of the ARNs that lead here: the name of its topic, or its own.
    pub fn target(&self) -> &str {
        match &self.topic {
            Some(topic) => topic.as_str(),
            None => self.id.name.as_str(),
        }
    }

    /// Whether deliveries are made.
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }
}

/// The fields of the definition are read as those of the endpoint.
impl std::ops::Deref for Endpoint {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.definition
    }
}

impl Secrets {
    /// The secrets that sign now: the current one, then the previous one while it counts.
    pub fn active(&self, now: Timestamp) -> Vec<&SigningSecret> {
        let previous = self.previous.iter().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(previous).collect()
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { most: 1, linger: Duration::from_secs(1) }
    }
}

impl Default for RetryPolicy {
    /// The schedule that Standard Webhooks 1.0.0 suggests, and room for all of it.
    fn default() -> Self {
        const HOUR: u64 = 3600;
        let schedule = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self { schedule: schedule.map(Duration::from_secs).into(), max_age: Duration::from_secs(96 * HOUR) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 10_000_000, age: Duration::from_secs(7 * 24 * 3600), on_full: OnFull::DropOldest }
    }
}

impl GivenLimits {
    /// What counts where the server's own limits are `defaults`.
    pub fn or(&self, defaults: &Limits) -> Limits {
        Limits {
            entries: self.entries.unwrap_or(defaults.entries),
            age: self.age.unwrap_or(defaults.age),
            on_full: self.on_full,
        }
    }
}
