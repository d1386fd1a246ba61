//! Operator commands for webhooks: who they are, how they fare, and what is sent to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::wire::Answer;
use crate::clock::{Clock, Timestamp};
use crate::events::endpoint::{
    self, Endpoint, EndpointId, EndpointName, Endpoints, Given, NewEndpoint, Origin, State, TopicName,
};
use crate::events::operate::{self, Deliveries, EndpointStatus, Replay};
use crate::events::sign::SigningSecret;
use crate::identity::Identities;
use crate::names::AccountId;

/// Webhooks per page: a page of the longest URLs stays below the longest line.
const WEBHOOKS_PER_PAGE: usize = 50;
/// Attempts and dead letters per page: with the longest keys and answers, likewise.
const ROWS_PER_PAGE: usize = 15;

/// What an operator wants of webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum WebhookCommand {
    /// Makes one; with `replace`, puts the definition in the place of the one that there is.
    Add {
        name: EndpointName,
        given: Given,
        replace: bool,
    },
    /// One page of webhooks, behind `after`; of all accounts where none is named.
    List {
        after: Option<EndpointId>,
    },
    Show {
        name: EndpointName,
    },
    Test {
        name: EndpointName,
    },
    Pause {
        name: EndpointName,
    },
    Resume {
        name: EndpointName,
    },
    /// The secret before signs for `keep` milliseconds more.
    RotateSecret {
        name: EndpointName,
        keep: u64,
    },
    Remove {
        name: EndpointName,
    },
    Replay {
        name: EndpointName,
        replay: Replay,
    },
    /// One page of the delivery log, the newest attempt first.
    Deliveries {
        name: EndpointName,
        after: Option<String>,
        failed: bool,
    },
    /// One page of dead letters, the oldest first.
    Dead {
        name: EndpointName,
        after: Option<String>,
    },
}

/// A webhook as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub account: AccountId,
    pub name: EndpointName,
    pub url: String,
    pub origin: Origin,
    pub topic: Option<TopicName>,
    pub state: State,
    pub status: EndpointStatus,
}

/// A webhook with all of its options, by key. No secret is among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDetails {
    pub webhook: Webhook,
    pub created: Timestamp,
    /// By which buckets name it.
    pub arn: String,
    pub options: Vec<(String, String)>,
}

/// A signing secret on its way to the operator who had it made: the one place where it is written out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ShownSecret(Zeroizing<String>);

/// What commands work on.
pub struct Webhooks {
    pub endpoints: Arc<Endpoints>,
    pub deliveries: Arc<dyn Deliveries>,
    pub identities: Arc<Identities>,
    pub clock: Clock,
    /// The region that ARNs are shown with.
    pub region: String,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Endpoint(#[from] endpoint::Error),
    #[error(transparent)]
    Deliveries(#[from] operate::Error),
}

impl Webhooks {
    /// Carries out `command`; in the default account where none is named.
    pub async fn run(&self, account: Option<AccountId>, command: WebhookCommand) -> Result<Answer, Error> {
        if let WebhookCommand::List { after } = command {
            return Ok(self.list(account.as_ref(), after.as_ref()));
        }
        let account = account.unwrap_or_else(|| self.identities.default_account().id.clone());
        let id = |name| EndpointId { account, name };
        let deliveries = &self.deliveries;
        Ok(match command {
            WebhookCommand::List { .. } => Answer::Done,
            WebhookCommand::Add { name, given, replace } => self.add(id(name), given, replace).await?,
            WebhookCommand::Show { name } => self.changed(self.find(&id(name))?),
            WebhookCommand::Test { name } => {
                Answer::Attempt(Box::new(deliveries.test(&self.find(&id(name))?.id).await?))
            }
            WebhookCommand::Pause { name } => self.changed(self.endpoints.pause(&id(name)).await?),
            WebhookCommand::Resume { name } => self.changed(self.endpoints.resume(&id(name)).await?),
            WebhookCommand::RotateSecret { name, keep } => {
                let endpoint = self.endpoints.rotate(&id(name), Duration::from_millis(keep)).await?;
                self.with_secret(&endpoint)
            }
            WebhookCommand::Remove { name } => {
                self.endpoints.remove(&id(name)).await?;
                Answer::Done
            }
            WebhookCommand::Replay { name, replay } => {
                let endpoint = self.find(&id(name))?;
                tracing::info!(webhook = %endpoint.id, ?replay, "replay asked for");
                Answer::Replaying { messages: deliveries.replay(&endpoint.id, replay).await? }
            }
            WebhookCommand::Deliveries { name, after, failed } => {
                let id = &self.find(&id(name))?.id;
                Answer::Attempts(deliveries.attempts(id, after.as_deref(), failed, ROWS_PER_PAGE).await?)
            }
            WebhookCommand::Dead { name, after } => {
                let id = &self.find(&id(name))?.id;
                Answer::DeadLetters(deliveries.dead_letters(id, after.as_deref(), ROWS_PER_PAGE).await?)
            }
        })
    }

    async fn add(&self, id: EndpointId, given: Given, replace: bool) -> Result<Answer, Error> {
        if replace && self.endpoints.get(&id).is_some() {
            let keeps = given.get("secret").is_none();
            let endpoint = self.endpoints.replace(&id, given).await?;
            return Ok(if keeps { self.changed(endpoint) } else { self.with_secret(&endpoint) });
        }
        let new = NewEndpoint { id, origin: Origin::Operator, topic: None, given };
        let endpoint = self.endpoints.add(new).await?;
        Ok(self.with_secret(&endpoint))
    }

    fn list(&self, account: Option<&AccountId>, after: Option<&EndpointId>) -> Answer {
        let all = self.endpoints.all();
        let wanted = |endpoint: &&Arc<Endpoint>| {
            account.is_none_or(|account| endpoint.id.account == *account)
                && after.is_none_or(|after| endpoint.id > *after)
        };
        let mut rest = all.iter().filter(wanted);
        let webhooks: Vec<Webhook> =
            rest.by_ref().take(WEBHOOKS_PER_PAGE).map(|endpoint| self.webhook(endpoint)).collect();
        let last = webhooks.last().map(|last| EndpointId { account: last.account.clone(), name: last.name.clone() });
        Answer::Webhooks { webhooks, after: last.filter(|_| rest.next().is_some()) }
    }

    fn find(&self, id: &EndpointId) -> Result<Arc<Endpoint>, endpoint::Error> {
        self.endpoints.get(id).ok_or_else(|| endpoint::Error::NoSuch(id.name.clone()))
    }

    fn changed(&self, endpoint: Arc<Endpoint>) -> Answer {
        Answer::Webhook(Box::new(self.details(&endpoint)))
    }

    fn with_secret(&self, endpoint: &Endpoint) -> Answer {
        let secret = ShownSecret::of(&endpoint.secrets.current);
        Answer::WebhookSecret { webhook: Box::new(self.details(endpoint)), secret }
    }

    fn webhook(&self, endpoint: &Endpoint) -> Webhook {
        Webhook {
            account: endpoint.id.account.clone(),
            name: endpoint.id.name.clone(),
            url: endpoint.url.to_string(),
            origin: endpoint.origin,
            topic: endpoint.topic.clone(),
            state: endpoint.state.clone(),
            status: self.deliveries.status(&endpoint.id).unwrap_or_default(),
        }
    }

    fn details(&self, endpoint: &Endpoint) -> WebhookDetails {
        let service = if endpoint.topic.is_some() { "sns" } else { "sqs" };
        let options = endpoint.shown(self.clock.now());
        WebhookDetails {
            webhook: self.webhook(endpoint),
            created: endpoint.created,
            arn: format!("arn:aws:{service}:{}:{}:{}", self.region, endpoint.id.account, endpoint.target()),
            options: options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        }
    }
}

impl ShownSecret {
    fn of(secret: &SigningSecret) -> Self {
        Self(secret.reveal())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for ShownSecret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<ShownSecret> for String {
    fn from(secret: ShownSecret) -> Self {
        secret.0.to_string()
    }
}

impl fmt::Debug for ShownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownSecret(hidden)")
    }
}
