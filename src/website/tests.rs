//! Requests over a store in memory: what no client can bring about at will.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::STRICT_TRANSPORT_SECURITY;
use bytes::Bytes;
use serde_json::json;

use super::failure::Failure;
use super::request::Request;
use super::{Options, Service};
use crate::edges::{self, Edges};
use crate::guard::Origin;
use crate::http::head::Head;
use crate::identity::{IDENTITIES, Identities, KEYS, MasterKey, RootKey};
use crate::names::HostName;
use crate::site::configuration::{Protocol, RedirectAll, Serve, Website};
use crate::site::host::Authority;
use crate::store::change::Cause;
use crate::store::configuration::Kind;
use crate::store::tests::fixture::Fixture;
use crate::telemetry::{HostId, RequestId};

const DOMAIN: &str = "website.localhost";
const FIRST: &str = "aaaaaaaaaa";
const SECOND: &str = "bbbbbbbbbb";

/// Everybody may see the sites of a server.
struct Sites {
    fixture: Fixture,
    service: Service,
}

impl Sites {
    async fn new() -> Self {
        let fixture = Fixture::beside(&[KEYS, IDENTITIES], Default::default()).await;
        let (master, root) = (MasterKey::generate().unwrap(), RootKey::generate().unwrap());
        let (kv, clock) = (fixture.kv.clone(), fixture.clock.clone());
        let identities = Identities::open(kv, master, root, Default::default(), clock.clone()).await.unwrap();
        let domains = vec![HostName::parse(DOMAIN).unwrap()];
        let options = Options { domains, auth: Default::default(), download_memory: 1 << 20 };
        let (store, host_id, identities) =
            (fixture.store.clone(), HostId::of_instance("instance"), Arc::new(identities));
        let following = edges::Options { auth: Default::default(), body_idle: Duration::ZERO, min_rate: 0 };
        let edges = Edges::open(store.clone(), identities.clone(), clock.clone(), b"", following).await.unwrap();
        let service = Service::new(store, identities, Arc::new(edges), clock, host_id, options).unwrap();
        Self { fixture, service }
    }

    async fn configure(&self, bucket: &str, kind: Kind, document: Option<Bytes>) {
        let bucket = self.fixture.bucket(bucket).await;
        self.fixture.store.put_configuration(&bucket, kind, document, Cause::default()).await.unwrap();
    }

    /// Makes a bucket a site that everybody may see.
    async fn publish(&self, bucket: &str) {
        let resource = format!("arn:aws:s3:::{bucket}/*");
        let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let website = Website::Serve(Serve { index: "index.html".to_owned(), error: None, rules: Vec::new() });
        self.configure(bucket, Kind::Website, Some(website.encode())).await;
        self.configure(bucket, Kind::Policy, Some(policy.into())).await;
    }

    async fn put(&self, bucket: &str, key: &str, content: impl Into<String>) {
        let bucket = self.fixture.bucket(bucket).await;
        self.fixture.put(&bucket, key, &Bytes::from(content.into())).await.unwrap();
    }

    /// Makes a deploy of one page the live one.
    async fn deploy(&self, bucket: &str, id: &str, page: &str) {
        self.put(bucket, &format!(".brim/files/{}", hash(id)), page).await;
        let file = json!({"sha256": hash(id), "size": page.len(), "content_type": "text/html"});
        let files = json!({"index.html": file});
        let manifest = json!({"version": 1, "id": id, "created": 0, "message": "", "files": files});
        self.put(bucket, &format!(".brim/deploys/{id}.json"), manifest.to_string()).await;
        let pointer = json!({"version": 1, "deploy": id, "at": 0, "previous": []});
        self.put(bucket, ".brim/current", pointer.to_string()).await;
    }

    /// Removes what [`Self::deploy`] put, but for the pointer.
    async fn remove(&self, bucket: &str, id: &str) {
        let bucket = self.fixture.bucket(bucket).await;
        for key in [format!(".brim/deploys/{id}.json"), format!(".brim/files/{}", hash(id))] {
            self.fixture.delete(&bucket, &key).await.unwrap();
        }
    }
}

/// Stands for the hash of a deploy's one file: nobody reads the bytes by it.
fn hash(id: &str) -> String {
    id[..1].repeat(64)
}

fn request(bucket: &str) -> Request {
    let head = Head { method: "GET".to_owned(), path: "/".to_owned(), ..Head::default() };
    let authority = Authority::parse(&format!("{bucket}.{DOMAIN}")).unwrap();
    let origin = Origin { address: None, secure: false };
    let sent_to = authority.clone();
    Request { id: RequestId::new(), head, sent_to, authority, origin, protocol: Protocol::Http }
}

fn status(answer: Result<super::answer::Answer, Failure>) -> u16 {
    answer.map_or_else(|failure| failure.status(), |answer| answer.status)
}

#[tokio::test]
async fn a_site_that_changes_while_it_is_read_is_what_it_became_in_everything() {
    let password = format!("$pbkdf2-sha256$i=100000$BwcHBwcHBwcHBwcHBwcHBw${}", "A".repeat(43));
    let closed = format!("[password]\nuser = \"guest\"\nhash = \"{password}\"");
    let elsewhere = Website::RedirectAll(RedirectAll { host: "other.example".to_owned(), protocol: None }).encode();
    for (change, expected) in [("nothing", 200), ("password", 401), ("redirect", 301), ("policy", 403), ("lost", 500)] {
        let sites = Sites::new().await;
        sites.publish("pail").await;
        sites.deploy("pail", FIRST, "first").await;
        let request = request("pail");
        let place = sites.service.place(&request.authority.host).await.unwrap();
        let visitor = sites.service.visitor(&request.head, request.origin).await.unwrap();
        assert_eq!(status(sites.service.answer_at(&request, &visitor, &place).await), 200);
        match change {
            "password" => sites.put("pail", ".brim/site.toml", closed.as_str()).await,
            "redirect" => sites.configure("pail", Kind::Website, Some(elsewhere.clone())).await,
            "policy" => sites.configure("pail", Kind::Policy, None).await,
            _ => {}
        }
        if change != "lost" {
            sites.deploy("pail", SECOND, "second").await;
        }
        sites.remove("pail", FIRST).await;
        // As a request that read the bucket's row before all this.
        assert_eq!(status(sites.service.answer_at(&request, &visitor, &place).await), expected, "{change}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_named_like_a_preview_stays_where_it_was() {
    let sites = Sites::new().await;
    for bucket in ["assets", "production--assets"] {
        sites.publish(bucket).await;
    }
    for (label, bucket, preview) in [
        ("assets", "assets", None),
        ("production--assets", "production--assets", None),
        ("aaaaaaaaaa--assets", "assets", Some("aaaaaaaaaa")),
    ] {
        let place = sites.service.place(&request(label).authority.host).await.unwrap();
        let previewed = place.preview.map(|id| id.to_string());
        assert_eq!((place.bucket.record.name.as_str(), previewed.as_deref()), (bucket, preview), "{label}");
    }
}

#[tokio::test]
async fn browsers_are_told_of_https_by_the_visitor_s_protocol_whatever_an_edge_speaks() {
    let sites = Sites::new().await;
    sites.publish("pail").await;
    sites.put("pail", "index.html", "page").await;
    sites.put("pail", ".brim/site.toml", "strict_transport_security = \"max-age=60\"").await;
    for (protocol, told) in [(Protocol::Http, false), (Protocol::Https, true)] {
        let request = Request { protocol, ..request("pail") };
        let place = sites.service.place(&request.authority.host).await.unwrap();
        let visitor = sites.service.visitor(&request.head, request.origin).await.unwrap();
        let answer = sites.service.answer_at(&request, &visitor, &place).await.unwrap();
        assert_eq!((answer.status, answer.has(&STRICT_TRANSPORT_SECURITY)), (200, told));
    }
}
