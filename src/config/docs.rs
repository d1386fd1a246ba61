//! `docs/configuration.md`, from the rows.

use std::fmt::Write;

use super::declare::{Row, rows};
use super::server::SECTIONS;
use crate::events::endpoint::{EndpointOption, Form, OPTIONS};

const INTRODUCTION: &str = "\
# Configuration of `brim server`

This page is made from the declarations in `src/config/server.rs`; `BLESS=1 cargo test --release --lib config`
writes it anew.

Every option can stand in a TOML file (`--config FILE`, or `BRIM_CONFIG`) and in the environment; a few are flags too.
A flag beats the environment, the environment beats the file, the file beats the default. An empty environment variable
counts as not given. Unknown keys and unknown `BRIM_...` variables are errors (except those that Kubernetes and Docker
make for a service named `brim`), and all faults are reported at once, before anything is opened.

Sizes are a number of bytes or carry a unit: `B`, `KiB`, `MiB`, `GiB`, `TiB`, or decimal `kB`, `MB`, `GB`, `TB`.
Times carry a unit: `ms`, `s`, `m`, `h` or `d`. Lists are separated by commas in the environment.
";

/// Accounts are no options: they stand in the file alone.
const ACCOUNTS: &str = "
## Accounts, users and their keys

The file may declare accounts, each with users, keys and policies. [Identities](identity.md) says what they mean. SIGHUP has
the file read again: accounts, users, keys and policies count from the next request on, everything else after a restart.

| key | meaning |
| --- | --- |
| `[[account]]` | an account; the one called `account_id` is there without being declared |
| `id` | 12 digits; must be given |
| `display_name` | how lists of buckets and objects call the owner; without it, the id |
| `email` | an e-mail that grants may name |
| `canonical_id` | 64 lower-case hex digits that grants may name; without it, one that is derived from the id |
| `[[account.key]]` | a key of the account itself, any number of them: `access_key_id` and `secret_access_key` |
| `[[account.user]]` | a user |
| `name` | 1 to 64 letters, digits and `+=,.@_-`; unique in the account without regard to case; must be given |
| `path` | `/` or words between slashes, as in IAM |
| `root` | `true`: the user's keys stand for the account itself |
| `keys` | any number of pairs `{ access_key_id = \"...\", secret_access_key = \"...\" }` |
| `policies` | inline policies: `{ name = \"...\", document = \"JSON\" }`, or `file = \"path\"` in place of `document`; a relative path \
starts where the configuration file is |
";

/// Certificates are no options either.
const CERTIFICATES: &str = "
## Certificates

The file names the certificates of `s3.tls_listen`. [TLS](tls.md) says which one a client is shown. They are read
again when their files change, and at SIGHUP together with this list.

| key | meaning |
| --- | --- |
| `[[certificate]]` | a certificate, any number of them up to 1000; the names that it is for stand in it |
| `cert` | a file in PEM: the certificate, then those in between up to the authority's; must be given |
| `key` | a file in PEM: its private key, which other users of the machine must not be able to read; must be given |
| `default` | `true`: it is shown to clients who ask for a name without a certificate, or for none; at most one |

A relative path starts where the configuration file is.
";

/// The certificates of the example.
const CERTIFICATES_EXAMPLE: &str = r#"
[[certificate]]
cert = "/etc/brim/example.com.pem"
key = "/etc/brim/example.com.key"
default = true
"#;

/// Sites are no options: they stand in the file alone.
const SITES: &str = "
## Custom domains

The file may say which bucket a domain is the website of. SIGHUP has the file read again: domains count from the next request
on. [Websites](websites.md#custom-domains) says more; `brim site add` does the same without the file, and what the file
says counts first.

| key | meaning |
| --- | --- |
| `[[site]]` | a custom domain |
| `domain` | a host name without port, not below `website.domains` or `s3.domains`; must be given |
| `bucket` | the bucket; it need not exist yet; must be given |
";

/// The sites of the example.
const SITES_EXAMPLE: &str = r#"
[[site]]
domain = "www.example.com"
bucket = "my-site"
"#;

/// Webhooks are no options of the server: each has its own, declared in `events::endpoint`.
const WEBHOOKS: &str = "
## Webhooks

The file may declare endpoints of notifications. SIGHUP has the file read again: what is new hears of changes from then on, what
is gone is left alone, and what changed goes on where it was. [Notifications](notifications.md) says more; `brim webhook
add` does the same without the file, but cannot change what the file declares.

| key | default | meaning |
| --- | --- | --- |
| `[[webhooks]]` | | an endpoint, any number of them up to 1000 |
| `name` | | 1 to 80 letters, digits, hyphens and underscores, which ARNs in a bucket's configuration end in; must be given |
| `account` | `account_id` | the account whose buckets may name it |
";

/// What stands behind the options of webhooks.
const WEBHOOK_FILES: &str = "
A relative path starts where the configuration file is. Files with secrets hold nothing else, and other users of the
machine must not be able to read them: `(umask 077; echo whsec_$(openssl rand -base64 32) >orders.secret)` makes one.
";

/// The webhooks of the example, as it is shown.
const WEBHOOKS_EXAMPLE: &str = r#"
[[webhooks]]
name = "orders"
url = "http://127.0.0.1:8080/hooks/brim"
secret_file = "/etc/brim/orders.secret"
ordering = "key"
"#;

/// The accounts of the example.
const ACCOUNTS_EXAMPLE: &str = r#"
[[account]]
id = "123456789012"
display_name = "Example"
email = "storage@example.com"

[[account.user]]
name = "backup"
keys = [{ access_key_id = "BACKUPEXAMPLEKEY", secret_access_key = "another-example-of-a-secret" }]

[[account.user.policies]]
name = "own-bucket"
document = '''
{
  "Version": "2012-10-17",
  "Statement": [
    { "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::backups" },
    { "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::backups/*" }
  ]
}
'''
"#;

/// Renders the page that documents every option.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        page.push_str(&heading(section.about.trim()));
        page.push_str("| key | environment | flag | default | meaning |\n| --- | --- | --- | --- | --- |\n");
        for row in section.rows {
            page.push_str(&table_row(row));
        }
    }
    page.push_str(CERTIFICATES);
    page.push_str(ACCOUNTS);
    page.push_str(SITES);
    page.push_str(WEBHOOKS);
    OPTIONS.iter().for_each(|option| page.push_str(&webhook_row(option)));
    page.push_str(WEBHOOK_FILES);
    page.push_str("\n## Example\n\n```toml\n");
    page.push_str(&example());
    page.push_str("```\n");
    page
}

/// The first sentence as a heading, the others as a paragraph.
fn heading(about: &str) -> String {
    match about.split_once(". ") {
        Some((title, rest)) => format!("\n## {title}\n\n{rest}\n\n"),
        None => format!("\n## {}\n\n", about.trim_end_matches('.')),
    }
}

fn table_row(row: &Row) -> String {
    let flag = row.flag.map(|flag| format!("`--{flag}`")).unwrap_or_default();
    let default = if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
    let doc = row.doc.trim().trim_end_matches('.');
    let expects = row.form.expects;
    format!("| `{}` | `{}` | {flag} | {default} | {doc}. Expects {expects}. |\n", row.key, row.environment())
}

fn webhook_row(option: &EndpointOption) -> String {
    let default = if option.default.is_empty() { String::new() } else { format!("`{}`", option.default) };
    let (doc, place) =
        (option.doc.trim_end_matches('.'), if option.form == Form::File { " It stands in this file." } else { "" });
    format!("| `{}` | {default} | {doc}. Expects {}.{place} |\n", option.file_key(), option.expects)
}

/// A file that sets every option: keys without a section first, as TOML demands, then section by section.
fn example() -> String {
    let mut text = String::new();
    for row in rows().filter(|row| !row.key.contains('.')) {
        writeln!(text, "{} = {}", row.key, row.example).expect("writing to a String does not fail");
    }
    let mut open = "";
    for row in rows() {
        let Some((section, name)) = row.key.split_once('.') else { continue };
        if section != open {
            writeln!(text, "\n[{section}]").expect("writing to a String does not fail");
            open = section;
        }
        writeln!(text, "{name} = {}", row.example).expect("writing to a String does not fail");
    }
    text + CERTIFICATES_EXAMPLE + SITES_EXAMPLE + WEBHOOKS_EXAMPLE + ACCOUNTS_EXAMPLE
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, Sources};
    use super::*;

    #[test]
    fn the_committed_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/configuration.md is stale: run `BLESS=1 cargo test --release --lib config`"
        );
    }

    #[test]
    fn the_example_is_a_valid_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("brim.toml");
        // The one file that is read at once.
        let secret = dir.path().join("orders.secret");
        crate::private_file::write(&secret, b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let example = example().replace("/etc/brim/orders.secret", secret.to_str().unwrap());
        std::fs::write(&file, example).unwrap();
        let config = ServerConfig::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        assert_eq!(config.s3.domains, ["s3.example.com", "s3.localhost"]);
        assert!(config.root.key().is_some() && config.certificates.len() == 1);
        assert_eq!(config.accounts[0].users[0].policies.len(), 1);
        assert_eq!(config.declared_webhooks().len(), 1);
    }
}
