//! The servers of a run, each started when a row first asks for it.

use std::cell::OnceCell;
use std::rc::Rc;

use super::options::Options;
use super::servers::{self, Site};
use super::{fill, rows};

const INLINE_THRESHOLD: &str = "BRIM_STORE_INLINE_THRESHOLD";

/// Where a row is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Brim with its defaults.
    Brim,
    /// Brim just started, for this row alone.
    FreshBrim,
    /// Brim with every object beside its record.
    InlineBrim,
    /// Brim with every object in a file.
    FilesBrim,
    /// Brim with a bucket of `LOAD_KEYS` keys.
    FilledBrim,
    /// The same, with nine of ten keys deleted.
    EmptiedBrim,
    SeaweedFs,
    Nginx,
}

pub struct Lab<'a> {
    options: &'a Options,
    brim: OnceCell<Rc<Site>>,
    filled: OnceCell<Rc<Site>>,
    emptied: OnceCell<()>,
    weed: OnceCell<Option<Rc<Site>>>,
    nginx: OnceCell<Option<Rc<Site>>>,
}

impl Place {
    /// Whose figures these are.
    pub fn server(self) -> &'static str {
        match self {
            Self::Brim | Self::FreshBrim | Self::FilledBrim | Self::EmptiedBrim => "Brim",
            Self::InlineBrim => "Brim, inline",
            Self::FilesBrim => "Brim, files",
            Self::SeaweedFs => "SeaweedFS",
            Self::Nginx => "nginx",
        }
    }
}

impl<'a> Lab<'a> {
    pub fn new(options: &'a Options) -> Self {
        Self {
            options,
            brim: OnceCell::new(),
            filled: OnceCell::new(),
            emptied: OnceCell::new(),
            weed: OnceCell::new(),
            nginx: OnceCell::new(),
        }
    }

    /// The server of a place, or `None` where it is not installed.
    pub fn site(&self, place: Place) -> Option<Rc<Site>> {
        match place {
            Place::Brim => Some(self.brim.get_or_init(|| Rc::new(servers::brim(self.options, &[]))).clone()),
            Place::FreshBrim => Some(Rc::new(servers::brim(self.options, &[]))),
            Place::InlineBrim => Some(Rc::new(servers::brim(self.options, &[(INLINE_THRESHOLD, "1MiB")]))),
            Place::FilesBrim => Some(Rc::new(servers::brim(self.options, &[(INLINE_THRESHOLD, "0")]))),
            Place::FilledBrim => Some(self.filled().clone()),
            Place::EmptiedBrim => {
                let site = self.filled().clone();
                self.emptied.get_or_init(|| rows::listing::delete_most(&site, self.options));
                Some(site)
            }
            Place::SeaweedFs => self.weed.get_or_init(|| servers::weed(self.options).map(Rc::new)).clone(),
            Place::Nginx => self.nginx.get_or_init(|| servers::nginx(self.options).map(Rc::new)).clone(),
        }
    }

    fn filled(&self) -> &Rc<Site> {
        self.filled.get_or_init(|| {
            let empty = servers::brim(self.options, &[]);
            let directory = Rc::clone(&empty.directory);
            drop(empty);
            fill::fill(directory.path(), self.options.keys);
            Rc::new(servers::brim_on(self.options, directory, &[]))
        })
    }
}
