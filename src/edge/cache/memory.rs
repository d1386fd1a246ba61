//! The memory tier: responses and slices in one `moka` cache, whose bound in bytes holds also while it is written to.
//!
//! `moka` evicts some time after it was written to, and drops what it evicted some time after that. So it is given slots, which
//! are emptied at once when it lets go of them. And everything here takes its part of a counter when it is put in, and gives
//! it back when nobody uses it any more, clients that are still being sent it included: what lifts the counter above the
//! bound has `moka` evict at once, and is taken out again if that does not help.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderMap;
use moka::ops::compute::Op;
use moka::sync;
use parking_lot::Mutex;

use super::purge::Footing;
use super::slices::{Slice, SliceKey};
use super::stored::{OVERHEAD, Stored};
use super::variants::{Variants, Variation};
use crate::edge::rules::key::PrimaryKey;

/// How often `moka` is asked to evict what is above its bound before something new is given up.
const ATTEMPTS: usize = 4;

/// What the tier finds things by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Response(PrimaryKey),
    Slice(SliceKey),
}

impl Key {
    /// The primary key of what is found by it.
    pub fn primary(&self) -> &PrimaryKey {
        match self {
            Self::Response(key) => key,
            Self::Slice(key) => &key.set.key,
        }
    }
}

/// What it finds. Most responses do not vary, and take no list.
#[derive(Debug, Clone)]
pub(super) enum Value {
    One(Arc<Stored>),
    Many(Arc<Variants<Arc<Stored>>>),
    Slice(Arc<Slice>),
}

/// What `moka` holds: a value until it lets go of it.
#[derive(Debug, Clone)]
struct Slot(Arc<Mutex<Option<Value>>>);

/// What a look for a response found.
pub(super) enum Chosen {
    None,
    /// There are variants, but none for this request.
    Other,
    Stored(Arc<Stored>),
}

/// Part of the tier's bytes that is taken once, and given back with whatever has it.
#[derive(Debug, Default)]
pub(super) struct Part(OnceLock<Held>);

/// Part of the tier's bytes; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Held {
    counter: Arc<AtomicU64>,
    bytes: u64,
}

#[derive(Debug)]
pub(super) struct Memory {
    entries: sync::Cache<Key, Slot>,
    evicted: Arc<AtomicU64>,
    held: Arc<AtomicU64>,
    /// No more is held than this many bytes.
    bound: u64,
    /// The most bytes of one response with its variants.
    most: u64,
}

impl Memory {
    pub fn new(bound: u64) -> Self {
        // A tenth below the bound for what is evicted and still in use, or evicted late.
        let capacity = bound - bound / 10;
        let evicted: Arc<AtomicU64> = Arc::default();
        let evictions = evicted.clone();
        let entries = sync::Cache::builder()
            .max_capacity(capacity)
            .weigher(|key, slot: &Slot| u32::try_from(weight(key, slot)).unwrap_or(u32::MAX))
            .eviction_listener(move |_, slot, cause| {
                slot.empty();
                if cause.was_evicted() {
                    evictions.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        let most = (capacity / 4).min(u64::from(u32::MAX));
        Self { entries, evicted, held: Arc::default(), bound, most }
    }

    /// What is stored for a request with these headers.
    pub fn choose(&self, key: &PrimaryKey, headers: &HeaderMap) -> Chosen {
        match self.get(&Key::Response(key.clone())) {
            None | Some(Value::Slice(_)) => Chosen::None,
            Some(Value::One(stored)) => Chosen::Stored(stored),
            Some(Value::Many(variants)) => match variants.choose(headers) {
                Some(variant) => Chosen::Stored(variant.item.clone()),
                None => Chosen::Other,
            },
        }
    }

    /// The value of a key. A slot that was emptied has most often made way for another one.
    fn get(&self, key: &Key) -> Option<Value> {
        for _ in 0..ATTEMPTS {
            let value = self.entries.get(key)?.value();
            if value.is_some() {
                return value;
            }
        }
        None
    }

    /// How this response is chosen, for one of the requests that choose it; `None` where it is not there any more.
    pub fn variation_of(&self, key: &PrimaryKey, headers: &HeaderMap, stored: &Arc<Stored>) -> Option<Variation> {
        match self.get(&Key::Response(key.clone()))? {
            Value::One(one) => Arc::ptr_eq(&one, stored).then(Variation::default),
            Value::Many(variants) => {
                let variant = variants.choose(headers)?;
                Arc::ptr_eq(&variant.item, stored).then(|| variant.variation.clone())
            }
            Value::Slice(_) => None,
        }
    }

    /// Keeps a response. False where there is no room for it.
    pub fn put(&self, key: &PrimaryKey, variation: &Variation, stored: &Arc<Stored>) -> bool {
        if !self.hold_for(key, stored) {
            return false;
        }
        let key = Key::Response(key.clone());
        self.entries.entry(key.clone()).and_upsert_with(|old| Slot::new(self.joined(value_of(old), variation, stored)));
        self.fits() || self.take_out(&key, stored)
    }

    /// Keeps a response that was read from disk, unless a newer one is there by now, which is given then. `None` where there
    /// is no room for it.
    pub fn put_back(&self, key: &PrimaryKey, variation: &Variation, stored: Arc<Stored>) -> Option<Arc<Stored>> {
        if !self.hold_for(key, &stored) {
            return None;
        }
        let mut there = None;
        let key = Key::Response(key.clone());
        self.entries.entry(key.clone()).and_compute_with(|old| {
            let old = value_of(old);
            there = old.as_ref().and_then(|value| value.of(variation).cloned());
            if there.is_some() { Op::Nop } else { Op::Put(Slot::new(self.joined(old, variation, &stored))) }
        });
        if there.is_none() && !self.fits() {
            self.take_out(&key, &stored);
            return None;
        }
        Some(there.unwrap_or(stored))
    }

    /// Takes a response's part of the tier's bytes, but for a body that has its own already: a 304 renewed what it was
    /// stored with. False where it is larger than what one response may take.
    fn hold_for(&self, key: &PrimaryKey, stored: &Stored) -> bool {
        let body = stored.body_part();
        let counted = body.filter(|(part, _)| part.0.get().is_some()).map_or(0, |(_, bytes)| bytes);
        let Some(mut held) = self.hold(stored.weight() - counted + key.as_str().len() as u64) else { return false };
        if let Some((part, bytes)) = body.filter(|_| counted == 0) {
            let _ = part.0.set(held.split(bytes));
        }
        // Only a response that is put in twice has its part already.
        let _ = stored.held.set(held);
        true
    }

    /// Takes a response out again, and says that it is not there.
    fn take_out(&self, key: &Key, stored: &Arc<Stored>) -> bool {
        self.retain(key, |other| !std::ptr::eq(other, &**stored));
        false
    }

    /// A value with a response more.
    fn joined(&self, old: Option<Value>, variation: &Variation, stored: &Arc<Stored>) -> Value {
        if variation.is_plain() {
            return Value::One(stored.clone());
        }
        let variants = match old {
            Some(Value::Many(old)) => old.with(variation, stored.clone(), self.most, |item| item.weight()),
            _ => Variants::new(variation.clone(), stored.clone()),
        };
        Value::Many(Arc::new(variants))
    }

    /// Weighs a response anew that gets a further form, if it is still there. False where there is no room for both.
    pub fn extend(&self, key: &PrimaryKey, stored: &Arc<Stored>, form: &Arc<Stored>, set: impl FnOnce()) -> bool {
        let Some(mut held) = self.hold(form.own_weight()) else { return false };
        if let Some((part, bytes)) = form.body_part() {
            let _ = part.0.set(held.split(bytes));
        }
        let _ = form.held.set(held);
        set();
        let key = Key::Response(key.clone());
        self.entries.entry(key.clone()).and_compute_with(|old| match value_of(old) {
            Some(value) if value.contains(stored) => Op::Put(Slot::new(value)),
            _ => Op::Nop,
        });
        self.fits() || self.take_out(&key, stored)
    }

    pub fn slice(&self, key: &SliceKey) -> Option<Arc<Slice>> {
        match self.get(&Key::Slice(key.clone())) {
            Some(Value::Slice(slice)) => Some(slice),
            _ => None,
        }
    }

    /// Keeps a slice. `None` where there is no room for it.
    pub fn put_slice(&self, key: &SliceKey, bytes: Bytes, footing: Footing) -> Option<Arc<Slice>> {
        let held = self.hold((OVERHEAD + bytes.len()) as u64)?;
        let slice = Arc::new(Slice::new(bytes, footing, held));
        let key = Key::Slice(key.clone());
        self.entries.insert(key.clone(), Slot::new(Value::Slice(slice.clone())));
        if !self.fits() {
            self.remove(&key);
            return None;
        }
        Some(slice)
    }

    /// Takes a part of the tier's bytes for something that is about to be read; `None` where there is no room.
    pub fn reserve(&self, bytes: u64) -> Option<Held> {
        self.hold(bytes).filter(|_| self.fits())
    }

    /// Takes a part of the tier's bytes; `None` where it is larger than what one response may take.
    fn hold(&self, bytes: u64) -> Option<Held> {
        (bytes <= self.most).then(|| {
            self.held.fetch_add(bytes, Ordering::Relaxed);
            Held { counter: self.held.clone(), bytes }
        })
    }

    /// Whether no more is held than may be, if need be after evictions.
    fn fits(&self) -> bool {
        for _ in 0..ATTEMPTS {
            if self.held() <= self.bound {
                return true;
            }
            self.entries.run_pending_tasks();
        }
        self.held() <= self.bound
    }

    /// The bytes that are held now.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Has everything evicted that is too much.
    #[cfg(test)]
    pub fn settle(&self) {
        self.entries.run_pending_tasks();
    }

    /// How many responses and slices there was no room for any more.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// The number of primary keys and slices, roughly.
    pub fn len(&self) -> u64 {
        self.entries.entry_count()
    }

    pub fn remove(&self, key: &Key) {
        self.entries.invalidate(key);
    }

    /// Removes the variants of which `keep` does not say so, and the key with the last of them.
    pub fn retain(&self, key: &Key, keep: impl Fn(&Stored) -> bool) {
        self.entries.entry(key.clone()).and_compute_with(|old| match value_of(old) {
            Some(Value::One(stored)) if !keep(&stored) => Op::Remove,
            Some(Value::Many(variants)) => match variants.filtered(|_, stored| keep(stored)) {
                Some(left) if left.iter().count() == variants.iter().count() => Op::Nop,
                Some(left) => Op::Put(Slot::new(Value::Many(Arc::new(left)))),
                None => Op::Remove,
            },
            _ => Op::Nop,
        });
    }

    /// Everything, in no order. What is put in or replaced meanwhile may be seen or not.
    pub fn iter(&self) -> impl Iterator<Item = (Arc<Key>, Value)> {
        self.entries.iter().filter_map(|(key, slot)| Some((key, slot.value()?)))
    }
}

impl Value {
    /// The response that stands in the way of one of this variation: of the same, or one that every request has.
    fn of(&self, variation: &Variation) -> Option<&Arc<Stored>> {
        match self {
            Self::One(stored) => Some(stored),
            Self::Many(variants) => variants.of(variation),
            Self::Slice(_) => None,
        }
    }

    fn contains(&self, wanted: &Arc<Stored>) -> bool {
        match self {
            Self::One(stored) => Arc::ptr_eq(stored, wanted),
            Self::Many(variants) => variants.iter().any(|stored| Arc::ptr_eq(stored, wanted)),
            Self::Slice(_) => false,
        }
    }
}

impl Held {
    /// Takes out the part of `bytes` of them, of which there must be as many.
    fn split(&mut self, bytes: u64) -> Self {
        self.bytes -= bytes;
        Self { counter: self.counter.clone(), bytes }
    }
}

impl Slot {
    fn new(value: Value) -> Self {
        Self(Arc::new(Mutex::new(Some(value))))
    }

    fn value(&self) -> Option<Value> {
        self.0.lock().clone()
    }

    fn empty(&self) {
        let value = self.0.lock().take();
        // Outside of the lock: this may free megabytes.
        drop(value);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn value_of(entry: Option<moka::Entry<Key, Slot>>) -> Option<Value> {
    entry?.into_value().value()
}

fn weight(key: &Key, slot: &Slot) -> u64 {
    let key = match key {
        Key::Response(key) => key.as_str().len() as u64,
        Key::Slice(_) => 0,
    };
    key + match slot.value() {
        None => 0,
        Some(Value::One(stored)) => stored.weight(),
        Some(Value::Many(variants)) => variants.weight(),
        Some(Value::Slice(slice)) => (OVERHEAD + slice.bytes.len()) as u64,
    }
}
