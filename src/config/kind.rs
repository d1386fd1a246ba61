//! What an option's value may look like: one row per kind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::values::{DiskReserve, Durability, HttpsRedirect};
use crate::identity::{SecretKey, valid_access_key_id};
use crate::names::{AccountId, HostName};
use crate::telemetry::log::Format;
use crate::units::{GIB, MIB, TIB, duration, size};

/// The most threads that may be asked for.
const MAX_WORKERS: usize = 1024;
/// The most connections that may be asked for.
const MAX_CONNECTIONS: usize = 1_000_000;
/// The most base domains.
const MAX_DOMAINS: usize = 64;
/// The most address ranges.
const MAX_RANGES: usize = 256;
/// The longest domain, in bytes: RFC 1035 section 3.1, without the final dot.
const MAX_DOMAIN_BYTES: usize = 253;

/// A kind of value: its form and the function that parses it.
pub struct Kind<T> {
    pub form: Form,
    pub parse: fn(&str) -> Option<T>,
}

/// What a fault message and the documentation say of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Completes "expected ...".
    pub expects: &'static str,
    pub toml: Toml,
    /// Whether values must never be shown.
    pub secret: bool,
}

/// Which TOML types a kind is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toml {
    Text,
    /// A number, or text where there is a unit or a word.
    Number,
    Switch,
    /// A list of texts; separated by commas in flags and in the environment.
    List,
}

const fn text(expects: &'static str) -> Form {
    Form { expects, toml: Toml::Text, secret: false }
}

const fn number(expects: &'static str) -> Form {
    Form { expects, toml: Toml::Number, secret: false }
}

pub const ADDRESS: Kind<SocketAddr> =
    Kind { form: text("an IP address and a port, such as 127.0.0.1:9000 or [::1]:9000"), parse: |t| t.parse().ok() };

pub const OPTIONAL_ADDRESS: Kind<Option<SocketAddr>> = Kind {
    form: text("an IP address and a port, such as 0.0.0.0:9443"),
    parse: |t| if t.is_empty() { Some(None) } else { t.parse().ok().map(Some) },
};

pub const PATH: Kind<PathBuf> =
    Kind { form: text("a path"), parse: |t| (!t.is_empty() && !t.contains('\0')).then(|| PathBuf::from(t)) };

pub const OPTIONAL_PATH: Kind<Option<PathBuf>> =
    Kind { form: text("a path"), parse: |t| if t.is_empty() { Some(None) } else { (PATH.parse)(t).map(Some) } };

pub const ACME_DIRECTORY: Kind<String> =
    Kind { form: text("an address that begins with https://"), parse: |t| acme_directory(t).then(|| t.to_owned()) };

pub const EMAIL: Kind<Option<String>> = Kind {
    form: text("an e-mail address"),
    parse: |t| if t.is_empty() { Some(None) } else { is_email(t).then(|| Some(t.to_owned())) },
};

pub const DOMAINS: Kind<Vec<String>> = Kind {
    form: Form {
        expects: "a list of lower-case domain names, such as s3.example.com",
        toml: Toml::List,
        secret: false,
    },
    parse: domains,
};

pub const HOST_NAMES: Kind<Vec<HostName>> = Kind { form: DOMAINS.form, parse: host_names };

pub const RANGES: Kind<Vec<IpNet>> = Kind {
    form: Form { expects: "a list of address ranges, such as 10.20.0.0/16", toml: Toml::List, secret: false },
    parse: ranges,
};

pub const REGION: Kind<String> =
    Kind { form: text("a region of lower-case letters, digits and hyphens, such as us-east-1"), parse: region };

pub const SCOPE_REGION: Kind<Option<String>> = Kind {
    form: text("`any`, or a region such as us-east-1"),
    parse: |t| if t == "any" { Some(None) } else { region(t).map(Some) },
};

pub const SWITCH: Kind<bool> =
    Kind { form: Form { expects: "true or false", toml: Toml::Switch, secret: false }, parse: |t| t.parse().ok() };

pub const ACCOUNT_ID: Kind<AccountId> = Kind { form: text("an account id of 12 digits"), parse: |t| t.parse().ok() };

pub const ACCESS_KEY_ID: Kind<Option<String>> = Kind {
    form: text("an access key id of 3 to 128 letters, digits, dots, hyphens and underscores"),
    parse: |t| if t.is_empty() { Some(None) } else { valid_access_key_id(t).then(|| Some(t.to_owned())) },
};

pub const SECRET_ACCESS_KEY: Kind<Option<SecretKey>> = Kind {
    form: Form { expects: "a secret of 8 to 128 visible ASCII characters", toml: Toml::Text, secret: true },
    parse: |t| if t.is_empty() { Some(None) } else { SecretKey::parse(t).map(Some) },
};

pub const HTTPS_REDIRECT: Kind<HttpsRedirect> =
    Kind { form: text("auto, always or never"), parse: HttpsRedirect::parse };

pub const PORT: Kind<Option<u16>> = Kind {
    form: number("`auto`, or a port from 1 to 65535"),
    parse: |t| if t == "auto" { Some(None) } else { t.parse().ok().filter(|port| *port > 0).map(Some) },
};

pub const DURABILITY: Kind<Durability> = Kind { form: text("strict or relaxed"), parse: Durability::parse };

pub const INLINE_THRESHOLD: Kind<u64> =
    Kind { form: number("a size of at most 1MiB, such as 32KiB"), parse: |t| size(t).filter(|s| *s <= MIB) };

pub const PACK_THRESHOLD: Kind<u64> =
    Kind { form: number("a size of at most 1MiB, such as 256KiB"), parse: |t| size(t).filter(|s| *s <= MIB) };

pub const KV_MEMORY: Kind<u64> = Kind {
    form: number("a size from 16MiB to 1TiB, such as 96MiB"),
    parse: |t| size(t).filter(|s| (16 * MIB..=TIB).contains(s)),
};

pub const BUFFER_MEMORY: Kind<u64> = Kind {
    form: number("a size from 4MiB to 1TiB, such as 64MiB"),
    parse: |t| size(t).filter(|s| (4 * MIB..=TIB).contains(s)),
};

pub const RESERVE: Kind<DiskReserve> =
    Kind { form: text("a size, a percentage up to 90%, or both, such as 1GiB,2%"), parse: DiskReserve::parse };

pub const OBJECT_SIZE: Kind<u64> = Kind {
    form: number("a size from 1MiB to 50TiB, such as 5TiB"),
    parse: |t| size(t).filter(|s| (MIB..=50 * TIB).contains(s)),
};

pub const RATE: Kind<u64> =
    Kind { form: number("a size per second of at most 1GiB, such as 1KiB"), parse: |t| size(t).filter(|s| *s <= GIB) };

pub const DURATION: Kind<Duration> =
    Kind { form: text("a time from 1ms to 3650d in ms, s, m, h or d, such as 30s"), parse: duration };

pub const BACKLOG_ENTRIES: Kind<u64> = Kind {
    form: number("a number from 1 to 1000000000000"),
    parse: |t| t.parse().ok().filter(|n| (1..=1_000_000_000_000).contains(n)),
};

pub const WORKERS: Kind<usize> = Kind { form: number("`auto`, or a number from 1 to 1024"), parse: workers };

pub const CONNECTIONS: Kind<usize> = Kind {
    form: number("a number from 1 to 1000000"),
    parse: |t| t.parse().ok().filter(|n| (1..=MAX_CONNECTIONS).contains(n)),
};

pub const LOG_FORMAT: Kind<Format> = Kind { form: text("text or json"), parse: log_format };

pub const LOG_FILTER: Kind<String> = Kind {
    form: text("a level (error, warn, info, debug, trace, off) or directives such as info,brim::store=debug"),
    parse: |t| (!t.is_empty() && EnvFilter::builder().parse(t).is_ok()).then(|| t.to_owned()),
};

fn log_format(text: &str) -> Option<Format> {
    match text {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        _ => None,
    }
}

fn workers(text: &str) -> Option<usize> {
    if text == "auto" {
        return Some(std::thread::available_parallelism().map_or(1, usize::from));
    }
    text.parse().ok().filter(|n| (1..=MAX_WORKERS).contains(n))
}

fn region(text: &str) -> Option<String> {
    let valid = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text != "any";
    valid.then(|| text.to_owned())
}

fn domains(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let domains: Vec<String> = text.split(',').map(|domain| domain.trim().to_owned()).collect();
    (domains.len() <= MAX_DOMAINS && domains.iter().all(|domain| is_domain(domain))).then_some(domains)
}

fn ranges(text: &str) -> Option<Vec<IpNet>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let ranges: Vec<IpNet> = text.split(',').map(|range| range.trim().parse().ok()).collect::<Option<_>>()?;
    (ranges.len() <= MAX_RANGES).then_some(ranges)
}

fn acme_directory(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// As much as keeps a slip out: the authority judges the rest.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
        && text.len() <= MAX_DOMAIN_BYTES
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}

fn host_names(text: &str) -> Option<Vec<HostName>> {
    domains(text)?.iter().map(|domain| HostName::parse(domain).ok()).collect()
}

fn is_domain(text: &str) -> bool {
    text.len() <= MAX_DOMAIN_BYTES && text.split('.').all(is_label)
}

/// RFC 1123 section 2.1: letters, digits and inner hyphens, at most 63.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_lower_case_names() {
        assert_eq!((DOMAINS.parse)("s3.localhost, s3.example.com").unwrap(), ["s3.localhost", "s3.example.com"]);
        assert_eq!((DOMAINS.parse)("").unwrap(), Vec::<String>::new());
        for wrong in ["S3.localhost", "a..b", "-a", "a,", "a:80", "http://a"] {
            assert!((DOMAINS.parse)(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn bounds_are_kept() {
        assert!((ACME_DIRECTORY.parse)("http://a").is_none() && (ACME_DIRECTORY.parse)("https://a/dir").is_some());
        assert!((EMAIL.parse)("a@b").is_some() && (EMAIL.parse)("a").is_none() && (EMAIL.parse)("a@b,c@d").is_none());
        assert_eq!((INLINE_THRESHOLD.parse)("1MiB"), Some(MIB));
        assert_eq!((INLINE_THRESHOLD.parse)("1048577"), None);
        assert_eq!((PACK_THRESHOLD.parse)("0"), Some(0));
        assert_eq!((PACK_THRESHOLD.parse)("1048577"), None);
        assert_eq!((WORKERS.parse)("0"), None);
        assert_eq!((CONNECTIONS.parse)("1000001"), None);
        assert!((WORKERS.parse)("auto").unwrap() >= 1);
        assert_eq!((SCOPE_REGION.parse)("any"), Some(None));
        assert!((LOG_FILTER.parse)("info,brim::store=loud").is_none());
    }
}
