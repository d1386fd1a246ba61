//! Notifications: who is told of which changes, how a change is told, and that it arrives.
//!
//! The change log is the outbox: no event is written beside a mutation. Every endpoint has a place of its own in the log, a
//! reader that goes on from there, and what it could not deliver yet.

pub mod tables;
