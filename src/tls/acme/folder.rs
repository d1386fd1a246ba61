//! What is kept of an authority: the account, certificates with their keys, and what failed when.
//!
//! ```text
//! DIR/account.json   the account's key and address
//! DIR/HOST.pem       a certificate's key, then its chain: one file, so that they always belong together
//! DIR/attempts.json  when orders began, which failed, and until when the authority is left alone
//! ```
//! Every file is written whole, durably, and for its owner alone.

use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use super::ledger::Ledger;
use crate::names::HostName;
use crate::private_file;
use crate::tls::certificate::Certificate;

const OWNER_ONLY: u32 = 0o700;
/// The longest name of a folder made of a directory's address, in bytes: file systems take 255.
const MAX_NAME_BYTES: usize = 200;
/// The longest `attempts.json`, in bytes: some hundred for each of ten thousand hosts.
const MAX_LEDGER_BYTES: u64 = 8 << 20;

/// The folder of one authority. Everything here blocks.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
pub struct StoredAccount {
    /// Where the authority was last told to write to.
    pub email: Option<String>,
    pub credentials: AccountCredentials,
}

impl Folder {
    /// Makes the folder below `parent` for the authority with this directory: certificates of a staging authority never
    /// pass for those of another.
    pub fn open(parent: &Path, directory: &str) -> Result<Self, Error> {
        let path = parent.join(folder_name(directory));
        let failed = |source| private_file::Error::Write { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(&path).map_err(failed)?;
        for made in [parent, parent.parent().unwrap_or(Path::new(""))] {
            private_file::sync_directory(made).map_err(failed)?;
        }
        Ok(Self(path))
    }

    /// The account, if there is one.
    pub fn account(&self) -> Result<Option<StoredAccount>, Error> {
        self.read_json("account.json")
    }

    pub fn keep_account(&self, account: &StoredAccount) -> Result<(), Error> {
        self.write_json("account.json", account)
    }

    /// Forgets the account; the next order makes a new one.
    pub fn forget_account(&self) -> Result<(), Error> {
        let path = self.0.join("account.json");
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(private_file::Error::Write { path, source }.into())
            }
            _ => Ok(()),
        }
    }

    /// The certificate of `host`, if there is one.
    pub fn certificate(&self, host: &HostName) -> Result<Option<Certificate>, Error> {
        let Some(pem) = private_file::read(&self.certificate_path(host))? else { return Ok(None) };
        Ok(Some(Certificate::from_pem(&pem, &pem)?))
    }

    /// Keeps the certificate of `host` in place of the one before; `key` and `chain` in PEM.
    pub fn keep_certificate(&self, host: &HostName, key: &str, chain: &str) -> Result<(), Error> {
        let pem = zeroize::Zeroizing::new(format!("{}\n{chain}", key.trim_end()));
        Ok(private_file::write(&self.certificate_path(host), pem.as_bytes())?)
    }

    /// What was ordered and what failed; nothing where the file is lost or damaged, for it only spares the authority.
    pub fn ledger(&self) -> Ledger {
        self.read_ledger()
            .inspect_err(|error| tracing::warn!(%error, "it is not known which orders failed"))
            .unwrap_or_default()
    }

    pub fn keep_ledger(&self, ledger: &Ledger) -> Result<(), Error> {
        self.write_json("attempts.json", ledger)
    }

    /// The name of a host has no slash, and more than dots.
    fn certificate_path(&self, host: &HostName) -> PathBuf {
        self.0.join(format!("{host}.pem"))
    }

    /// No secret, and longer than secrets are.
    fn read_ledger(&self) -> Result<Ledger, Error> {
        let path = self.0.join("attempts.json");
        let mut text = Vec::new();
        match File::open(&path).and_then(|file| file.take(MAX_LEDGER_BYTES).read_to_end(&mut text)) {
            Ok(_) => serde_json::from_slice(&text).map_err(|source| Error::Damaged { path, source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ledger::default()),
            Err(source) => Err(private_file::Error::Read { path, source }.into()),
        }
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let path = self.0.join(name);
        let Some(text) = private_file::read(&path)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|source| Error::Damaged { path, source })
    }

    fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let path = self.0.join(name);
        let text = serde_json::to_vec(value).map_err(|source| Error::Damaged { path: path.clone(), source })?;
        Ok(private_file::write(&path, &zeroize::Zeroizing::new(text))?)
    }
}

/// `https://acme.example/dir` as `acme.example_dir`.
fn folder_name(directory: &str) -> String {
    let address = directory.strip_prefix("https://").unwrap_or(directory);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c.to_ascii_lowercase() } else { '_' };
    address.chars().map(plain).take(MAX_NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::super::certificate::tests::made_for;
    use super::*;
    use crate::clock::Timestamp;

    fn host() -> HostName {
        HostName::parse("a.test").unwrap()
    }

    #[test]
    fn a_certificate_is_kept_with_its_key_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("acme"), "https://acme.example:14000/dir").unwrap();
        assert!(folder.certificate(&host()).unwrap().is_none());
        for _ in 0..2 {
            let (chain, key) = made_for(&["a.test"]);
            folder.keep_certificate(&host(), &key, &chain).unwrap();
            assert_eq!(folder.certificate(&host()).unwrap().unwrap().exact, ["a.test"]);
        }
        let path = dir.path().join("acme/acme.example_14000_dir/a.test.pem");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        let other = Folder::open(&dir.path().join("acme"), "https://other.example/dir").unwrap();
        assert!(other.certificate(&host()).unwrap().is_none());
    }

    #[test]
    fn failures_are_remembered_and_damage_forgets_them() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), "https://acme.example/dir").unwrap();
        assert_eq!(folder.ledger(), Ledger::default());
        let mut ledger = Ledger::default();
        // More than a private file may have.
        for number in 0..2000 {
            ledger.begin(&HostName::parse(&format!("{number}.test")).unwrap(), Timestamp::from_seconds(5));
        }
        folder.keep_ledger(&ledger).unwrap();
        assert_eq!(folder.ledger(), ledger);
        std::fs::write(dir.path().join("acme.example_dir/attempts.json"), "{").unwrap();
        assert_eq!(folder.ledger(), Ledger::default());
        assert!(folder.account().unwrap().is_none());
        folder.forget_account().unwrap();
    }
}
