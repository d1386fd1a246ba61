//! `[[key]]`: the public keys that check signed URLs and cookies.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Table;

use super::super::rules::signed_url::{KeyGroup, PublicKey};
use super::fields::{Fields, Notes};
use super::rows::KEY;
use super::values::text;
use crate::config::label;

/// The longest file of a key, in bytes.
const MAX_KEY_BYTES: u64 = 64 * 1024;
/// The longest id.
const MAX_ID_BYTES: usize = 64;

/// The groups of keys, by name.
#[derive(Debug, Default)]
pub struct Keys(BTreeMap<String, BTreeMap<String, PublicKey>>);

impl Keys {
    /// Whether there is a group called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The keys of all these groups together.
    pub fn groups(&self, names: &[String]) -> Arc<KeyGroup> {
        let keys = names.iter().filter_map(|name| self.0.get(name)).flatten();
        Arc::new(KeyGroup::new(keys.map(|(id, key)| (id.clone(), key.clone()))))
    }
}

/// Reads every key that the file names.
pub fn read(notes: &Notes, table: &Table) -> Keys {
    let mut keys = Keys::default();
    for (index, table) in Fields::of(notes, "", table, super::rows::LISTS).tables("key").into_iter().enumerate() {
        let at = label("key", index, table.get("id"));
        let fields = Fields::of(notes, &at, table, KEY);
        fields.check_keys(&[KEY]);
        let (id, group) = (fields.need("id", id), fields.read("group", text));
        let key = public_key(&fields);
        let (Some(id), Some(group), Some(key)) = (id, group, key) else { continue };
        if keys.0.values().any(|group| group.contains_key(&id)) {
            fields.fault("there are two keys with this id");
        }
        keys.0.entry(group).or_default().insert(id, key);
    }
    keys
}

fn public_key(fields: &Fields<'_>) -> Option<PublicKey> {
    if !fields.is_given("public_key") {
        fields.fault("public_key must be given: a path");
    }
    let path = fields.path("public_key")?;
    let read = || -> Result<PublicKey, String> {
        let size = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
        if size > MAX_KEY_BYTES {
            return Err(format!("the file has more than {MAX_KEY_BYTES} bytes"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        PublicKey::from_pem(&text).map_err(|error| error.to_string())
    };
    read().inspect_err(|problem| fields.fault(format!("public_key {}: {problem}", path.display()))).ok()
}

fn id(text: &str) -> Option<String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    ((1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(valid)).then(|| text.to_owned())
}
