//! A client that signs with the `aws-sigv4` crate, and presigns with `rusoto_signature`: never with our own code.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningParams,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rusoto_credential::AwsCredentials;
use rusoto_signature::{Region, SignedRequest};

use crate::raw::Answer;

pub const REGION: &str = "us-east-1";
const PATIENCE: Duration = Duration::from_secs(60);

/// What `x-amz-content-sha256` says of the body.
pub enum Payload<'a> {
    /// Its SHA-256.
    Hashed(&'a [u8]),
    /// These words: `UNSIGNED-PAYLOAD`, a streaming mode, or something wrong.
    Named(&'a str),
}

/// A head that is signed, to be sent with whatever body the test wants.
pub struct SignedHead {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    /// The seed of chunk signatures.
    pub signature: String,
    pub time: SystemTime,
}

impl SignedHead {
    /// The bytes of the head in HTTP/1.1, blank line included, with these headers added after signing.
    pub fn bytes(&self, unsigned: &[(&str, &str)]) -> Vec<u8> {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in own.chain(unsigned.iter().copied()) {
            head += &format!("{name}: {value}\r\n");
        }
        (head + "\r\n").into_bytes()
    }
}

/// A signing client. Targets are the raw path and query, percent-encoded as they go over the wire.
#[derive(Clone)]
pub struct Signed {
    pub address: SocketAddr,
    pub access_key: String,
    pub secret_key: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Signed {
    pub fn new(address: SocketAddr, access_key: &str, secret_key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, access_key: access_key.to_owned(), secret_key: secret_key.to_owned(), client }
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    pub async fn head(&self, target: &str) -> Answer {
        self.send("HEAD", target, &[], "").await
    }

    pub async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], "").await
    }

    pub async fn put(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("PUT", target, &[], body).await
    }

    pub async fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", target, &[], body).await
    }

    /// Signs all of it, body included, and sends it.
    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let head = self.sign(method, target, headers, Payload::Hashed(body));
        self.send_head(&head, body).await
    }

    /// As [`Self::send`]; `None` where the server is gone before the whole answer is here.
    pub async fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Option<Answer> {
        let body = body.as_ref();
        let head = self.sign(method, target, headers, Payload::Hashed(body));
        self.try_send_head(&head, body).await
    }

    /// Sends a signed head with a body through the pooled client.
    pub async fn send_head(&self, head: &SignedHead, body: &[u8]) -> Answer {
        self.try_send_head(head, body).await.expect("a whole answer")
    }

    /// As [`Self::send_head`]; `None` where the server is gone before the whole answer is here.
    pub async fn try_send_head(&self, head: &SignedHead, body: &[u8]) -> Option<Answer> {
        let uri = format!("http://{}{}", self.address, head.target);
        let mut request = hyper::Request::builder().method(head.method.as_str()).uri(uri);
        for (name, value) in &head.headers {
            request = request.header(name, value);
        }
        if body.is_empty() && ["PUT", "POST"].contains(&head.method.as_str()) {
            // S3 demands a length, and the client leaves out that of nothing.
            request = request.header("content-length", "0");
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a well-formed request");
        let exchange = async {
            let response = self.client.request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let body = body.collect().await.ok()?.to_bytes().to_vec();
            Some(Answer::new(parts.status.as_u16(), headers, body))
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time")
    }

    /// Signs a head now.
    pub fn sign(&self, method: &str, target: &str, headers: &[(&str, &str)], payload: Payload) -> SignedHead {
        self.sign_at(SystemTime::now(), method, target, headers, payload)
    }

    /// Signs a head as if it were `time`.
    pub fn sign_at(
        &self,
        time: SystemTime,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        payload: Payload,
    ) -> SignedHead {
        let host = self.address.to_string();
        let host = headers.iter().find(|(name, _)| *name == "host").map_or(host.as_str(), |(_, value)| value);
        let mut all = vec![("host", host)];
        all.extend(headers.iter().copied().filter(|(name, _)| *name != "host"));
        let body = match payload {
            Payload::Hashed(bytes) => SignableBody::Bytes(bytes),
            Payload::Named(name) => SignableBody::Precomputed(name.to_owned()),
        };
        let uri = format!("http://{host}{target}");
        let request = SignableRequest::new(method, uri, all.iter().copied(), body).expect("a signable request");
        let identity = self.credentials().into();
        let params = v4::SigningParams::builder().identity(&identity).region(REGION).name("s3").time(time);
        let params: SigningParams = params.settings(settings()).build().expect("all parameters").into();
        let (instructions, signature) = sign(request, &params).expect("a signature").into_parts();
        let mut headers: Vec<_> = all.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        headers.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
        SignedHead { method: method.to_owned(), target: target.to_owned(), headers, signature, time }
    }

    /// Presigns with `aws-sigv4`, these headers included; whoever uses the target must send them so. Gives the raw target.
    pub fn presign_headers(&self, method: &str, target: &str, headers: &[(&str, &str)], valid: Duration) -> String {
        let mut settings = settings();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.expires_in = Some(valid);
        let host = self.address.to_string();
        let host = headers.iter().find(|(name, _)| *name == "host").map_or(host.as_str(), |(_, value)| value);
        let mut all = vec![("host", host)];
        all.extend(headers.iter().copied().filter(|(name, _)| *name != "host"));
        let body = SignableBody::UnsignedPayload;
        let uri = format!("http://{host}{target}");
        let request = SignableRequest::new(method, uri, all.into_iter(), body).expect("a signable request");
        let identity = self.credentials().into();
        let params = v4::SigningParams::builder().identity(&identity).region(REGION).name("s3").time(SystemTime::now());
        let params: SigningParams = params.settings(settings).build().expect("all parameters").into();
        let (instructions, _) = sign(request, &params).expect("a signature").into_parts();
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let query: Vec<String> =
            instructions.params().iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let separator = if target.contains('?') { '&' } else { '?' };
        format!("{target}{separator}{}", query.join("&"))
    }

    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.access_key, &self.secret_key, None, None, "test")
    }

    /// Presigns with rusoto; `path` is not percent-encoded. Gives the raw target.
    pub fn presign(&self, method: &str, path: &str, query: &[(&str, &str)], valid: Duration) -> String {
        let endpoint = format!("http://{}", self.address);
        let region = Region::Custom { name: REGION.to_owned(), endpoint: endpoint.clone() };
        let mut request = SignedRequest::new(method, "s3", &region, path);
        for (name, value) in query {
            request.add_param(*name, *value);
        }
        let credentials = AwsCredentials::new(&self.access_key, &self.secret_key, None, None);
        let url = request.generate_presigned_url(&credentials, &valid, false);
        url.strip_prefix(&endpoint).unwrap_or_else(|| panic!("{url} is not below {endpoint}")).to_owned()
    }
}

/// S3 signs the path as it stands: encoded once, nothing normalised.
pub fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings
}
