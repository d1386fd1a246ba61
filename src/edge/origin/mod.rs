//! Where a site's answers come from: connections, requests as origins are asked them, and answers within bounds.
//!
//! [`Origins`] is what a site has: one origin, perhaps a second one for when it fails. A request is sent once, with two
//! exceptions for GET, HEAD and OPTIONS without body: it is sent again when a connection that was kept turned out to be
//! dead before any byte of an answer, and it is sent to the second origin when the first one fails. What an origin may do
//! to us is bounded: heads in bytes and lines, waits in time, requests in number; [`FetchError`] says which bound it was.

mod address;
mod breaker;
mod dial;
mod endpoint;
mod error;
mod origins;
mod received;
#[cfg(test)]
pub mod scripted;
mod sent;
mod settings;
#[cfg(test)]
mod tests;
mod tunnel;

pub use address::Verbatim;
pub use error::{BodyError, FetchError};
pub use origins::{Fetched, Origins, Upgrade, ViewerFacts, Which};
pub use received::Received;
pub use sent::{BoxError, OriginBody, empty};
pub use settings::{
    Failover, HostHeader, InvalidLocation, Kind, Limits, Location, Origin, Protocols, Settings, SettingsError, Signing,
};
pub use tunnel::{Carried, Switched, Tunnel};
