//! The files of a site, as far as the visitor may read them: one view, whether they are the objects of a bucket or those of
//! a deploy.

mod deployed;
mod objects;

pub use deployed::Deployed;
pub use objects::Objects;

use super::failure::Failure;
use crate::clock::Timestamp;
use crate::http::encoding::Coding;
use crate::site::deploy;
use crate::store::read::OpenObject;
use crate::store::record::{Metadata, ObjectRecord};

/// Where files are looked up.
pub trait Files {
    /// What there is of this name for the visitor. What belongs to the host is never there.
    async fn find(&self, key: &str) -> Result<Found, Failure>;

    /// What there is of the sibling of the file of this name that has its bytes in this coding.
    async fn sibling(&self, key: &str, coding: Coding) -> Result<Found, Failure> {
        self.find(&sibling_of(key, coding)).await
    }

    /// Whether there is a file of this name, whoever may read it.
    async fn has(&self, key: &str) -> Result<bool, Failure>;

    /// Whether the visitor may list, as S3 calls it: only then it tells him that something is missing.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    fn lists(&self) -> bool;
}

/// The name of the sibling of `key` that has its bytes in this coding.
fn sibling_of(key: &str, coding: Coding) -> String {
    [key, coding.extension()].concat()
}

/// What a visitor finds under a name.
pub enum Found {
    File(Box<File>),
    /// Nothing is there.
    Missing,
    /// He may not read what is there, or would be.
    Denied,
}

/// A file that may be read.
pub struct File {
    /// Its name in the site.
    pub key: String,
    content: Content,
    /// The coding that its bytes have, where the sibling that has it was chosen.
    pub coding: Option<Coding>,
    /// Whether other visitors get other bytes, by what codings they take.
    pub varies: bool,
}

enum Content {
    /// An object that was looked at. Its bytes are not held.
    Described(Box<ObjectRecord>),
    Open(Box<OpenObject>),
    /// A file of a deploy, with its bytes where they are held.
    Deployed(deploy::File, Option<Box<OpenObject>>),
    /// The bytes and tags of the second, and everything else of the first.
    Encoded(Box<Content>, Box<Content>),
}

impl File {
    fn new(key: &str, content: Content) -> Self {
        Self { key: key.to_owned(), content, coding: None, varies: false }
    }

    /// An object that is only looked at.
    #[cfg(test)]
    pub fn described(key: &str, record: ObjectRecord) -> Self {
        Self::new(key, Content::Described(Box::new(record)))
    }

    /// The same file with the bytes of its sibling, which are in this coding.
    pub fn encoded(self, coding: Coding, sibling: Self) -> Self {
        let content = Content::Encoded(Box::new(self.content), Box::new(sibling.content));
        Self { content, coding: Some(coding), varies: true, ..self }
    }

    /// The entity tag, in quotes.
    pub fn etag(&self) -> String {
        match self.content.bytes() {
            Content::Deployed(entry, _) => format!("\"{}\"", entry.sha256),
            other => other.record().map(|record| record.summary.etag.quoted()).unwrap_or_default(),
        }
    }

    /// When an object was stored. The files of a deploy have no such time: going back to an earlier deploy would make a
    /// cache believe that nothing changed.
    pub fn modified(&self) -> Option<Timestamp> {
        self.content.bytes().record().map(|record| record.summary.modified)
    }

    pub fn size(&self) -> u64 {
        match self.content.bytes() {
            Content::Deployed(entry, _) => entry.size,
            other => other.record().map(|record| record.summary.size).unwrap_or_default(),
        }
    }

    pub fn content_type(&self) -> Option<&str> {
        match self.content.source() {
            Content::Deployed(entry, _) => Some(entry.content_type.as_str()),
            other => other.record()?.metadata.content_type.as_deref(),
        }
    }

    /// What an object was stored with; `None` for the file of a deploy.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.content.source().record().map(|record| &record.metadata)
    }

    /// Where the file sends whoever asks for it, instead of giving its bytes.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>
    pub fn redirect(&self) -> Option<&str> {
        self.metadata()?.website_redirect_location.as_deref()
    }

    /// The file's bytes; `None` where it was only looked at.
    pub fn open(self) -> Option<Box<OpenObject>> {
        match self.content {
            Content::Open(object) | Content::Deployed(_, Some(object)) => Some(object),
            Content::Encoded(_, sibling) => Self { content: *sibling, ..self }.open(),
            Content::Described(_) | Content::Deployed(_, None) => None,
        }
    }
}

impl Content {
    /// What the bytes are of.
    fn bytes(&self) -> &Self {
        match self {
            Self::Encoded(_, sibling) => sibling,
            other => other,
        }
    }

    /// What the name is of.
    fn source(&self) -> &Self {
        match self {
            Self::Encoded(source, _) => source,
            other => other,
        }
    }

    fn record(&self) -> Option<&ObjectRecord> {
        match self {
            Self::Described(record) => Some(record),
            Self::Open(object) => Some(object.record()),
            Self::Deployed(..) | Self::Encoded(..) => None,
        }
    }
}
