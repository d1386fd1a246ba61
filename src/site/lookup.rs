//! Which files may answer a path, in which order, and under which path each of them is at home: clean URLs and the policy
//! on trailing slashes, as Cloudflare Pages does them, and as S3 does without clean URLs.
//!
//! <https://developers.cloudflare.com/pages/configuration/serving-pages/>. Following a move always ends at the file that it
//! was found for: property tests hold that for every option.

use super::options::{Options, TrailingSlash};

/// S3's status for the way to a folder.
const FOUND: u16 = 302;
/// The status of moves to clean URLs.
const PERMANENT_REDIRECT: u16 = 308;

/// The extension that clean URLs leave out.
const PAGE: &str = ".html";
/// Paths below it are agreed upon between machines (RFC 8615): no policy changes them.
const WELL_KNOWN: &str = ".well-known/";
/// The page for what is not there.
const NOT_FOUND: &str = "404.html";
/// In how many folders it is looked for, the root's included; of deeper paths the lowest folders are left out.
const MAX_LEVELS: usize = 16;

/// A file that may answer, if it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub key: String,
    pub then: Then,
}

/// What its existence means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    Serve,
    /// The file is at home under another path: the request is sent to that path (a key; see
    /// [`super::path::on_same_site`]), unless one of these files exists, which would answer there. Then it is served.
    Move {
        to: String,
        status: u16,
        unless: Vec<String>,
    },
}

/// Where the policy on trailing slashes sends a request before any file is looked for, with 308; `None` where the path is
/// as the policy wants it. A last segment with a dot in it is a file's name and gets no slash.
pub fn slash_move(key: &str, options: &Options) -> Option<(String, u16)> {
    if key.is_empty() || key.starts_with(WELL_KNOWN) {
        return None;
    }
    let to = match options.trailing_slash {
        TrailingSlash::Auto => return None,
        TrailingSlash::Always if key.ends_with('/') || last_segment(key).contains('.') => return None,
        TrailingSlash::Always => format!("{key}/"),
        TrailingSlash::Never if !key.ends_with('/') => return None,
        TrailingSlash::Never => key.trim_end_matches('/').to_owned(),
    };
    Some((to, PERMANENT_REDIRECT))
}

/// The files that may answer a key as it was asked for, in order: the first that exists does. `index` is the suffix of the
/// website configuration. To be asked after [`slash_move`].
pub fn candidates(key: &str, index: &str, options: &Options) -> Vec<Candidate> {
    let slash = if key.starts_with(WELL_KNOWN) { TrailingSlash::Auto } else { options.trailing_slash };
    let lookup = Lookup { index, clean: options.clean_urls, slash };
    if key.is_empty() || key.ends_with('/') { lookup.folder(key) } else { lookup.file(key) }
}

/// The keys of `404.html` in the folder of a key and in those above it, the nearest first.
pub fn not_found_pages(key: &str) -> impl Iterator<Item = String> {
    let mut ends: Vec<usize> = key.match_indices('/').map(|(at, _)| at + 1).take(MAX_LEVELS - 1).collect();
    ends.reverse();
    ends.into_iter().chain([0]).map(|end| format!("{}{NOT_FOUND}", &key[..end]))
}

struct Lookup<'l> {
    index: &'l str,
    clean: bool,
    slash: TrailingSlash,
}

impl Lookup<'_> {
    /// For a key that ends with a slash, and for the root.
    fn folder(&self, key: &str) -> Vec<Candidate> {
        let mut candidates = vec![Candidate::served(self.index_of(key))];
        let Some(name) = key.strip_suffix('/').filter(|name| !name.is_empty() && !name.ends_with('/')) else {
            return candidates;
        };
        if self.clean && self.slash != TrailingSlash::Never {
            candidates.push(self.page(name, |page| match self.slash {
                TrailingSlash::Always => Candidate::served(page),
                _ => self.moved(page, name.to_owned(), vec![name.to_owned()]),
            }));
        }
        // The policy sent the request here, away from a file without extension.
        if self.slash == TrailingSlash::Always && !last_segment(name).contains('.') {
            candidates.push(Candidate::served(name.to_owned()));
        }
        candidates
    }

    /// For a key that does not end with a slash.
    fn file(&self, key: &str) -> Vec<Candidate> {
        let folder = format!("{key}/");
        let index = self.index_of(&folder);
        let mut candidates = vec![self.exact(key)];
        if self.clean {
            candidates.push(self.page(key, |page| match self.slash {
                TrailingSlash::Always => self.moved(page, folder.clone(), vec![index.clone()]),
                _ => Candidate::served(page),
            }));
        }
        candidates.push(match self.slash {
            TrailingSlash::Never => Candidate::served(index),
            _ => self.moved(index, folder, Vec::new()),
        });
        candidates
    }

    /// The page of this name without its extension, which may be the index of its folder.
    fn page(&self, name: &str, then: impl Fn(String) -> Candidate) -> Candidate {
        let page = format!("{name}{PAGE}");
        if last_segment(&page) == self.index { self.exact_index(&page) } else { then(page) }
    }

    /// The file of just this name, which may be at home under a cleaner one.
    fn exact(&self, key: &str) -> Candidate {
        let served = Candidate::served(key.to_owned());
        if !self.clean {
            return served;
        }
        if last_segment(key) == self.index {
            return self.exact_index(key);
        }
        let Some(clean) = key.strip_suffix(PAGE).filter(|clean| !clean.is_empty() && !clean.ends_with('/')) else {
            return served;
        };
        // A page that is itself called `404` is no page to go to.
        if last_segment(key) == NOT_FOUND {
            return served;
        }
        match self.slash {
            TrailingSlash::Always => {
                let to = format!("{clean}/");
                self.moved(key.to_owned(), to.clone(), vec![self.index_of(&to)])
            }
            TrailingSlash::Auto | TrailingSlash::Never => {
                self.moved(key.to_owned(), clean.to_owned(), vec![clean.to_owned()])
            }
        }
    }

    /// The index of a folder, which is at home under the folder's path.
    fn exact_index(&self, key: &str) -> Candidate {
        let folder = &key[..key.len() - last_segment(key).len()];
        if self.slash != TrailingSlash::Never || folder.is_empty() {
            return self.moved(key.to_owned(), folder.to_owned(), Vec::new());
        }
        match folder.strip_suffix('/').filter(|name| !name.is_empty() && !name.ends_with('/')) {
            Some(name) => self.moved(key.to_owned(), name.to_owned(), vec![name.to_owned(), format!("{name}{PAGE}")]),
            // The path without slashes would be another folder's.
            None => Candidate::served(key.to_owned()),
        }
    }

    fn index_of(&self, folder: &str) -> String {
        format!("{folder}{}", self.index)
    }

    fn moved(&self, key: String, to: String, unless: Vec<String>) -> Candidate {
        let status = if self.clean { PERMANENT_REDIRECT } else { FOUND };
        Candidate { key, then: Then::Move { to, status, unless } }
    }
}

impl Candidate {
    fn served(key: String) -> Self {
        Self { key, then: Then::Serve }
    }
}

fn last_segment(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn options(clean_urls: bool, trailing_slash: TrailingSlash) -> Options {
        Options { clean_urls, trailing_slash, ..Options::default() }
    }

    /// What a request for a key comes to, as the order of rules has it: the slash, then the candidates.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Answer {
        File(String),
        Moved(u16, String),
        Missing,
    }

    fn answer(key: &str, files: &BTreeSet<String>, options: &Options) -> Answer {
        if let Some((to, status)) = slash_move(key, options) {
            return Answer::Moved(status, to);
        }
        for Candidate { key, then } in candidates(key, "index.html", options) {
            if !files.contains(&key) {
                continue;
            }
            return match then {
                Then::Move { to, status, unless } if !unless.iter().any(|other| files.contains(other)) => {
                    Answer::Moved(status, to)
                }
                Then::Move { .. } | Then::Serve => Answer::File(key),
            };
        }
        Answer::Missing
    }

    fn check(clean: bool, slash: TrailingSlash, files: &[&str], asked: &[(&str, Answer)]) {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        for (key, expected) in asked {
            assert_eq!(answer(key, &files, &options(clean, slash)), *expected, "{key:?} {clean} {slash}");
        }
    }

    fn file(key: &str) -> Answer {
        Answer::File(key.to_owned())
    }

    fn moved(to: &str) -> Answer {
        Answer::Moved(308, to.to_owned())
    }

    const FILES: [&str; 8] = [
        "index.html",
        "contact.html",
        "about/index.html",
        "LICENSE",
        "both.html",
        "both",
        "404.html",
        ".well-known/agreed",
    ];

    #[test]
    fn clean_urls_are_those_of_cloudflare_pages() {
        let asked = [
            ("", file("index.html")),
            ("index.html", moved("")),
            ("index", moved("")),
            ("contact", file("contact.html")),
            ("contact.html", moved("contact")),
            ("contact/", moved("contact")),
            ("about", moved("about/")),
            ("about/", file("about/index.html")),
            ("about/index.html", moved("about/")),
            ("about/index", moved("about/")),
            ("about/index/", moved("about/")),
            ("LICENSE", file("LICENSE")),
            ("LICENSE/", Answer::Missing),
            ("both", file("both")),
            ("both.html", file("both.html")),
            ("404.html", file("404.html")),
            ("missing", Answer::Missing),
            ("//", Answer::Missing),
        ];
        check(true, TrailingSlash::Auto, &FILES, &asked);
    }

    #[test]
    fn without_clean_urls_only_the_way_to_a_folder_is_302_as_at_s3() {
        let asked = [
            ("", file("index.html")),
            ("index.html", file("index.html")),
            ("contact", Answer::Missing),
            ("contact.html", file("contact.html")),
            ("about", Answer::Moved(302, "about/".to_owned())),
            ("about/", file("about/index.html")),
            ("about/index.html", file("about/index.html")),
            ("contact.html/", Answer::Missing),
        ];
        check(false, TrailingSlash::Auto, &FILES, &asked);
    }

    #[test]
    fn every_path_ends_with_a_slash_or_none_does() {
        let always = [
            ("", file("index.html")),
            ("contact", moved("contact/")),
            ("contact/", file("contact.html")),
            ("contact.html", moved("contact/")),
            ("about", moved("about/")),
            ("about/", file("about/index.html")),
            ("LICENSE", moved("LICENSE/")),
            ("LICENSE/", file("LICENSE")),
            ("missing", moved("missing/")),
            ("missing/", Answer::Missing),
            ("missing.js", Answer::Missing),
            (".well-known/agreed", file(".well-known/agreed")),
        ];
        check(true, TrailingSlash::Always, &FILES, &always);
        let never = [
            ("", file("index.html")),
            ("contact", file("contact.html")),
            ("contact/", moved("contact")),
            ("contact.html", moved("contact")),
            ("about", file("about/index.html")),
            ("about/", moved("about")),
            ("about//", moved("about")),
            ("about/index.html", moved("about")),
            ("index.html", moved("")),
            ("LICENSE/", moved("LICENSE")),
            ("//", moved("")),
        ];
        check(true, TrailingSlash::Never, &FILES, &never);
        let plain = [("about", file("about/index.html")), ("about/", moved("about")), ("contact", Answer::Missing)];
        check(false, TrailingSlash::Never, &FILES, &plain);
        let plain = [("about", moved("about/")), ("about/", file("about/index.html")), ("LICENSE/", file("LICENSE"))];
        check(false, TrailingSlash::Always, &FILES, &plain);
    }

    #[test]
    fn the_nearest_page_for_what_is_not_there_comes_first() {
        let pages = |key: &str| not_found_pages(key).collect::<Vec<_>>();
        assert_eq!(pages(""), ["404.html"]);
        assert_eq!(pages("a"), ["404.html"]);
        assert_eq!(pages("a/b/c"), ["a/b/404.html", "a/404.html", "404.html"]);
        assert_eq!(pages("a/b/"), ["a/b/404.html", "a/404.html", "404.html"]);
        let deep = pages(&"a/".repeat(500));
        assert_eq!((deep.len(), deep[15].as_str()), (MAX_LEVELS, "404.html"));
    }

    fn policies() -> impl Strategy<Value = Options> {
        (any::<bool>(), 0_usize..3).prop_map(|(clean, slash)| options(clean, TrailingSlash::ALL[slash]))
    }

    const KEYS: &str = "(a|b\\.c|index|index\\.html|\\.html|404\\.html|\\.well-known|/|a\\.html){0,4}";

    proptest! {
        #[test]
        fn every_move_ends_at_an_answer(files in proptest::collection::btree_set(KEYS, 0..6), key in KEYS, options in policies()) {
            let files = files.into_iter().filter(|file| !file.is_empty()).collect();
            let (mut at, mut steps) = (key, Vec::new());
            while let Answer::Moved(_, to) = answer(&at, &files, &options) {
                steps.push(at);
                prop_assert!(!steps.contains(&to), "{:?} {:?} {}", files, steps, to);
                at = to;
            }
            prop_assert!(steps.len() <= 3, "{:?} {:?} {}", files, steps, at);
        }

        /// Where a file is at home, that very file is served.
        #[test]
        fn a_move_leads_to_the_file_that_it_was_found_for(
            files in proptest::collection::btree_set(KEYS, 1..6),
            key in KEYS,
            options in policies(),
        ) {
            let files: BTreeSet<String> = files.into_iter().filter(|file| !file.is_empty()).collect();
            if slash_move(&key, &options).is_none() {
                let found = candidates(&key, "index.html", &options).into_iter().find(|known| files.contains(&known.key));
                if let (Some(found), Answer::Moved(_, mut at)) = (found, answer(&key, &files, &options)) {
                    while let Answer::Moved(_, to) = answer(&at, &files, &options) {
                        at = to;
                    }
                    prop_assert_eq!(answer(&at, &files, &options), Answer::File(found.key), "{:?} {:?}", key, files);
                }
            }
        }

        /// The page that a folder's index is, or a page's clean URL, is found under its own name in every site.
        #[test]
        fn a_file_that_exists_can_be_reached(files in proptest::collection::btree_set("[ab](/[ab]){0,2}(\\.html|\\.js|/index\\.html)", 1..6), options in policies()) {
            for wanted in &files {
                let mut at = wanted.clone();
                while let Answer::Moved(_, to) = answer(&at, &files, &options) {
                    at = to;
                }
                prop_assert_eq!(answer(&at, &files, &options), Answer::File(wanted.clone()), "{:?}", files);
            }
        }
    }
}
