//! Secrets that are wiped from memory and never printed.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret access key: 8 to 128 visible ASCII characters. Wiped when the last clone is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(Arc<Zeroizing<String>>);

impl SecretKey {
    /// Gives the secret, or `None` if the text cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = (8..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        valid.then(|| Self(Arc::new(Zeroizing::new(text.to_owned()))))
    }

    /// The secret itself, for signing and for printing once at creation.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// Whether `text` can stand in a credential scope: 3 to 128 letters, digits, dots, hyphens and underscores.
pub fn valid_access_key_id(text: &str) -> bool {
    (3..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_visible_ascii_and_do_not_show_in_debug() {
        let secret = SecretKey::parse("wJalrXUtnFEMI/K7MDENG").unwrap();
        assert_eq!(secret.expose(), "wJalrXUtnFEMI/K7MDENG");
        assert!(!format!("{secret:?}").contains("wJalr"));
        for wrong in ["", "short", "with a space", "tab\tinside!", "sécret-long-enough"] {
            assert!(SecretKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn access_key_ids_never_hold_what_separates_a_credential_scope() {
        assert!(valid_access_key_id("BRIMABCDEFGH23456777"));
        for wrong in ["", "ab", "a/b/c", "a,b,c", "a=b", "a b c", "日本語"] {
            assert!(!valid_access_key_id(wrong), "{wrong}");
        }
    }
}
