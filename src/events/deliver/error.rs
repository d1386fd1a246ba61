//! What goes wrong around deliveries. What goes wrong with one is in the delivery log.

use crate::events::endpoint::EndpointId;
use crate::{kv, store};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no webhook {0}")]
    NoSuch(EndpointId),
    #[error("there is no message {0}: its log is another one, or it is none of this server's ids")]
    NoSuchMessage(String),
    #[error("the log does not reach back so far: it begins at position {0}")]
    Trimmed(u64),
    #[error("no more than {0} messages at a time")]
    ManyMessages(usize),
    #[error("{0} replays are under way already")]
    ManyReplays(usize),
    #[error("the server is stopping")]
    Stopping,
    #[error("a delivery ended without a result")]
    Flight,
    /// The endpoint keeps another order from now on: its dispatcher begins anew.
    #[error("deliveries are to be in another order")]
    Reordered,
    /// What waits is due at times that are now further away: its dispatcher begins anew.
    #[error("the clock was set back")]
    ClockSetBack,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Kv(#[from] kv::Error),
}
