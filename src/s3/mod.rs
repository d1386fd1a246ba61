//! The S3 dialect over HTTP: a transport in front of the store.
//!
//! A request goes one way: head, `target`, [`operation`], signature ([`admission`]), typed input and body (`body`), store,
//! [`answer`]. Each family of operations is a file of `ops`.

pub mod admission;
pub mod answer;
pub mod error;
pub mod operation;
pub mod serve;
pub mod xml;

mod acl;
mod body;
mod checksum;
mod cors;
mod failure;
mod form;
#[cfg(test)]
mod fuzz;
mod metadata;
mod ops;
mod owner;
mod permission;
mod precondition;
mod query;
mod slow;
mod tags;
mod target;
mod version;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::{self, SigningKeys};
use crate::clock::Clock;
use crate::edges::Edges;
use crate::events::Events;
use crate::guard::Guard;
use crate::http::head::Head;
use crate::identity::Identities;
use crate::names::{AccountId, ObjectKey, VersionId};
use crate::store::Store;
use crate::store::bucket::Bucket;
use crate::store::change::Cause;
use crate::store::multipart::MAX_PART_BYTES;
use crate::store::record::ObjectRecord;
use crate::streams::Rights;
use crate::telemetry::metrics::RequestMetrics;
use crate::telemetry::{HostId, RequestId};
use crate::transport::download::DownloadMemory;
use crate::transport::memory::DocumentMemory;

use self::admission::Caller;
use self::body::RequestBody;
use self::error::{Code, S3Error};
use self::permission::Permission;
use self::query::Query;
use self::target::Target;

/// How many bytes of documents that clients send may be in memory at once, over all requests.
const DOCUMENT_MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// The region that buckets are in.
    pub region: String,
    /// Hosts below these are buckets.
    pub domains: Vec<String>,
    pub auth: auth::Options,
    /// How long a client may send nothing of its body.
    pub body_idle: Duration,
    /// The least bytes a second that a client must send or take, on average, once it had some time to start.
    pub min_rate: u64,
    /// How many bytes of downloads may be in memory at once.
    pub download_memory: u64,
    /// The largest object, in bytes.
    pub max_object: u64,
}

/// Everything that answering a request needs. Shared by all workers.
pub struct Service {
    pub store: Arc<Store>,
    pub identities: Arc<Identities>,
    pub guard: Arc<Guard>,
    pub clock: Clock,
    pub host_id: HostId,
    pub metrics: RequestMetrics,
    edges: Arc<Edges>,
    events: Arc<Events>,
    rights: Arc<Rights>,
    options: Options,
    signing_keys: SigningKeys,
    download_memory: DownloadMemory,
    document_memory: DocumentMemory,
}

/// One admitted request.
struct Request {
    id: RequestId,
    head: Head,
    target: Target,
    query: Query,
    caller: Caller,
    bucket: Option<Bucket>,
    permission: Permission,
    source_address: String,
    body: RequestBody,
}

impl Service {
    pub fn new(
        store: Arc<Store>,
        identities: Arc<Identities>,
        edges: Arc<Edges>,
        events: Arc<Events>,
        clock: Clock,
        host_id: HostId,
        options: Options,
    ) -> Self {
        let guard = Arc::new(Guard::new(store.clone(), identities.clone()));
        let rights =
            Rights { store: store.clone(), identities: identities.clone(), guard: guard.clone(), clock: clock.clone() };
        Self {
            store,
            identities,
            guard,
            clock,
            host_id,
            edges,
            events,
            rights: Arc::new(rights),
            metrics: RequestMetrics::new(&operation::Operation::names()),
            signing_keys: SigningKeys::new(auth::DEFAULT_CAPACITY),
            download_memory: DownloadMemory::new(options.download_memory),
            document_memory: DocumentMemory::new(DOCUMENT_MEMORY_BYTES),
            options,
        }
    }

    /// Whether a request addresses a bucket, or an object in one: by its host or by its path.
    pub fn is_for_bucket(&self, head: &Head) -> bool {
        Target::parse(head, &self.options.domains).is_ok_and(|target| target.bucket.is_some())
    }

    /// The most bytes of one request: it carries as much as one part does, and larger objects come in parts.
    fn put_limit(&self) -> u64 {
        self.options.max_object.min(MAX_PART_BYTES)
    }
}

impl Request {
    /// The bucket that the request addresses, as it was when the request was admitted. Commits expect it unchanged.
    fn bucket(&self) -> Result<Bucket, S3Error> {
        self.bucket.clone().ok_or_else(|| S3Error::new(Code::InvalidBucketName))
    }

    /// The object that the request addresses: its bucket and key.
    fn object(&self) -> Result<(Bucket, ObjectKey), S3Error> {
        Ok((self.bucket()?, self.target.object_key()?))
    }

    /// The version that the request names.
    fn version(&self) -> Result<Option<VersionId>, S3Error> {
        self.query.get("versionId").map(|text| version::parse(text, "versionId")).transpose()
    }

    /// Fails where a version is named: what is written is always a new one.
    fn refuse_version(&self) -> Result<(), S3Error> {
        match self.query.get("versionId") {
            Some(given) => {
                let message = "This operation does not accept a version-id.";
                Err(S3Error::invalid_argument(message, "versionId", given))
            }
            None => Ok(()),
        }
    }

    /// The identifier of an object in the bucket that the request addresses; none in a bucket without versions.
    fn shown_version(&self, record: &ObjectRecord) -> Option<VersionId> {
        self.bucket.as_ref().and_then(|bucket| bucket.shown_version(record.version))
    }

    /// Who and what is behind a change, for the change log.
    fn cause(&self) -> Cause {
        Cause {
            principal: self.caller.identity.user_id.clone(),
            source_address: self.source_address.clone(),
            request_id: self.id.as_str().to_owned(),
        }
    }
}

/// Holds the caller to the owner that it expects.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
fn expect_owner(head: &Head, header: &str, account: &AccountId) -> Result<(), S3Error> {
    match head.headers.text(header)? {
        Some(expected) if expected != account.as_str() => Err(S3Error::new(Code::AccessDenied)),
        _ => Ok(()),
    }
}
