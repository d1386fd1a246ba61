//! The files of a site, as far as the visitor may read them.

use std::sync::Arc;

use super::failure::{Code, Failure};
use super::judge::Judge;
use crate::names::ObjectKey;
use crate::store::bucket::Bucket;
use crate::store::read::OpenObject;
use crate::store::record::ObjectRecord;
use crate::store::{self, Store};

/// Where files are looked up.
pub trait Files {
    /// The file of this name. Fails with `AccessDenied` where the visitor may not read it, and, where there is none, with
    /// `NoSuchKey` or `AccessDenied`: whether something is missing is for those who may list.
    async fn find(&self, key: &str) -> Result<File, Failure>;

    /// Whether there is a file of this name, whoever may read it.
    async fn has(&self, key: &str) -> Result<bool, Failure>;
}

/// A file that was found and may be read.
pub struct File {
    pub key: String,
    content: Content,
}

enum Content {
    /// What is known of it; its bytes are not held.
    Described(Box<ObjectRecord>),
    Open(Box<OpenObject>),
}

impl File {
    #[cfg(test)]
    pub fn described(key: &str, record: ObjectRecord) -> Self {
        Self { key: key.to_owned(), content: Content::Described(Box::new(record)) }
    }

    pub fn record(&self) -> &ObjectRecord {
        match &self.content {
            Content::Described(record) => record,
            Content::Open(object) => object.record(),
        }
    }

    /// Where the file sends whoever asks for it, instead of giving its bytes.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>
    pub fn redirect(&self) -> Option<&str> {
        self.record().metadata.website_redirect_location.as_deref()
    }

    /// The file's bytes; `None` where it was only described.
    pub fn open(self) -> Option<Box<OpenObject>> {
        match self.content {
            Content::Described(_) => None,
            Content::Open(object) => Some(object),
        }
    }
}

/// The objects of a bucket, by their keys.
pub struct Objects<'r> {
    pub store: &'r Arc<Store>,
    pub bucket: &'r Bucket,
    pub judge: &'r Judge<'r>,
    /// Whether files are opened, or only described.
    pub open: bool,
}

impl Objects<'_> {
    async fn read(&self, key: &ObjectKey) -> Result<File, store::Error> {
        let content = match self.open {
            true => Content::Open(Box::new(self.store.open_object(self.bucket, key).await?)),
            false => Content::Described(Box::new(self.store.object(self.bucket, key).await?.record)),
        };
        Ok(File { key: key.as_str().to_owned(), content })
    }

    fn permit(&self, file: &File) -> Result<(), Failure> {
        match self.judge.may_read_object(&file.key, file.record())? {
            true => Ok(()),
            false => Err(Failure::new(Code::AccessDenied)),
        }
    }
}

impl Files for Objects<'_> {
    async fn find(&self, key: &str) -> Result<File, Failure> {
        let parsed = parse(key)?;
        let asks_object = self.judge.asks_object();
        if !asks_object && !self.judge.may_read(key) {
            return Err(Failure::new(Code::AccessDenied));
        }
        match self.read(&parsed).await {
            Ok(file) if asks_object => self.permit(&file).map(|()| file),
            Ok(file) => Ok(file),
            Err(error) => Err(veil(error.into(), self.judge)),
        }
    }

    async fn has(&self, key: &str) -> Result<bool, Failure> {
        match self.store.object(self.bucket, &parse(key)?).await {
            Ok(_) => Ok(true),
            Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn parse(key: &str) -> Result<ObjectKey, Failure> {
    ObjectKey::parse(key).map_err(|_| Failure::new(Code::KeyTooLongError))
}

/// What a missing file is called to who may not list.
fn veil(failure: Failure, judge: &Judge<'_>) -> Failure {
    match failure.code {
        Code::NoSuchKey if !judge.may_list() => Failure::new(Code::AccessDenied),
        _ => failure,
    }
}
