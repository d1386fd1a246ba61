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
    /// Patterns of paths whose files never change; see [`Self::is_immutable`].
    pub immutable: Vec<Glob>,
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

    /// The password that visitors of the site, or of a preview, must know.
    pub fn password_for(&self, preview: bool) -> Option<&Password> {
        self.preview_password.as_ref().filter(|_| preview).or(self.password.as_ref())
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

#[cfg(test)]
mod tests {
    use super::super::password::tests::HASH;
    use super::*;

    fn parse(text: &str) -> Options {
        Options::parse(text).unwrap()
    }

    /// `docs/site-options.md` has the table of options, between two comments.
    #[test]
    fn the_documentation_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/site-options.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once("--lib options -->\n").unwrap();
        let (_, after) = rest.split_once("<!-- end of options -->").unwrap();
        let expected = format!("{before}--lib options -->\n{}<!-- end of options -->{after}", markdown());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &expected).unwrap();
            return;
        }
        assert_eq!(page, expected, "docs/site-options.md is stale: run `BLESS=1 cargo test --release --lib options`");
    }

    #[test]
    fn an_empty_file_switches_the_modern_rules_on() {
        assert_eq!(parse(""), Options::default());
        assert_eq!(parse("# nothing\n"), Options::default());
        let options = Options::default();
        assert!(
            options.clean_urls && options.not_found_pages && options.precompressed && options.single_page.is_none()
        );
    }

    #[test]
    fn every_option_is_read() {
        let options = parse(&format!(
            "clean_urls = false\ntrailing_slash = \"never\"\nnot_found_pages = false\nsingle_page = \"app/index.html\"\n\
             canonical_host = \"WWW.Example.com\"\nprecompressed = false\nsecurity_headers = false\n\
             content_security_policy = \"default-src 'self'\"\nstrict_transport_security = \"max-age=31536000\"\n\
             cache_control = \"private, max-age=60\"\nimmutable = [\"/assets/*\", \"/fonts/a.woff2\"]\n\
             password = {{ user = \"ali\", hash = \"{HASH}\" }}\n[preview_password]\nuser = \"baba\"\nhash = \"{HASH}\"\n"
        ));
        assert!(!options.clean_urls && !options.not_found_pages && !options.precompressed);
        assert_eq!(options.trailing_slash, TrailingSlash::Never);
        assert_eq!(options.single_page.as_deref(), Some("app/index.html"));
        assert_eq!(options.canonical_host.as_deref(), Some("www.example.com"));
        assert_eq!(options.cache_control.as_deref(), Some("private, max-age=60"));
        assert!(options.is_immutable("assets/x/y.js") && options.is_immutable("fonts/a.woff2"));
        assert!(!options.is_immutable("asset") && !options.is_immutable("fonts/a.woff2x"));
        assert_eq!(options.password.unwrap().user, "ali");
        assert_eq!(options.preview_password.unwrap().user, "baba");
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_what_to_do() {
        let text = "clean_url = true\n\ntrailing_slash = \"sometimes\"\nprecompressed = 1\nsingle_page = \"/index.html\"\n\
                    immutable = [\"assets/*\"]\ncolour = \"red\"\npassword = { user = \"a\", hash = \"secret\" }\n\
                    content_security_policy = \"a\\nb\"\ncanonical_host = \"https://a.b\"\n[headers]\nx = 1\n";
        let faults = Options::parse(text).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        for (told, (line, words)) in told.iter().zip([
            (1, "did you mean `clean_urls`?"),
            (3, "\"auto\", \"always\" or \"never\""),
            (4, "true or false"),
            (5, "without a leading slash"),
            (6, "begin with a slash"),
            (7, "there is no option `colour`"),
            (8, "brim site password"),
            (9, "visible ASCII"),
            (10, "host name"),
            (11, "there is no option `headers`"),
        ]) {
            assert!(told.starts_with(&format!("line {line}: ")) && told.contains(words), "{told}");
        }
        assert_eq!(told.len(), 10, "{told:#?}");
        assert!(!told.concat().contains("secret"));
    }

    #[test]
    fn a_text_that_is_no_toml_is_told_with_its_line() {
        let faults = Options::parse("clean_urls = true\nprecompressed =\n").unwrap_err();
        assert_eq!(faults[0].line, 2, "{faults:?}");
        assert!(Options::parse(&" ".repeat(MAX_FILE_BYTES + 1)).is_err());
        assert!(Options::parse("clean_urls = true\nclean_urls = true").is_err());
    }

    #[test]
    fn texts_that_would_break_out_of_a_header_are_refused() {
        for value in ["\"a\\r\\nb: c\"", "\"\"", "\" \"", "\"caf\u{e9}\"", "1"] {
            assert!(Options::parse(&format!("cache_control = {value}")).is_err(), "{value}");
        }
    }

    #[test]
    fn what_a_password_protects_is_not_for_every_cache() {
        let with = |value: &str| {
            Options::parse(&format!("password = {{ user = \"a\", hash = \"{HASH}\" }}\ncache_control = \"{value}\""))
        };
        assert!(with("private, max-age=60").is_ok() && with("no-store").is_ok());
        assert_eq!(with("public, max-age=60").unwrap_err()[0].line, 2);
    }

    #[test]
    fn the_host_with_or_without_www_moves_to_the_canonical_one() {
        for (canonical, host, expected) in [
            ("www.example.com", "example.com", Some("www.example.com")),
            ("example.com", "www.example.com", Some("example.com")),
            ("example.com", "example.com", None),
            ("example.com", "b.example.com", None),
            ("example.com", "www.www.example.com", None),
            ("example.com", "bucket.website.localhost", None),
        ] {
            let options = parse(&format!("canonical_host = \"{canonical}\""));
            assert_eq!(options.canonical(host), expected, "{canonical} {host}");
        }
        assert_eq!(Options::default().canonical("www.example.com"), None);
    }

    #[test]
    fn transport_security_is_for_secure_connections() {
        let options = parse("strict_transport_security = \"max-age=1\"\ncontent_security_policy = \"x\"");
        let names = |secure| options.security_headers(secure).map(|(name, _)| name).collect::<Vec<_>>();
        let plain = ["x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"];
        assert_eq!(names(false), plain);
        assert_eq!(names(true), [&plain[..], &["strict-transport-security"]].concat());
        assert_eq!(parse("security_headers = false").security_headers(true).count(), 0);
    }
}
