//! Changing what is said of an object without changing the object: its tags and its access control list.

use std::sync::Arc;

use super::Store;
use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, ChangeKind};
use super::error::Error;
use super::mutation::Mutation;
use super::put::Stored;
use super::record::ObjectRecord;
use crate::names::{ObjectKey, VersionId};

/// What is to be said of an object, in place of what was said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Annotation {
    Tags(Vec<(String, String)>),
    NoTags,
    /// As whoever evaluates it encodes it.
    Acl(Vec<u8>),
}

/// What is to be said of which object.
pub struct Annotate {
    pub bucket: Bucket,
    pub key: ObjectKey,
    /// `None`: the current one.
    pub version: Option<VersionId>,
    /// The object as it was judged, where it had a say in who may do this: another one in its place is not touched.
    pub judged: Option<ObjectRecord>,
    pub annotation: Annotation,
    pub cause: Cause,
}

impl Annotation {
    fn kind(&self) -> ChangeKind {
        match self {
            Self::Tags(_) => ChangeKind::Tagging,
            Self::NoTags => ChangeKind::Untagging,
            Self::Acl(_) => ChangeKind::Acl,
        }
    }

    fn write_into(&self, record: &mut ObjectRecord) {
        match self {
            Self::Tags(tags) => record.metadata.tags.clone_from(tags),
            Self::NoTags => record.metadata.tags.clear(),
            Self::Acl(acl) => record.acl.clone_from(acl),
        }
    }
}

impl Store {
    /// Changes tags or the access control list of an object, or of the version that is named, in place: its bytes, its
    /// entity tag and its modification time stay. Fails as reading it would, and with [`Error::SourceChanged`] where it is not
    /// what was judged. Returns when it is durable; a caller that goes away does not cut the commit.
    pub async fn annotate_object(self: &Arc<Self>, annotate: Annotate) -> Result<Stored, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.annotate_now(annotate).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn annotate_now(&self, annotate: Annotate) -> Result<Stored, Error> {
        let Annotate { mut bucket, key, version, judged, annotation, cause } = annotate;
        let id = bucket.record.id;
        let _turn = self.queues.turn(id, key.as_bytes()).await?;
        self.admit(&bucket.record, &key)?;
        for _ in 0..ATTEMPTS {
            let current = self.current(id, &key).await?;
            let found = self.object_version(&bucket, &key, version.as_ref()).await?;
            if judged.as_ref().is_some_and(|judged| *judged != found.record) {
                return Err(Error::SourceChanged);
            }
            let mut record = found.record.clone();
            annotation.write_into(&mut record);
            let mut change = bucket.change(annotation.kind(), &key, &record, cause.clone());
            change.at = self.clock.now();
            let mutation = Mutation::in_bucket(&bucket)?
                .expect_object(&found)
                .replace_record(id, &key, &record, current.as_ref())
                .log_object(&bucket, &change);
            match self.commit(mutation).await? {
                Ok(position) => return Ok(bucket.stored(record, position)),
                Err(conflict) if conflict.index == 0 => self.refresh(&mut bucket).await?,
                Err(_) => (),
            }
        }
        Err(Error::Contended)
    }
}
