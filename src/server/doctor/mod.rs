//! What the machine lacks for a server: looked at from outside, whether or not the server runs.

mod directory;
mod disk;
mod machine;
mod network;

use serde::Serialize;

use crate::config::ServerConfig;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Ok,
    /// Works, and will hurt some day.
    Warn,
    /// Does not work, or loses data.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    pub health: Health,
    /// What was looked at, in a word or two; the same from release to release.
    pub subject: &'static str,
    /// How it is.
    pub found: String,
    /// What to do, where something should be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Diagnosis {
    fn ok(subject: &'static str, found: impl Into<String>) -> Self {
        Self { health: Health::Ok, subject, found: found.into(), advice: None }
    }

    fn warn(subject: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { health: Health::Warn, subject, found: found.into(), advice: Some(advice.into()) }
    }

    fn bad(subject: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { health: Health::Bad, subject, found: found.into(), advice: Some(advice.into()) }
    }
}

/// Looks at the machine for a server with this configuration. Writes a small file into the data directory, or beside it
/// where there is none yet, and removes it. Blocks.
pub fn examine(config: &ServerConfig) -> Vec<Diagnosis> {
    let data = &config.process.data;
    let served = crate::admin::is_served(data);
    let mut found = vec![directory::presence(data, served)];
    found.extend(directory::permissions(data));
    found.extend(disk::examine(config));
    found.extend(machine::examine(config));
    found.extend(network::examine(config, served));
    found
}
