//! What a website answers to which path: S3's website configuration, and the rules of a modern host. Pure: texts and paths
//! in, decisions out; nothing here reads a file or knows a server.

pub mod caching;
pub mod configuration;
pub mod deploy;
pub mod domain;
mod fault;
#[cfg(test)]
mod fuzz;
mod glob;
pub mod headers;
pub mod host;
mod location;
pub mod lookup;
pub mod options;
pub mod password;
pub mod path;
mod pattern;
pub mod redirects;
mod steering;

pub use fault::{Fault, MAX_FAULTS};
pub use glob::Glob;
pub use location::Moved;
pub use steering::steers;

/// Where a site's redirects are.
pub const REDIRECTS: &str = "_redirects";
/// Where the headers are that a site adds to answers.
pub const HEADERS: &str = "_headers";
