//! For those who run a server: health and metrics over TCP, operator commands over a socket in the data directory.
//!
//! The TCP port changes nothing and tells no secrets; what changes something needs access to the data directory.

mod attend;
mod client;
mod edge_key;
mod edges;
mod explain;
#[cfg(test)]
mod fuzz;
mod hold;
mod http;
mod operator;
mod sites;
mod socket;
mod users;
mod webhooks;
mod wire;

pub use client::{Error as ClientError, call, is_served};
pub use edges::{EdgeCommand, EdgeList, Gone, run as run_edge_command};
pub use explain::{Asked, BucketSeen, Explanation, ObjectSeen, Who};
pub use hold::{Hold, HoldError, hold};
pub use http::{HealthListener, Readiness};
pub use operator::{Commands, Operator};
pub use sites::SiteCommand;
pub use socket::OperatorSocket;
pub use users::{UserCommand, UserDetails, UserSummary};
pub use webhooks::{ShownSecret, Webhook, WebhookCommand, WebhookDetails, Webhooks};
pub use wire::{Answer, Command, HELD, Progress, Reply};
