//! The order of rules over files in memory: no store and no HTTP.

mod endpoint;
mod modern;

use std::collections::BTreeMap;

use super::*;
use crate::clock::Timestamp;
use crate::names::{AccountId, ETag};
use crate::site::configuration::{Condition, Redirect, Replace, RoutingRule};
use crate::store::checksum::{Algorithm, ChecksumType};
use crate::store::record::{Data, Metadata, ObjectRecord, StorageClass, Summary};

/// What a visitor finds under a name.
#[derive(Clone, Copy)]
enum At {
    Page,
    /// There, and not for him.
    Private,
    Redirect(&'static str),
}

struct Memory {
    files: BTreeMap<&'static str, At>,
    /// Whether the visitor may list.
    lists: bool,
}

impl Files for Memory {
    async fn find(&self, key: &str) -> Result<Found, Failure> {
        let file = |redirect: Option<&str>| Found::File(Box::new(File::described(key, record(key, redirect))));
        Ok(match self.files.get(key) {
            Some(At::Page) => file(None),
            Some(At::Redirect(location)) => file(Some(location)),
            Some(At::Private) => Found::Denied,
            None => Found::Missing,
        })
    }

    async fn has(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.files.contains_key(key))
    }

    fn lists(&self) -> bool {
        self.lists
    }
}

/// A page of ten bytes.
fn record(key: &str, redirect: Option<&str>) -> ObjectRecord {
    ObjectRecord {
        summary: Summary {
            size: 10,
            etag: etag(key),
            modified: Timestamp::from_seconds(1_000),
            owner: "000000000000".parse::<AccountId>().unwrap(),
            storage_class: StorageClass::Standard,
            algorithm: Algorithm::Crc64Nvme,
            checksum_type: ChecksumType::FullObject,
        },
        data: Data::Empty,
        crc64nvme: 0,
        checksum: None,
        metadata: Metadata {
            content_type: Some(crate::http::mime::of_key(key).to_owned()),
            website_redirect_location: redirect.map(str::to_owned),
            ..Metadata::default()
        },
        version: None,
        acl: Vec::new(),
    }
}

fn etag(key: &str) -> ETag {
    let mut md5 = [0; 16];
    for (place, byte) in md5.iter_mut().zip(key.bytes()) {
        *place = byte;
    }
    ETag::single(md5)
}

fn rule(prefix: Option<&str>, status: Option<u16>, replace: &str) -> RoutingRule {
    let condition =
        (prefix.is_some() || status.is_some()).then(|| Condition { prefix: prefix.map(str::to_owned), status });
    let replace = Replace::Key(replace.to_owned());
    RoutingRule { condition, redirect: Redirect { protocol: None, host: None, status: None, replace } }
}

fn site(error: Option<&str>, rules: Vec<RoutingRule>) -> Serve {
    Serve { index: "index.html".to_owned(), error: error.map(str::to_owned), rules }
}

/// One request, and who asks.
struct Visit<'v> {
    path: &'v str,
    query: &'v str,
    headers: &'v [(&'v str, &'v str)],
    lists: bool,
}

/// What the site says, in a few words.
async fn said(site: &Serve, modern: Option<&Modern>, files: &[(&'static str, At)], visit: Visit<'_>) -> String {
    let files = Memory { files: files.iter().copied().collect(), lists: visit.lists };
    let headers = visit.headers.iter().copied().collect();
    let path = SitePath::parse(visit.path).unwrap();
    let asked = Asked { path: &path, query: visit.query, host: "h", protocol: Protocol::Http, headers: &headers };
    match resolve(site, modern, &files, asked).await {
        Outcome::File(file, Portion::Whole) => format!("200 {}", named(&file)),
        Outcome::File(file, Portion::Part(range)) => format!("206 {} {range:?}", named(&file)),
        Outcome::File(file, Portion::NotModified) => format!("304 {}", named(&file)),
        Outcome::SinglePage(file, _) => format!("200 {} for all", named(&file)),
        Outcome::Document(file, failure) => format!("{} {}", failure.status(), named(&file)),
        Outcome::Moved(to) => format!("{} {}", to.status, to.location),
        Outcome::Folder(location) => format!("302 {location}"),
        Outcome::Failed(failure, None) => format!("{} {}", failure.status(), shown(&failure)),
        Outcome::Failed(failure, Some(second)) => {
            format!("{} {}, {}", failure.status(), shown(&failure), shown(&second))
        }
    }
}

/// A file by its name, and by the coding of its bytes.
fn named(file: &File) -> String {
    match file.coding {
        Some(coding) => format!("{} in {}", file.key, coding.name()),
        None => file.key.clone(),
    }
}

fn shown(failure: &Failure) -> String {
    let key = failure.details.iter().find(|(name, _)| *name == "Key").map(|(_, key)| key.as_str());
    [Some(failure.code.as_str()), key].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
