//! Requests signed by an independent signer, `aws-sigv4`, for the tests of this layer.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Claim, Error, Options, Payload, SigningKeys, parse, verify};
use crate::clock::Timestamp;
use crate::http::head::Head;

pub const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// 24 May 2013, the day of AWS's examples.
pub const NOW: Timestamp = Timestamp::from_seconds(1_369_353_600);

/// What must be encoded in a path's segment and in a query.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

pub fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Head { method: method.into(), path: path.into(), query: query.into(), headers: headers.iter().copied().collect() }
}

/// Parses and verifies at [`NOW`] with the right secret.
pub fn verified(head: &Head) -> Result<Payload, Error> {
    verified_at(head, NOW)
}

pub fn verified_at(head: &Head, now: Timestamp) -> Result<Payload, Error> {
    let options = Options::default();
    verify(&claim(head)?, head, None, SECRET, now, &options, &SigningKeys::default())
}

pub fn claim(head: &Head) -> Result<Claim, Error> {
    Ok(parse(head, &Options::default())?.expect("the request is signed"))
}

/// A signer with the right secret and the settings that the AWS SDKs use for a service.
pub struct Signer<'s> {
    pub service: &'s str,
    pub token: Option<&'s str>,
    pub time: Timestamp,
}

impl Default for Signer<'_> {
    fn default() -> Self {
        Self { service: "s3", token: None, time: NOW }
    }
}

impl Signer<'_> {
    /// Adds the signature as headers; gives the bare signature.
    pub fn sign(&self, head: &mut Head, body: SignableBody<'_>) -> String {
        self.apply(head, self.settings(), body)
    }

    /// Adds the signature as parameters of the query; gives the bare signature.
    pub fn presign(&self, head: &mut Head, lifetime: Duration, body: SignableBody<'_>) -> String {
        let mut settings = self.settings();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(lifetime);
        self.apply(head, settings, body)
    }

    /// Frames `chunks` with signatures that continue `seed`; a trailer, if there is one, is signed as well.
    pub fn frame(&self, chunks: &[&[u8]], seed: &str, trailer: Option<&[(&'static str, &'static str)]>) -> Vec<u8> {
        let identity = self.credentials().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(self.service)
            .time(self.system_time())
            .settings(())
            .build()
            .unwrap();
        let mut previous = seed.to_owned();
        let mut body = Vec::new();
        for chunk in chunks.iter().chain([&&b""[..]]) {
            let signed = v4::sign_chunk(&Bytes::copy_from_slice(chunk), &previous, &params).unwrap();
            let signature = signed.signature().to_owned();
            body.extend_from_slice(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            if !chunk.is_empty() {
                body.extend_from_slice(b"\r\n");
            }
            previous = signature;
        }
        if let Some(fields) = trailer {
            let map: http::HeaderMap =
                fields.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let signed = v4::sign_trailer(&map.try_into().unwrap(), &previous, &params).unwrap();
            for (name, value) in fields {
                body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            }
            body.extend_from_slice(format!("x-amz-trailer-signature:{}\r\n", signed.signature()).as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }

    fn apply(&self, head: &mut Head, settings: SigningSettings, body: SignableBody<'_>) -> String {
        let identity = self.credentials().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(self.service)
            .time(self.system_time())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let host = head.headers.text("host").unwrap().expect("a host to sign for");
        let uri = format!("http://{host}{}?{}", head.path, head.query);
        let headers: Vec<(&str, &str)> =
            head.headers.iter().map(|(name, value)| (name, std::str::from_utf8(value).unwrap())).collect();
        let request = SignableRequest::new(&head.method, uri, headers.into_iter(), body).unwrap();
        let (instructions, signature) = sign(request, &params).unwrap().into_parts();
        for (name, value) in instructions.params() {
            let separator = if head.query.is_empty() { "" } else { "&" };
            head.query.push_str(&format!("{separator}{name}={}", encoded(value)));
        }
        for (name, value) in instructions.headers() {
            head.headers.push(name, value);
        }
        signature
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(ACCESS_KEY_ID, SECRET, self.token.map(str::to_owned), None, "test")
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.time.as_millis())
    }
}
