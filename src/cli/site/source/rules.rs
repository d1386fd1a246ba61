//! The files of a deploy that say how it is served: checked before anything is sent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::site::deploy::{self, ContentHash, FilePath, OPTIONS};
use crate::site::headers::{self, HeaderRules};
use crate::site::options::{self, Options};
use crate::site::redirects::{self, Redirects};
use crate::site::{Fault, HEADERS, REDIRECTS};

/// What each of them may hold, and how it is read.
type Check = (&'static str, usize, fn(&str) -> Vec<Fault>);

const CHECKS: [Check; 3] = [
    (OPTIONS, options::MAX_FILE_BYTES, |text| Options::parse(text).err().unwrap_or_default()),
    (REDIRECTS, redirects::MAX_FILE_BYTES, |text| Redirects::parse(text).err().unwrap_or_default()),
    (HEADERS, headers::MAX_FILE_BYTES, |text| HeaderRules::parse(text).err().unwrap_or_default()),
];

/// What was found of these files.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every fault, with its line.
    pub faults: Vec<String>,
    /// The bytes that were checked.
    hashes: Vec<(&'static str, ContentHash)>,
}

impl Checked {
    /// A file that was read again has other bytes than those that were checked, and may have faults: gives its name.
    pub fn changed(&self, read: &BTreeMap<FilePath, deploy::File>) -> Option<&'static str> {
        let changed = self.hashes.iter().find(|(name, hash)| read.get(*name).is_none_or(|file| file.sha256 != *hash));
        changed.map(|(name, _)| *name)
    }
}

/// Checks these files.
pub fn check(files: &BTreeMap<FilePath, PathBuf>) -> Checked {
    let mut checked = Checked::default();
    for (name, most, _) in CHECKS {
        let Some(path) = files.get(name) else { continue };
        match read(path, most) {
            Ok(text) => {
                checked.faults.extend(of_text(name, &text));
                checked.hashes.push((name, ContentHash::of(text.as_bytes())));
            }
            Err(why) => checked.faults.push(format!("{name}: {why}")),
        }
    }
    checked
}

/// Every fault in the text of the file of this name; none where it is not one of them.
pub fn of_text(name: &str, text: &str) -> Vec<String> {
    let Some((_, most, parse)) = CHECKS.iter().find(|(known, _, _)| *known == name) else { return Vec::new() };
    if text.len() > *most {
        return vec![format!("{name}: it has more than {most} bytes")];
    }
    let shown = |fault: Fault| match fault.line {
        0 => format!("{name}: {}", fault.message),
        line => format!("{name}:{line}: {}", fault.message),
    };
    parse(text).into_iter().map(shown).collect()
}

fn read(path: &Path, most: usize) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).and_then(|file| file.take(most as u64 + 1).read_to_string(&mut text));
    file.map(|_| text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::deploy::ContentType;

    #[test]
    fn a_file_that_changed_since_it_was_checked_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("_redirects");
        std::fs::write(&path, "/a /b 301\n").unwrap();
        let name = || FilePath::parse("_redirects").unwrap();
        let checked = check(&[(name(), path)].into());
        assert!(checked.faults.is_empty());
        let read = |text: &str| {
            let content_type = ContentType::parse("text/plain").unwrap();
            let file = deploy::File { sha256: ContentHash::of(text.as_bytes()), size: text.len() as u64, content_type };
            BTreeMap::from([(name(), file)])
        };
        assert_eq!(checked.changed(&read("/a /b 301\n")), None);
        assert_eq!(checked.changed(&read("/a\n")), Some("_redirects"));
    }
}
