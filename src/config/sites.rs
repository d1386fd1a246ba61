//! `[[site]]` in the file: custom domains and their buckets.

use std::path::Path;

use toml::{Table, Value};

use super::fault::Fault;
use super::tables::{TableReader, label};
use crate::names::{BucketName, HostName};

/// The key of the file's tables of sites.
pub const SITE: &str = "site";

const SITE_KEYS: &[&str] = &["domain", "bucket"];

/// A custom domain, and the bucket whose site it is. The bucket need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSite {
    pub domain: HostName,
    pub bucket: BucketName,
}

/// Gives the sites that the value of `site` in the file at `path` declares, and notes what is wrong with them.
pub fn read(value: &Value, path: &Path, faults: &mut Vec<Fault>) -> Vec<DeclaredSite> {
    let mut tables = TableReader::of(path, faults);
    let list = tables.list(SITE, value);
    let sites: Vec<DeclaredSite> =
        list.into_iter().enumerate().filter_map(|(index, table)| site(&mut tables, index, table)).collect();
    tables.check_names(SITE, "domain", sites.iter().map(|site| site.domain.to_string()));
    sites
}

fn site(tables: &mut TableReader<'_>, index: usize, table: &Table) -> Option<DeclaredSite> {
    let at = label(SITE, index, table.get("domain"));
    tables.check_keys(&at, table, SITE_KEYS);
    let domain = tables.text(&at, table, "domain", true).and_then(|text| {
        let expects = "a host name without port, such as www.example.com";
        tables.parsed(&at, "domain", &format!("{text:?}"), expects, HostName::parse(text).ok())
    });
    let bucket = tables.text(&at, table, "bucket", true).and_then(|text| {
        tables.parsed(&at, "bucket", &format!("{text:?}"), "a bucket's name", BucketName::parse(text).ok())
    });
    Some(DeclaredSite { domain: domain?, bucket: bucket? })
}

#[cfg(test)]
mod tests {
    use super::super::{ServerConfig, Sources};

    fn load(text: &str) -> Result<ServerConfig, Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brim.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = ServerConfig::load(&Sources { file: Some(path.clone()), ..Sources::default() });
        let place = format!(" (file {})", path.display());
        loaded.map_err(|faults| faults.0.iter().map(|fault| fault.to_string().replace(&place, "")).collect())
    }

    #[test]
    fn sites_give_domains_to_buckets() {
        let config = load(
            "[[site]]\ndomain = 'WWW.example.com.'\nbucket = 'pail'\n[[site]]\ndomain = 'example.com'\nbucket = 'pail'\n",
        )
        .unwrap();
        let declared = config.declared_domains();
        let declared: Vec<_> = declared.iter().map(|(domain, bucket)| (domain.as_str(), bucket.as_str())).collect();
        assert_eq!(declared, [("example.com", "pail"), ("www.example.com", "pail")]);
    }

    #[test]
    fn every_fault_of_a_site_is_reported_with_its_place() {
        let faults = load(
            "[s3]\ndomains = ['s3.example.com']\n[[site]]\ndomain = 'a_b.example'\nbucket = 'P'\n\
             [[site]]\ndomian = 'x'\n[[site]]\ndomain = '10.0.0.1'\nbucket = 'pail'\n",
        )
        .unwrap_err();
        let expected = [
            "site a_b.example: domain is \"a_b.example\", which is not valid; expected a host name",
            "site a_b.example: bucket is \"P\", which is not valid; expected a bucket's name",
            "site number 2, domian: there is no such option; did you mean domain?",
            "site number 2: domain must be given",
            "site number 2: bucket must be given",
            "site 10.0.0.1: domain is \"10.0.0.1\", which is not valid",
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}");
        }
        assert_eq!(load("site = 'x'\n").unwrap_err(), ["site: must be a list of tables"]);
    }

    #[test]
    fn a_site_is_where_nothing_else_is() {
        let site = |domain: &str| format!("[[site]]\ndomain = '{domain}'\nbucket = 'pail'\n");
        for (domain, why) in [("s3.localhost", "(s3.domains)"), ("localhost", "a custom domain has a dot")] {
            let faults = load(&site(domain)).unwrap_err();
            assert!(matches!(&faults[..], [fault] if fault.starts_with("site ") && fault.contains(why)), "{faults:?}");
        }
        let twice = load(&[site("a.example"), site("A.example.")].concat()).unwrap_err();
        assert_eq!(twice, ["site: there are two of domain a.example"]);
    }
}
