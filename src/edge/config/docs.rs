//! `docs/edge-options.md`: rendered from the declaration, and held to it; an example that sets every key.

use super::rows::{Row, SECTIONS, Section, dotted, variable};

const INTRODUCTION: &str = "\
# The options of brim-edge

This page is generated from `src/edge/config/rows.rs`; `BLESS=1 cargo test --release --lib edge::config` writes it anew.
[The edge](edge.md) says how it all works together.

`brim-edge --config FILE` reads one file of TOML. `brim-edge check-config --config FILE` says what is wrong with it, all at
once, and reads the certificates, keys and pages that it names. SIGHUP has the file read again: sites with all that belongs
to them, certificates, `proxies.trusted`, `purge`, and of the limits `request_body`, `transfer_rate` and
`body_idle_timeout` (for uploads) count from the next request on; everything else after a restart. No connection is dropped
for it.

What stands outside of `[[...]]` can also be given in the environment, which beats the file: the variable's name is in the
tables below. An empty variable counts as not given. Any text in the file may be `\"${NAME}\"`: the value of that environment
variable is taken, so that secrets need not be in the file. `BRIM_EDGE_CONFIG` names the file where `--config` does not.
Unknown keys and unknown `BRIM_EDGE_...` variables are errors.

Sizes are a number of bytes or carry a unit: `B`, `KiB`, `MiB`, `GiB`, `TiB`, or decimal `kB`, `MB`, `GB`, `TB`.
Times carry a unit: `ms`, `s`, `m`, `h` or `d`. A list may be one text with commas. Paths start where the file is.
";

const CERTIFICATES: &str = "
## `[[certificate]]`: Certificates

As in the server's file: see [TLS](tls.md).

| key | default | meaning |
| --- | --- | --- |
| `cert` | | A file in PEM: the certificate, then those in between up to the authority's. Must be given. |
| `key` | | A file in PEM: its private key, which other users of the machine must not be able to read. Must be given. |
| `default` | `false` | Whether clients are shown it who ask for a name without a certificate, or for none. At most one. |
";

/// A file that sets every key. `{KEY}` is the path of a public key, `{PAGE}` that of a page.
const EXAMPLE: &str = r##"
listen = ["0.0.0.0:80", "[::]:80"]
tls_listen = ["0.0.0.0:443"]
admin_listen = "127.0.0.1:9091"
memory = "1GiB"
fill_memory = "128MiB"
workers = 4
shutdown_grace = "30s"
https_port = 443
h2c = false
name = "edge-1"

[disk]
path = "/var/cache/brim-edge"
size = "50GiB"

[feed]
url = "https://s3.example.com"
access_key_id = "EDGEEXAMPLEKEY"
secret_access_key = "${EDGE_SECRET}"
region = "us-east-1"
ca_bundle = "/etc/brim/private-ca.pem"
relay = false

[limits]
connections = 20000
head_size = "32KiB"
head_timeout = "15s"
keep_alive = "60s"
body_idle_timeout = "30s"
transfer_rate = "1KiB"
request_body = "5TiB"
streams = 100

[proxies]
trusted = ["10.0.0.0/8"]
protocol = true

[purge]
tokens = ["${PURGE_TOKEN}"]
from = ["10.0.0.0/8", "192.0.2.1"]

[log]
format = "json"
filter = "info"

[access_log]
directory = "/var/log/brim-edge"
format = "w3c"
rotate = "1h"
rotate_size = "256MiB"
keep = "7d"
upload = "https://s3.example.com/logs/edge-1/"
access_key_id = "LOGSEXAMPLEKEY"
secret_access_key = "${LOGS_SECRET}"
region = "us-east-1"

[acme]
domains = ["www.example.com"]
agree_terms = true
email = "admin@example.com"
directory = "https://acme-v02.api.letsencrypt.org/directory"
ca_bundle = "/etc/brim/private-ca.pem"
path = "/var/lib/brim-edge/acme"

[[certificate]]
cert = "/etc/brim/example.com.pem"
key = "/etc/brim/example.com.key"
default = true

[[key]]
id = "K2JCJMDEHXQW5F"
public_key = "{KEY}"
group = "members"

[[site]]
id = "shop"
hosts = ["shop.example.com", "*.shop.example.com"]
failover_on = [500, 502, 503, 504]
mode = "normal"
maintenance_page = "{PAGE}"
methods = ["GET", "HEAD", "OPTIONS", "POST"]
cache = true
min_ttl = "0s"
default_ttl = "1h"
max_ttl = "365d"
stale_while_revalidate = "30s"
stale_if_error = "1d"
error_ttl = "10s"
error_ttls = { 404 = "1m", 503 = "5s" }
honour_requests = false
store_set_cookie = false
key_query = { except = ["utm_source", "utm_campaign"] }
key_sort_query = true
key_headers = ["accept-language"]
key_cookies = ["currency"]
slices = true
compress = true
tag_headers = ["x-page-tags"]
fallback = "/index.html"
cache_status = true
allow = ["0.0.0.0/0", "::/0"]
deny = ["198.51.100.0/24"]
rate = "100/1s"
rate_burst = 200
https = "redirect"
origin = { url = "https://app.example.net", host = "viewer", headers = { x-origin-key = "${ORIGIN_KEY}" }, http2 = true, sni = "app.example.net", ca_bundle = "/etc/brim/private-ca.pem", client_certificate = "/etc/brim/edge.pem", client_key = "/etc/brim/edge.key", connect_timeout = "5s", first_byte_timeout = "30s", idle_timeout = "30s", tunnel_timeout = "10m", keep_alive = "30s", kept = 64, requests = 1024, failures = 5, pause = "5s" }
failover = { url = "https://standby.example.net", headers = { x-origin-key = "${ORIGIN_KEY}" } }

[[site.error_page]]
status = 503
page = "/sorry.html"
as = 503

[site.headers]
set = { x-served-by = "edge-1" }
override = { x-robots-tag = "noindex" }
remove = ["x-powered-by"]

[site.headers.security]
strict_transport_security = "max-age=31536000"
content_security_policy = "default-src 'self'"
frame_options = "DENY"
referrer_policy = "same-origin"
content_type_options = true
override = true

[site.headers.cors]
origins = ["https://*.example.com"]
methods = ["GET", "POST"]
headers = ["content-type"]
expose = ["etag"]
credentials = true
max_age = "10m"
override = true

[[site.behaviour]]
path = "/members/*"
signed_by = ["members"]

[[site]]
id = "files"
hosts = ["files.example.com"]
bucket_query = ["response-content-disposition"]
presigned = "pass"
origin = { url = "https://s3.example.com", bucket = "files", access_key_id = "EDGEEXAMPLEKEY", secret_access_key = "${EDGE_SECRET}", region = "us-east-1" }

[[site]]
id = "pages"
hosts = ["pages.example.com"]
origin = { url = "http://127.0.0.1:9080", website = "pages", access_key_id = "EDGEEXAMPLEKEY", secret_access_key = "${EDGE_SECRET}" }
"##;

/// The page of all options, in Markdown.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        page.push_str(&heading(section));
        for row in section.rows {
            page.push_str(&table_row(section, row));
        }
        if section.name == "[acme]" {
            page.push_str(CERTIFICATES);
        }
    }
    let example = EXAMPLE.replace("{KEY}", "/etc/brim/members.pem").replace("{PAGE}", "/etc/brim/maintenance.html");
    page.push_str("\n## Example\n\nA file that sets every key.\n\n```toml");
    page.push_str(&example);
    page.push_str("```\n");
    page
}

fn heading(section: &Section) -> String {
    let name = if section.name.is_empty() { String::new() } else { format!("`{}`: ", section.name) };
    let columns = match section.environment {
        true => "| key | environment | default | meaning |\n| --- | --- | --- | --- |\n",
        false => "| key | default | meaning |\n| --- | --- | --- |\n",
    };
    format!("\n## {name}{}\n\n{columns}", section.about)
}

fn table_row(section: &Section, row: &Row) -> String {
    let default = if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
    let doc = row.doc.trim_end_matches('.');
    let environment = match section.environment {
        true => format!("| `{}` ", variable(&dotted(section.name, row.key))),
        false => String::new(),
    };
    format!("| `{}` {environment}| {default} | {doc}. Expects {}. |\n", row.key, row.expects)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use toml::{Table, Value};

    use super::super::{EdgeConfig, Sources};
    use super::*;
    use crate::config::Faults;

    /// RSA, 2048 bits.
    const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0Mxh5O+NEQdqC1i7J8eE
RjSlnBXFJCCUjRLakM6cEj65+lD/86rPM/FGRT4BP7EFBEC3znSlwqa7WORPwZ3m
egqMBYzlP0v1QDWRtCSW/AdeSREFy02al7rLQuspNw4p9ahHc2vEHpykRuXya9nk
5vqhpfJR42Gztw/kWQGqdQL08RVSqrAwLUXTDWD55s9VYs5rCkakZAnX3hWvX8/6
o1Z6kAat0NDQ6HMDwlJY1k4HfUFUz60H75RTfCGpL0+TnjddDI9Abez1DQclAumM
AEYfCXxjP0QHpcJmtrtzzABfxl/1jBm9VJZ2VOaed/mbrnXn/jyKwG2IpqRl+TuH
kQIDAQAB
-----END PUBLIC KEY-----
";

    struct Folder {
        dir: tempfile::TempDir,
    }

    impl Folder {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("key.pem"), PUBLIC_KEY).unwrap();
            std::fs::write(dir.path().join("page.html"), "<p>soon</p>").unwrap();
            Self { dir }
        }

        fn example(&self) -> Table {
            let path = |name: &str| self.dir.path().join(name).display().to_string();
            let text = EXAMPLE.replace("{KEY}", &path("key.pem")).replace("{PAGE}", &path("page.html"));
            text.parse().unwrap()
        }

        fn load(&self, table: &Table, environment: &[(&str, &str)]) -> Result<EdgeConfig, Faults> {
            let file: PathBuf = self.dir.path().join("edge.toml");
            std::fs::write(&file, table.to_string()).unwrap();
            let secrets = [
                ("EDGE_SECRET", "an-example-of-a-secret"),
                ("PURGE_TOKEN", "an-example-of-a-token"),
                ("LOGS_SECRET", "another-example-of-a-secret"),
                ("ORIGIN_KEY", "a-third-secret"),
            ];
            let given = secrets.iter().chain(environment);
            let environment = given.map(|(name, value)| ((*name).into(), (*value).into())).collect();
            EdgeConfig::load(&Sources { file, environment })
        }
    }

    fn faults(loaded: Result<EdgeConfig, Faults>) -> Vec<String> {
        loaded.err().map(|faults| faults.0.iter().map(ToString::to_string).collect()).unwrap_or_default()
    }

    #[test]
    fn the_committed_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/edge-options.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/edge-options.md is stale: BLESS=1 cargo test --release --lib edge::config"
        );
    }

    #[test]
    fn the_example_is_valid() {
        let folder = Folder::new();
        let config = folder.load(&folder.example(), &[]).unwrap();
        assert_eq!(config.sites.len(), 3);
        assert_eq!(config.sites[0].behaviours.len(), 2);
        assert!(config.sites[0].behaviours[0].access.signed_by.is_some());
        assert_eq!(config.purge.tokens, ["an-example-of-a-token"]);
        assert!(!format!("{config:?}").contains("an-example-of-a-"), "a secret is shown");
    }

    /// Every key of the declaration is in the example, and a value there that is none is a fault: nothing is accepted and
    /// ignored.
    #[test]
    fn every_key_is_read() {
        let folder = Folder::new();
        let example = folder.example();
        let mut seen = BTreeSet::new();
        for path in leaves(&Value::Table(example.clone()), &mut Vec::new()) {
            let mut broken = Value::Table(example.clone());
            *at(&mut broken, &path) = Value::Float(1.5);
            let Value::Table(broken) = broken else { unreachable!() };
            let found = faults(folder.load(&broken, &[]));
            assert!(!found.is_empty(), "nobody minds 1.5 at {path:?}");
            seen.extend(path);
        }
        // Keys whose values are tables of the operator's own names.
        let open =
            ["origin", "failover", "error_ttls", "headers", "set", "override", "security", "cors", "site", "key"];
        for row in SECTIONS.iter().flat_map(|section| section.rows) {
            let nested = open.contains(&row.key) || ["behaviour", "error_page"].contains(&row.key);
            assert!(nested || seen.contains(row.key), "{} is not in the example", row.key);
        }
    }

    /// The paths of all values that are no tables; of a list its first item.
    fn leaves(value: &Value, path: &mut Vec<String>) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        let mut descend = |step: String, inner: &Value, path: &mut Vec<String>| {
            path.push(step);
            found.extend(leaves(inner, path));
            path.pop();
        };
        match value {
            Value::Table(table) => table.iter().for_each(|(key, inner)| descend(key.clone(), inner, path)),
            Value::Array(items) => items.iter().enumerate().for_each(|(i, inner)| descend(i.to_string(), inner, path)),
            _ => return vec![path.clone()],
        }
        found
    }

    fn at<'v>(value: &'v mut Value, path: &[String]) -> &'v mut Value {
        path.iter().fold(value, |value, step| match value {
            Value::Table(table) => table.get_mut(step).unwrap(),
            Value::Array(items) => items.get_mut(step.parse::<usize>().unwrap()).unwrap(),
            _ => unreachable!(),
        })
    }

    #[test]
    fn all_faults_are_reported_at_once_with_place_value_and_expectation() {
        let folder = Folder::new();
        let text = "listen = '8080'\nmemory = '1 GB'\ncolour = 1\nlog = 3\n[purge]\ntokens = ['tooshort']\n[limits]\nstream = 5\n\
                    [[site]]\nhosts = ['a.example', 'b c']\norigin = 'ftp://x'\n[[site]]\nhosts = ['d.example']\nid = 'd'\n\
                    min_ttl = 5\nrate_burst = 3\norigin = { url = 'http://x', bucket = 'pail' }\n[[site.behaviour]]\n\
                    path = '/x'\ncompres = true\nsigned_by = ['nobody']\n[[site]]\nid = 'e'\nhosts = ['d.example']\n\
                    origin = 'http://${UNSET}'\n[[site]]\nid = 'f'\nhosts = ['f.example']\norigin = '${UNSET}'\n";
        let found =
            faults(folder.load(&text.parse().unwrap(), &[("BRIM_EDGE_WORKERS", "none"), ("BRIM_EDGE_LISTN", "x")]));
        let file = format!("(file {})", folder.dir.path().join("edge.toml").display());
        for expected in [
            format!("listen {file}: \"8080\" is not valid; expected a list of addresses with ports"),
            format!("memory {file}: \"1 GB\" is not valid; expected a size from 1MiB"),
            format!("colour {file}: there is no such option"),
            format!("log {file}: must be a table"),
            format!("purge.tokens {file}: the value is not valid; expected a list of texts of at least 16"),
            format!("limits.stream {file}: there is no such option; did you mean streams?"),
            "workers (environment BRIM_EDGE_WORKERS): \"none\" is not valid; expected a number".to_owned(),
            "BRIM_EDGE_LISTN (environment BRIM_EDGE_LISTN): there is no such option; did you mean BRIM_EDGE_LISTEN?"
                .to_owned(),
            format!("site a.example, hosts {file}: \"b c\" is not valid"),
            format!("site a.example, origin {file}: \"ftp://x\" is not valid"),
            format!("site d, min_ttl {file}: \"5\" is not valid; expected a time such as 30s, or 0s"),
            format!("site d {file}: rate must be given when rate_burst is"),
            format!("site d, origin {file}: access_key_id and secret_access_key must be given"),
            format!("site d, behaviour /x, compres {file}: there is no such option; did you mean compress?"),
            format!("site d, behaviour /x, signed_by {file}: \"nobody\" is not valid"),
            "environment UNSET: the file refers to ${UNSET}, which is not set".to_owned(),
        ] {
            assert!(found.iter().any(|fault| fault.starts_with(&expected)), "{expected}\nnot in {found:#?}");
        }
        assert!(found.iter().all(|fault| !fault.contains("tooshort")));
    }

    #[test]
    fn the_environment_beats_the_file() {
        let folder = Folder::new();
        let environment = [
            ("BRIM_EDGE_LISTEN", "127.0.0.1:1,127.0.0.1:2"),
            ("BRIM_EDGE_DISK_SIZE", "1GiB"),
            ("BRIM_EDGE_WORKERS", ""),
            ("BRIM_EDGE_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("BRIM_EDGE_CONFIG", "elsewhere"),
        ];
        let config = folder.load(&folder.example(), &environment).unwrap();
        assert_eq!(config.process.listen.len(), 2);
        assert_eq!(config.disk.unwrap().size, 1 << 30);
        assert_eq!(config.process.workers, 4);
    }

    #[test]
    fn the_smallest_file_is_enough_and_caches_by_headers_alone() {
        let folder = Folder::new();
        let text = "listen = '127.0.0.1:8080'\n[[site]]\nhosts = ['*']\norigin = 'http://127.0.0.1:8000'\n";
        let config = folder.load(&text.parse().unwrap(), &[]).unwrap();
        let site = &config.sites[0];
        assert_eq!(site.id, "default");
        let behaviour = &site.behaviours[0];
        assert_eq!(behaviour.cached.ttl, super::super::super::rules::ttl::TtlPolicy::headers_alone());
        assert_eq!(behaviour.cached.errors, Default::default());
        assert_eq!(behaviour.key, super::super::super::rules::key::KeyPolicy::verbatim());
        assert!(behaviour.allows(&http::Method::DELETE));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let folder = Folder::new();
        let site = |more: &str| format!("[[site]]\nhosts = ['*']\norigin = 'http://x'\n{more}");
        for (text, expected) in [
            ("".to_owned(), "there is none: give at least one [[site]]"),
            ("listen = []\n".to_owned() + &site(""), "there is no address to listen on"),
            ("tls_listen = '127.0.0.1:1'\n".to_owned() + &site(""), "there is no certificate"),
            ("admin_listen = '127.0.0.1:8080'\n".to_owned() + &site(""), "is given twice"),
            ("[proxies]\nprotocol = true\n".to_owned() + &site(""), "trusted must be given"),
            ("[feed]\nurl = 'http://x'\n".to_owned() + &site(""), "brim key create --edge"),
            ("[disk]\nsize = '1GiB'\n".to_owned() + &site(""), "path must be given when size is"),
            ("[access_log]\nformat = 'json'\n".to_owned() + &site(""), "directory must be given"),
            ("[acme]\ndomains = ['a.example']\n".to_owned() + &site(""), "agree_terms must be true"),
            (site("max_ttl = '1s'\ndefault_ttl = '2s'\n"), "max_ttl is less than"),
            (site("key_headers = ['cookie']\n"), "cookies have key_cookies"),
            (site("https = 'redirect'\n"), "sends clients where nothing listens"),
            (site("https = 'required'\n"), "refuses every request"),
            (site("presigned = 'pass'\n"), "presigned is for buckets alone"),
            (site("[[site]]\nhosts = ['*']\nid = 'b'\norigin = 'http://y'\n"), "host * is that of site"),
            (site("[[site]]\nhosts = ['b']\nid = 'default'\norigin = 'http://y'\n"), "two sites with this id"),
        ] {
            let found = faults(folder.load(&text.parse().unwrap(), &[]));
            assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}\nnot in {found:#?}\n{text}");
        }
        for elsewhere in ["https_port = 443\n", "[proxies]\ntrusted = ['10.0.0.0/8']\n"] {
            let text = elsewhere.to_owned() + &site("https = 'redirect'\n");
            assert_eq!(faults(folder.load(&text.parse().unwrap(), &[])), [""; 0], "something else speaks TLS");
        }
    }

    #[test]
    fn a_fault_of_an_origin_hides_no_other_fault_of_the_site() {
        let folder = Folder::new();
        let bucket = "[site.origin]\nurl = 'nonsense'\nbucket = 'pail'\naccess_key_id = 'A'\nsecret_access_key = 'B'\n";
        let text = format!(
            "[[site]]\nid = 'a'\nhosts = ['a']\npresigned = 'pass'\nhttps = 'redirect'\n{bucket}\
             [[site]]\nid = 'a'\nhosts = ['a']\norigin = 'http://x'\n"
        );
        let found = faults(folder.load(&text.parse().unwrap(), &[]));
        for expected in
            ["url", "two sites with this id", "host a is that of site", "sends clients where nothing listens"]
        {
            assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}\nnot in {found:#?}");
        }
        assert!(!found.iter().any(|fault| fault.contains("presigned")), "it is a bucket, wherever: {found:#?}");
    }
}
