//! Signature version 2, which is S3's own and still what awscli version 1 and boto3 presign with by default.
//!
//! It covers neither the body nor most of the query; see [`canonical`] for what it does cover.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>

mod canonical;

pub(super) use canonical::is_signed;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::http::head::Head;

use super::error::{Error, Mismatch};
use super::query::QueryFields;
use super::{Options, date};

/// A parsed signature of version 2, from either place.
#[derive(Clone)]
pub(super) struct Signature {
    pub access_key_id: String,
    pub session_token: Option<String>,
    validity: Validity,
    /// As given by the caller: to be compared, in constant time, and echoed.
    provided: String,
}

/// What dates the request.
#[derive(Clone)]
enum Validity {
    /// Signed in a header, at this time.
    Signed(Timestamp),
    /// Presigned until this time, which is signed as the text it came as.
    Until(Timestamp, String),
}

impl Signature {
    /// Parses what follows `AWS` in the `Authorization` header: `AKID:signature`.
    pub fn from_header(text: &str, head: &Head) -> Result<Self, Error> {
        let malformed = || Error::HeaderMalformed("expecting AWS <YOUR-AKID>:<signature>".to_owned());
        let (access_key_id, provided) = text.trim().split_once(':').ok_or_else(malformed)?;
        if access_key_id.is_empty() || provided.is_empty() {
            return Err(malformed());
        }
        let dated = match head.headers.text("x-amz-date")? {
            Some(text) => Some(text),
            None => head.headers.text("date")?,
        };
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            session_token: head.headers.text(SECURITY_TOKEN)?.map(str::to_owned),
            validity: Validity::Signed(dated.and_then(date::parse).ok_or(Error::Undated)?),
            provided: provided.to_owned(),
        })
    }

    /// Takes the signature out of the fields of a query. A session token may also come as a header.
    pub fn from_query(fields: &QueryFields, head: &Head) -> Result<Self, Error> {
        let [Some(access_key_id), Some(provided), Some(expires)] =
            [&fields.v2_access_key_id, &fields.v2_signature, &fields.v2_expires]
        else {
            return Err(Error::QueryIncomplete);
        };
        let until = seconds(expires).ok_or_else(|| Error::InvalidExpires(expires.to_string()))?;
        // The order is that of the string to sign: what is believed is what is signed.
        let token = head.headers.text(SECURITY_TOKEN)?.or(fields.v2_security_token.as_deref());
        Ok(Self {
            access_key_id: access_key_id.to_string(),
            session_token: token.map(str::to_owned),
            validity: Validity::Until(until, expires.to_string()),
            provided: provided.to_string(),
        })
    }

    pub fn is_presigned(&self) -> bool {
        matches!(self.validity, Validity::Until(..))
    }

    /// When the request was signed, or until when it is presigned.
    pub fn time(&self) -> Timestamp {
        match self.validity {
            Validity::Signed(time) | Validity::Until(time, _) => time,
        }
    }

    /// Checks time and signature. The body is not signed.
    pub fn verify(
        &self,
        head: &Head,
        bucket_in_host: Option<&str>,
        secret: &str,
        now: Timestamp,
        options: &Options,
    ) -> Result<(), Error> {
        let expires = match &self.validity {
            Validity::Until(until, _) if now > *until => {
                return Err(Error::Expired { lifetime: None, expires: *until, server: now });
            }
            Validity::Until(_, text) => Some(text.as_str()),
            Validity::Signed(time) => {
                options.check_skew(*time, now)?;
                None
            }
        };
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
        let string_to_sign = canonical::string_to_sign(head, bucket_in_host, expires, canonical::Path::AsSent);
        if self.matches(&key, &string_to_sign) {
            return Ok(());
        }
        // boto3 signs `/bucket/` for the request path `/bucket`.
        if bucket_in_host.is_none() && canonical::is_bare_bucket(&head.path) {
            let other = canonical::string_to_sign(head, None, expires, canonical::Path::WithSlash);
            if self.matches(&key, &other) {
                return Ok(());
            }
        }
        Err(Error::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: self.provided.clone(),
            string_to_sign,
            canonical_request: None,
        })))
    }

    fn matches(&self, key: &hmac::Key, string_to_sign: &[u8]) -> bool {
        let expected = STANDARD.encode(hmac::sign(key, string_to_sign));
        expected.as_bytes().ct_eq(self.provided.as_bytes()).into()
    }
}

const SECURITY_TOKEN: &str = "x-amz-security-token";

/// The last second there is a time for.
const MAX_SECONDS: u64 = u64::MAX / 1000;

fn seconds(text: &str) -> Option<Timestamp> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: u64 = text.parse().ok().filter(|_| digits)?;
    (seconds <= MAX_SECONDS).then(|| Timestamp::from_seconds(seconds))
}

#[cfg(test)]
mod tests;
