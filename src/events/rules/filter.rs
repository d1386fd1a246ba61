//! Which keys a rule is about: those with a prefix and a suffix.
//!
//! AWS compares the values with the key as records show it, form-encoded; peers compare them with the key itself. A rule
//! here is about a key if either agrees: an event too many can be passed over, one too few is lost.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::http::percent;
use crate::names::ObjectKey;

/// The longest value, in bytes: as long as a key.
pub const MAX_VALUE: usize = 1024;

/// How keys begin and end. Both as they were given; `None` for any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub prefix: Option<String>,
    pub suffix: Option<String>,
}

impl Filter {
    pub fn matches(&self, key: &ObjectKey) -> bool {
        let key = key.as_bytes();
        self.prefix.as_deref().is_none_or(|prefix| spellings(prefix).any(|prefix| key.starts_with(&prefix)))
            && self.suffix.as_deref().is_none_or(|suffix| spellings(suffix).any(|suffix| key.ends_with(&suffix)))
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        self.prefix.is_none() && self.suffix.is_none()
    }

    /// Whether some key could be of both, going by the values as they were given, as AWS does.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mine, its) = (self.prefix.as_deref().unwrap_or_default(), other.prefix.as_deref().unwrap_or_default());
        let prefixes = mine.starts_with(its) || its.starts_with(mine);
        let (mine, its) = (self.suffix.as_deref().unwrap_or_default(), other.suffix.as_deref().unwrap_or_default());
        prefixes && (mine.ends_with(its) || its.ends_with(mine))
    }
}

/// The bytes that a value may stand for: itself, and what it is the form encoding of.
fn spellings(value: &str) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let encoded = value.contains(['%', '+']).then(|| percent::decode_query(value).ok()).flatten();
    [Some(Cow::Borrowed(value.as_bytes())), encoded].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(prefix: &str, suffix: &str) -> Filter {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Filter { prefix: given(prefix), suffix: given(suffix) }
    }

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    #[test]
    fn keys_have_the_prefix_and_the_suffix() {
        for (prefix, suffix, text, expected) in [
            ("", "", "anything", true),
            ("images/", ".jpg", "images/a.jpg", true),
            ("images/", ".jpg", "images/a.png", false),
            ("images/", ".jpg", "image/a.jpg", false),
            ("images/", ".jpg", "images/.JPG", false),
            // They may share bytes of the key.
            ("abc", "bcd", "abcd", true),
            ("year=2026/", "", "year=2026/a", true),
            ("year%3D2026/", "", "year=2026/a", true),
            ("year%3D2026/", "", "year%3D2026/a", true),
            ("a+b", "", "a b", true),
            ("a+b", "", "a+b", true),
            ("a%2Bb", "", "a b", false),
            ("100%", "", "100% wool", true),
            ("", "%C3%A9", "café", true),
        ] {
            assert_eq!(filter(prefix, suffix).matches(&key(text)), expected, "{prefix} {suffix} {text}");
        }
    }

    #[test]
    fn filters_overlap_as_in_the_examples_of_aws() {
        for (left, right, expected) in [
            (("images/", ""), ("logs/", ""), false),
            (("", ".jpg"), ("", ".png"), false),
            (("images", ".jpg"), ("images", ".png"), false),
            (("", ""), ("images", ""), true),
            (("", "jpg"), ("", "pg"), true),
            (("images", "jpg"), ("", "jpg"), true),
            (("a", ""), ("", "b"), true),
        ] {
            let (left, right) = (filter(left.0, left.1), filter(right.0, right.1));
            assert_eq!((left.overlaps(&right), right.overlaps(&left)), (expected, expected), "{left:?} {right:?}");
        }
    }

    proptest! {
        /// Where a key is of two filters whose values mean themselves, these overlap.
        #[test]
        fn no_key_is_of_two_filters_that_do_not_overlap(
            text in "[ab]{1,6}", left in ("[ab]{0,2}", "[ab]{0,2}"), right in ("[ab]{0,2}", "[ab]{0,2}"),
        ) {
            let (left, right) = (filter(&left.0, &left.1), filter(&right.0, &right.1));
            if left.matches(&key(&text)) && right.matches(&key(&text)) {
                prop_assert!(left.overlaps(&right));
            }
        }

        /// AWS's own way to look at it: the encoded key begins with the value.
        #[test]
        fn what_aws_matches_is_matched(text in "[a =+%é/]{1,6}", taken in 0usize..7) {
            let value: String = text.chars().take(taken).collect();
            let encoded = percent::encode_listing(&value).into_owned();
            prop_assert!(filter(&encoded, "").matches(&key(&text)));
            prop_assert!(filter(&value, "").matches(&key(&text)));
        }
    }
}
