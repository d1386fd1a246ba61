//! Decrypted keys in memory, so that a request neither reads the row nor decrypts.

use std::collections::HashMap;

use parking_lot::RwLock;

use super::Key;

/// The most keys kept. A full cache is emptied: the next requests fill it with the keys in use.
const MAX_KEYS: usize = 10_000;

/// Active keys by id. Every change of a key moves to the next generation, so that a row read before the change is
/// never kept after it.
#[derive(Default)]
pub struct Cache(RwLock<State>);

#[derive(Default)]
struct State {
    generation: Generation,
    keys: HashMap<String, Key>,
}

/// Counts changes of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generation(u64);

impl Cache {
    /// Gives the key, or the generation that a row read from now on may be kept under.
    pub fn get(&self, access_key_id: &str) -> Result<Key, Generation> {
        let state = self.0.read();
        state.keys.get(access_key_id).cloned().ok_or(state.generation)
    }

    /// Keeps `key` unless some key changed since `generation`.
    pub fn keep(&self, key: Key, generation: Generation) {
        let mut state = self.0.write();
        if state.generation != generation {
            return;
        }
        if state.keys.len() >= MAX_KEYS {
            state.keys.clear();
        }
        state.keys.insert(key.access_key_id.to_string(), key);
    }

    /// Forgets a key. To be called after its change is committed and before the change is reported.
    pub fn forget(&self, access_key_id: &str) {
        let mut state = self.0.write();
        state.generation.0 += 1;
        state.keys.remove(access_key_id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::SecretKey;
    use super::*;

    fn key(id: &str) -> Key {
        let secret = SecretKey::parse("a-secret").unwrap();
        Key { access_key_id: id.into(), secret, account: Default::default(), root: false }
    }

    #[test]
    fn a_row_read_before_a_change_is_not_kept_after_it() {
        let cache = Cache::default();
        let before = cache.get("BRIMA").unwrap_err();
        cache.forget("BRIMA");
        cache.keep(key("BRIMA"), before);
        let after = cache.get("BRIMA").unwrap_err();
        cache.keep(key("BRIMA"), after);
        assert!(cache.get("BRIMA").is_ok());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::default();
        for number in 0..MAX_KEYS + 1 {
            cache.keep(key(&format!("BRIM{number}")), Generation::default());
        }
        assert_eq!(cache.0.read().keys.len(), 1);
    }
}
