//! Requests, signed before they are needed, by the `aws-sigv4` crate: no signing happens while something is measured.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningInstructions,
    SigningParams, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;

use super::client::Request;

pub const ACCESS_KEY: &str = "LOADBENCHMARKKEY";
pub const SECRET_KEY: &str = "the-secret-of-the-load-benchmark";
const REGION: &str = "us-east-1";
const VALID: Duration = Duration::from_secs(24 * 3600);
/// What SDKs of the first streaming generation cut their bodies into.
const CHUNK: usize = 64 * 1024;

/// Makes requests for one server.
pub struct Signer {
    host: String,
    credentials: Credentials,
}

impl Signer {
    pub fn new(address: SocketAddr) -> Self {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "bench");
        Self { host: address.to_string(), credentials }
    }

    /// A presigned request; `target` is the raw path and query, `headers` are signed too.
    pub fn presigned(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Bytes) -> Request {
        let payload = SignableBody::Precomputed("UNSIGNED-PAYLOAD".to_owned());
        let settings = settings(SignatureLocation::QueryParams);
        let (instructions, _) = self.sign(method, target, headers, payload, settings, SystemTime::now());
        let mut signed = target.to_owned();
        for (name, value) in instructions.params() {
            let separator = if signed.contains('?') { '&' } else { '?' };
            signed.push_str(&format!("{separator}{name}={}", value.replace('/', "%2F").replace(';', "%3B")));
        }
        self.request(method, &signed, headers, body)
    }

    /// A PUT in signed chunks (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`), framing and chunk signatures computed.
    pub fn chunked_put(&self, target: &str, data: &[u8]) -> Request {
        let (time, length) = (SystemTime::now(), data.len().to_string());
        let headers = [("x-amz-decoded-content-length", length.as_str())];
        let payload = SignableBody::Precomputed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned());
        let settings = settings(SignatureLocation::Headers);
        let (instructions, seed) = self.sign("PUT", target, &headers, payload, settings, time);
        let body = self.chunks(data, seed, time);
        let signed = instructions.headers().chain(headers);
        self.request("PUT", target, &signed.collect::<Vec<_>>(), body)
    }

    /// A request as it stands, for servers that ask for no signature.
    pub fn unsigned(&self, method: &str, target: &str) -> Request {
        self.request(method, target, &[], Bytes::new())
    }

    fn chunks(&self, data: &[u8], seed: String, time: SystemTime) -> Bytes {
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder().identity(&identity).region(REGION).name("s3").time(time);
        let params = params.settings(()).build().expect("all parameters");
        let mut previous = seed;
        let mut body = Vec::with_capacity(data.len() + data.len() / CHUNK * 100 + 200);
        for chunk in data.chunks(CHUNK).chain([[].as_slice()]) {
            let signed = v4::sign_chunk(&Bytes::copy_from_slice(chunk), &previous, &params);
            previous = signed.expect("a chunk that can be signed").signature().to_owned();
            body.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        Bytes::from(body)
    }

    fn sign(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        payload: SignableBody,
        settings: SigningSettings,
        time: SystemTime,
    ) -> (SigningInstructions, String) {
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder().identity(&identity).region(REGION).name("s3").time(time);
        let params: SigningParams = params.settings(settings).build().expect("all parameters").into();
        let uri = format!("http://{}{target}", self.host);
        let all = [("host", self.host.as_str())].into_iter().chain(headers.iter().copied());
        let request = SignableRequest::new(method, uri, all, payload).expect("a signable request");
        sign(request, &params).expect("a request that can be signed").into_parts()
    }

    fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Bytes) -> Request {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        Request { head: Bytes::from(head), body, bodiless_answer: method == "HEAD" }
    }
}

fn settings(location: SignatureLocation) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = match location {
        SignatureLocation::Headers => PayloadChecksumKind::XAmzSha256,
        _ => PayloadChecksumKind::NoHeader,
    };
    settings.expires_in = (location == SignatureLocation::QueryParams).then_some(VALID);
    settings.signature_location = location;
    settings
}
