//! What signed URLs and cookies claim, before and after their signature is verified.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{COOKIE, HeaderMap};
use ipnet::IpNet;
use serde::Deserialize;

use super::Refused;
use super::public_key::Hash;
use crate::clock::Timestamp;
use crate::edge::rules::wildcard;

/// What cookies have before the names of the parameters.
const COOKIE_PREFIX: &str = "CloudFront-";

/// The longest policy or signature that is read, in bytes.
const MAX_VALUE: usize = 8 * 1024;

/// The values that a URL or the cookies carry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presented<'r> {
    expires: Option<&'r str>,
    policy: Option<&'r str>,
    pub signature: Option<&'r str>,
    pub key_pair_id: Option<&'r str>,
    hash_algorithm: Option<&'r str>,
}

/// A policy as it was signed.
pub enum Claim {
    /// JSON that the signer wrote.
    Custom(String),
    /// JSON that follows from the URL and the time.
    Canned(String, EpochTime),
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
pub struct Condition {
    #[serde(rename = "DateLessThan")]
    until: EpochTime,
    #[serde(rename = "DateGreaterThan")]
    from: Option<EpochTime>,
    #[serde(rename = "IpAddress")]
    address: Option<SourceIp>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochTime {
    #[serde(rename = "AWS:EpochTime")]
    seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceIp {
    #[serde(rename = "AWS:SourceIp")]
    range: String,
}

impl<'r> Presented<'r> {
    pub fn in_query(query: Option<&'r str>) -> Result<Self, Refused> {
        let mut presented = Self::default();
        for part in query.unwrap_or_default().split('&') {
            if let Some((name, value)) = part.split_once('=') {
                presented.set(name, value)?;
            }
        }
        Ok(presented)
    }

    /// Of cookies with one name the first counts: browsers send those of longer paths first (RFC 6265 section 5.4).
    pub fn in_cookies(headers: &'r HeaderMap) -> Result<Self, Refused> {
        let mut presented = Self::default();
        let lines = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        for cookie in lines.flat_map(|line| line.split(';')) {
            if let Some((name, value)) = cookie.trim().split_once('=')
                && let Some(name) = name.strip_prefix(COOKIE_PREFIX)
                && presented.place(name).is_some_and(|place| place.is_none())
            {
                presented.set(name, value)?;
            }
        }
        Ok(presented)
    }

    /// Takes a value up. One that is given twice could be read as either.
    fn set(&mut self, name: &str, value: &'r str) -> Result<(), Refused> {
        let Some(place) = self.place(name) else { return Ok(()) };
        if value.len() > MAX_VALUE || place.replace(value).is_some() { Err(Refused::MalformedPolicy) } else { Ok(()) }
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<&'r str>> {
        Some(match name {
            "Expires" => &mut self.expires,
            "Policy" => &mut self.policy,
            "Signature" => &mut self.signature,
            "Key-Pair-Id" => &mut self.key_pair_id,
            "Hash-Algorithm" => &mut self.hash_algorithm,
            _ => return None,
        })
    }

    /// Whether anything of a signature is there. `Expires` alone is a parameter like any other.
    pub fn is_any(&self) -> bool {
        self.policy.is_some() || self.signature.is_some() || self.key_pair_id.is_some()
    }

    pub fn claim(&self, url: &str) -> Result<Claim, Refused> {
        match (self.policy, self.expires) {
            (Some(policy), None) => {
                let text = decode(policy).and_then(|bytes| String::from_utf8(bytes).ok());
                Ok(Claim::Custom(text.ok_or(Refused::MalformedPolicy)?))
            }
            (None, Some(expires)) if expires.bytes().all(|byte| byte.is_ascii_digit()) => {
                let until = expires.parse().map_err(|_| Refused::MalformedPolicy)?;
                Ok(Claim::Canned(canned(url, expires), EpochTime { seconds: until }))
            }
            _ => Err(Refused::MalformedPolicy),
        }
    }

    pub fn hash(&self) -> Result<Hash, Refused> {
        match self.hash_algorithm {
            None | Some("SHA1") => Ok(Hash::Sha1),
            Some("SHA256") => Ok(Hash::Sha256),
            Some(_) => Err(Refused::MalformedSignature),
        }
    }
}

impl Claim {
    pub fn text(&self) -> &str {
        let (Self::Custom(text) | Self::Canned(text, _)) = self;
        text
    }

    /// What a claim whose signature was verified asks of a request for `url`. The text of a canned policy is never
    /// parsed: it was made here, of a URL that may hold anything.
    pub fn condition(&self, url: &str) -> Result<Condition, Refused> {
        let text = match self {
            Self::Canned(_, until) => return Ok(Condition { until: *until, from: None, address: None }),
            Self::Custom(text) => text,
        };
        let policy: Policy = serde_json::from_str(text).map_err(|_| Refused::MalformedPolicy)?;
        let [statement] = <[Statement; 1]>::try_from(policy.statements).map_err(|_| Refused::MalformedPolicy)?;
        if statement.covers(url) { Ok(statement.condition) } else { Err(Refused::Denied) }
    }
}

/// The canned policy, byte for byte as signers write it.
fn canned(url: &str, expires: &str) -> String {
    format!(r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#)
}

/// Decodes base64 whose `+`, `=` and `/` are written as `-`, `_` and `~`.
pub fn decode(text: &str) -> Option<Vec<u8>> {
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
    pub fn check(&self, client: IpAddr, now: Timestamp) -> Result<(), Refused> {
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
