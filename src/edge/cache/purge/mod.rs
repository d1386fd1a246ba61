//! Purging: what is asked for, what a stored response answers to, and the rules in force.

mod footing;
mod index;
mod rule;

pub use footing::Footing;
pub(super) use footing::Standing;
pub(super) use index::{Index, MAX_RULES};
use rule::Subject;
pub(super) use rule::{Dated, Rule};

use super::site::SiteId;
use super::tags::Tags;
use crate::edge::rules::key::PrimaryKey;

/// What is to be dropped from the cache, or to be treated as stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    pub scope: Scope,
    pub what: What,
    /// Marks as stale instead of dropping: the response may still be validated, and be sent stale where its freshness
    /// allows that.
    pub soft: bool,
}

/// Whose responses a purge is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Site(SiteId),
    /// A normalised host without the scheme's default port, as keys have it.
    Host(String),
}

/// Which of them it is about. Every variant of a URL is hit, whatever the scheme, headers and cookies of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    All,
    /// A path in the form of `rules::key::purge_path`, followed by `?` and the query where the key has one.
    Path(String),
    /// The beginning of such a path and query; the `*` behind it taken off.
    Prefix(String),
    /// A tag that a response had from its origin (`Surrogate-Key`, `Cache-Tag`), without regard to ASCII case.
    Tag(String),
    /// Something that a response of Brim depends on, as `Brim-Depends` names it.
    Dependency(String),
}

impl Purge {
    /// A hard purge.
    pub fn hard(scope: Scope, what: What) -> Self {
        Self { scope, what, soft: false }
    }

    /// A hard purge of all that the cache holds.
    pub fn everything() -> Self {
        Self::hard(Scope::Everything, What::All)
    }

    /// Whether the purge is about a response. With no `tags`, those of a response whose head has not come yet, it is
    /// taken to have every tag.
    pub fn matches(&self, site: &SiteId, key: &PrimaryKey, tags: Option<&Tags>) -> bool {
        Rule::new(self).matches(&Subject::new(site, key), tags)
    }
}
