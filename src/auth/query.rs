//! The parameters of a query that belong to signatures.

use std::borrow::Cow;

use super::encoding::{decode_query, query_pairs};
use super::error::Error;

/// The signature parameters of both versions, decoded. Names are case-sensitive.
#[derive(Default)]
pub(super) struct QueryFields<'q> {
    pub algorithm: Option<Cow<'q, str>>,
    pub credential: Option<Cow<'q, str>>,
    pub date: Option<Cow<'q, str>>,
    pub expires: Option<Cow<'q, str>>,
    pub signed_headers: Option<Cow<'q, str>>,
    pub signature: Option<Cow<'q, str>>,
    pub security_token: Option<Cow<'q, str>>,
    pub content_sha256: Option<Cow<'q, str>>,
    pub v2_access_key_id: Option<Cow<'q, str>>,
    pub v2_signature: Option<Cow<'q, str>>,
    pub v2_expires: Option<Cow<'q, str>>,
    pub v2_security_token: Option<Cow<'q, str>>,
}

/// The parameter that version 4 leaves out of the canonical query.
pub(super) const SIGNATURE: &str = "X-Amz-Signature";

impl<'q> QueryFields<'q> {
    /// Takes the signature parameters out of a raw query. None of them may be given twice.
    pub fn parse(query: &'q str) -> Result<Self, Error> {
        let mut fields = Self::default();
        for (name, value) in query_pairs(query) {
            let name = decode_query(name);
            let Some(field) = fields.field(&name) else { continue };
            let value = text(decode_query(value.unwrap_or_default())).ok_or_else(|| invalid(&name, "is not text"))?;
            if field.replace(value).is_some() {
                return Err(invalid(&name, "is given more than once"));
            }
        }
        Ok(fields)
    }

    /// Whether anything asks for version 4: a request that only half looks presigned must not pass as anonymous.
    pub fn has_v4(&self) -> bool {
        self.algorithm.is_some() || self.credential.is_some() || self.signature.is_some()
    }

    /// Whether anything asks for version 2.
    pub fn has_v2(&self) -> bool {
        self.v2_access_key_id.is_some() || self.v2_signature.is_some()
    }

    fn field(&mut self, name: &[u8]) -> Option<&mut Option<Cow<'q, str>>> {
        match name {
            b"X-Amz-Algorithm" => Some(&mut self.algorithm),
            b"X-Amz-Credential" => Some(&mut self.credential),
            b"X-Amz-Date" => Some(&mut self.date),
            b"X-Amz-Expires" => Some(&mut self.expires),
            b"X-Amz-SignedHeaders" => Some(&mut self.signed_headers),
            b"X-Amz-Signature" => Some(&mut self.signature),
            b"X-Amz-Security-Token" => Some(&mut self.security_token),
            b"X-Amz-Content-Sha256" => Some(&mut self.content_sha256),
            b"AWSAccessKeyId" => Some(&mut self.v2_access_key_id),
            b"Signature" => Some(&mut self.v2_signature),
            b"Expires" => Some(&mut self.v2_expires),
            b"x-amz-security-token" => Some(&mut self.v2_security_token),
            _ => None,
        }
    }
}

fn text(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

fn invalid(name: &[u8], what: &str) -> Error {
    Error::QueryMalformed(format!("the parameter {} {what}", String::from_utf8_lossy(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_however_they_are_spelled() {
        let fields = QueryFields::parse("a=b&X-Amz-Credential=AKID%2F20130524&X%2dAmz-Signature=&Expires=1").unwrap();
        assert_eq!(fields.credential.as_deref(), Some("AKID/20130524"));
        assert_eq!(fields.signature.as_deref(), Some(""));
        assert!(fields.has_v4() && !fields.has_v2());
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        for query in ["X-Amz-Signature=a&X-Amz-Signature=a", "Signature=a&x=y&Signature=b", "X-Amz-Date=%ff"] {
            assert!(matches!(QueryFields::parse(query), Err(Error::QueryMalformed(_))), "{query}");
        }
    }
}
