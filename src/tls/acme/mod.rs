//! Certificates from an authority, by ACME (RFC 8555): one for each host, proved by HTTP-01, renewed in time.
//!
//! [`Issuer`] wants certificates for a list of hosts and carries out one order after the other. What it gets is kept in a
//! [`Folder`] and put among the certificates that are served. Whatever fails is tried again later and changes nothing about
//! what is served.

mod authority;
mod folder;
mod issuer;
mod ledger;
mod order;
mod schedule;
mod web;

use std::path::PathBuf;

pub use folder::Folder;
pub use issuer::{Issuer, Progress, Wanted};

use super::certificate::CertificateError;
use crate::private_file;

/// Which authority is asked, and how. That there is one says that its terms are agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The address of the authority's directory: RFC 8555 section 7.1.1.
    pub directory: String,
    /// Where the authority may write to.
    pub email: Option<String>,
    /// What the authority's own address is trusted by, in place of the system's certificates.
    pub ca_bundle: Option<PathBuf>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RFC 8555 section 6.7.
    #[error("the authority answers: {0}")]
    Refused(#[from] instant_acme::Problem),
    #[error("the authority does not allow as many requests: {0}")]
    RateLimited(instant_acme::Problem),
    #[error("the authority could not convince itself: {0}")]
    Invalid(String),
    #[error("the authority offers no HTTP-01 challenge")]
    NoChallenge,
    #[error("the order was not done in time")]
    TimedOut,
    #[error("no exchange with the authority: {0}")]
    Exchange(instant_acme::Error),
    #[error("the authority issued something else: {0}")]
    Issued(#[from] CertificateError),
    #[error("the authority issued a certificate for other names")]
    OtherNames,
    #[error("cannot use the certificates that the authority is trusted by: {0}")]
    Roots(String),
    #[error(transparent)]
    File(#[from] private_file::Error),
    #[error("{path} is damaged: {source}")]
    Damaged { path: PathBuf, source: serde_json::Error },
}

const RATE_LIMITED: &str = "urn:ietf:params:acme:error:rateLimited";
const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

impl Error {
    /// Whether a nonce was not taken, again and again: RFC 8555 section 6.5 has clients go on with new ones.
    fn is_bad_nonce(&self) -> bool {
        self.is_problem(BAD_NONCE)
    }

    /// Whether the authority knows nothing of the account, as one that lost its memory does.
    fn is_lost_account(&self) -> bool {
        self.is_problem(NO_ACCOUNT)
    }

    /// Whether the next host would fare no better: the network, this machine, or the authority as a whole.
    fn is_general(&self) -> bool {
        match self {
            Self::Refused(problem) => problem.status.is_some_and(|status| status >= 500),
            Self::RateLimited(_) | Self::Exchange(_) | Self::Roots(_) | Self::File(_) | Self::Damaged { .. } => true,
            _ => false,
        }
    }

    fn is_problem(&self, kind: &str) -> bool {
        matches!(self, Self::Refused(problem) if problem.r#type.as_deref() == Some(kind))
    }
}

impl From<instant_acme::Error> for Error {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) if problem.r#type.as_deref() == Some(RATE_LIMITED) => {
                Self::RateLimited(problem)
            }
            instant_acme::Error::Api(problem) => Self::Refused(problem),
            instant_acme::Error::Timeout(_) => Self::TimedOut,
            other => Self::Exchange(other),
        }
    }
}
