//! Numbers, flags and optional texts as clients write them: with white space around, in any case, or empty.
//!
//! For `#[serde(default, deserialize_with = "...")]`.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Reads a number.
pub fn number<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.trim().parse().map_err(D::Error::custom)
}

/// Reads a number, or `None` where the element is empty.
pub fn optional_number<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: FromStr<Err: Display>,
{
    match String::deserialize(deserializer)?.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// Reads `true` or `false` in any case; an empty element is false.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    optional_flag(deserializer).map(Option::unwrap_or_default)
}

/// Reads `true` or `false` in any case, or `None` where the element is empty.
pub fn optional_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.trim() {
        "" => Ok(None),
        text if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        text if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(D::Error::custom("neither true nor false")),
    }
}

/// Reads a text without the white space around it, or `None` where nothing is left. Not for keys: theirs is theirs.
pub fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Reads a text without the white space around it, which must leave something.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional_text(deserializer)?.ok_or_else(|| D::Error::custom("an empty text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::xml::read::{Bounds, from_body};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Sheet {
        #[serde(rename = "Count", deserialize_with = "number")]
        count: u32,
        #[serde(rename = "Size", default, deserialize_with = "optional_number")]
        size: Option<u64>,
        #[serde(rename = "Quiet", default, deserialize_with = "flag")]
        quiet: bool,
        #[serde(rename = "Enabled", default, deserialize_with = "optional_flag")]
        enabled: Option<bool>,
        #[serde(rename = "Id", default, deserialize_with = "optional_text")]
        id: Option<String>,
    }

    fn read(inner: &str) -> Option<Sheet> {
        from_body(format!("<Sheet>{inner}</Sheet>").as_bytes(), "Sheet", Bounds::CONFIGURATION).ok()
    }

    #[test]
    fn scalars_are_read_as_clients_write_them() {
        let bare = Sheet { count: 1, size: None, quiet: false, enabled: None, id: None };
        assert_eq!(read("<Count> 1\n</Count>"), Some(bare));
        assert_eq!(
            read("<Count>1</Count><Size/><Quiet/><Enabled></Enabled><Id> </Id>"),
            read("<Count>1</Count>"),
            "empty elements are as if absent"
        );
        assert_eq!(
            read(
                "<Count>1</Count><Size> 18446744073709551615 </Size><Quiet> TRUE </Quiet><Enabled>False</Enabled><Id> a b </Id>"
            ),
            Some(Sheet {
                count: 1,
                size: Some(u64::MAX),
                quiet: true,
                enabled: Some(false),
                id: Some("a b".to_owned())
            })
        );
    }

    #[test]
    fn wrong_scalars_are_refused() {
        for inner in [
            "",
            "<Count/>",
            "<Count>-1</Count>",
            "<Count>4294967296</Count>",
            "<Count>1</Count><Size>x</Size>",
            "<Count>1</Count><Size>18446744073709551616</Size>",
            "<Count>1</Count><Quiet>yes</Quiet>",
            "<Count>1</Count><Enabled>1</Enabled>",
            "<Count>1</Count><Quiet>true</Quiet><Quiet>true</Quiet>",
        ] {
            assert_eq!(read(inner), None, "{inner}");
        }
    }
}
