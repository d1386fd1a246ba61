//! Who asks for a page: nobody in particular, or whoever signed the request.

use std::sync::Arc;

use super::Service;
use super::failure::{Code, Failure};
use crate::access::Caller;
use crate::auth;
use crate::guard::{Origin, Signing};
use crate::http::head::Head;
use crate::http::percent;

/// What a header begins with that signs a request.
const SIGNED: &[u8] = b"AWS4-HMAC-SHA256";
/// The parameter that a presigned request cannot do without.
const PRESIGNED: &str = "X-Amz-Signature";

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub identity: Arc<Caller>,
    pub signing: Option<Signing>,
    pub origin: Origin,
}

impl Service {
    /// Verifies the signature, where there is one, and tells whose it is. Other credentials are for what is behind the site, or
    /// for the site's own password, and say nothing here.
    pub(super) async fn visitor(&self, head: &Head, origin: Origin) -> Result<Visitor, Failure> {
        if !is_signed(head) {
            return Ok(Visitor { identity: Arc::clone(&self.anonymous), signing: None, origin });
        }
        let options = &self.options.auth;
        let Some(claim) = auth::parse(head, options)? else {
            return Err(Failure::new(Code::InvalidRequest));
        };
        if claim.service() != "s3" {
            let message = "The request is signed for another service than s3.";
            return Err(Failure::with_message(Code::AuthorizationHeaderMalformed, message));
        }
        let key = self.identities.authenticate(claim.access_key_id(), claim.session_token()).await?;
        let key = key.ok_or_else(|| Failure::new(Code::InvalidAccessKeyId))?;
        let now = self.clock.now();
        // What is said of the body is not held against it: nothing here reads one.
        auth::verify(&claim, head, None, key.secret.expose(), now, options, &self.signing_keys)?;
        Ok(Visitor { identity: key.caller, signing: Some(Signing::of(&claim, now)), origin })
    }
}

/// Whether a request carries a signature of version 4.
fn is_signed(head: &Head) -> bool {
    head.headers.all("authorization").any(|value| value.starts_with(SIGNED))
        || (head.query.contains(PRESIGNED) && percent::parameters(&head.query).any(|given| given.name == PRESIGNED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(authorization: &str, query: &str) -> bool {
        let mut head = Head { query: query.to_owned(), ..Head::default() };
        if !authorization.is_empty() {
            head.headers.push("authorization", authorization);
        }
        is_signed(&head)
    }

    #[test]
    fn only_signatures_make_somebody_of_a_visitor() {
        for (authorization, query) in [
            ("AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request, Signature=00", ""),
            ("", "a=b&X-Amz-Signature=00"),
            ("Basic YTpi", "X-Amz-Signature"),
        ] {
            assert!(signed(authorization, query), "{authorization} {query}");
        }
        for (authorization, query) in
            [("", ""), ("Basic YTpi", ""), ("Bearer x", "q=1"), ("AWS AKID:c2ln", ""), ("", "q=X-Amz-Signature")]
        {
            assert!(!signed(authorization, query), "{authorization} {query}");
        }
    }
}
