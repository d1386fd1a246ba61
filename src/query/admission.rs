//! Whose request it is: from its head, and from its body, which the signature covers.

use aws_lc_rs::digest;

use super::Service;
use super::action::Api;
use super::error::{Code, QueryError};
use crate::access::Principal;
use crate::auth::{self, Claim};
use crate::http::head::Head;
use crate::identity::Key;

/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// The API that a request is for, with the claim of whoever signed it; `None` where it is not for this transport.
///
/// That is a request for the root path that is signed for IAM, STS or SNS, on whatever host. One that is not signed at all is
/// taken for a forgotten signature where it brings a form, which S3 has no use for.
pub struct Addressed {
    pub api: Api,
    pub claim: Option<Claim>,
}

impl Addressed {
    pub fn parse(head: &Head, options: &auth::Options) -> Option<Self> {
        if head.path != "/" || !["GET", "POST"].contains(&head.method.as_str()) {
            return None;
        }
        // A signature that cannot be read is S3's to refuse.
        match auth::parse(head, options).ok()? {
            Some(claim) => Api::of_service(claim.service()).map(|api| Self { api, claim: Some(claim) }),
            None => (head.method == "POST" && brings_a_form(head)).then_some(Self { api: Api::Iam, claim: None }),
        }
    }
}

fn brings_a_form(head: &Head) -> bool {
    let kind = head.headers.text("content-type").ok().flatten().unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim_end().eq_ignore_ascii_case(FORM))
}

impl Service {
    /// Whose key signed, before anything is proven. Fails for unknown and disabled ones.
    pub(super) async fn key_of(&self, claim: &Claim) -> Result<Key, QueryError> {
        let key = self.identities.authenticate(claim.access_key_id(), claim.session_token()).await?;
        key.ok_or_else(|| QueryError::new(Code::InvalidClientTokenId))
    }

    /// Proves that `key` signed the head and the body.
    pub(super) fn verify(&self, claim: &Claim, head: &Head, body: &[u8], key: &Key) -> Result<(), QueryError> {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        let (secret, now) = (key.secret.expose(), self.clock.now());
        Ok(auth::verify_with_body(claim, head, &hash, secret, now, &self.options.auth, &self.signing_keys)?)
    }
}

/// Refuses IAM to what GetSessionToken gave: at AWS too, as long as no second factor is in play.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
pub fn check_session(api: Api, key: &Key) -> Result<(), QueryError> {
    let of_role = matches!(key.caller.principal, Principal::AssumedRole { .. });
    if api == Api::Iam && key.is_temporary() && !of_role {
        return Err(QueryError::new(Code::InvalidClientTokenId));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressed(method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> Option<(Api, bool)> {
        let headers = headers.iter().map(|(name, value)| (*name, *value)).collect();
        let head = Head { method: method.into(), path: path.into(), query: query.into(), headers };
        Addressed::parse(&head, &auth::Options::default()).map(|found| (found.api, found.claim.is_some()))
    }

    fn signed(service: &str) -> [(&'static str, String); 3] {
        let scope = format!("20130524/anywhere/{service}/aws4_request");
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders=host;x-amz-date, Signature={}",
            "0".repeat(64)
        );
        [
            ("host", "bucket.s3.localhost".into()),
            ("x-amz-date", "20130524T000000Z".into()),
            ("authorization", authorization),
        ]
    }

    fn signed_for(service: &str, method: &str, path: &str) -> Option<(Api, bool)> {
        let headers = signed(service);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        addressed(method, path, "", &headers)
    }

    #[test]
    fn the_scope_of_the_signature_decides_whatever_the_host_is() {
        assert_eq!(signed_for("iam", "POST", "/"), Some((Api::Iam, true)));
        assert_eq!(signed_for("sts", "GET", "/"), Some((Api::Sts, true)));
        assert_eq!(signed_for("sns", "POST", "/"), Some((Api::Sns, true)));
        for (service, method, path) in [
            ("s3", "POST", "/"),
            ("sqs", "POST", "/"),
            ("iam", "PUT", "/"),
            ("iam", "POST", "/bucket"),
            ("iam", "POST", "//"),
        ] {
            assert_eq!(signed_for(service, method, path), None, "{service} {method} {path}");
        }
        let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20130524%2Fus-east-1%2Fsts%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
        assert_eq!(addressed("GET", "/", presigned, &[]), Some((Api::Sts, true)));
    }

    #[test]
    fn a_form_without_signature_is_a_forgotten_one() {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        assert_eq!(addressed("POST", "/", "", &form), Some((Api::Iam, false)));
        for (method, path, headers) in [
            ("POST", "/bucket", &form[..]),
            ("GET", "/", &form[..]),
            ("POST", "/", &[("content-type", "multipart/form-data; boundary=x")]),
            ("POST", "/", &[("content-type", "application/x-www-form-urlencoded"), ("authorization", "AWS a:b")]),
            ("POST", "/", &[]),
        ] {
            assert_eq!(addressed(method, path, "Action=GetUser", headers), None, "{method} {path}");
        }
    }
}
