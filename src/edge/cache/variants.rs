//! The variants of one primary key (RFC 9111 section 4.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;

use super::stored::Stored;
use crate::edge::rules::vary::{SecondaryKey, Vary, secondary};

/// The most variants of one primary key; the least recently used one makes room.
pub const MAX_VARIANTS: usize = 64;

/// How a response is chosen among those of its primary key: by which headers, and by which values of them. The default is
/// that of a response that does not vary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Variation {
    /// Never `*`: such responses are not stored.
    pub vary: Vary,
    /// Whether `Accept-Encoding` counts in its normal form.
    pub normalise: bool,
    pub secondary: SecondaryKey,
}

/// Something kept for one variation: a response in memory, or where a file is.
#[derive(Debug)]
pub(super) struct Variant<T> {
    pub variation: Variation,
    pub item: T,
    /// When it was last used, in the ticks of its siblings.
    used: AtomicU64,
}

/// The variants of one key, the last stored first. Immutable: a change makes new ones that share the items.
#[derive(Debug)]
pub(super) struct Variants<T> {
    list: Vec<Arc<Variant<T>>>,
    ticks: AtomicU64,
}

impl Variation {
    /// The variation of a response with this `vary` to a request with these headers.
    pub fn of(vary: Vary, headers: &HeaderMap, normalise: bool) -> Self {
        let secondary = secondary(&vary, headers, normalise);
        Self { vary, normalise, secondary }
    }

    /// Whether every request has it.
    pub fn is_plain(&self) -> bool {
        self.vary.is_empty()
    }
}

impl<T> Variants<T> {
    pub fn new(variation: Variation, item: T) -> Self {
        Self { list: vec![Arc::new(Variant { variation, item, used: AtomicU64::new(0) })], ticks: AtomicU64::new(1) }
    }

    /// The variant that was stored last of those that a request with these headers chooses.
    pub fn choose(&self, headers: &HeaderMap) -> Option<&Arc<Variant<T>>> {
        let mut asked: Option<(&Variation, SecondaryKey)> = None;
        let chosen = self.list.iter().find(|variant| {
            let variation = &variant.variation;
            let known =
                asked.as_ref().filter(|(of, _)| of.vary == variation.vary && of.normalise == variation.normalise);
            match known {
                Some((_, key)) => *key == variation.secondary,
                None => {
                    let key = secondary(&variation.vary, headers, variation.normalise);
                    let same = key == variation.secondary;
                    asked = Some((variation, key));
                    same
                }
            }
        })?;
        if self.list.len() > 1 {
            chosen.used.store(self.ticks.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
        Some(chosen)
    }

    /// These and a new one, which takes the place of the one of its variation and of one that every request has; of all where
    /// every request has it. The least recently used ones beyond [`MAX_VARIANTS`] and beyond `most` are left out.
    pub fn with(&self, variation: &Variation, item: T, most: u64, weight: impl Fn(&T) -> u64) -> Self {
        let tick = self.ticks.load(Ordering::Relaxed);
        let mut room = most.saturating_sub(weight(&item));
        let others = self.list.iter().filter(|variant| {
            let other = &variant.variation;
            !variation.is_plain() && !other.is_plain() && other != variation
        });
        let mut staying: Vec<_> = others.clone().collect();
        staying.sort_by_key(|variant| std::cmp::Reverse(variant.used.load(Ordering::Relaxed)));
        staying.truncate(MAX_VARIANTS - 1);
        staying.retain(|variant| {
            let left = room.checked_sub(weight(&variant.item));
            room = left.unwrap_or(room);
            left.is_some()
        });
        let stays = |variant: &&Arc<Variant<T>>| staying.iter().any(|other| Arc::ptr_eq(variant, other));
        let mut list: Vec<_> = others.filter(stays).cloned().collect();
        list.insert(0, Arc::new(Variant { variation: variation.clone(), item, used: AtomicU64::new(tick) }));
        Self { list, ticks: AtomicU64::new(tick + 1) }
    }

    /// The one of this variation.
    pub fn of(&self, variation: &Variation) -> Option<&T> {
        self.list.iter().find(|variant| variant.variation == *variation).map(|variant| &variant.item)
    }

    /// Those that `keep` says so of; `None` for none.
    pub fn filtered(&self, keep: impl Fn(&Variation, &T) -> bool) -> Option<Self> {
        let keep = |variant: &&Arc<Variant<T>>| keep(&variant.variation, &variant.item);
        let list: Vec<_> = self.list.iter().filter(keep).cloned().collect();
        let ticks = AtomicU64::new(self.ticks.load(Ordering::Relaxed));
        (!list.is_empty()).then_some(Self { list, ticks })
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter().map(|variant| &variant.item)
    }
}

impl Variants<Arc<Stored>> {
    /// The bytes that they take together.
    pub fn weight(&self) -> u64 {
        self.list
            .iter()
            .map(|variant| variant.item.weight() + variant.variation.secondary.as_bytes().len() as u64)
            .sum()
    }
}
