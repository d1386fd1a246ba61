//! Notifications of the real binary: what a bucket may ask to be told of, and that all of it is told.

mod documents;
mod ledger;
mod oracle;
mod receiver;
mod writers;
