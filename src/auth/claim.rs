//! Who a request says it is from, before anything is verified.

use std::fmt;

use crate::clock::Timestamp;
use crate::http::head::Head;

use super::error::Error;
use super::query::QueryFields;
use super::{Options, v2, v4};

/// A parsed signature. Nothing about it is proven until [`super::verify`] has accepted it.
#[derive(Clone)]
pub struct Claim {
    pub(super) signature: Signature,
}

/// A signature of either version.
#[derive(Clone)]
pub(super) enum Signature {
    V4(v4::Signature),
    V2(v2::Signature),
}

impl Claim {
    /// The access key whose secret is to be looked up.
    pub fn access_key_id(&self) -> &str {
        match &self.signature {
            Signature::V4(signature) => &signature.access_key_id,
            Signature::V2(signature) => &signature.access_key_id,
        }
    }

    /// The service the request is signed for, from the credential scope; version 2 is only for `s3`.
    pub fn service(&self) -> &str {
        match &self.signature {
            Signature::V4(signature) => &signature.scope.service,
            Signature::V2(_) => "s3",
        }
    }

    /// Whether the signature covers the header `name`, in lower case; version 2 covers none but its own.
    pub fn covers(&self, name: &str) -> bool {
        match &self.signature {
            Signature::V4(signature) => signature.covers(name),
            Signature::V2(_) => false,
        }
    }

    /// The region the request is signed for, from the credential scope; version 2 has none.
    pub fn region(&self) -> Option<&str> {
        match &self.signature {
            Signature::V4(signature) => Some(&signature.scope.region),
            Signature::V2(_) => None,
        }
    }

    /// Whether the signature is in the query, so that whoever has the URL may use it.
    pub fn is_presigned(&self) -> bool {
        match &self.signature {
            Signature::V4(signature) => signature.lifetime.is_some(),
            Signature::V2(signature) => signature.is_presigned(),
        }
    }

    /// When the request was signed; of a presigned version 2, which does not say, when it expires.
    pub fn time(&self) -> Timestamp {
        match &self.signature {
            Signature::V4(signature) => signature.time,
            Signature::V2(signature) => signature.time(),
        }
    }

    /// The session token of temporary credentials. It is the caller's to check against the access key.
    pub fn session_token(&self) -> Option<&str> {
        match &self.signature {
            Signature::V4(signature) => signature.session_token.as_deref(),
            Signature::V2(signature) => signature.session_token.as_deref(),
        }
    }
}

impl fmt::Debug for Claim {
    /// Leaves signature and session token out: they do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("access_key_id", &self.access_key_id())
            .field("service", &self.service())
            .field("presigned", &self.is_presigned())
            .field("time", &self.time())
            .finish_non_exhaustive()
    }
}

/// Finds the signature in a request's head; `None` means an anonymous request. Nothing is verified.
pub fn parse(head: &Head, options: &Options) -> Result<Option<Claim>, Error> {
    let query = QueryFields::parse(&head.query)?;
    let authorization = head.headers.text("authorization")?;
    let mechanisms = [authorization.is_some(), query.has_v4(), query.has_v2()];
    if mechanisms.into_iter().filter(|&given| given).count() > 1 {
        return Err(Error::SeveralMechanisms);
    }
    let signature = match authorization {
        Some(authorization) => in_header(authorization, head)?,
        None if query.has_v4() => Signature::V4(v4::Signature::from_query(&query)?),
        None if query.has_v2() => Signature::V2(v2::Signature::from_query(&query, head)?),
        None => return Ok(None),
    };
    match &signature {
        Signature::V4(signature) => signature.check_region(options)?,
        Signature::V2(_) if !options.signature_v2 => return Err(Error::SignatureV2Refused),
        Signature::V2(_) => {}
    }
    Ok(Some(Claim { signature }))
}

fn in_header(authorization: &str, head: &Head) -> Result<Signature, Error> {
    match authorization.split_once([' ', '\t']) {
        Some((v4::ALGORITHM, fields)) => Ok(Signature::V4(v4::Signature::from_header(fields, head)?)),
        Some(("AWS", fields)) => Ok(Signature::V2(v2::Signature::from_header(fields, head)?)),
        _ if authorization == v4::ALGORITHM => Err(Error::HeaderMalformed("it has no fields".to_owned())),
        _ => Err(Error::UnsupportedAuthorization),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(authorization: &[&str], query: &str) -> Result<Option<Claim>, Error> {
        let mut head = Head { method: "GET".into(), path: "/".into(), query: query.into(), ..Head::default() };
        head.headers.push("host", "localhost");
        head.headers.push("date", "Fri, 24 May 2013 00:00:00 GMT");
        for value in authorization {
            head.headers.push("Authorization", *value);
        }
        parse(&head, &Options::default())
    }

    #[test]
    fn a_request_without_any_signature_is_anonymous() {
        assert!(matches!(parsed(&[], "prefix=Signatures&x-amz-algorithm=&Expires=5"), Ok(None)));
    }

    #[test]
    fn two_mechanisms_at_once_are_refused() {
        for (authorization, query) in [
            (&["AWS AKID:c2ln"][..], "X-Amz-Algorithm=AWS4-HMAC-SHA256"),
            (&["anything"], "X-Amz-Signature=00"),
            (&["AWS4-HMAC-SHA256 Credential=x"], "AWSAccessKeyId=AKID&Signature=c2ln&Expires=1"),
            (&[], "X-Amz-Signature=00&Signature=c2ln"),
        ] {
            assert!(matches!(parsed(authorization, query), Err(Error::SeveralMechanisms)), "{query}");
        }
        assert!(matches!(parsed(&["AWS a:b", "AWS a:b"], ""), Err(Error::InvalidHeader(_))));
    }

    #[test]
    fn other_schemes_are_not_supported() {
        for authorization in
            ["Basic YTpi", "Bearer x", "", "AWS4-ECDSA-P256-SHA256 Credential=x", "AWS4-HMAC-SHA256x y"]
        {
            assert!(matches!(parsed(&[authorization], ""), Err(Error::UnsupportedAuthorization)), "{authorization}");
        }
        assert!(matches!(parsed(&["AWS4-HMAC-SHA256"], ""), Err(Error::HeaderMalformed(_))));
    }

    #[test]
    fn version_two_can_be_switched_off() {
        let mut head = Head::default();
        head.headers.push("authorization", "AWS AKID:c2ln");
        head.headers.push("date", "Fri, 24 May 2013 00:00:00 GMT");
        let claim = parse(&head, &Options::default()).unwrap().unwrap();
        assert_eq!((claim.access_key_id(), claim.service(), claim.is_presigned()), ("AKID", "s3", false));
        assert!(!format!("{claim:?}").contains("c2ln"));
        let options = Options { signature_v2: false, ..Options::default() };
        assert!(matches!(parse(&head, &options), Err(Error::SignatureV2Refused)));
    }
}
