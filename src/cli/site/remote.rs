//! A site's own objects in its bucket, read and written as what they are.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::address::Address;
use super::failure::of_client;
use crate::cli::Failure;
use crate::client::{Body, Client, Condition, Listed, Put, Written};
use crate::clock::{Clock, Timestamp};
use crate::names::BucketName;
use crate::site::deploy::{
    CURRENT, ContentHash, DEPLOYS, DeployId, FILES, MAX_MANIFEST_BYTES, MAX_POINTER_BYTES, Manifest, Pointer,
    manifest_key, parse_file_key, parse_manifest_key,
};

/// Files are listed in as many parts at a time as there are hexadecimal digits.
const LISTED_AT_ONCE: usize = 16;
/// The most objects of each part, and the most manifests.
const MAX_LISTED: usize = 1_000_000;
/// How long after its manifest was written a deploy may become the live one: far less than the age from which
/// `brim site prune` removes manifests.
pub const MAX_PUBLISH_TIME: Duration = Duration::from_secs(30 * 60);
const JSON: &str = "application/json";

/// A bucket that is a site, or is to become one.
pub struct Site {
    pub client: Client,
    pub bucket: BucketName,
    pub address: Address,
}

/// The pointer as it was read.
pub struct Live {
    pub pointer: Pointer,
    /// What a move of the pointer expects.
    pub etag: String,
}

/// A manifest as it was read.
pub struct Read {
    pub manifest: Manifest,
    /// Exactly what is stored.
    pub document: Bytes,
    pub etag: String,
}

/// What became of the pointer.
pub enum Moved {
    Done,
    /// Somebody else moved it since it was read; where it is now, or nowhere.
    Elsewhere(Option<DeployId>),
}

impl Site {
    /// The pointer; `None` where plain keys are the site.
    pub async fn live(&self) -> Result<Option<Live>, Failure> {
        let object = self.client.get_object(&self.bucket, CURRENT, MAX_POINTER_BYTES).await.map_err(of_client)?;
        let Some(object) = object else { return Ok(None) };
        let pointer = Pointer::decode(&object.body).map_err(|error| self.unreadable(CURRENT, error))?;
        Ok(Some(Live { pointer, etag: object.etag }))
    }

    /// A deploy's manifest; `None` where there is none.
    pub async fn manifest(&self, id: &DeployId) -> Result<Option<Read>, Failure> {
        let key = manifest_key(id);
        let object = self.client.get_object(&self.bucket, &key, MAX_MANIFEST_BYTES).await.map_err(of_client)?;
        let Some(object) = object else { return Ok(None) };
        let manifest = Manifest::decode(&object.body, *id).map_err(|error| self.unreadable(&key, error))?;
        Ok(Some(Read { manifest, document: object.body, etag: object.etag }))
    }

    /// Writes a new deploy's manifest. It was there before only where an answer to this very write was lost.
    pub async fn put_manifest(&self, manifest: &Manifest) -> Result<(), Failure> {
        let document = Bytes::from(manifest.encode()?);
        match self.put(&manifest_key(&manifest.id), Condition::Absent, document.clone()).await? {
            Written::Done => Ok(()),
            Written::Refused => match self.manifest(&manifest.id).await? {
                Some(there) if there.document == document => Ok(()),
                _ => Err(Failure::from("another deploy has the same id: deploy again")),
            },
        }
    }

    /// Writes a manifest again as it is, so that it counts as new. Fails where it is gone, or is another by now.
    pub async fn touch_manifest(&self, read: &Read) -> Result<(), Failure> {
        let id = read.manifest.id;
        let gone = || Failure::from(format!("the deploy {id} was removed just now"));
        match self.put(&manifest_key(&id), Condition::Match(read.etag.clone()), read.document.clone()).await {
            Ok(Written::Done) => Ok(()),
            Ok(Written::Refused) => Err(gone()),
            Err(failure) if is_missing(&failure) => Err(gone()),
            Err(failure) => Err(failure),
        }
    }

    /// Moves the pointer from where it was read to a deploy: the one step that readers see, all of it or nothing. The
    /// deploy's manifest was not written before `written`; [`MAX_PUBLISH_TIME`] after that the move is given up, however
    /// slow the service is.
    pub async fn point(
        &self,
        from: Option<&Live>,
        to: DeployId,
        written: Timestamp,
        clock: &Clock,
    ) -> Result<Moved, Failure> {
        let now = clock.now();
        let left = MAX_PUBLISH_TIME.saturating_sub(now.since(written));
        if left.is_zero() {
            return Err(too_slow());
        }
        let (condition, pointer) = match from {
            Some(live) => (Condition::Match(live.etag.clone()), live.pointer.moved(to, now)),
            None => (Condition::Absent, Pointer::first(to, now)),
        };
        let put = timeout(left, self.put(CURRENT, condition, pointer.encode().into())).await;
        let late = put.is_err();
        match put {
            Ok(Ok(Written::Done)) => return Ok(Moved::Done),
            // The last attempt may have arrived all the same.
            Err(_) | Ok(Ok(Written::Refused)) => {}
            // S3's answer to If-Match where there is no object any more.
            Ok(Err(failure)) if is_missing(&failure) => {}
            Ok(Err(failure)) => return Err(failure),
        }
        // It may be this very pointer, whose first answer was lost.
        match self.live().await? {
            Some(live) if live.pointer == pointer => Ok(Moved::Done),
            _ if late => Err(too_slow()),
            live => Ok(Moved::Elsewhere(live.map(|live| live.pointer.deploy))),
        }
    }

    /// Takes the pointer away if it is still the one that was read; tells where it is otherwise.
    pub async fn unpoint(&self, from: &Live) -> Result<Moved, Failure> {
        let condition = Condition::Match(from.etag.clone());
        match self.client.delete_object(&self.bucket, CURRENT, condition).await.map_err(of_client) {
            Ok(Written::Done) => return Ok(Moved::Done),
            Ok(Written::Refused) => {}
            Err(failure) if is_missing(&failure) => {}
            Err(failure) => return Err(failure),
        }
        // It may be gone by this very request, whose first answer was lost.
        match self.live().await? {
            None => Ok(Moved::Done),
            Some(live) => Ok(Moved::Elsewhere(Some(live.pointer.deploy))),
        }
    }

    /// Every stored file.
    pub async fn files(&self) -> Result<BTreeMap<ContentHash, Listed>, Failure> {
        let prefixes = (0..LISTED_AT_ONCE).map(|digit| format!("{FILES}{digit:x}"));
        let parts = stream::iter(prefixes)
            .map(|prefix| async move { self.client.list_all(&self.bucket, &prefix, MAX_LISTED).await });
        let parts: Vec<Vec<Listed>> = parts.buffer_unordered(LISTED_AT_ONCE).try_collect().await.map_err(of_client)?;
        // What is no file of a site, somebody else put there: it is left alone.
        Ok(parts.into_iter().flatten().filter_map(|listed| Some((parse_file_key(&listed.key)?, listed))).collect())
    }

    /// Every stored manifest, the one that was written last first.
    pub async fn manifests(&self) -> Result<Vec<(DeployId, Listed)>, Failure> {
        let listed = self.client.list_all(&self.bucket, DEPLOYS, MAX_LISTED).await.map_err(of_client)?;
        let mut manifests: Vec<_> =
            listed.into_iter().filter_map(|listed| Some((parse_manifest_key(&listed.key)?, listed))).collect();
        manifests.sort_by_key(|(id, listed)| (std::cmp::Reverse(listed.modified), *id));
        Ok(manifests)
    }

    async fn put(&self, key: &str, condition: Condition, document: Bytes) -> Result<Written, Failure> {
        let put = Put { bucket: &self.bucket, key, content_type: JSON, condition, body: Body::Bytes(document) };
        self.client.put_object(&put).await.map_err(of_client)
    }

    fn unreadable(&self, key: &str, error: crate::site::deploy::Error) -> Failure {
        let error: Box<dyn std::error::Error> = error.into();
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::from(format!("{}/{key} cannot be used: {error}{cause}", self.bucket))
    }
}

fn too_slow() -> Failure {
    Failure::from("the bucket was too slow to publish safely: `brim site status` tells what is live; try again")
}

fn is_missing(failure: &Failure) -> bool {
    let Failure::Failed(error) = failure else { return false };
    let answered = error.downcast_ref::<crate::client::Error>().and_then(crate::client::Error::service);
    answered.is_some_and(|error| error.status == 404 && error.code == "NoSuchKey")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::scripted::{Scripted, answer};

    fn site(server: &Scripted) -> Site {
        let (client, bucket) = (server.client(), BucketName::parse("site").unwrap());
        Site { address: Address::new(None, client.endpoint()), client, bucket }
    }

    fn id(number: u8) -> DeployId {
        DeployId::from_random([number; 10])
    }

    #[tokio::test]
    async fn a_pointer_that_a_silent_server_was_sent_is_given_up_when_its_time_is_over() {
        let written = Timestamp::from_seconds(1_000_000);
        let clock = Clock::fixed(written.plus(MAX_PUBLISH_TIME - Duration::from_millis(100)));
        let missing = answer(404, "<Error><Code>NoSuchKey</Code></Error>");
        let server = Scripted::start(vec![None, Some(missing)]);
        let failure = site(&server).point(None, id(1), written, &clock).await.err().unwrap();
        assert!(failure.to_string().contains("too slow"), "{failure}");
        assert_eq!(server.seen(), ["PUT /site/.brim/current", "GET /site/.brim/current"]);

        // What arrived in spite of that counts.
        let arrived = Pointer::first(id(1), clock.now()).encode();
        let server = Scripted::start(vec![None, Some(answer(200, std::str::from_utf8(&arrived).unwrap()))]);
        assert!(matches!(site(&server).point(None, id(1), written, &clock).await, Ok(Moved::Done)));

        clock.advance(Duration::from_millis(100));
        let server = Scripted::start(Vec::new());
        assert!(site(&server).point(None, id(1), written, &clock).await.is_err());
        assert_eq!(server.seen(), [""; 0], "nothing is sent after that time");
    }

    #[tokio::test]
    async fn a_pointer_that_is_gone_is_taken_away_whoever_did_it() {
        let live = Live { pointer: Pointer::first(id(1), Timestamp::from_seconds(1)), etag: "\"e\"".into() };
        let other = String::from_utf8(Pointer::first(id(2), Timestamp::from_seconds(2)).encode()).unwrap();
        let missing = answer(404, "<Error><Code>NoSuchKey</Code></Error>");
        let failed = answer(412, "<Error><Code>PreconditionFailed</Code></Error>");
        for deleted in [&missing, &failed] {
            for (read, gone) in [(&missing, true), (&answer(200, &other), false)] {
                let server = Scripted::start(vec![Some(deleted.clone()), Some(read.clone())]);
                let moved = site(&server).unpoint(&live).await.unwrap();
                assert_eq!(matches!(moved, Moved::Done), gone, "{deleted} {read}");
                assert_eq!(server.seen(), ["DELETE /site/.brim/current", "GET /site/.brim/current"]);
            }
        }
    }
}
