//! Notifications: who hears of changes, and how they are told.
//!
//! The change log is the outbox: nothing is written beside a change for those who hear of it. Each [`endpoint`] follows the
//! log on its own.

pub mod endpoint;
pub mod tables;
