//! Signatures of requests, by Amazon's own signer.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use zeroize::Zeroizing;

/// A key. Its secret is never shown. This copy of it is wiped; what it was read from, and the signer's, are not.
#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: Zeroizing<String>,
    pub session_token: Option<Zeroizing<String>>,
}

/// Signs requests to one service in one region with one key.
pub struct Signer {
    service: &'static str,
    region: String,
    credentials: SigningCredentials,
}

/// What is signed.
pub struct Head<'a> {
    pub method: &'a str,
    /// Scheme, host, path and query. The path as the service reads it, encoded once; the query is brought into its
    /// canonical form here.
    pub uri: &'a str,
    pub headers: &'a [(&'a str, String)],
    pub body: SignedBody,
}

/// What a signature says of the body.
pub enum SignedBody {
    /// Its SHA-256, in hexadecimal.
    Sha256(String),
    /// Nothing.
    Unsigned,
}

/// Why a request has no signature: it is none that HTTP could carry.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed")]
pub struct Error(#[source] Box<dyn std::error::Error + Send + Sync>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.access_key)
    }
}

impl Signer {
    /// For S3.
    pub fn new(region: String, credentials: &Credentials) -> Self {
        Self::for_service("s3", region, credentials)
    }

    /// For a service that reads the path as S3 does.
    pub fn for_service(service: &'static str, region: String, credentials: &Credentials) -> Self {
        let Credentials { access_key, secret_key, session_token } = credentials;
        let token = session_token.as_ref().map(|token| token.to_string());
        let credentials = SigningCredentials::new(access_key, secret_key.as_str(), token, None, "brim");
        Self { service, region, credentials }
    }

    /// Gives the headers that carry the signature: those that it names must be sent as they are in `head`.
    pub fn sign(&self, head: &Head<'_>, time: SystemTime) -> Result<Vec<(String, String)>, Error> {
        let headers = head.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let body = match &head.body {
            SignedBody::Sha256(hash) => SignableBody::Precomputed(hash.clone()),
            SignedBody::Unsigned => SignableBody::UnsignedPayload,
        };
        let request = SignableRequest::new(head.method, head.uri, headers, body);
        let request = request.map_err(|error| Error(error.into()))?;
        let identity = self.credentials.clone().into();
        let params =
            v4::SigningParams::builder().identity(&identity).region(&self.region).name(self.service).time(time);
        let params = params.settings(settings()).build().map_err(|error| Error(error.into()))?;
        let signed = sign(request, &SigningParams::from(params)).map_err(|error| Error(error.into()))?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// S3 signs the path as it stands: encoded once, nothing normalised.
fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings
}
