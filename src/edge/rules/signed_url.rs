//! Signed URLs and signed cookies in CloudFront's format, canned and custom.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html>

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{COOKIE, HeaderMap};
use ipnet::IpNet;
use serde::Deserialize;

use super::key::Target;
use super::wildcard;
use crate::clock::Timestamp;

/// The parameters of signed URLs. They are never in a key, nor does an origin see them.
const PARAMETERS: [&str; 5] = ["Expires", "Hash-Algorithm", "Key-Pair-Id", "Policy", "Signature"];

/// What cookies have before the same names.
const COOKIE_PREFIX: &str = "CloudFront-";

/// The longest policy or signature that is read, in bytes.
const MAX_VALUE: usize = 8 * 1024;

/// The keys that sign for a behaviour, by their ids.
#[derive(Debug, Clone, Default)]
pub struct KeyGroup(BTreeMap<String, PublicKey>);

/// The public half of a signer's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// An RSA key as DER of `RSAPublicKey`, or an uncompressed point.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    EcdsaP256,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
}

/// A text that is no public key which signs URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("a public key is PEM: -----BEGIN PUBLIC KEY-----")]
    Pem,
    #[error("a public key is RSA with 2048 bits or more, or ECDSA on the curve P-256")]
    Kind,
}

/// Why a request is refused: 403 with this code and message, as CloudFront has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("Missing Key-Pair-Id query parameter or cookie value")]
    MissingKey,
    #[error("Unknown Key")]
    UnknownKey,
    #[error("Malformed Policy")]
    MalformedPolicy,
    #[error("Could not unencode Signature")]
    MalformedSignature,
    #[error("Access denied")]
    Denied,
}

impl Refused {
    /// The `Code` of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingKey => "MissingKey",
            Self::UnknownKey => "InvalidKey",
            Self::MalformedPolicy => "MalformedPolicy",
            Self::MalformedSignature => "MalformedSignature",
            Self::Denied => "AccessDenied",
        }
    }
}

/// The values that a URL or the cookies carry.
#[derive(Debug, Clone, Copy, Default)]
struct Presented<'r> {
    expires: Option<&'r str>,
    policy: Option<&'r str>,
    signature: Option<&'r str>,
    key_pair_id: Option<&'r str>,
    hash_algorithm: Option<&'r str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(rename = "Statement")]
    statements: Vec<Statement>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Resource")]
    resource: Option<String>,
    #[serde(rename = "Condition")]
    condition: Condition,
}

/// An unknown condition makes the policy malformed: it would have limited something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    #[serde(rename = "DateLessThan")]
    until: EpochTime,
    #[serde(rename = "DateGreaterThan")]
    from: Option<EpochTime>,
    #[serde(rename = "IpAddress")]
    address: Option<SourceIp>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochTime {
    #[serde(rename = "AWS:EpochTime")]
    seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceIp {
    #[serde(rename = "AWS:SourceIp")]
    range: String,
}

impl KeyGroup {
    pub fn new(keys: impl IntoIterator<Item = (String, PublicKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Decides whether a request may go on: it has a valid signature in its URL or, if there is none, in its cookies.
    /// `target` has the query as the client sent it.
    pub fn check(
        &self,
        target: &Target<'_>,
        headers: &HeaderMap,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let in_url = Presented::in_query(target.query)?;
        let presented = if in_url.is_any() { in_url } else { Presented::in_cookies(headers)? };
        let key = self.0.get(presented.key_pair_id.ok_or(Refused::MissingKey)?).ok_or(Refused::UnknownKey)?;
        let url = signed_url(target);
        let (text, is_custom) = presented.policy_text(&url)?;
        let signature = decode(presented.signature.ok_or(Refused::MalformedSignature)?);
        let signature = signature.ok_or(Refused::MalformedSignature)?;
        key.verify(presented.hash()?, &text, &signature)?;
        let policy: Policy = serde_json::from_slice(&text).map_err(|_| Refused::MalformedPolicy)?;
        let [statement] = policy.statements.as_slice() else { return Err(Refused::MalformedPolicy) };
        if is_custom && !statement.covers(&url) {
            return Err(Refused::Denied);
        }
        statement.condition.check(client, now)
    }
}

/// Gives the query without the parameters of signed URLs, otherwise as it was; `None` where nothing is left.
pub fn unsigned_query(query: Option<&str>) -> Option<Cow<'_, str>> {
    let query = query?;
    let is_own = |part: &str| !PARAMETERS.contains(&name_of(part));
    if query.split('&').all(is_own) {
        return Some(Cow::Borrowed(query));
    }
    let own: Vec<&str> = query.split('&').filter(|part| is_own(part)).collect();
    if own.is_empty() { None } else { Some(Cow::Owned(own.join("&"))) }
}

/// The URL that a signature speaks of.
fn signed_url(target: &Target<'_>) -> String {
    let scheme = if target.secure { "https" } else { "http" };
    let mut url = format!("{scheme}://{}{}", target.host, target.path);
    if let Some(query) = unsigned_query(target.query) {
        url.push('?');
        url.push_str(&query);
    }
    url
}

fn name_of(part: &str) -> &str {
    part.split_once('=').map_or(part, |(name, _)| name)
}

impl<'r> Presented<'r> {
    fn in_query(query: Option<&'r str>) -> Result<Self, Refused> {
        let mut presented = Self::default();
        for part in query.unwrap_or_default().split('&') {
            if let Some((name, value)) = part.split_once('=') {
                presented.set(name, value)?;
            }
        }
        Ok(presented)
    }

    fn in_cookies(headers: &'r HeaderMap) -> Result<Self, Refused> {
        let mut presented = Self::default();
        let lines = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        for cookie in lines.flat_map(|line| line.split(';')) {
            if let Some((name, value)) = cookie.trim().split_once('=')
                && let Some(name) = name.strip_prefix(COOKIE_PREFIX)
            {
                presented.set(name, value)?;
            }
        }
        Ok(presented)
    }

    /// Takes a value up. One that is given twice could be read as either.
    fn set(&mut self, name: &str, value: &'r str) -> Result<(), Refused> {
        let place = match name {
            "Expires" => &mut self.expires,
            "Policy" => &mut self.policy,
            "Signature" => &mut self.signature,
            "Key-Pair-Id" => &mut self.key_pair_id,
            "Hash-Algorithm" => &mut self.hash_algorithm,
            _ => return Ok(()),
        };
        if value.len() > MAX_VALUE || place.replace(value).is_some() { Err(Refused::MalformedPolicy) } else { Ok(()) }
    }

    /// Whether anything of a signature is there. `Expires` alone is a parameter like any other.
    fn is_any(&self) -> bool {
        self.policy.is_some() || self.signature.is_some() || self.key_pair_id.is_some()
    }

    /// The text that is signed, and whether it is a custom policy. A canned one is made of the URL and its time.
    fn policy_text(&self, url: &str) -> Result<(Vec<u8>, bool), Refused> {
        match (self.policy, self.expires) {
            (Some(policy), None) => Ok((decode(policy).ok_or(Refused::MalformedPolicy)?, true)),
            (None, Some(expires)) if expires.bytes().all(|byte| byte.is_ascii_digit()) && !expires.is_empty() => {
                Ok((canned(url, expires).into_bytes(), false))
            }
            _ => Err(Refused::MalformedPolicy),
        }
    }

    fn hash(&self) -> Result<Hash, Refused> {
        match self.hash_algorithm {
            None | Some("SHA1") => Ok(Hash::Sha1),
            Some("SHA256") => Ok(Hash::Sha256),
            Some(_) => Err(Refused::MalformedSignature),
        }
    }
}

/// The canned policy, byte for byte as signers write it.
fn canned(url: &str, expires: &str) -> String {
    format!(r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#)
}

/// Decodes base64 whose `+`, `=` and `/` are written as `-`, `_` and `~`.
fn decode(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .chars()
        .map(|character| match character {
            '-' => '+',
            '_' => '=',
            '~' => '/',
            other => other,
        })
        .collect();
    STANDARD.decode(plain).ok()
}

impl Statement {
    /// A policy without a resource speaks of every URL.
    fn covers(&self, url: &str) -> bool {
        self.resource.as_deref().is_none_or(|resource| wildcard::matches(resource, url))
    }
}

impl Condition {
    fn check(&self, client: IpAddr, now: Timestamp) -> Result<(), Refused> {
        let seconds = now.as_seconds();
        if seconds >= self.until.seconds || self.from.is_some_and(|from| seconds <= from.seconds) {
            return Err(Refused::Denied);
        }
        match &self.address {
            None => Ok(()),
            Some(address) if address.contains(client)? => Ok(()),
            Some(_) => Err(Refused::Denied),
        }
    }
}

impl SourceIp {
    fn contains(&self, client: IpAddr) -> Result<bool, Refused> {
        let range = self.range.parse::<IpNet>().or_else(|_| self.range.parse::<IpAddr>().map(IpNet::from));
        Ok(range.map_err(|_| Refused::MalformedPolicy)?.contains(&client.to_canonical()))
    }
}

impl PublicKey {
    /// Reads a key in PEM, as `openssl rsa -pubout` and `openssl ec -pubout` write it.
    pub fn from_pem(text: &str) -> Result<Self, InvalidKey> {
        let inner = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
        let inner = inner.and_then(|text| text.strip_suffix("-----END PUBLIC KEY-----")).ok_or(InvalidKey::Pem)?;
        let base64: String = inner.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(base64).map_err(|_| InvalidKey::Pem)?;
        Self::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7).
    fn from_der(der: &[u8]) -> Result<Self, InvalidKey> {
        use x509_parser::prelude::FromDer;
        use x509_parser::public_key::PublicKey as Parsed;
        let (rest, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(der).map_err(|_| InvalidKey::Kind)?;
        if !rest.is_empty() {
            return Err(InvalidKey::Kind);
        }
        let kind = match info.parsed() {
            Ok(Parsed::RSA(key)) if (2048..=8192).contains(&key.key_size()) => Kind::Rsa,
            Ok(Parsed::EC(point)) if point.data().len() == 65 && is_p256(&info) => Kind::EcdsaP256,
            _ => return Err(InvalidKey::Kind),
        };
        Ok(Self { kind, bytes: info.subject_public_key.data.to_vec() })
    }

    fn verify(&self, hash: Hash, text: &[u8], signature: &[u8]) -> Result<(), Refused> {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.kind, hash) {
            (Kind::Rsa, Hash::Sha1) => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            (Kind::Rsa, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Kind::EcdsaP256, Hash::Sha1) => &signature::ECDSA_P256_SHA1_ASN1,
            (Kind::EcdsaP256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(text, signature).map_err(|_| Refused::Denied)
    }
}

/// `prime256v1` (RFC 5480 section 2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";

fn is_p256(info: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> bool {
    let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    curve.is_some_and(|curve| curve.to_id_string() == P256)
}
