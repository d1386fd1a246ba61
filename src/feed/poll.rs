//! One exchange of the feed: an edge says what it has applied, and hears what came since.

use serde::{Deserialize, Serialize};

use super::edge_id::EdgeId;
use super::entry::Entry;
use super::position::Position;
use super::site::Site;
use crate::names::LogId;

/// The version of these documents. Fields may be added within a version.
pub const VERSION: u32 = 1;

/// What an edge says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    pub version: u32,
    pub edge: EdgeId,
    /// Up to where the edge has read; `None` where it holds nothing, and wants to begin where the log ends.
    pub from: Option<Position>,
    /// Up to where it, and every live edge behind it, has dropped what was to go. Entries up to here are gone from them.
    pub applied: Option<Position>,
    /// How long to wait for entries, in milliseconds.
    pub wait: u64,
    /// The sites that it serves, where the server may not know them: in its first poll, and when it was asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sites: Option<Vec<Site>>,
    /// The edges that read the feed through it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<Behind>,
    /// It stops, and drops its lease: nothing that it holds is trusted any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// An edge behind another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    pub edge: EdgeId,
    pub applied: Option<Position>,
    /// How much longer it counts as live, in milliseconds.
    pub live: u64,
}

/// What the edge hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub version: u32,
    pub log: LogId,
    /// The offset that the entries are behind. An edge that has not read so far must not apply them.
    pub from: u64,
    /// Nothing that the edge holds can be trusted: it goes on from `next` with nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flush: bool,
    /// In the order of their offsets; those that do not concern the edge are left out.
    pub entries: Vec<Entry>,
    /// Up to where the log is read with this page.
    pub next: u64,
    /// For how long, in milliseconds from when the poll was sent, the edge may trust what it holds, once it has applied the
    /// entries. `None`: there is more to read, and what was granted before goes on.
    pub lease: Option<u64>,
    /// The edge is to say again which sites it serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub register: bool,
    /// In answer to sites that were told: which of them were not taken, and why. All else goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_taken: Vec<String>,
    /// From a shield: what it recognises the edge by in requests for pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
}

/// Why a poll, or purges, were not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub code: String,
    pub message: String,
}
