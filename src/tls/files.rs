//! Certificates in files: read at the start, read again when they change.
//!
//! A pair that cannot be read any more keeps the certificate that it had: tools replace the chain and the key one after
//! the other, and a slip of the operator must not take a site off the air.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::certificate::{Certificate, CertificateError};
use crate::private_file;

/// The longest file of a chain, in bytes.
const MAX_CHAIN_BYTES: u64 = 256 * 1024;

/// The files of one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The certificate of the host, then those in between up to the authority's, in PEM.
    pub chain: PathBuf,
    /// Its private key in PEM; may be the same file. Refused where other users can read it.
    pub key: PathBuf,
    /// Whether clients are shown it that ask for a name without a certificate, or for none.
    pub default: bool,
}

/// A certificate with the files that it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub pair: Pair,
    pub certificate: Arc<Certificate>,
}

/// The certificates of a list of pairs, and what their files were like when they were read. Blocks.
#[derive(Debug, Default)]
pub struct Files {
    entries: Vec<Entry>,
}

/// Why the files of a pair give no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("certificate {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("certificate {path}: has more than {MAX_CHAIN_BYTES} bytes")]
    TooLong { path: PathBuf },
    #[error("key of a certificate: {0}")]
    Key(#[from] private_file::Error),
    #[error("key of a certificate: there is no file {path}")]
    NoKeyFile { path: PathBuf },
    #[error("certificate {path}: {source}")]
    Chain { path: PathBuf, source: CertificateError },
    #[error("key {path} of a certificate: {source}")]
    KeyOf { path: PathBuf, source: CertificateError },
}

#[derive(Debug)]
struct Entry {
    pair: Pair,
    stamps: [Stamp; 2],
    certificate: Option<Arc<Certificate>>,
    /// What was wrong when it was last read.
    fault: Option<Fault>,
}

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    text: String,
    /// Whether it may pass while the files stay as they are.
    may_pass: bool,
}

/// What a file is like, as far as a change of its contents shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<Change>);

/// The time of change tells of permissions and owners too, and of contents whose own time was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    file: (u64, u64),
    length: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    /// Reads `pairs`, those that did not change too. Gives what is wrong with each that is not as it should be: a pair that
    /// was there before keeps its certificate then, a new one has none.
    pub fn load(&mut self, pairs: &[Pair]) -> Vec<Error> {
        let mut before = std::mem::take(&mut self.entries);
        let mut faults = Vec::new();
        for pair in pairs {
            let same = |entry: &&mut Entry| entry.pair.chain == pair.chain && entry.pair.key == pair.key;
            let kept = before.iter_mut().find(same).and_then(|entry| entry.certificate.take());
            let (entry, fault) = Entry::read(pair.clone(), kept);
            self.entries.push(entry);
            faults.extend(fault);
        }
        faults
    }

    /// Reads those again whose files are others than when they were last read, and those that could not be read for a
    /// reason that may have passed. Gives what is newly wrong; `None` where all is as it was.
    pub fn refresh(&mut self) -> Option<Vec<Error>> {
        let (mut changed, mut faults) = (false, Vec::new());
        for entry in &mut self.entries {
            let moved = entry.pair.stamps() != entry.stamps;
            if !moved && !entry.fault.as_ref().is_some_and(|fault| fault.may_pass) {
                continue;
            }
            let (read, fault) = Entry::read(entry.pair.clone(), entry.certificate.take());
            let news = read.fault != entry.fault;
            changed |= moved || news;
            faults.extend(fault.filter(|_| news));
            *entry = read;
        }
        changed.then_some(faults)
    }

    /// The certificates that there are.
    pub fn loaded(&self) -> Vec<Loaded> {
        let loaded = |entry: &Entry| {
            let certificate = entry.certificate.clone()?;
            Some(Loaded { pair: entry.pair.clone(), certificate })
        };
        self.entries.iter().filter_map(loaded).collect()
    }
}

impl Entry {
    /// Reads the files of `pair`; where that fails the entry has `kept`.
    fn read(pair: Pair, kept: Option<Arc<Certificate>>) -> (Self, Option<Error>) {
        // Before reading: a change in between is seen as one later.
        let stamps = pair.stamps();
        match pair.read() {
            Ok(certificate) => (Self { pair, stamps, certificate: Some(Arc::new(certificate)), fault: None }, None),
            Err(error) => {
                let fault = Some(Fault { text: error.to_string(), may_pass: error.may_pass() });
                (Self { pair, stamps, certificate: kept, fault }, Some(error))
            }
        }
    }
}

impl Error {
    /// Whether the file system gave up, be it for want of descriptors: the files need not change for that to end.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Key(private_file::Error::Read { .. }))
    }
}

impl Pair {
    fn read(&self) -> Result<Certificate, Error> {
        // The chain first: reading a key may warn of its group, which is not to be repeated for a chain that fails.
        let chain = read_chain(&self.chain)?;
        let key = private_file::read(&self.key)?.ok_or_else(|| Error::NoKeyFile { path: self.key.clone() })?;
        Certificate::from_pem(&chain, &key).map_err(|source| match source {
            CertificateError::NoKey | CertificateError::MalformedKey(_) | CertificateError::Mismatch(_) => {
                Error::KeyOf { path: self.key.clone(), source }
            }
            _ => Error::Chain { path: self.chain.clone(), source },
        })
    }

    fn stamps(&self) -> [Stamp; 2] {
        [Stamp::of(&self.chain), Stamp::of(&self.key)]
    }
}

impl Stamp {
    /// Follows links: tools switch a link to a new file.
    fn of(path: &Path) -> Self {
        let change = |file: fs::Metadata| Change {
            file: (file.dev(), file.ino()),
            length: file.len(),
            mode: file.mode(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        };
        Self(fs::metadata(path).ok().map(change))
    }
}

fn read_chain(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_CHAIN_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 > MAX_CHAIN_BYTES => Err(Error::TooLong { path: path.to_owned() }),
        Ok(_) => Ok(bytes),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::super::certificate::tests::made_for;
    use super::*;

    fn written(dir: &TempDir, name: &str, names: &[&str]) -> Pair {
        let (chain, key) = made_for(names);
        let pair = Pair {
            chain: dir.path().join(format!("{name}.pem")),
            key: dir.path().join(format!("{name}.key")),
            default: false,
        };
        fs::write(&pair.chain, chain).unwrap();
        private_file::write(&pair.key, key.as_bytes()).unwrap();
        pair
    }

    fn labels(files: &Files) -> Vec<String> {
        files.loaded().iter().map(|loaded| loaded.certificate.label.clone()).collect()
    }

    #[test]
    fn what_cannot_be_read_again_keeps_what_it_had_and_the_others_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let pairs = [written(&dir, "one", &["one.test"]), written(&dir, "two", &["two.test"])];
        let mut files = Files::default();
        assert!(files.load(&pairs).is_empty());
        assert!(files.refresh().is_none());

        written(&dir, "one", &["new.test"]);
        let (other, _) = made_for(&["other.test"]);
        fs::write(&pairs[1].chain, other).unwrap();
        let faults = files.refresh().unwrap();
        assert_eq!(labels(&files), ["new.test", "two.test"]);
        assert_eq!(faults.len(), 1);
        let expected = format!("key {} of a certificate: the key does not belong", pairs[1].key.display());
        assert!(faults[0].to_string().starts_with(&expected), "{}", faults[0]);
        // The same fault is not tried, and told, over and over.
        assert!(files.refresh().is_none());
        // An operator who has all read again is told again.
        assert_eq!(files.load(&pairs).len(), 1);
        assert_eq!(labels(&files), ["new.test", "two.test"]);

        written(&dir, "two", &["newer.test"]);
        assert!(files.refresh().unwrap().is_empty());
        assert_eq!(labels(&files), ["new.test", "newer.test"]);
        assert!(files.load(&pairs[1..]).is_empty());
        assert_eq!(labels(&files), ["newer.test"]);
    }

    #[test]
    fn a_refused_key_is_taken_once_its_permissions_are_mended() {
        let dir = tempfile::tempdir().unwrap();
        let pair = written(&dir, "one", &["one.test"]);
        fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o644)).unwrap();
        let mut files = Files::default();
        assert_eq!(files.load(std::slice::from_ref(&pair)).len(), 1);
        assert!(files.refresh().is_none());
        fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(files.refresh().unwrap().is_empty());
        assert_eq!(labels(&files), ["one.test"]);
    }

    #[test]
    fn what_the_file_system_did_not_give_is_asked_for_again_and_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let pair = written(&dir, "one", &["one.test"]);
        let chain = fs::read(&pair.chain).unwrap();
        fs::remove_file(&pair.chain).unwrap();
        fs::create_dir(&pair.chain).unwrap();
        let mut files = Files::default();
        assert_eq!(files.load(std::slice::from_ref(&pair)).len(), 1);
        assert!(files.refresh().is_none());
        fs::remove_dir(&pair.chain).unwrap();
        fs::write(&pair.chain, chain).unwrap();
        // As if it were the file from the beginning.
        files.entries[0].stamps = pair.stamps();
        assert!(files.refresh().unwrap().is_empty());
        assert_eq!(labels(&files), ["one.test"]);
        assert!(files.refresh().is_none());
    }

    #[test]
    fn every_fault_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let pair = written(&dir, "one", &["one.test"]);
        let fault = |pair: &Pair| Files::default().load(std::slice::from_ref(pair))[0].to_string();

        let nowhere = dir.path().join("nowhere");
        assert!(fault(&Pair { chain: nowhere.clone(), ..pair.clone() }).starts_with("certificate /"));
        assert!(fault(&Pair { key: nowhere, ..pair.clone() }).contains("there is no file"));
        assert!(fault(&Pair { key: pair.chain.clone(), ..pair.clone() }).contains("can be read or written by other"));
        fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(fault(&pair).contains("chmod 600"));
        fs::set_permissions(&pair.key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&pair.chain, vec![b'x'; MAX_CHAIN_BYTES as usize + 1]).unwrap();
        assert!(fault(&pair).contains("has more than"));
    }
}
