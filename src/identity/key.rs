//! Access keys as others see them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, SecretKey, generate};
use crate::clock::Timestamp;
use crate::names::AccountId;

/// A key that may sign requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Key {
    pub access_key_id: Arc<str>,
    pub secret: SecretKey,
    /// The account that the key acts for, with full access.
    pub account: AccountId,
    pub root: bool,
}

/// The key that is always there, from the configuration or from `DIR/credentials`.
#[derive(Debug, Clone)]
pub struct RootKey {
    pub(super) access_key_id: Arc<str>,
    pub(super) secret: SecretKey,
}

/// A key as lists show it, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    pub access_key_id: String,
    pub status: Status,
    pub created: Timestamp,
    pub description: String,
}

/// A key that was just made: the only time its secret is given out.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub access_key_id: String,
    pub secret: SecretKey,
}

/// Whether a key may sign requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Active,
    Disabled,
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
