//! Who may call: the root key and further access keys, every one with full access to the default account.
//!
//! Secrets rest encrypted under the master key; a key that is disabled or deleted stops working at the next request.

mod cache;
#[cfg(test)]
mod fuzz;
mod generate;
mod key;
mod master;
mod record;
mod rows;
mod secret;
#[cfg(test)]
mod tests;

pub use key::{Key, KeySummary, NewKey, RootKey, Status};
pub use master::{MASTER_KEY_BYTES, MasterKey};
pub use rows::{Identities, KEYS, MAX_PAGE, Page};
pub use secret::{SecretKey, valid_access_key_id};

/// The longest description of a key, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 256;

/// What went wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no access key {0}")]
    NoSuchKey(String),
    #[error("{0} is the root key: it is set by the configuration or by DIR/credentials, not by commands")]
    Root(String),
    #[error("a description has at most {MAX_DESCRIPTION_BYTES} bytes and no control characters")]
    Description,
    /// The row does not open with this master key: another key, or a row that was tampered with.
    #[error(
        "the secret of access key {0} does not open: master.key is not the one it was made with, or the row is damaged"
    )]
    Sealed(String),
    /// The row is not one that this binary can read.
    #[error("the row of access key {0} is damaged or was written by a newer brim")]
    Record(String),
    #[error("the access key changed too often meanwhile, try again")]
    Contended,
    #[error("no random bytes")]
    Random,
    #[error(transparent)]
    Kv(#[from] crate::kv::Error),
}
