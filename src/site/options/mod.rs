//! `.brim/site.toml`: what a site wants beyond S3's website endpoint. That the file is there switches the modern rules on.

mod read;
mod rows;

use std::fmt;

pub use rows::{OPTIONS, Row, markdown};

use super::fault::Fault;
use super::glob::Glob;
use super::password::Password;

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 64 * 1024;

/// A site's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Pages are at home under their names without `.html` and `index.html`.
    pub clean_urls: bool,
    pub trailing_slash: TrailingSlash,
    /// The nearest `404.html` answers what is not there, with 404.
    pub not_found_pages: bool,
    /// The key of the page that answers, with 200, what is not there.
    pub single_page: Option<String>,
    /// In lower case. See [`Self::canonical`].
    pub canonical_host: Option<String>,
    /// Siblings with `.br`, `.zst` and `.gz` behind their names are sent where a client takes them.
    pub precompressed: bool,
    /// See [`Self::security_headers`].
    pub security_headers: bool,
    pub content_security_policy: Option<String>,
    pub strict_transport_security: Option<String>,
    /// `Cache-Control` of what is not immutable; see [`super::caching::cache_control`].
    pub cache_control: Option<String>,
    immutable: Vec<Glob>,
    /// Who may see the site.
    pub password: Option<Password>,
    /// Who may see previews; the site's own password where it is `None`.
    pub preview_password: Option<Password>,
}

/// Whether paths of pages end with a slash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TrailingSlash {
    /// Folders do, pages do not.
    #[default]
    Auto,
    Always,
    Never,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clean_urls: true,
            trailing_slash: TrailingSlash::default(),
            not_found_pages: true,
            single_page: None,
            canonical_host: None,
            precompressed: true,
            security_headers: true,
            content_security_policy: None,
            strict_transport_security: None,
            cache_control: None,
            immutable: Vec::new(),
            password: None,
            preview_password: None,
        }
    }
}

impl Options {
    /// Reads the file. Gives every fault, up to [`super::MAX_FAULTS`], each with its line and what to do about it.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        read::read(text)
    }

    /// The host to which a request for this one (in lower case, without its port) goes, with 308: the canonical host, for
    /// the same name with or without `www.`.
    pub fn canonical(&self, host: &str) -> Option<&str> {
        let canonical = self.canonical_host.as_deref()?;
        let is_other = |with: &str, without: &str| with.strip_prefix("www.") == Some(without);
        (is_other(host, canonical) || is_other(canonical, host)).then_some(canonical)
    }

    /// The headers that keep browsers careful, by name in lower case and value. `Strict-Transport-Security` only where the
    /// connection is secure (RFC 6797 section 7.2).
    pub fn security_headers(&self, secure: bool) -> impl Iterator<Item = (&'static str, &str)> {
        const DEFAULTS: [(&str, &str); 3] = [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "SAMEORIGIN"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
        ];
        let defaults = DEFAULTS.into_iter().filter(|_| self.security_headers);
        let policy = self.content_security_policy.as_deref().map(|value| ("content-security-policy", value));
        let transport = self.strict_transport_security.as_deref().filter(|_| secure);
        defaults.chain(policy).chain(transport.map(|value| ("strict-transport-security", value)))
    }

    /// Whether the option `immutable` names this key.
    pub fn is_immutable(&self, key: &str) -> bool {
        // Patterns are of paths; the slash is part of them.
        !self.immutable.is_empty() && {
            let path = format!("/{key}");
            self.immutable.iter().any(|glob| glob.matches(&path))
        }
    }
}

impl TrailingSlash {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.to_string() == text)
    }
}

impl fmt::Display for TrailingSlash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}
