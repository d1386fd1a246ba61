//! Keys with their callers in memory, so that a request neither reads rows, nor decrypts, nor parses policies.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::Key;
use crate::access::Policy;

/// The most keys kept. A full cache is emptied: the next requests fill it with the keys in use.
const MAX_KEYS: usize = 10_000;
/// The most policies kept, likewise.
const MAX_POLICIES: usize = 10_000;

/// A digest of a session token, or `None` for a key that stays.
pub type TokenDigest = Option<[u8; 32]>;

/// Active keys by id, and parsed policies by what they are called. Every change of any identity empties it and moves to
/// the next generation, so that what was read before the change is never kept after it.
#[derive(Default)]
pub struct Cache(RwLock<State>);

#[derive(Default)]
struct State {
    generation: Generation,
    keys: HashMap<String, (TokenDigest, Key)>,
    policies: HashMap<String, Arc<Policy>>,
}

/// Counts changes of identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generation(u64);

impl Cache {
    /// Gives the key that was kept with this token, or the generation that rows read from now on may be kept under.
    pub fn key(&self, access_key_id: &str, token: TokenDigest) -> Result<Key, Generation> {
        let state = self.0.read();
        match state.keys.get(access_key_id) {
            Some((kept, key)) if *kept == token => Ok(key.clone()),
            _ => Err(state.generation),
        }
    }

    /// The generation that rows read from now on may be kept under.
    pub fn generation(&self) -> Generation {
        self.0.read().generation
    }

    /// Keeps `key` unless something changed since `generation`.
    pub fn keep_key(&self, key: &Key, token: TokenDigest, generation: Generation) {
        let mut state = self.0.write();
        if state.generation != generation {
            return;
        }
        if state.keys.len() >= MAX_KEYS {
            state.keys.clear();
        }
        state.keys.insert(key.access_key_id.to_string(), (token, key.clone()));
    }

    /// Gives the parsed policy that was kept under this name.
    pub fn policy(&self, name: &str) -> Option<Arc<Policy>> {
        self.0.read().policies.get(name).cloned()
    }

    /// Keeps `policy` unless something changed since `generation`.
    pub fn keep_policy(&self, name: String, policy: Arc<Policy>, generation: Generation) {
        let mut state = self.0.write();
        if state.generation != generation {
            return;
        }
        if state.policies.len() >= MAX_POLICIES {
            state.policies.clear();
        }
        state.policies.insert(name, policy);
    }

    /// Forgets everything. To be called after a change is committed and before it is reported.
    pub fn forget(&self) {
        let mut state = self.0.write();
        state.generation.0 += 1;
        state.keys.clear();
        state.policies.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Account, SecretKey};
    use super::*;
    use crate::access::Caller;
    use crate::names::AccountId;

    fn key(id: &str) -> Key {
        let account = Arc::new(Account::plain(AccountId::default()));
        let secret = SecretKey::parse("a-secret").unwrap();
        let caller = Arc::new(Caller::root(account.id.clone(), account.canonical_id.clone()));
        Key { access_key_id: id.into(), secret, caller, account, root: true, expires: None }
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let cache = Cache::default();
        let before = cache.key("BRIMA", None).unwrap_err();
        cache.forget();
        cache.keep_key(&key("BRIMA"), None, before);
        let after = cache.key("BRIMA", None).unwrap_err();
        cache.keep_key(&key("BRIMA"), None, after);
        assert!(cache.key("BRIMA", None).is_ok());
    }

    #[test]
    fn a_key_is_given_only_with_the_token_that_it_was_kept_with() {
        let cache = Cache::default();
        cache.keep_key(&key("BRIMA"), Some([1; 32]), Generation::default());
        assert!(cache.key("BRIMA", Some([1; 32])).is_ok());
        assert!(cache.key("BRIMA", Some([2; 32])).is_err() && cache.key("BRIMA", None).is_err());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = Cache::default();
        for number in 0..MAX_KEYS + 1 {
            cache.keep_key(&key(&format!("BRIM{number}")), None, Generation::default());
        }
        assert_eq!(cache.0.read().keys.len(), 1);
    }
}
