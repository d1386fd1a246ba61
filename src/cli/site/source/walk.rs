//! Which files of a folder belong to a deploy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use crate::names::MAX_KEY_BYTES;
use crate::site::deploy::{FilePath, MAX_FILES, OPTIONS};

/// The most entries that are looked at, links to folders followed.
const MAX_ENTRIES: usize = 1_000_000;
/// What only a server's data directory has. It holds every key there is, and nobody means to publish it.
const DATA_DIRECTORY: [&str; 2] = ["brim.json", "master.key"];
/// The dot-folder that is part of a site (RFC 8615).
const WELL_KNOWN: &str = ".well-known";
/// The folder of [`OPTIONS`].
const BRIM: &str = ".brim";

/// What was found.
#[derive(Debug, Default)]
pub struct Walked {
    /// Paths in the site, and where the files are.
    pub files: BTreeMap<FilePath, PathBuf>,
    pub faults: Vec<String>,
    pub left_out: Vec<String>,
}

/// Looks through `directory`. Dotfiles are left out unless `dotfiles` names them by their paths.
pub fn walk(directory: &Path, dotfiles: &[String]) -> Walked {
    let mut walk = Walk {
        root: PathBuf::new(),
        named: dotfiles.iter().map(|path| path.trim_start_matches("./").trim_end_matches('/').to_owned()).collect(),
        met: BTreeSet::new(),
        entries: 0,
        walked: Walked::default(),
    };
    match root(directory) {
        Ok(root) => walk.from(root),
        Err(error) => walk.walked.faults.push(error.to_string()),
    }
    walk.walked
}

fn root(directory: &Path) -> io::Result<PathBuf> {
    let root = directory.canonicalize()?;
    if root.is_dir() { Ok(root) } else { Err(io::Error::other("it is not a folder")) }
}

struct Walk {
    /// Without links.
    root: PathBuf,
    /// The dotfiles to take.
    named: BTreeSet<String>,
    /// Those of them that are there.
    met: BTreeSet<String>,
    entries: usize,
    walked: Walked,
}

impl Walk {
    fn from(&mut self, root: PathBuf) {
        self.root = root.clone();
        self.folder("", &mut vec![root]);
        for absent in self.named.difference(&self.met) {
            self.walked.faults.push(format!("{absent}: there is no such dotfile"));
        }
        self.walked.left_out.sort();
    }

    /// Looks through the last of `way`, the real folders from the root on. `prefix` is its path in the site.
    fn folder(&mut self, prefix: &str, way: &mut Vec<PathBuf>) {
        let Some(folder) = way.last() else { return };
        let mut entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.fault(prefix.trim_end_matches('/'), &error.to_string()),
        };
        if DATA_DIRECTORY.iter().all(|name| folder.join(name).exists()) {
            return self
                .fault(prefix.trim_end_matches('/'), "a data directory of brim, with its keys: deploy another folder");
        }
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            if self.entries >= MAX_ENTRIES || self.walked.files.len() > MAX_FILES {
                return;
            }
            self.entries += 1;
            self.entry(prefix, &entry, way);
        }
        if prefix.is_empty() && (self.entries >= MAX_ENTRIES || self.walked.files.len() > MAX_FILES) {
            self.walked.faults.push(format!("there are more than {MAX_FILES} files"));
        }
    }

    fn entry(&mut self, prefix: &str, entry: &DirEntry, way: &mut Vec<PathBuf>) {
        let name = entry.file_name();
        let path = format!("{prefix}{}", name.to_string_lossy());
        if name.to_str().is_none() {
            return self.fault(&path, "its name is not UTF-8");
        }
        if let Some(named) = self.named.get(&path) {
            self.met.insert(named.clone());
        }
        if !self.takes(&path) {
            return self.walked.left_out.push(path);
        }
        if path.len() > MAX_KEY_BYTES {
            return self.fault(&path, &format!("its path has more than {MAX_KEY_BYTES} bytes"));
        }
        match self.real(entry) {
            Err(why) => self.fault(&path, &why),
            Ok(real) if !self.reveals(&path, &real) => self.hidden(path, &real, entry),
            Ok(real) if real.is_dir() => self.inner(&path, real, way),
            Ok(real) if real.is_file() => self.file(path, real),
            Ok(_) => self.fault(&path, "neither a file nor a folder"),
        }
    }

    /// Where the entry really is; links must stay inside of the root.
    fn real(&self, entry: &DirEntry) -> Result<PathBuf, String> {
        let kind = entry.file_type().map_err(|error| error.to_string())?;
        if !kind.is_symlink() {
            return Ok(entry.path());
        }
        let real = entry.path().canonicalize().map_err(|error| format!("a link that leads nowhere: {error}"))?;
        match real.starts_with(&self.root) {
            true => Ok(real),
            false => Err(format!("a link that leads out of the folder, to {}", real.display())),
        }
    }

    /// Whether what is really at `real` may be published as `path`: not what would stay behind under its own name, nor
    /// options, which hold passwords, under another.
    fn reveals(&self, path: &str, real: &Path) -> bool {
        let own = self.below_root(real);
        let folders = own.match_indices('/').map(|(end, _)| &own[..end]);
        let stays = folders.chain([own.as_str()]).any(|part| !part.is_empty() && !self.takes(part));
        !stays && (own == path || Path::new(&own).iter().next().is_none_or(|first| first != BRIM))
    }

    fn hidden(&mut self, path: String, real: &Path, entry: &DirEntry) {
        if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
            // Below a link to a folder: what is left out there is left out here.
            return self.walked.left_out.push(path);
        }
        let why = format!("a link to {}, which is not published under this name", self.below_root(real));
        self.fault(&path, &why);
    }

    fn below_root(&self, real: &Path) -> String {
        real.strip_prefix(&self.root).unwrap_or(real).to_string_lossy().into_owned()
    }

    fn inner(&mut self, path: &str, real: PathBuf, way: &mut Vec<PathBuf>) {
        if way.contains(&real) {
            return self.fault(path, "a link back to a folder that it is in");
        }
        way.push(real);
        self.folder(&format!("{path}/"), way);
        way.pop();
    }

    fn file(&mut self, path: String, real: PathBuf) {
        match FilePath::parse(path.as_str()) {
            Ok(path) => _ = self.walked.files.insert(path, real),
            Err(why) => self.fault(&path, &why.to_string()),
        }
    }

    /// Whether this path belongs to a site, if the folders above it do.
    fn takes(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        match folder {
            _ if self.named.contains(path) => true,
            "" if [WELL_KNOWN, BRIM].contains(&name) => true,
            BRIM => path == OPTIONS,
            _ => !name.starts_with('.'),
        }
    }

    fn fault(&mut self, path: &str, why: &str) {
        self.walked.faults.push(format!("{}: {why}", if path.is_empty() { "the folder" } else { path }));
    }
}
