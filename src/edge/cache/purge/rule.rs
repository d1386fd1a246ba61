//! A purge as it is kept: hashed. Two texts of one hash are purged together, which costs a miss and nothing else.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::sequence::Sequence;
use super::super::site::SiteId;
use super::super::tags::{Tags, dependency_hash, surrogate_hash};
use super::{Purge, Scope, What};
use crate::edge::rules::key::{PrimaryKey, purge_path};

/// The scope of rules for every response.
pub(super) const EVERYTHING: u64 = 0;

/// Seeds that keep the names of sites and hosts apart.
const SITE: u64 = 1;
const HOST: u64 = 2;

/// FNV-1a's numbers: a hash that knows the hash of every prefix on its way.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// A purge with its texts hashed. In order of `Purge`'s parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Rule {
    pub scope: u64,
    pub matter: Matter,
    pub soft: bool,
}

/// What of the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Matter {
    All,
    Path(u64),
    Prefix {
        hash: u64,
        length: u32,
    },
    /// A tag of either kind: their hashes differ.
    Tag(u64),
}

/// What rules see of a response beside its tags.
pub(in super::super) struct Subject<'k> {
    scopes: [u64; 3],
    path: Cow<'k, str>,
}

impl Rule {
    pub fn new(purge: &Purge) -> Self {
        Self { scope: scope_of(&purge.scope), matter: Matter::of(&purge.what), soft: purge.soft }
    }

    /// Whether the rule is about a response; about every tag where its tags are unknown.
    pub fn matches(&self, subject: &Subject<'_>, tags: Option<&Tags>) -> bool {
        subject.scopes.contains(&self.scope)
            && match self.matter {
                Matter::All => true,
                Matter::Path(hash) => subject.path_hash() == hash,
                Matter::Prefix { hash, length } => {
                    subject.prefixes().any(|(at, prefix)| at == length && prefix == hash)
                }
                Matter::Tag(hash) => tags.is_none_or(|tags| tags.hashes().contains(&hash)),
            }
    }
}

/// A rule with the number of the purge that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Dated {
    pub rule: Rule,
    pub sequence: Sequence,
}

impl Matter {
    fn of(what: &What) -> Self {
        match what {
            What::All => Self::All,
            What::Path(path) => Self::Path(path_hash(path)),
            // A prefix longer than any path that can be asked for matches none, as it should.
            What::Prefix(prefix) => {
                Self::Prefix { hash: path_hash(prefix), length: u32::try_from(prefix.len()).unwrap_or(u32::MAX) }
            }
            What::Tag(tag) => Self::Tag(surrogate_hash(tag)),
            What::Dependency(name) => Self::Tag(dependency_hash(name)),
        }
    }
}

impl<'k> Subject<'k> {
    pub fn new(site: &SiteId, key: &'k PrimaryKey) -> Self {
        let (host, path) = place(key);
        let site = xxh3_64_with_seed(site.as_str().as_bytes(), SITE);
        let host = xxh3_64_with_seed(host.as_bytes(), HOST);
        Self { scopes: [EVERYTHING, site, host], path: purge_path(path) }
    }

    pub(super) fn scopes(&self) -> [u64; 3] {
        self.scopes
    }

    fn path_hash(&self) -> u64 {
        path_hash(&self.path)
    }

    /// Every prefix of the path by length, the empty one first and the whole path last, with its hash.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = (u32, u64)> {
        let steps = self.path.bytes().scan((0_u32, FNV_START), |(length, hash), byte| {
            *length = length.saturating_add(1);
            *hash = step(*hash, byte);
            Some((*length, *hash))
        });
        std::iter::once((0, FNV_START)).chain(steps)
    }
}

/// The host, and the path with its query, of the URL that a key starts with; what else is in the key has lines of its own.
fn place(key: &PrimaryKey) -> (&str, &str) {
    let url = key.as_str().lines().next().unwrap_or_default();
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    place.split_at(place.find('/').unwrap_or(place.len()))
}

fn scope_of(scope: &Scope) -> u64 {
    match scope {
        Scope::Everything => EVERYTHING,
        Scope::Site(site) => xxh3_64_with_seed(site.as_str().as_bytes(), SITE),
        Scope::Host(host) => xxh3_64_with_seed(host.as_bytes(), HOST),
    }
}

fn path_hash(path: &str) -> u64 {
    path.bytes().fold(FNV_START, step)
}

const fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(FNV_PRIME)
}
