//! Access keys as others see them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Account, Error, SecretKey, generate};
use crate::access::Caller;
use crate::clock::Timestamp;
use crate::names::AccountId;

/// A key that may sign requests, with whom it stands for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Key {
    pub access_key_id: Arc<str>,
    pub secret: SecretKey,
    /// Who signs with it, and everything that identity policies say of him.
    pub caller: Arc<Caller>,
    /// The account that the caller belongs to.
    pub account: Arc<Account>,
    /// Whether the caller is the account itself.
    pub root: bool,
    /// When temporary credentials end; `None` for keys that stay.
    pub expires: Option<Timestamp>,
}

impl Key {
    /// Whether these are temporary credentials, which need their session token in every request.
    pub fn is_temporary(&self) -> bool {
        self.expires.is_some()
    }
}

/// The key that is always there, from the configuration or from `DIR/credentials`.
#[derive(Debug, Clone)]
pub struct RootKey {
    pub(super) access_key_id: Arc<str>,
    pub(super) secret: SecretKey,
}

/// Whom an access key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// The account itself: full access to it.
    Root(AccountId),
    User {
        account: AccountId,
        name: String,
    },
}

/// A key as lists show it, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    pub access_key_id: String,
    pub status: Status,
    pub created: Timestamp,
    pub description: String,
    pub account: AccountId,
    /// `None`: the account's own key.
    pub user: Option<String>,
}

/// A key that was just made: the only time its secret is given out.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub access_key_id: String,
    pub secret: SecretKey,
    pub created: Timestamp,
}

/// Whether a key may sign requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Active,
    Disabled,
}

impl Holder {
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Root(account) | Self::User { account, .. } => account,
        }
    }

    /// The user's name; `None` where the account itself holds the key.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Root(_) => None,
            Self::User { name, .. } => Some(name),
        }
    }
}

impl RootKey {
    pub fn new(access_key_id: impl Into<Arc<str>>, secret: SecretKey) -> Self {
        Self { access_key_id: access_key_id.into(), secret }
    }

    /// A new random root key.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::new(generate::access_key_id()?, generate::secret()?))
    }

    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }
}
