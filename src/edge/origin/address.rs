//! A viewer's request as an origin is asked it: target, host and signature.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::header;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use super::error::FetchError;
use super::origins::ViewerFacts;
use super::settings::{HostHeader, Kind, Location, Origin, Signing};
use crate::clock::Timestamp;
use crate::feed::{EDGE_HEADER, HOST_HEADER, PASS_HEADER, PROTO_HEADER};
use crate::http::percent::recode_path;
use crate::names::BucketName;
use crate::signer::{Head, SignedBody, Signer};

/// What a bucket or website is told of the edge, and a website of the viewer; believed where it is signed. And what a shield
/// recognises the edge by.
const BRIM_EDGE: HeaderName = HeaderName::from_static(EDGE_HEADER);
const BRIM_HOST: HeaderName = HeaderName::from_static(HOST_HEADER);
const BRIM_PASS: HeaderName = HeaderName::from_static(PASS_HEADER);
const BRIM_PROTO: HeaderName = HeaderName::from_static(PROTO_HEADER);
/// The SHA-256 of no bytes, in hexadecimal.
const SHA256_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What speaks of one connection, or frames a message on it: RFC 9110 section 7.6.1, RFC 9112 section 6. Ours to say.
const OF_THE_CONNECTION: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// How requests to one origin are written.
pub(super) struct Address {
    location: Location,
    /// What requests are addressed to, and what `Host` says unless it is the viewer's.
    authority: Authority,
    viewers_host: bool,
    manner: Manner,
}

/// Marks a request, in its extensions, that carries a signature of its own for the viewer's host: it goes to a bucket as it
/// came, and is not signed.
#[derive(Debug, Clone, Copy)]
pub struct Verbatim;

enum Manner {
    Plain,
    Bucket { name: BucketName, signer: Signer },
    Website { signer: Signer },
}

impl Address {
    pub fn new(origin: &Origin) -> Self {
        let signer = |signing: &Signing| Signer::new(signing.region.clone(), &signing.credentials);
        let manner = match &origin.kind {
            Kind::Http => Manner::Plain,
            Kind::Bucket { name, signing } => Manner::Bucket { name: name.clone(), signer: signer(signing) },
            Kind::Website { signing } => Manner::Website { signer: signer(signing) },
        };
        let authority = match &origin.host {
            HostHeader::Fixed(authority) => authority.clone(),
            HostHeader::Origin | HostHeader::Viewer => origin.location.authority.clone(),
        };
        let viewers_host = origin.host == HostHeader::Viewer;
        Self { location: origin.location.clone(), authority, viewers_host, manner }
    }

    /// The request that asks this origin what `head` asks. Headers that speak of the connection are left out, and on signed
    /// requests whatever would be taken for the signer's word.
    pub fn write(
        &self,
        head: &Parts,
        with_body: bool,
        viewer: &ViewerFacts<'_>,
        now: Timestamp,
    ) -> Result<Request<()>, FetchError> {
        let mut request = Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = self.uri(&self.target(head)).map_err(|error| FetchError::Request(error.into()))?;
        *request.headers_mut() = head.headers.clone();
        for name in &OF_THE_CONNECTION {
            request.headers_mut().remove(name);
        }
        let verbatim = head.extensions.get::<Verbatim>().is_some();
        let host = if self.viewers_host || verbatim { viewer.host } else { self.authority.as_str() };
        request.headers_mut().insert(header::HOST, value(host)?);
        match &self.manner {
            _ if verbatim => {}
            Manner::Plain => {
                request.headers_mut().remove(BRIM_PASS);
                if let Some(pass) = self.pass(viewer) {
                    request.headers_mut().insert(BRIM_PASS, value(&pass)?);
                }
            }
            Manner::Bucket { signer, .. } => {
                remove_claims(request.headers_mut());
                self.name_reader(&mut request, viewer)?;
                self.sign(&mut request, signer, with_body, now)?;
            }
            Manner::Website { signer } => {
                remove_claims(request.headers_mut());
                self.name_reader(&mut request, viewer)?;
                request.headers_mut().insert(BRIM_HOST, value(viewer.host)?);
                let proto = if viewer.secure { "https" } else { "http" };
                request.headers_mut().insert(BRIM_PROTO, HeaderValue::from_static(proto));
                self.sign(&mut request, signer, with_body, now)?;
            }
        }
        Ok(request)
    }

    /// Whether a request for this viewer tells the origin who follows the feed.
    pub fn is_fed(&self, viewer: &ViewerFacts<'_>) -> bool {
        match &self.manner {
            Manner::Plain => self.pass(viewer).is_some(),
            Manner::Bucket { .. } | Manner::Website { .. } => viewer.feed.is_some_and(|feed| !feed.key().is_empty()),
        }
    }

    /// Whether the feed that this viewer's edge follows is to tell of what the origin answers, whatever it was told: it is a
    /// bucket or a website, or the shield that gives the feed.
    pub fn is_watched(&self, viewer: &ViewerFacts<'_>) -> bool {
        match &self.manner {
            Manner::Plain => viewer.feed.is_some_and(|feed| feed.is_of(self.location.authority.as_str())),
            Manner::Bucket { .. } | Manner::Website { .. } => self.is_fed(viewer),
        }
    }

    fn pass(&self, viewer: &ViewerFacts<'_>) -> Option<Arc<String>> {
        viewer.feed?.pass_for(self.location.authority.as_str())
    }

    fn name_reader(&self, request: &mut Request<()>, viewer: &ViewerFacts<'_>) -> Result<(), FetchError> {
        if let Some(feed) = viewer.feed.filter(|feed| !feed.key().is_empty()) {
            request.headers_mut().insert(BRIM_EDGE, value(feed.key())?);
        }
        Ok(())
    }

    /// Path and query as they go over the wire. A key is written in its canonical form, which every S3 service signs
    /// alike; to other origins the viewer's bytes go as they are.
    fn target(&self, head: &Parts) -> String {
        let (uri, verbatim) = (&head.uri, head.extensions.get::<Verbatim>().is_some());
        let (prefix, path) = (&self.location.path, uri.path());
        let mut target = match &self.manner {
            Manner::Bucket { name, .. } if !verbatim => format!("{prefix}/{name}{}", recode_path(path)),
            _ => format!("{prefix}{path}"),
        };
        if let Some(query) = uri.query() {
            target.push('?');
            target.push_str(query);
        }
        target
    }

    fn uri(&self, target: &str) -> Result<Uri, http::Error> {
        let builder = Uri::builder().scheme(self.location.scheme.clone()).authority(self.authority.clone());
        builder.path_and_query(target).build()
    }

    /// Signs the host and what the edge says of the viewer, which must be all that a service would believe.
    fn sign(
        &self,
        request: &mut Request<()>,
        signer: &Signer,
        with_body: bool,
        now: Timestamp,
    ) -> Result<(), FetchError> {
        let signed = [header::HOST, BRIM_EDGE, BRIM_HOST, BRIM_PROTO];
        let headers: Vec<(&str, String)> = signed.iter().filter_map(|name| text_of(request.headers(), name)).collect();
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        let (scheme, authority) = (&self.location.scheme, &self.authority);
        let uri = format!("{scheme}://{authority}{}{query}", recode_path(request.uri().path()));
        let body = match with_body {
            true => SignedBody::Unsigned,
            false => SignedBody::Sha256(SHA256_OF_NOTHING.to_owned()),
        };
        let head = Head { method: request.method().as_str(), uri: &uri, headers: &headers, body };
        let time = UNIX_EPOCH + Duration::from_millis(now.as_millis());
        let signature = signer.sign(&head, time).map_err(|error| FetchError::Request(error.into()))?;
        for (name, text) in signature {
            let name = HeaderName::try_from(name).map_err(|error| FetchError::Request(error.into()))?;
            request.headers_mut().insert(name, value(&text)?);
        }
        Ok(())
    }
}

/// Takes out what a service would take for the word of the key that signs: another's signature, parameters of S3, and what
/// an edge says of viewers.
fn remove_claims(headers: &mut HeaderMap) {
    let claims = |name: &HeaderName| {
        name == header::AUTHORIZATION || name.as_str().starts_with("x-amz-") || name.as_str().starts_with("brim-")
    };
    let found: Vec<HeaderName> = headers.keys().filter(|name| claims(name)).cloned().collect();
    for name in found {
        headers.remove(&name);
    }
}

fn text_of<'n>(headers: &HeaderMap, name: &'n HeaderName) -> Option<(&'n str, String)> {
    let value = headers.get(name)?.to_str().ok()?;
    Some((name.as_str(), value.to_owned()))
}

fn value(text: &str) -> Result<HeaderValue, FetchError> {
    HeaderValue::from_str(text).map_err(|error| FetchError::Request(error.into()))
}
