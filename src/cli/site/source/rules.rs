//! The files of a deploy that say how it is served: checked before anything is sent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::site::deploy::{FilePath, OPTIONS};
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

/// Every fault in these files, with its line.
pub fn faults(files: &BTreeMap<FilePath, PathBuf>) -> Vec<String> {
    let present = CHECKS.iter().filter_map(|check| Some((check, files.get(check.0)?)));
    present
        .flat_map(|((name, most, _), path)| match read(path, *most) {
            Ok(text) => of_text(name, &text),
            Err(why) => vec![format!("{name}: {why}")],
        })
        .collect()
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
