//! The credential: an access key id and the scope its signature is valid in.

use super::super::keys::{Scope, TERMINATOR};

/// Parses `AKID/YYYYMMDD/REGION/SERVICE/aws4_request`. An access key id may itself contain slashes.
///
/// `stamp` is the time of the request as it is signed; both must name the same day. The error is S3's phrase for it.
pub(in super::super) fn parse(text: &str, stamp: &str) -> Result<(String, Scope), String> {
    let malformed =
        || "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"".to_owned();
    let mut parts = text.rsplitn(5, '/');
    let mut next = || parts.next().ok_or_else(malformed);
    let (terminator, service, region, date, access_key_id) = (next()?, next()?, next()?, next()?, next()?);
    if access_key_id.is_empty() || service.is_empty() {
        return Err(malformed());
    }
    if terminator != TERMINATOR {
        return Err(format!("incorrect terminal \"{terminator}\". This endpoint uses \"{TERMINATOR}\""));
    }
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "incorrect date format \"{date}\". This date in the credential must be in the format \"yyyyMMdd\""
        ));
    }
    if !stamp.starts_with(date) {
        return Err(format!(
            "invalid credential date \"{date}\". This date is not the same as X-Amz-Date: \"{stamp}\""
        ));
    }
    let scope = Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() };
    Ok((access_key_id.to_owned(), scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "20130524T000000Z";

    #[test]
    fn a_credential_names_key_and_scope() {
        let (key, scope) = parse("AK/ID/20130524//sts/aws4_request", STAMP).unwrap();
        assert_eq!(key, "AK/ID");
        assert_eq!(scope.text(), "20130524//sts/aws4_request");
    }

    #[test]
    fn a_bad_credential_is_told_apart_by_what_is_wrong() {
        for (text, phrase) in [
            ("", "mal-formed"),
            ("20130524/us-east-1/s3/aws4_request", "mal-formed"),
            ("/20130524/us-east-1/s3/aws4_request", "mal-formed"),
            ("AKID/20130524/us-east-1//aws4_request", "mal-formed"),
            ("AKID/20130524/us-east-1/s3/aws4", "incorrect terminal"),
            ("AKID/2013052/us-east-1/s3/aws4_request", "incorrect date format"),
            ("AKID/+2013052/us-east-1/s3/aws4_request", "incorrect date format"),
            ("AKID/20130525/us-east-1/s3/aws4_request", "not the same as X-Amz-Date"),
        ] {
            let error = parse(text, STAMP).unwrap_err();
            assert!(error.contains(phrase), "{text}: {error}");
        }
    }
}
