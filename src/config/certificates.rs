//! `[[certificate]]` in the file: where certificates and their keys are.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::fault::Fault;
use super::tables::{TableReader, label};
use crate::tls::Pair;

/// The key of the file's tables of certificates.
pub const CERTIFICATE: &str = "certificate";

/// The most certificates.
const MAX_CERTIFICATES: usize = 1000;

const KEYS: &[&str] = &["cert", "key", "default"];

/// Gives the certificates that the value of `certificate` in the file at `path` names, and notes what is wrong with them.
/// A path that is not absolute starts where the file is. No certificate is opened.
pub fn read(value: &Value, path: &Path, faults: &mut Vec<Fault>) -> Vec<Pair> {
    let mut tables = TableReader::of(path, faults);
    let list = tables.list(CERTIFICATE, value);
    if list.len() > MAX_CERTIFICATES {
        tables.fault(CERTIFICATE, format!("there are more than {MAX_CERTIFICATES}"));
        return Vec::new();
    }
    let pairs: Vec<Pair> =
        list.into_iter().enumerate().filter_map(|(index, table)| pair(&mut tables, index, table)).collect();
    tables.check_names(CERTIFICATE, "cert", pairs.iter().map(|pair| pair.chain.display().to_string()));
    if pairs.iter().filter(|pair| pair.default).count() > 1 {
        tables.fault(CERTIFICATE, "more than one is the default");
    }
    pairs
}

fn pair(tables: &mut TableReader<'_>, index: usize, table: &Table) -> Option<Pair> {
    let at = label(CERTIFICATE, index, table.get("cert"));
    tables.check_keys(&at, table, KEYS);
    let (chain, key) = (path(tables, &at, table, "cert"), path(tables, &at, table, "key"));
    let default = match table.get("default") {
        None => false,
        Some(Value::Boolean(default)) => *default,
        Some(other) => {
            tables.fault(&at, format!("default is {other}, which is not valid; expected true or false"));
            false
        }
    };
    Some(Pair { chain: chain?, key: key?, default })
}

fn path(tables: &mut TableReader<'_>, at: &str, table: &Table, key: &str) -> Option<PathBuf> {
    let text = tables.text(at, table, key, true)?;
    if text.is_empty() || text.contains('\0') {
        // Not shown: someone may have put the key itself here.
        tables.fault(at, format!("{key} must be the path of a file"));
        return None;
    }
    Some(tables.file().parent().unwrap_or(Path::new("")).join(text))
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::super::{ServerConfig, Sources};
    use super::*;

    fn load(text: &str) -> Result<(PathBuf, ServerConfig), Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brim.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = ServerConfig::load(&Sources { file: Some(path.clone()), ..Sources::default() });
        let place = format!(" (file {})", path.display());
        let faults = |fault: &Fault| fault.to_string().replace(&place, "");
        loaded.map(|config| (dir.path().to_owned(), config)).map_err(|found| found.0.iter().map(faults).collect())
    }

    #[test]
    fn paths_start_where_the_file_is() {
        let text = "[[certificate]]\ncert = 'a.pem'\nkey = '/keys/a.pem'\n\
                    [[certificate]]\ncert = 'b.pem'\nkey = 'b.pem'\ndefault = true\n";
        let (dir, config) = load(text).unwrap();
        let expected = [
            Pair { chain: dir.join("a.pem"), key: "/keys/a.pem".into(), default: false },
            Pair { chain: dir.join("b.pem"), key: dir.join("b.pem"), default: true },
        ];
        assert_eq!(config.certificates, expected);
    }

    #[test]
    fn every_fault_is_reported_and_no_key_is_shown() {
        let faults = load(
            "[[certificate]]\ncert = 'a.pem'\nkey = 7654321\ndefault = 'x'\nkeys = 1\n[[certificate]]\nkey = 'k'\n\
             [[certificate]]\ncert = 'b'\nkey = 'k'\ndefault = true\n[[certificate]]\ncert = 'b'\nkey = 'k'\ndefault = true\n",
        )
        .unwrap_err();
        for expected in [
            "certificate a.pem: key must be a text",
            "certificate a.pem: default is \"x\", which is not valid; expected true or false",
            "certificate a.pem, keys: there is no such option; did you mean key?",
            "certificate number 2: cert must be given",
            "certificate: there are two of cert ",
            "certificate: more than one is the default",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected}\nnot in {faults:#?}");
        }
        assert_eq!(faults.len(), 6, "{faults:#?}");
        assert!(faults.iter().all(|fault| !fault.contains("7654321")));
        assert_eq!(load("certificate = 'x'\n").unwrap_err(), ["certificate: must be a list of tables"]);
    }

    #[test]
    fn tls_needs_a_certificate_and_an_authority_its_terms_agreed_to() {
        let faults = load("[s3]\ntls_listen = '127.0.0.1:9443'\n").unwrap_err();
        assert_eq!(faults, ["s3.tls_listen: there is no certificate: give [[certificate]] or acme.domains"]);
        let faults = load("[acme]\ndomains = ['a.example']\n").unwrap_err();
        assert_eq!(faults, ["acme.agree_terms must be true when acme.domains is given"]);
        assert!(
            load("[s3]\ntls_listen = '127.0.0.1:9443'\n[acme]\nagree_terms = true\ndomains = ['a.example']\n").is_ok()
        );
    }
}
