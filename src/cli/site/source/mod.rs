//! A folder that is to become a deploy: what is in it, whether it can be deployed, and what its files' bytes are.

mod hash;
mod rules;
mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::failure::of_faults;
use crate::cli::Failure;
use crate::cli::findings::printable;
use crate::cli::progress::Meter;
use crate::client::FileBody;
use crate::report::{Progress, Unit};
use crate::site::deploy::{ContentHash, File, FilePath, OPTIONS};
use crate::site::{HEADERS, REDIRECTS};

/// How many files are read at a time, to be hashed.
const HASHED_AT_ONCE: usize = 4;
/// The most faults that are shown.
const MAX_SHOWN: usize = 100;

/// Every fault in the text of `.brim/site.toml`, `_redirects` or `_headers`, with its line.
pub fn faults_of(name: &str, text: &str) -> Vec<String> {
    shown(rules::of_text(name, text))
}

/// What to say of a folder that [has idle rules](Source::has_idle_rules).
pub const IDLE_RULES: &str = "_redirects and _headers count only where there are options: unless the bucket has some, \
                              put a .brim/site.toml into the folder, which may be empty";

/// A folder's files, read once.
#[derive(Debug)]
pub struct Source {
    pub files: BTreeMap<FilePath, File>,
    /// Where each content was found, once.
    pub contents: BTreeMap<ContentHash, FileBody>,
    /// Dotfiles that were left out.
    pub left_out: Vec<String>,
}

impl Source {
    /// Reads the folder. Gives every fault at once; nothing was sent by then.
    pub async fn read(directory: &Path, dotfiles: &[String], meter: &mut Meter) -> Result<Self, Failure> {
        let walked = walk::walk(directory, dotfiles);
        let mut faults = walked.faults;
        let checked = rules::check(&walked.files);
        faults.extend_from_slice(&checked.faults);
        if faults.is_empty() && walked.files.is_empty() {
            faults.push("there is nothing in it that would be deployed".to_owned());
        }
        if faults.is_empty() {
            let hashed = hash_all(walked.files, meter).await?;
            if let Some(name) = checked.changed(&hashed.files) {
                return Err(Failure::Refused(format!("{name} changed while it was read: try again")));
            }
            return Ok(Self { left_out: walked.left_out, ..hashed });
        }
        Err(of_faults(&format!("{} cannot be deployed", directory.display()), &shown(faults)))
    }

    /// Whether there are rules that nothing goes by, because the folder has no options.
    pub fn has_idle_rules(&self) -> bool {
        let has = |name: &str| self.files.keys().any(|path| path.as_str() == name);
        (has(REDIRECTS) || has(HEADERS)) && !has(OPTIONS)
    }

    /// How many bytes the files have together, each path counted.
    pub fn size(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }
}

async fn hash_all(files: BTreeMap<FilePath, PathBuf>, meter: &mut Meter) -> Result<Source, Failure> {
    let total = files.len() as u64;
    let hashing = files
        .into_iter()
        .map(|(path, source)| async move { tokio::task::spawn_blocking(move || hash::hash(path, source)).await });
    let mut hashing = stream::iter(hashing).buffer_unordered(HASHED_AT_ONCE);
    let (mut faults, mut read) =
        (Vec::new(), Source { files: BTreeMap::new(), contents: BTreeMap::new(), left_out: Vec::new() });
    while let Some(hashed) = hashing.try_next().await? {
        match hashed {
            Ok(hashed) => read.add(hashed),
            Err(fault) => faults.push(fault),
        }
        let done = read.files.len() as u64;
        meter.show(&Progress { phase: "reading".to_owned(), done, total: Some(total), unit: Unit::Files });
    }
    match faults.is_empty() {
        true => Ok(read),
        false => Err(of_faults("some files cannot be deployed", &shown(faults))),
    }
}

impl Source {
    fn add(&mut self, hashed: hash::Hashed) {
        let hash::Hashed { path, body, content_type } = hashed;
        let sha256 = ContentHash(body.sha256);
        self.files.insert(path, File { sha256, size: body.size, content_type });
        self.contents.entry(sha256).or_insert(body);
    }
}

/// As many faults as anybody reads, safe for a terminal.
fn shown(mut faults: Vec<String>) -> Vec<String> {
    let more = faults.len().saturating_sub(MAX_SHOWN);
    faults.truncate(MAX_SHOWN);
    let mut shown: Vec<String> = faults.iter().map(|fault| printable(fault)).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    async fn read(directory: &Path, dotfiles: &[&str]) -> Result<Source, String> {
        let dotfiles: Vec<String> = dotfiles.iter().map(ToString::to_string).collect();
        Source::read(directory, &dotfiles, &mut Meter::new(true)).await.map_err(|failure| failure.to_string())
    }

    fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        directory
    }

    fn paths(source: &Source) -> Vec<&str> {
        source.files.keys().map(FilePath::as_str).collect()
    }

    #[tokio::test]
    async fn a_folder_becomes_files_with_their_hashes_and_types() {
        let directory = site(&[("index.html", "é"), ("a/b.css", "x"), ("a/copy.css", "x"), ("logo.png", "p")]);
        std::fs::write(directory.path().join("latin.txt"), b"\xe9").unwrap();
        let source = read(directory.path(), &[]).await.unwrap();
        assert_eq!(paths(&source), ["a/b.css", "a/copy.css", "index.html", "latin.txt", "logo.png"]);
        assert_eq!(source.contents.len(), 4, "the same content counts once");
        let content_type = |path: &str| source.files[path].content_type.as_str().to_owned();
        assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("a/b.css"), "text/css; charset=utf-8");
        assert_eq!(
            (content_type("latin.txt").as_str(), content_type("logo.png").as_str()),
            ("text/plain", "image/png")
        );
        assert_eq!(source.files["index.html"].sha256, ContentHash::of("é".as_bytes()));
        assert_eq!((source.files["index.html"].size, source.size()), (2, 6));
    }

    #[tokio::test]
    async fn dotfiles_stay_unless_they_are_named() {
        let directory = site(&[
            ("index.html", ""),
            (".well-known/acme/x", ""),
            (".well-known/.secret", ""),
            (".brim/site.toml", "clean_urls = true"),
            (".brim/notes", ""),
            (".git/config", ""),
            (".env", ""),
            ("a/.htaccess", ""),
            ("a/.keep/b", ""),
            ("a/.keep/.c", ""),
        ]);
        let source = read(directory.path(), &[]).await.unwrap();
        assert_eq!(paths(&source), [".brim/site.toml", ".well-known/acme/x", "index.html"]);
        assert_eq!(source.left_out, [".brim/notes", ".env", ".git", ".well-known/.secret", "a/.htaccess", "a/.keep"]);
        let source = read(directory.path(), &["a/.keep/", "./.env"]).await.unwrap();
        assert_eq!(paths(&source), [".brim/site.toml", ".env", ".well-known/acme/x", "a/.keep/b", "index.html"]);
        let refusal = read(directory.path(), &[".envy"]).await.unwrap_err();
        assert!(refusal.contains(".envy: there is no such dotfile"), "{refusal}");
    }

    #[tokio::test]
    async fn a_data_directory_is_never_published() {
        let directory = site(&[("index.html", "i"), ("brim-data/brim.json", ""), ("brim-data/master.key", "secret")]);
        for folder in [directory.path().to_owned(), directory.path().join("brim-data")] {
            let refusal = read(&folder, &[]).await.unwrap_err();
            assert!(refusal.contains("a data directory of brim"), "{refusal}");
        }
    }

    #[tokio::test]
    async fn links_are_followed_inside_of_the_folder_only() {
        let (outside, directory) = (site(&[("secret", "s")]), site(&[("index.html", "i"), ("a/b", "b")]));
        let link = |target: &Path, name: &str| symlink(target, directory.path().join(name)).unwrap();
        link(Path::new("a"), "alias");
        link(Path::new("index.html"), "home.html");
        let source = read(directory.path(), &[]).await.unwrap();
        assert_eq!(paths(&source), ["a/b", "alias/b", "home.html", "index.html"]);

        link(&outside.path().join("secret"), "stolen");
        link(outside.path(), "folder");
        link(Path::new("nowhere"), "dangling");
        link(Path::new(".."), "a/loop");
        let refusal = read(directory.path(), &[]).await.unwrap_err();
        for says in [
            "stolen: a link that leads out",
            "folder: a link that leads out",
            "dangling: a link",
            "a/loop: a link back",
        ] {
            assert!(refusal.contains(says), "{says:?} not in {refusal}");
        }
    }

    #[tokio::test]
    async fn links_do_not_publish_what_stays_behind() {
        let directory = site(&[
            ("index.html", "i"),
            (".env", "e"),
            (".git/config", "c"),
            (".git/hooks/post", "p"),
            (".brim/site.toml", "clean_urls = true"),
            (".well-known/x", "x"),
        ]);
        let link = |target: &str, name: &str| symlink(target, directory.path().join(name)).unwrap();
        link(".well-known", "known");
        let source = read(directory.path(), &[]).await.unwrap();
        assert_eq!(paths(&source), [".brim/site.toml", ".well-known/x", "index.html", "known/x"]);

        link(".env", "backup");
        let refusal = read(directory.path(), &[]).await.unwrap_err();
        assert!(refusal.contains("backup: a link to .env, which is not published"), "{refusal}");
        let source = read(directory.path(), &[".env"]).await.unwrap();
        assert!(paths(&source).contains(&"backup"), "who publishes the file publishes links to it");

        link(".git", "src");
        link(".git/hooks", "hooks");
        link(".git/config", "config");
        link(".brim/site.toml", "options.toml");
        link(".brim", "brim");
        let refusal = read(directory.path(), &[".env"]).await.unwrap_err();
        for name in ["src", "hooks", "config", "options.toml", "brim"] {
            assert!(refusal.contains(&format!("{name}: a link to .")), "{name} not in {refusal}");
        }
    }

    #[tokio::test]
    async fn every_fault_is_told_at_once() {
        use std::os::unix::ffi::OsStrExt;
        let long = "x".repeat(200);
        let deep = [long.as_str(); 6].join("/");
        let directory = site(&[("index.html", ""), ("b\u{7}ell", ""), (&deep, ""), ("_redirects", "/a /b\n/c\n")]);
        std::fs::write(directory.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
        let fifo = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let refusal = read(directory.path(), &[]).await.unwrap_err();
        for says in [
            "is not UTF-8",
            "more than 1024 bytes",
            "control character",
            "pipe: neither a file nor a folder",
            "_redirects:2:",
        ] {
            assert!(refusal.contains(says), "{says:?} not in {refusal}");
        }
        assert!(!refusal.contains('\u{7}'));
        assert!(read(&directory.path().join("absent"), &[]).await.unwrap_err().contains("No such file"));
        assert!(read(&directory.path().join("index.html"), &[]).await.unwrap_err().contains("not a folder"));
        let empty = tempfile::tempdir().unwrap();
        assert!(read(empty.path(), &[]).await.unwrap_err().contains("nothing in it"));
    }

    #[test]
    fn faults_are_shown_up_to_a_number() {
        let faults = shown((0..250).map(|number| number.to_string()).collect());
        assert_eq!((faults.len(), faults.last().unwrap().as_str()), (MAX_SHOWN + 1, "and 150 more"));
    }
}
