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
        let mut candidates = vec![Candidate::served(format!("{key}{}", self.index))];
        let Some(name) = key.strip_suffix('/').filter(|name| !name.is_empty() && !name.ends_with('/')) else {
            return candidates;
        };
        let page = format!("{name}{PAGE}");
        match self.slash {
            TrailingSlash::Always => {
                if self.clean {
                    candidates.push(Candidate::served(page));
                }
                // The policy sent the request here, away from a file without extension.
                if !last_segment(name).contains('.') {
                    candidates.push(Candidate::served(name.to_owned()));
                }
            }
            TrailingSlash::Auto if self.clean => {
                candidates.push(self.moved(page, name.to_owned(), vec![name.to_owned()]));
            }
            TrailingSlash::Auto | TrailingSlash::Never => {}
        }
        candidates
    }

    /// For a key that does not end with a slash.
    fn file(&self, key: &str) -> Vec<Candidate> {
        let mut candidates = vec![self.exact(key)];
        if self.clean {
            let page = format!("{key}{PAGE}");
            candidates.push(match self.slash {
                TrailingSlash::Always => self.moved(page, format!("{key}/"), vec![self.index_of(&format!("{key}/"))]),
                TrailingSlash::Auto | TrailingSlash::Never => Candidate::served(page),
            });
        }
        let index = self.index_of(&format!("{key}/"));
        candidates.push(match self.slash {
            TrailingSlash::Never => Candidate::served(index),
            TrailingSlash::Auto | TrailingSlash::Always => self.moved(index, format!("{key}/"), Vec::new()),
        });
        candidates
    }

    /// The file of just this name, which may be at home under a cleaner one.
    fn exact(&self, key: &str) -> Candidate {
        let served = Candidate::served(key.to_owned());
        if !self.clean {
            return served;
        }
        let folder = &key[..key.len() - last_segment(key).len()];
        if last_segment(key) == self.index {
            return self.exact_index(key, folder);
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

    fn exact_index(&self, key: &str, folder: &str) -> Candidate {
        let name = folder.trim_end_matches('/');
        match self.slash {
            TrailingSlash::Never if !folder.is_empty() => {
                // Of `a//index.html` the folder's path would lose both slashes.
                let exact = folder.strip_suffix('/') == Some(name) && !name.is_empty();
                if !exact {
                    return Candidate::served(key.to_owned());
                }
                self.moved(key.to_owned(), name.to_owned(), vec![name.to_owned(), format!("{name}{PAGE}")])
            }
            _ => self.moved(key.to_owned(), folder.to_owned(), Vec::new()),
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
