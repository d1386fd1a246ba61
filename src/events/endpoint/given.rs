//! What is given of an endpoint: options as texts, from the file, from commands, and at rest.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Options by key, as texts. `Debug` shows the keys alone, for some values are secrets; all are wiped when it is dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Given(BTreeMap<String, String>);

impl Given {
    /// Sets an option, in the place of what it was.
    pub fn set(&mut self, key: &str, text: impl Into<String>) {
        if let Some(mut before) = self.0.insert(key.to_owned(), text.into()) {
            before.zeroize();
        }
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }

    /// Those whose key is `wanted`.
    pub fn filtered(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| wanted(key)).map(|(key, text)| (key.clone(), text.clone())).collect())
    }

    /// These, and of `other` those that are not among them.
    pub fn or(mut self, other: &Self) -> Self {
        for (key, text) in other.iter() {
            if self.get(key).is_none() {
                self.set(key, text);
            }
        }
        self
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown() {
        let mut given = Given::default();
        given.set("authorization", "Bearer hunter2");
        assert_eq!(format!("{given:?}"), r#"{"authorization"}"#);
        assert_eq!(serde_json::to_string(&given).unwrap(), r#"{"authorization":"Bearer hunter2"}"#);
    }

    #[test]
    fn what_is_given_counts_before_what_was() {
        let (mut new, mut old) = (Given::default(), Given::default());
        new.set("url", "a");
        old.set("url", "b");
        old.set("format", "s3");
        let both = new.or(&old);
        assert_eq!(both.iter().collect::<Vec<_>>(), [("format", "s3"), ("url", "a")]);
    }
}
