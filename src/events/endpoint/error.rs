//! What goes wrong with endpoints.

use super::names::{EndpointId, EndpointName};
use super::options::OptionFault;
use super::reach::Unreachable;
use super::registry::{MAX_ENDPOINTS, MAX_TOPICS};
use crate::{kv, tls};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no webhook {0}")]
    NoSuch(EndpointName),
    #[error("there is a webhook {0} already")]
    Exists(EndpointName),
    #[error("there is a topic {0} already: webhooks and topics share their names")]
    IsTopic(String),
    #[error("there is no topic {0}")]
    NoSuchTopic(String),
    /// The file declares it, so only the file can change it.
    #[error("webhook {0} is declared by the configuration file: change it there, and send SIGHUP")]
    Declared(EndpointName),
    #[error("{}", joined(.0))]
    Options(Vec<OptionFault>),
    #[error("url: {0}")]
    Forbidden(#[from] Unreachable),
    /// Tenants do not name files of the server, nor have writes refused.
    #[error("{0} is for the operator to give")]
    OperatorsOnly(&'static str),
    #[error(transparent)]
    Tls(#[from] tls::OutgoingError),
    #[error("no more than {MAX_ENDPOINTS} webhooks")]
    ManyEndpoints,
    #[error("no more than {MAX_TOPICS} topics")]
    ManyTopics,
    #[error("the previous secret can sign for at most 30 days")]
    Rotation,
    #[error("the reason has more than {0} bytes")]
    LongReason(usize),
    /// Another key, or a row that was tampered with.
    #[error(
        "the secrets of webhook {0} do not open: master.key is not the one they were made with, or the row is damaged"
    )]
    Sealed(EndpointId),
    #[error("the row of {0} is damaged or was written by a newer brim")]
    Record(String),
    #[error("the system gives no random bytes")]
    Random,
    #[error("the change was not carried out to its end: {0}")]
    Stopped(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Kv(#[from] kv::Error),
}

fn joined(faults: &[OptionFault]) -> String {
    faults.iter().map(OptionFault::to_string).collect::<Vec<_>>().join("; ")
}
