//! Endpoints: where notifications go. Who defined them, how they are spoken to, and what they are signed with.
//!
//! What the file declares lives in memory, what commands and tenants define in a table; [`Endpoints`] shows both as one, and
//! what is secret rests sealed under the master key.

mod change;
mod declare;
mod definition;
mod error;
mod files;
mod given;
mod headers;
mod manage;
mod names;
mod options;
mod reach;
mod record;
mod registry;
mod shown;
#[cfg(test)]
mod tests;
mod topics;
mod url;

pub use declare::Declared;
pub use definition::{
    Batch, DEFAULT_ROTATION, Definition, Endpoint, GivenLimits, Limits, OnFull, Ordering, Origin, RetryPolicy, Secrets,
    State, Tls,
};
pub use error::Error;
pub use given::Given;
pub use manage::NewEndpoint;
pub use names::{EndpointId, EndpointName, InvalidName, TopicName};
pub use options::{EndpointOption, Form, Givers, OPTIONS, OptionFault, option};
pub use reach::{Reach, Unreachable};
pub use registry::{Endpoints, MAX_ENDPOINTS, MAX_TOPICS, Settings};
pub use url::{EndpointUrl, Host, UrlError};
