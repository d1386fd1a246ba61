//! Signatures of requests, by Amazon's own signer.

use std::time::SystemTime;

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

use super::Error;
use super::settings::Credentials;

/// Signs requests to S3 in one region with one key.
pub struct Signer {
    region: String,
    credentials: SigningCredentials,
}

/// What is signed.
pub struct Head<'a> {
    pub method: &'a str,
    /// Scheme, host, path and query, as they go over the wire.
    pub uri: &'a str,
    pub headers: &'a [(&'a str, String)],
    /// The SHA-256 of the body, in hexadecimal.
    pub sha256: String,
}

impl Signer {
    pub fn new(region: String, credentials: &Credentials) -> Self {
        let Credentials { access_key, secret_key, session_token } = credentials;
        let token = session_token.as_ref().map(|token| token.to_string());
        let credentials = SigningCredentials::new(access_key, secret_key.as_str(), token, None, "brim");
        Self { region, credentials }
    }

    /// Gives the headers that carry the signature.
    pub fn sign(&self, head: &Head<'_>, time: SystemTime) -> Result<Vec<(String, String)>, Error> {
        let refused = |error: Box<dyn std::error::Error + Send + Sync>| Error::Request(error);
        let headers = head.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let body = SignableBody::Precomputed(head.sha256.clone());
        let request = SignableRequest::new(head.method, head.uri, headers, body);
        let request = request.map_err(|error| refused(error.into()))?;
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder().identity(&identity).region(&self.region).name("s3").time(time);
        let params = params.settings(settings()).build().map_err(|error| refused(error.into()))?;
        let signed = sign(request, &SigningParams::from(params)).map_err(|error| refused(error.into()))?;
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
