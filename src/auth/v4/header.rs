//! The signature in the `Authorization` header.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>

use crate::clock::Timestamp;
use crate::http::date::format_basic;
use crate::http::head::Head;

use super::super::date;
use super::super::error::Error;
use super::{Signature, SignedHeaders, credential};

impl Signature {
    /// Parses what follows the algorithm: `Credential=..., SignedHeaders=..., Signature=...` in any order.
    pub(in super::super) fn from_header(text: &str, head: &Head) -> Result<Self, Error> {
        let fields = Fields::parse(text)?;
        let (time, stamp) = dated(head)?;
        let (access_key_id, scope) = credential::parse(fields.credential, &stamp).map_err(Error::HeaderMalformed)?;
        let signed_headers = SignedHeaders::parse(fields.signed_headers)
            .ok_or_else(|| malformed("SignedHeaders must be unique names in lower case, separated by semicolons"))?;
        Ok(Self {
            access_key_id,
            scope,
            time,
            session_token: head.headers.text("x-amz-security-token")?.map(str::to_owned),
            lifetime: None,
            stamp,
            signed_headers,
            content_sha256: None,
            provided: fields.signature.to_owned(),
        })
    }
}

/// The three fields behind the algorithm.
struct Fields<'h> {
    credential: &'h str,
    signed_headers: &'h str,
    signature: &'h str,
}

impl<'h> Fields<'h> {
    fn parse(text: &'h str) -> Result<Self, Error> {
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in text.split(',') {
            let (name, value) = field.trim().split_once('=').ok_or_else(|| malformed("a field has no value"))?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed("it has an unknown field")),
            };
            if slot.replace(value).is_some() {
                return Err(malformed("it has a field twice"));
            }
        }
        let missing = |name| malformed(&format!("it has no {name}"));
        Ok(Self {
            credential: credential.ok_or_else(|| missing("Credential"))?,
            signed_headers: signed_headers.ok_or_else(|| missing("SignedHeaders"))?,
            signature: signature.ok_or_else(|| missing("Signature"))?,
        })
    }
}

/// The time of the request and how it is signed: from `x-amz-date`, or else from `Date`.
fn dated(head: &Head) -> Result<(Timestamp, String), Error> {
    let text = match head.headers.text("x-amz-date")? {
        Some(text) => text,
        None => head.headers.text("date")?.ok_or(Error::Undated)?,
    };
    let time = date::parse(text).ok_or(Error::Undated)?;
    Ok((time, format_basic(time)))
}

fn malformed(what: &str) -> Error {
    Error::HeaderMalformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIAL: &str = "Credential=AKID/20130524/us-east-1/s3/aws4_request";

    fn parsed(fields: &str, dates: &[(&str, &str)]) -> Result<Signature, Error> {
        let head = Head { headers: dates.iter().copied().collect(), ..Head::default() };
        Signature::from_header(fields, &head)
    }

    #[test]
    fn fields_come_in_any_order_with_or_without_spaces() {
        for fields in [
            format!("{CREDENTIAL}, SignedHeaders=host;range, Signature=00"),
            format!("{CREDENTIAL},SignedHeaders=host;range,Signature=00"),
            format!("  Signature=00 ,\t{CREDENTIAL} , SignedHeaders=host;range "),
        ] {
            let signature = parsed(&fields, &[("x-amz-date", "20130524T000000Z")]).unwrap();
            assert_eq!(signature.access_key_id, "AKID");
            assert_eq!(signature.signed_headers.as_str(), "host;range");
            assert_eq!(signature.provided, "00");
        }
    }

    #[test]
    fn duplicate_missing_and_unknown_fields_are_malformed() {
        for fields in [
            String::new(),
            CREDENTIAL.to_owned(),
            format!("{CREDENTIAL}, SignedHeaders=host"),
            format!("{CREDENTIAL}, SignedHeaders=host, Signature=00,"),
            format!("{CREDENTIAL}, SignedHeaders=host, Signature=00, Signature=00"),
            format!("{CREDENTIAL}, SignedHeaders=host, Signature=00, Extra=1"),
            format!("{CREDENTIAL}, SignedHeaders=Host, Signature=00"),
            "Credential=AKID, SignedHeaders=host, Signature=00".to_owned(),
        ] {
            let result = parsed(&fields, &[("x-amz-date", "20130524T000000Z")]);
            assert!(matches!(result, Err(Error::HeaderMalformed(_))), "{fields}");
        }
    }

    #[test]
    fn the_date_header_counts_only_without_x_amz_date() {
        let fields = format!("{CREDENTIAL}, SignedHeaders=host, Signature=00");
        let http = ("date", "Fri, 24 May 2013 00:00:07 GMT");
        assert_eq!(parsed(&fields, &[http]).unwrap().stamp, "20130524T000007Z");
        assert_eq!(parsed(&fields, &[http, ("x-amz-date", "20130524T000000Z")]).unwrap().stamp, "20130524T000000Z");
        for dates in [&[][..], &[("date", "today")], &[http, ("x-amz-date", "today")]] {
            assert!(matches!(parsed(&fields, dates), Err(Error::Undated)));
        }
    }
}
