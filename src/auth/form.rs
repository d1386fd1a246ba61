//! Signatures in the fields of a form: browser uploads, whose policy document is what is signed.
//!
//! Version 4: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>, version 2:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTForms.html>. Neither covers the form's other fields: the
//! policy's conditions do. Nor does either bound the time: the policy's expiration does.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::http::date::parse_basic;

use super::error::{Error, Mismatch};
use super::keys::Scope;
use super::v4::{ALGORITHM, credential};
use super::{Options, SigningKeys};

/// Who a form says it is from, and the policy that it claims was signed. Nothing is proven until [`FormClaim::verify`]
/// has accepted it.
#[derive(Clone)]
pub struct FormClaim {
    access_key_id: String,
    session_token: Option<String>,
    /// As it was sent: base64, and what the signature covers.
    policy: String,
    /// As given by the caller: to be compared, in constant time, and echoed.
    provided: String,
    version: Version,
}

#[derive(Clone)]
enum Version {
    /// Signed in this scope, at this time.
    V4(Scope, Timestamp),
    V2,
}

/// Finds the signature among a form's fields; `None` means an anonymous form. `field` gives a field's value by its name,
/// which is asked for in lower case.
pub fn parse_form<'f>(field: impl Fn(&str) -> Option<&'f str>, options: &Options) -> Result<Option<FormClaim>, Error> {
    const V4: [&str; 4] = ["x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date"];
    const V2: [&str; 2] = ["awsaccesskeyid", "signature"];
    let given = |names: &[&str]| names.iter().any(|name| field(name).is_some());
    match (given(&V4), given(&V2)) {
        (true, true) => Err(Error::SeveralMechanisms),
        (true, false) => in_version_4(&field, options).map(Some),
        (false, true) if !options.signature_v2 => Err(Error::SignatureV2Refused),
        (false, true) => in_version_2(&field).map(Some),
        (false, false) => Ok(None),
    }
}

fn in_version_4<'f>(field: &impl Fn(&str) -> Option<&'f str>, options: &Options) -> Result<FormClaim, Error> {
    let required = |lower, name| field(lower).ok_or(Error::FormFieldMissing(name));
    let invalid = |name, value: &str, what: &str| Error::FormFieldInvalid {
        name,
        value: value.to_owned(),
        what: what.to_owned(),
    };
    let policy = required("policy", "Policy")?;
    let algorithm = required("x-amz-algorithm", "X-Amz-Algorithm")?;
    let given = required("x-amz-credential", "X-Amz-Credential")?;
    let date = required("x-amz-date", "X-Amz-Date")?;
    let provided = required("x-amz-signature", "X-Amz-Signature")?;
    if algorithm != ALGORITHM {
        return Err(invalid("X-Amz-Algorithm", algorithm, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let time = parse_basic(date);
    let time =
        time.ok_or_else(|| invalid("X-Amz-Date", date, "X-Amz-Date must be formatted via ISO8601 Long format"))?;
    let credential = credential::parse(given, date);
    let (access_key_id, scope) = credential.map_err(|what| invalid("X-Amz-Credential", given, &what))?;
    if let Some(expected) = options.region.as_ref().filter(|expected| **expected != scope.region) {
        let what = format!("the region '{}' is wrong; expecting '{expected}'", scope.region);
        return Err(invalid("X-Amz-Credential", given, &what));
    }
    if scope.service != "s3" {
        let what = format!("incorrect service \"{}\". This endpoint belongs to \"s3\".", scope.service);
        return Err(invalid("X-Amz-Credential", given, &what));
    }
    Ok(FormClaim {
        access_key_id,
        session_token: field("x-amz-security-token").map(str::to_owned),
        policy: policy.to_owned(),
        provided: provided.to_owned(),
        version: Version::V4(scope, time),
    })
}

fn in_version_2<'f>(field: &impl Fn(&str) -> Option<&'f str>) -> Result<FormClaim, Error> {
    let required = |lower, name| field(lower).ok_or(Error::FormFieldMissing(name));
    Ok(FormClaim {
        policy: required("policy", "Policy")?.to_owned(),
        access_key_id: required("awsaccesskeyid", "AWSAccessKeyId")?.to_owned(),
        provided: required("signature", "Signature")?.to_owned(),
        session_token: field("x-amz-security-token").map(str::to_owned),
        version: Version::V2,
    })
}

impl FormClaim {
    /// The access key whose secret is to be looked up.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The session token of temporary credentials. It is the caller's to check against the access key.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// When the form was signed; version 2 does not say.
    pub fn time(&self) -> Option<Timestamp> {
        match &self.version {
            Version::V4(_, time) => Some(*time),
            Version::V2 => None,
        }
    }

    /// The policy document, still in base64.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Checks that the policy was signed with `secret`. What the policy says is the caller's to hold the form to.
    pub fn verify(&self, secret: &str, keys: &SigningKeys) -> Result<(), Error> {
        let expected = match &self.version {
            Version::V4(scope, _) => keys.get(&self.access_key_id, secret, scope).sign(&[self.policy.as_bytes()]),
            Version::V2 => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
                STANDARD.encode(hmac::sign(&key, self.policy.as_bytes()))
            }
        };
        if expected.as_bytes().ct_eq(self.provided.as_bytes()).into() {
            return Ok(());
        }
        Err(Error::SignatureDoesNotMatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone(),
            signature_provided: self.provided.clone(),
            string_to_sign: self.policy.clone().into_bytes(),
            canonical_request: None,
        })))
    }
}

impl fmt::Debug for FormClaim {
    /// Leaves signature, policy and session token out: they do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormClaim").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>: its lines end in CRLF.
    const POLICY_V4: &str = "{ \"expiration\": \"2015-12-30T12:00:00.000Z\",\r\n  \"conditions\": [\r\n    \
        {\"bucket\": \"sigv4examplebucket\"},\r\n    [\"starts-with\", \"$key\", \"user/user1/\"],\r\n    \
        {\"acl\": \"public-read\"},\r\n    \
        {\"success_action_redirect\": \"http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html\"},\r\n    \
        [\"starts-with\", \"$Content-Type\", \"image/\"],\r\n    {\"x-amz-meta-uuid\": \"14365123651274\"},\r\n    \
        {\"x-amz-server-side-encryption\": \"AES256\"},\r\n    [\"starts-with\", \"$x-amz-meta-tag\", \"\"],\r\n\r\n    \
        {\"x-amz-credential\": \"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request\"},\r\n    \
        {\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"},\r\n    {\"x-amz-date\": \"20151229T000000Z\" }\r\n  ]\r\n}";

    /// The policy of <https://docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTExamples.html>.
    const POLICY_V2: &str = "{ \"expiration\": \"2007-12-01T12:00:00.000Z\",\n  \"conditions\": [\n    \
        {\"bucket\": \"johnsmith\"},\n    [\"starts-with\", \"$key\", \"user/eric/\"],\n    {\"acl\": \"public-read\"},\n    \
        {\"success_action_redirect\": \"http://johnsmith.s3.amazonaws.com/successful_upload.html\"},\n    \
        [\"starts-with\", \"$Content-Type\", \"image/\"],\n    {\"x-amz-meta-uuid\": \"14365123651274\"},\n    \
        [\"starts-with\", \"$x-amz-meta-tag\", \"\"]\n  ]\n}\n";

    const SECRET_V4: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const SECRET_V2: &str = "uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o";

    type Form = Vec<(&'static str, String)>;

    fn form_v4() -> Form {
        vec![
            ("policy", STANDARD.encode(POLICY_V4)),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request".to_owned()),
            ("x-amz-date", "20151229T000000Z".to_owned()),
            ("x-amz-signature", "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e".to_owned()),
        ]
    }

    fn form_v2() -> Form {
        vec![
            ("policy", STANDARD.encode(POLICY_V2)),
            ("awsaccesskeyid", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("signature", "0RavWzkygo6QX9caELEqKi9kDbU=".to_owned()),
        ]
    }

    fn parsed(form: &Form) -> Result<Option<FormClaim>, Error> {
        let field = |name: &str| form.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str());
        parse_form(field, &Options::default())
    }

    fn verified(form: &Form, secret: &str) -> Result<(), Error> {
        parsed(form)?.expect("a signed form").verify(secret, &SigningKeys::default())
    }

    /// The form with one field replaced, or left out.
    fn but(mut form: Form, name: &'static str, value: Option<&str>) -> Form {
        form.retain(|(given, _)| *given != name);
        form.extend(value.map(|value| (name, value.to_owned())));
        form
    }

    #[test]
    fn the_documented_signatures_are_accepted() {
        verified(&form_v4(), SECRET_V4).unwrap();
        verified(&form_v2(), SECRET_V2).unwrap();
    }

    #[test]
    fn a_policy_or_secret_that_is_another_is_not() {
        let other = STANDARD.encode(POLICY_V4.replace("user1", "user2"));
        for (form, secret) in [
            (form_v4(), SECRET_V2),
            (form_v2(), SECRET_V4),
            (but(form_v4(), "policy", Some(&other)), SECRET_V4),
            (but(form_v2(), "policy", Some(&other)), SECRET_V2),
            (but(form_v4(), "x-amz-signature", Some("")), SECRET_V4),
            (but(form_v2(), "signature", Some("0RavWzkygo6QX9caELEqKi9kDbU")), SECRET_V2),
        ] {
            assert!(matches!(verified(&form, secret), Err(Error::SignatureDoesNotMatch(_))), "{form:?}");
        }
        let form = but(form_v4(), "x-amz-credential", Some("AKIAIOSFODNN7EXAMPLE/20151229/eu-west-1/s3/aws4_request"));
        assert!(verified(&form, SECRET_V4).is_err(), "the scope is part of the key");
    }

    #[test]
    fn a_form_without_any_part_of_a_signature_is_anonymous() {
        assert!(matches!(parsed(&vec![("key", "k".to_owned()), ("policy", "e30=".to_owned())]), Ok(None)));
    }

    #[test]
    fn half_a_signature_is_no_anonymous_form() {
        for (form, missing) in [
            (but(form_v4(), "policy", None), "Policy"),
            (but(form_v4(), "x-amz-algorithm", None), "X-Amz-Algorithm"),
            (but(form_v4(), "x-amz-credential", None), "X-Amz-Credential"),
            (but(form_v4(), "x-amz-date", None), "X-Amz-Date"),
            (but(form_v4(), "x-amz-signature", None), "X-Amz-Signature"),
            (but(form_v2(), "policy", None), "Policy"),
            (but(form_v2(), "awsaccesskeyid", None), "AWSAccessKeyId"),
            (but(form_v2(), "signature", None), "Signature"),
        ] {
            assert!(matches!(parsed(&form), Err(Error::FormFieldMissing(name)) if name == missing), "{missing}");
        }
        let both = [form_v4(), form_v2()].concat();
        assert!(matches!(parsed(&both), Err(Error::SeveralMechanisms)));
    }

    #[test]
    fn fields_that_are_wrong_are_named() {
        for (field, value, shown) in [
            ("x-amz-algorithm", "AWS4-HMAC-SHA512", "X-Amz-Algorithm"),
            ("x-amz-date", "2015-12-29", "X-Amz-Date"),
            ("x-amz-date", "20151230T000000Z", "X-Amz-Credential"),
            ("x-amz-credential", "AKID", "X-Amz-Credential"),
            ("x-amz-credential", "AKID/20151229/us-east-1/iam/aws4_request", "X-Amz-Credential"),
        ] {
            let refused = parsed(&but(form_v4(), field, Some(value)));
            assert!(matches!(refused, Err(Error::FormFieldInvalid { name, .. }) if name == shown), "{field}: {value}");
        }
    }

    #[test]
    fn region_and_version_are_the_operator_s_to_choose() {
        let with = |form: &Form, options: &Options| {
            let field = |name: &str| form.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str());
            parse_form(field, options).map(|claim| claim.is_some())
        };
        let elsewhere = Options { region: Some("eu-west-1".to_owned()), ..Options::default() };
        assert!(matches!(with(&form_v4(), &elsewhere), Err(Error::FormFieldInvalid { .. })));
        let modern = Options { signature_v2: false, ..Options::default() };
        assert!(matches!(with(&form_v2(), &modern), Err(Error::SignatureV2Refused)));
        assert!(matches!(with(&form_v4(), &modern), Ok(true)));
    }

    #[test]
    fn the_secret_parts_of_a_claim_are_not_shown() {
        let form = but(form_v4(), "x-amz-security-token", Some("token"));
        let claim = parsed(&form).unwrap().unwrap();
        assert_eq!((claim.access_key_id(), claim.session_token()), ("AKIAIOSFODNN7EXAMPLE", Some("token")));
        assert!(!format!("{claim:?}").contains("8afdbf") && !format!("{claim:?}").contains("token"));
    }
}
