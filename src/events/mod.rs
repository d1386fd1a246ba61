//! Notifications: which changes of which buckets are told to whom, in which words, and how they get there.
//!
//! The change log is the outbox: nothing is written beside a mutation. Whoever delivers reads the log, asks [`rules`] what the
//! bucket wanted when the change was committed, and sends what [`record`] makes of it.

pub mod deliver;
pub mod endpoint;
pub mod operate;
pub mod record;
pub mod rules;
pub mod sign;
pub mod stream;
pub mod tables;

mod targets;

use std::sync::Arc;

pub use targets::{NoTargets, Targets};

use self::endpoint::Endpoints;
use self::rules::RuleBook;
use self::stream::Streams;

/// What transports need of notifications: what buckets want to be told, and whom they may name.
pub struct Events {
    pub rules: Arc<RuleBook>,
    pub targets: Arc<dyn Targets>,
    pub endpoints: Arc<Endpoints>,
    pub streams: Arc<Streams>,
}
