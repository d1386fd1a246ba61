//! The table of options: one row declares a key. Reading, faults and the documentation come from here.

use toml::de::DeValue;

use super::{Options, TrailingSlash};
use crate::site::glob::Glob;
use crate::site::password::{Hash, Password};
use crate::site::path::is_reserved;

/// The longest text of an option, in bytes.
const MAX_TEXT: usize = 4096;
/// The most patterns of `immutable`.
const MAX_PATTERNS: usize = 100;
/// The most stars of a pattern.
const MAX_STARS: usize = 8;

/// One option.
pub struct Row {
    pub key: &'static str,
    /// What the value must be.
    pub expects: &'static str,
    pub default: &'static str,
    pub doc: &'static str,
    /// Takes the value; says what is wrong with it, where more can be said than that it is not what is expected.
    set: fn(&mut Options, &DeValue<'_>) -> Result<(), Option<String>>,
}

impl Row {
    /// Takes the value; says what is wrong with it.
    pub(super) fn read(&self, options: &mut Options, value: &DeValue<'_>) -> Result<(), String> {
        let expected = |problem: Option<String>| match problem {
            Some(problem) => format!("{}: {problem}", self.key),
            None => format!("{}: expected {}", self.key, self.expects),
        };
        (self.set)(options, value).map_err(expected)
    }
}

const SWITCH: &str = "true or false";
const PERSON: &str = "{ user = \"...\", hash = \"...\" }, as `brim site password` prints it";
const HEADER: &str = "the value of a header: visible ASCII and spaces";

/// Every option, in the order of the documentation.
pub const OPTIONS: &[Row] = &[
    Row {
        key: "clean_urls",
        expects: SWITCH,
        default: "true",
        doc: "`/about` is answered from `about.html`; `/about.html` and `/about/index.html` move to `/about` and `/about/` \
              with 308.",
        set: |options, value| set_switch(&mut options.clean_urls, value),
    },
    Row {
        key: "trailing_slash",
        expects: "\"auto\", \"always\" or \"never\"",
        default: "\"auto\"",
        doc: "Whether paths end with a slash. `auto`: `about/index.html` is `/about/`, `about.html` is `/about`. `always`: a \
              path whose last segment has no dot moves to the one with a slash, before a file is looked for. `never`: the \
              reverse. Moves are 308; paths below `/.well-known/` are left alone.",
        set: |options, value| {
            options.trailing_slash = value.as_str().and_then(TrailingSlash::parse).ok_or(None)?;
            Ok(())
        },
    },
    Row {
        key: "not_found_pages",
        expects: SWITCH,
        default: "true",
        doc: "What is not there is answered, with 404, from the nearest `404.html`: that of its folder, or of one above.",
        set: |options, value| set_switch(&mut options.not_found_pages, value),
    },
    Row {
        key: "single_page",
        expects: "the key of a page, without a leading slash",
        default: "none",
        doc: "What is not there, and has no `404.html`, is answered from this page with 200: for applications that route in \
              the browser.",
        set: |options, value| {
            let key = text(value)?;
            if key.is_empty() || key.starts_with('/') || key.ends_with('/') || is_reserved(&key) {
                return Err(None);
            }
            options.single_page = Some(key);
            Ok(())
        },
    },
    Row {
        key: "canonical_host",
        expects: "a host name, without protocol and port",
        default: "none",
        doc: "Requests for the same host with or without `www.` move here with 308.",
        set: |options, value| {
            let host = text(value)?.to_ascii_lowercase();
            let label = |label: &str| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            if !host.contains('.') || !host.split('.').all(label) {
                return Err(None);
            }
            options.canonical_host = Some(host);
            Ok(())
        },
    },
    Row {
        key: "precompressed",
        expects: SWITCH,
        default: "true",
        doc: "Where `app.js.br`, `app.js.zst` or `app.js.gz` stands beside `app.js`, clients that take the coding get it, \
              under the type of `app.js`.",
        set: |options, value| set_switch(&mut options.precompressed, value),
    },
    Row {
        key: "security_headers",
        expects: SWITCH,
        default: "true",
        doc: "Sends `X-Content-Type-Options: nosniff`, `X-Frame-Options: SAMEORIGIN` and `Referrer-Policy: \
              strict-origin-when-cross-origin`. `_headers` can replace each.",
        set: |options, value| set_switch(&mut options.security_headers, value),
    },
    Row {
        key: "content_security_policy",
        expects: HEADER,
        default: "none",
        doc: "The value of `Content-Security-Policy`.",
        set: |options, value| set_header(&mut options.content_security_policy, value),
    },
    Row {
        key: "strict_transport_security",
        expects: HEADER,
        default: "none",
        doc: "The value of `Strict-Transport-Security`, such as `max-age=31536000`. Sent over HTTPS alone.",
        set: |options, value| set_header(&mut options.strict_transport_security, value),
    },
    Row {
        key: "cache_control",
        expects: HEADER,
        default: "\"public, max-age=0, must-revalidate\"",
        doc: "`Cache-Control` of what is not immutable, where the object has none of its own. With a password it must say \
              `private` or `no-store`, and `private` takes the place of `public` in the default.",
        set: |options, value| set_header(&mut options.cache_control, value),
    },
    Row {
        key: "immutable",
        expects: "a list of paths that begin with a slash, in which * stands for any characters",
        default: "[]",
        doc: "Paths of files that never change: `Cache-Control: public, max-age=31536000, immutable`. Fingerprinted names are \
              recognised without it: `app.3f2a1b9c.js`, `index-BQx8kT2p.css`.",
        set: |options, value| {
            options.immutable = patterns(value).ok_or(None)?;
            Ok(())
        },
    },
    Row {
        key: "password",
        expects: PERSON,
        default: "none",
        doc: "Who may see the site (HTTP Basic authentication; use HTTPS).",
        set: |options, value| set_password(&mut options.password, value),
    },
    Row {
        key: "preview_password",
        expects: PERSON,
        default: "that of the site",
        doc: "Who may see previews of deploys.",
        set: |options, value| set_password(&mut options.preview_password, value),
    },
];

fn set_switch(option: &mut bool, value: &DeValue<'_>) -> Result<(), Option<String>> {
    *option = value.as_bool().ok_or(None)?;
    Ok(())
}

fn set_header(option: &mut Option<String>, value: &DeValue<'_>) -> Result<(), Option<String>> {
    let text = text(value)?;
    if text.trim().is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(None);
    }
    *option = Some(text.trim().to_owned());
    Ok(())
}

fn text(value: &DeValue<'_>) -> Result<String, Option<String>> {
    let text = value.as_str().ok_or(None)?;
    if text.len() > MAX_TEXT {
        return Err(Some(format!("the text has more than {MAX_TEXT} bytes")));
    }
    Ok(text.to_owned())
}

fn patterns(value: &DeValue<'_>) -> Option<Vec<Glob>> {
    let list = value.as_array().filter(|list| list.len() <= MAX_PATTERNS)?;
    let pattern = |text: &str| {
        let valid = text.starts_with('/') && text.len() <= MAX_TEXT && text.matches('*').count() <= MAX_STARS;
        valid.then(|| Glob::new(text))
    };
    list.iter().map(|item| item.get_ref().as_str().and_then(pattern)).collect()
}

fn set_password(option: &mut Option<Password>, value: &DeValue<'_>) -> Result<(), Option<String>> {
    let table = value.as_table().ok_or(None)?;
    let field = |name: &str| {
        let found = table.iter().find(|(key, _)| key.get_ref() == name);
        found.and_then(|(_, value)| value.get_ref().as_str())
    };
    let (Some(user), Some(hash), 2) = (field("user"), field("hash"), table.len()) else { return Err(None) };
    if user.is_empty() || user.contains(':') || user.len() > MAX_TEXT {
        return Err(Some("the user has at least one character, and no colon".to_owned()));
    }
    let hash = Hash::parse(hash).map_err(|invalid| Some(invalid.to_string()))?;
    *option = Some(Password { user: user.to_owned(), hash });
    Ok(())
}

/// The table as documentation.
pub fn markdown() -> String {
    let mut table = String::from("| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for Row { key, expects, default, doc, .. } in OPTIONS {
        table.push_str(&format!("| `{key}` | {} | `{default}` | {doc} |\n", expects.replace('*', "`*`")));
    }
    table
}
