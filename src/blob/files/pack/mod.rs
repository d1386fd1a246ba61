//! Packs: files that many small blobs share, so that one sync makes all of those durable that arrive together.
//!
//! A pack is only ever appended to, and by one thread at a time ([`append`]). What is removed becomes a hole, which gives
//! its room back at once: nothing is ever moved, and there is nothing to collect. A pack of holes is removed ([`remove`]).

mod address;
mod append;
mod batch;
mod format;
mod place;
mod probe;
mod quarantine;
mod remove;
mod walk;

pub(super) use self::address::PackId;
pub(super) use self::append::{Packs, append};
pub(super) use self::format::Entry;
pub(super) use self::place::Place;
pub(super) use self::quarantine::quarantine;
pub(super) use self::remove::{remove, remove_empty};
pub(super) use self::walk::{packs, page};

#[cfg(test)]
mod tests;
