//! Who asks for a page: nobody in particular, or whoever signed the request.

use std::sync::Arc;

use super::Service;
use super::failure::{Code, Failure};
use crate::access::Caller;
use crate::auth::{self, Claim};
use crate::feed::{HOST_HEADER, PROTO_HEADER};
use crate::guard::{Origin, Signing};
use crate::http::head::Head;
use crate::http::percent;
use crate::site::configuration::Protocol;
use crate::site::host::Authority;

/// What a header begins with that signs a request.
const SIGNED: &[u8] = b"AWS4-HMAC-SHA256";
/// The parameter that a presigned request cannot do without.
const PRESIGNED: &str = "X-Amz-Signature";

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub identity: Arc<Caller>,
    pub signing: Option<Signing>,
    /// What an edge says that its own visitor asked for.
    pub forwarded: Forwarded,
    pub origin: Origin,
}

/// What a request says of the one that it was made for. Counts only where the signature covers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forwarded {
    pub host: Option<Authority>,
    pub protocol: Option<Protocol>,
}

impl Service {
    /// Verifies the signature, where there is one, and tells whose it is. Other credentials are for what is behind the site, or
    /// for the site's own password, and say nothing here.
    pub(super) async fn visitor(&self, head: &Head, origin: Origin) -> Result<Visitor, Failure> {
        if !is_signed(head) {
            let (identity, forwarded) = (Arc::clone(&self.anonymous), Forwarded::default());
            return Ok(Visitor { identity, signing: None, forwarded, origin });
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
        let signing = Some(Signing::of(&claim, now));
        let forwarded = Forwarded::parse(head, &claim)?;
        Ok(Visitor { identity: key.caller, signing, forwarded, origin })
    }
}

impl Forwarded {
    /// Reads what the signature covers. A presigned URL is passed on, and says nothing of who follows it.
    fn parse(head: &Head, claim: &Claim) -> Result<Self, Failure> {
        let signed = |name| match claim.covers(name) && !claim.is_presigned() {
            true => head.headers.text(name),
            false => Ok(None),
        };
        let invalid =
            |what: &str| Failure::with_message(Code::InvalidRequest, format!("The header {what} is not valid."));
        let host = signed(HOST_HEADER).map_err(|_| invalid(HOST_HEADER))?;
        let host = host.map(|host| Authority::parse(host).map_err(|_| invalid(HOST_HEADER))).transpose()?;
        let protocol = match signed(PROTO_HEADER).map_err(|_| invalid(PROTO_HEADER))? {
            None => None,
            Some("http") => Some(Protocol::Http),
            Some("https") => Some(Protocol::Https),
            Some(_) => return Err(invalid(PROTO_HEADER)),
        };
        Ok(Self { host, protocol })
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
