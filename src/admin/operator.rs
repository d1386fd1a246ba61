//! Operator commands, carried out: by the server for its socket, by the command line itself when no server runs.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::wire::{Answer, Command, Reply};
use super::{edge_key, explain, sites, users};
use crate::clock::Clock;
use crate::identity::{self, Holder, Identities, Status};
use crate::names::AccountId;
use crate::report::Report;
use crate::site::domain::Reserved;
use crate::store::{self, Store, fsck, scrub};

/// Keys per page: a page of the longest descriptions stays far below the longest line.
const KEYS_PER_PAGE: usize = 100;

/// Who carries out commands for a socket.
#[async_trait]
pub trait Commands: Send + Sync + 'static {
    /// Carries out `command` and tells `report` how it goes. To be awaited to its end: a command is not to be given up
    /// half-way. Long ones end early, and in order, when the report says so.
    async fn run(&self, command: Command, report: &Report) -> Reply;
}

/// What commands work on.
pub struct Operator {
    pub identities: Arc<Identities>,
    pub store: Arc<Store>,
    pub clock: Clock,
    /// The domains that no bucket is given.
    pub reserved: Reserved,
    /// The data directory.
    pub directory: PathBuf,
    /// Whether a server works on the directory at the same time.
    pub serving: bool,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Site(#[from] sites::Error),
    #[error(transparent)]
    Explain(#[from] explain::Error),
    #[error("a server runs on {0}: stop it first, for repairs need the directory to themselves")]
    Serving(PathBuf),
    /// A server's own commands answer it before it comes here.
    #[error("only a running server {0}")]
    NotServing(&'static str),
}

#[async_trait]
impl Commands for Operator {
    async fn run(&self, command: Command, report: &Report) -> Reply {
        match self.carry_out(command, report).await {
            Ok(answer) => Reply::Ok(answer),
            Err(error) => Reply::Error(in_words(&error)),
        }
    }
}

impl Operator {
    async fn carry_out(&self, command: Command, report: &Report) -> Result<Answer, Error> {
        let identities = &self.identities;
        match command {
            Command::CreateKey { description, account, user } => {
                let holder = self.holder(account, user);
                let key = identities.create_key(&holder, &description).await?;
                let (account, user) = (holder.account(), holder.user());
                tracing::info!(access_key_id = %key.access_key_id, %account, user, "access key created");
                Ok(Answer::CreatedKey { access_key_id: key.access_key_id, secret_access_key: key.secret })
            }
            Command::CreateEdgeKey { description, account, user, buckets } => {
                let account = account.unwrap_or_else(|| identities.default_account().id.clone());
                let key = edge_key::create(identities, &account, user, &buckets, &description).await?;
                tracing::info!(access_key_id = %key.access_key_id, %account, "access key of an edge created");
                Ok(Answer::CreatedKey { access_key_id: key.access_key_id, secret_access_key: key.secret })
            }
            Command::ListKeys { after } => {
                let page = identities.list_keys(after.as_deref(), KEYS_PER_PAGE).await?;
                Ok(Answer::Keys { keys: page.keys, after: page.after })
            }
            Command::DisableKey { access_key_id } => {
                identities.set_key_status(&access_key_id, None, Status::Disabled).await?;
                tracing::info!(%access_key_id, "access key disabled");
                Ok(Answer::Done)
            }
            Command::EnableKey { access_key_id } => {
                identities.set_key_status(&access_key_id, None, Status::Active).await?;
                tracing::info!(%access_key_id, "access key enabled");
                Ok(Answer::Done)
            }
            Command::DeleteKey { access_key_id } => {
                identities.delete_key(&access_key_id, None).await?;
                tracing::info!(%access_key_id, "access key deleted");
                Ok(Answer::Done)
            }
            Command::User { account, work } => {
                let account = account.unwrap_or_else(|| self.identities.default_account().id.clone());
                Ok(users::run(identities, &account, work).await?)
            }
            Command::Site { work } => Ok(sites::run(&self.store, &self.reserved, work).await?),
            Command::Explain(asked) => {
                let (store, now) = (&self.store, self.clock.now());
                Ok(Answer::Explained(Box::new(explain::run(identities, store, now, &asked).await?)))
            }
            Command::Fsck { repair } => self.fsck(repair, report).await,
            Command::Scrub { rate, restart } => {
                let summary = self.store.scrub(scrub::Options { rate, restart }, report).await?;
                tracing::info!(bytes = summary.bytes, damaged = summary.damaged, "scrubbed");
                Ok(Answer::Scrubbed(summary))
            }
            Command::HoldCheckpoint => Err(Error::NotServing("holds checkpoints")),
            Command::Edge { .. } => Err(Error::NotServing("has edges")),
            Command::Webhook { .. } => Err(Error::NotServing("has webhooks")),
        }
    }

    /// Whom a key is made for: the account itself where no user is named, the default account where no other is.
    fn holder(&self, account: Option<AccountId>, user: Option<String>) -> Holder {
        let account = account.unwrap_or_else(|| self.identities.default_account().id.clone());
        match user {
            None => Holder::Root(account),
            Some(name) => Holder::User { account, name },
        }
    }

    async fn fsck(&self, repair: bool, report: &Report) -> Result<Answer, Error> {
        if repair && self.serving {
            return Err(Error::Serving(self.directory.clone()));
        }
        let summary = self.store.fsck(fsck::Options { serving: self.serving, repair }, report).await?;
        tracing::info!(damage = summary.damage, untidy = summary.untidy, repaired = summary.repaired, "checked");
        Ok(Answer::Checked(summary))
    }
}

/// An error with its causes, each said once.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}
