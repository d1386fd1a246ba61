//! Whoever listens, and what he may hear: asked before every page of the log, so that who may no longer hears no more.

use std::collections::HashMap;
use std::sync::Arc;

use super::{LISTEN, LISTEN_BUCKET};
use crate::access::{self, Arn, Caller, Context, Rules};
use crate::clock::Clock;
use crate::events::stream::{Audience, NotJudged};
use crate::guard::{self, Guard, Origin, Question, Signing};
use crate::http::head::Head;
use crate::identity::{self, Identities};
use crate::names::{AccountId, BucketName, RESERVED_PREFIX};
use crate::store::change::Change;
use crate::store::{self, Store};

/// What says who may hear of what.
pub struct Rights {
    pub store: Arc<Store>,
    pub identities: Arc<Identities>,
    pub guard: Arc<Guard>,
    pub clock: Clock,
}

/// What a request was signed with.
#[derive(Clone)]
pub struct Credentials {
    pub access_key_id: Arc<str>,
    pub session_token: Option<String>,
}

/// The request that a stream answers.
pub struct Asked {
    pub head: Head,
    pub origin: Origin,
    pub signing: Option<Signing>,
    /// `None`: nobody in particular.
    pub credentials: Option<Credentials>,
    /// `None`: every bucket.
    pub bucket: Option<BucketName>,
    /// What keys begin with, which policies may ask for.
    pub prefix: String,
}

/// Whoever listens.
pub struct Listener {
    rights: Arc<Rights>,
    pub(super) asked: Asked,
    caller: Arc<Caller>,
    /// What was decided since [`Audience::may_listen`]: most changes are of few buckets.
    decided: HashMap<(AccountId, BucketName), bool>,
}

impl Listener {
    pub fn new(rights: Arc<Rights>, asked: Asked, caller: Arc<Caller>) -> Self {
        Self { rights, asked, caller, decided: HashMap::new() }
    }

    /// The name by which streams are counted: the account's, which makes as many keys as it likes, or the address of whoever
    /// is nobody's.
    pub fn name(&self) -> String {
        match (self.caller.principal.account(), self.asked.origin.address) {
            (Some(account), _) => account.as_str().to_owned(),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        }
    }

    /// Whether the key is still what it was; finds what its holder may now.
    async fn is_known(&mut self) -> Result<bool, identity::Error> {
        let Some(Credentials { access_key_id, session_token }) = &self.asked.credentials else { return Ok(true) };
        match self.rights.identities.authenticate(access_key_id, session_token.as_deref()).await {
            Ok(Some(key)) => {
                self.caller = key.caller;
                Ok(true)
            }
            Ok(None) | Err(identity::Error::ExpiredToken | identity::Error::InvalidToken) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn context(&self) -> Context<'_> {
        let Asked { head, origin, signing, prefix, .. } = &self.asked;
        let parameter = |name: &str| (name == "prefix" && !prefix.is_empty()).then_some(prefix.as_str());
        guard::of_head(head, parameter, *origin, *signing, self.rights.clock.now())
    }

    /// Whether the listener may hear of changes in a bucket that was `account`'s when they happened.
    async fn may_hear_of(&self, account: &AccountId, name: &BucketName) -> Result<bool, NotJudged> {
        let (context, resource) = (self.context(), Arn::bucket(name));
        match self.rights.store.bucket(name).await {
            Ok(bucket) if bucket.record.account == *account => {
                let rules = self.rights.guard.rules_of(&bucket).await.map_err(not_judged)?;
                let caller = &self.caller;
                let question = Question { caller, action: LISTEN_BUCKET, resource: &resource, context: &context };
                Ok(self.rights.guard.decide(&bucket, &rules, question).allowed)
            }
            // The bucket is gone, and its rules with it: what happened in it is its owner's.
            Ok(_) | Err(store::Error::NoSuchBucket(_)) => {
                let rules = Rules::of_account(account);
                Ok(access::decide(&self.caller, LISTEN_BUCKET, &resource, &context, &rules).allowed)
            }
            Err(error) => Err(not_judged(error)),
        }
    }

    /// Whether a stream of every bucket may be open. Whose changes it tells is asked for each of them.
    fn may_listen_to_all(&self) -> bool {
        let Some(account) = self.caller.principal.account() else { return false };
        let (context, rules) = (self.context(), Rules::of_account(account));
        access::decide(&self.caller, LISTEN, &Arn::all_buckets(), &context, &rules).allowed
    }
}

impl Audience for Listener {
    async fn may_listen(&mut self) -> Result<bool, NotJudged> {
        self.decided.clear();
        if !self.is_known().await.map_err(not_judged)? {
            return Ok(false);
        }
        let Some(name) = &self.asked.bucket else { return Ok(self.may_listen_to_all()) };
        match self.rights.store.bucket(name).await {
            Ok(bucket) => self.may_hear_of(&bucket.record.account, name).await,
            // There is nothing to hear until there is one again, which is then asked.
            Err(store::Error::NoSuchBucket(_)) => Ok(true),
            Err(error) => Err(not_judged(error)),
        }
    }

    async fn may_hear(&mut self, change: &Change) -> Result<bool, NotJudged> {
        let reserved = change.key.as_ref().is_some_and(|key| key.as_str().starts_with(RESERVED_PREFIX));
        if reserved && self.caller.principal.account() != Some(&change.account) {
            return Ok(false);
        }
        let name = (change.account.clone(), change.bucket.clone());
        if let Some(known) = self.decided.get(&name) {
            return Ok(*known);
        }
        let may = self.may_hear_of(&name.0, &name.1).await?;
        self.decided.insert(name, may);
        Ok(may)
    }
}

fn not_judged(error: impl std::error::Error + Send + Sync + 'static) -> NotJudged {
    NotJudged(Box::new(error))
}
