//! The signature in the query: presigned requests.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::time::Duration;

use crate::http::date::parse_basic;

use super::super::error::Error;
use super::super::query::QueryFields;
use super::{ALGORITHM, Signature, SignedHeaders, credential};

/// The longest that a presigned request may be valid: seven days.
const MAX_LIFETIME_SECONDS: u64 = 604_800;

impl Signature {
    /// Takes the signature out of the fields of a query.
    pub(in super::super) fn from_query(fields: &QueryFields) -> Result<Self, Error> {
        let [Some(algorithm), Some(credential), Some(date), Some(expires), Some(signed_headers), Some(provided)] = [
            &fields.algorithm,
            &fields.credential,
            &fields.date,
            &fields.expires,
            &fields.signed_headers,
            &fields.signature,
        ] else {
            return Err(malformed(
                "query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters",
            ));
        };
        if algorithm != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let time = parse_basic(date)
            .ok_or_else(|| malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
        let (access_key_id, scope) = credential::parse(credential, date)
            .map_err(|what| malformed(&format!("error parsing the X-Amz-Credential parameter; {what}")))?;
        let signed_headers = SignedHeaders::parse(signed_headers).ok_or_else(|| {
            malformed("X-Amz-SignedHeaders must be unique names in lower case, separated by semicolons")
        })?;
        Ok(Self {
            access_key_id,
            scope,
            time,
            session_token: fields.security_token.as_deref().map(str::to_owned),
            lifetime: Some(lifetime(expires)?),
            stamp: date.to_string(),
            signed_headers,
            content_sha256: fields.content_sha256.as_deref().map(str::to_owned),
            provided: provided.to_string(),
        })
    }
}

fn lifetime(text: &str) -> Result<Duration, Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("X-Amz-Expires should be a number"));
    }
    if digits.len() != text.len() {
        return Err(malformed("X-Amz-Expires must be non-negative"));
    }
    // Digits that overflow are a number too, only a large one.
    match digits.parse().unwrap_or(u64::MAX) {
        0 => Err(malformed("X-Amz-Expires must be at least one second")),
        seconds @ 1..=MAX_LIFETIME_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => Err(malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        )),
    }
}

fn malformed(what: &str) -> Error {
    Error::QueryMalformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: [(&str, &str); 6] = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AKID%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host%3Brange"),
        ("X-Amz-Signature", "00"),
    ];

    /// The parameters with one of them replaced, or left out.
    fn parsed(name: &str, value: Option<&str>) -> Result<Signature, Error> {
        let mut query = Vec::new();
        for (given, default) in PARAMETERS {
            match value {
                Some(value) if given == name => query.push(format!("{given}={value}")),
                None if given == name => {}
                _ => query.push(format!("{given}={default}")),
            }
        }
        Signature::from_query(&QueryFields::parse(&query.join("&")).unwrap())
    }

    #[test]
    fn a_presigned_query_has_six_parameters() {
        let signature = parsed("", None).unwrap();
        assert_eq!(signature.access_key_id, "AKID");
        assert_eq!(signature.signed_headers.as_str(), "host;range");
        assert_eq!(signature.lifetime, Some(Duration::from_secs(86_400)));
        for (name, _) in PARAMETERS {
            assert!(matches!(parsed(name, None), Err(Error::QueryMalformed(_))), "{name}");
        }
    }

    #[test]
    fn lifetimes_are_one_second_to_seven_days() {
        for value in ["1", "604800"] {
            assert!(parsed("X-Amz-Expires", Some(value)).is_ok(), "{value}");
        }
        for (value, phrase) in [
            ("0", "at least"),
            ("-1", "non-negative"),
            ("604801", "less than a week"),
            ("99999999999999999999999", "less than a week"),
            ("", "number"),
            ("-", "number"),
            ("1h", "number"),
            ("%2B1", "number"),
        ] {
            let error = parsed("X-Amz-Expires", Some(value)).err().unwrap();
            assert!(matches!(&error, Error::QueryMalformed(text) if text.contains(phrase)), "{value}: {error}");
        }
    }

    #[test]
    fn other_bad_parameters_are_refused() {
        for (name, value) in [
            ("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"),
            ("X-Amz-Date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("X-Amz-Date", "20130525T000000Z"),
            ("X-Amz-Credential", "AKID"),
            ("X-Amz-SignedHeaders", "Host"),
        ] {
            assert!(matches!(parsed(name, Some(value)), Err(Error::QueryMalformed(_))), "{name}");
        }
    }
}
