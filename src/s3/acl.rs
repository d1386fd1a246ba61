//! Access control lists as requests give them, in headers or in a body, and as answers show them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use super::error::{Code, S3Error};
use super::{Request, Service, owner};

use super::xml::access::{self as input, AccessControlPolicy};
use super::xml::write::Writer;
use crate::access::acl::MAX_GRANTS;
use crate::access::{Acl, Canned, Grant, Grantee, Ownership, Permission};
use crate::guard::BucketRules;
use crate::http::head::Headers;
use crate::names::AccountId;
use crate::store::bucket::Bucket;

/// The headers that grant, with what they grant.
const GRANT_HEADERS: [(&str, Permission); 5] = [
    ("x-amz-grant-full-control", Permission::FullControl),
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
];

/// Who will own what is written, and the list that it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub owner: AccountId,
    /// `None`: private.
    pub acl: Option<Acl>,
}

/// A list in headers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    Canned(Canned),
    Grants(Vec<Grant>),
}

impl Written {
    /// The list as records keep it.
    pub fn acl(&self) -> Vec<u8> {
        self.acl.as_ref().map(Acl::encode).unwrap_or_default()
    }
}

impl Request {
    /// Who will own what the request writes, and the list that its headers give it.
    pub(super) fn written(&self, cx: &Service) -> Result<Written, S3Error> {
        let judge = self.judge(cx)?;
        cx.acl_of_object(&self.head.headers, self.caller.account(), judge.bucket, judge.rules)
    }
}

impl Service {
    /// What an object gets that `writer` (nobody: anonymous) puts into `bucket` with these headers. Fails where the bucket
    /// takes no such list.
    pub(super) fn acl_of_object(
        &self,
        headers: &Headers,
        writer: Option<&AccountId>,
        bucket: &Bucket,
        rules: &BucketRules,
    ) -> Result<Written, S3Error> {
        let bucket_owner = &bucket.record.account;
        let given = self.given(headers)?;
        let writer = writer.unwrap_or(bucket_owner);
        let owner = match (rules.ownership.effective(), &given) {
            (Ownership::BucketOwnerEnforced, None) => bucket_owner,
            (Ownership::BucketOwnerEnforced, Some(given)) => {
                refuse_disabled(given, bucket_owner)?;
                return Ok(Written { owner: bucket_owner.clone(), acl: None });
            }
            (Ownership::BucketOwnerPreferred, Some(Given::Canned(Canned::BucketOwnerFullControl))) => bucket_owner,
            _ => writer,
        };
        let acl = given.map(|given| given.acl(owner, Some(bucket_owner))).filter(|acl| !acl.grants.is_empty());
        if let Some(acl) = &acl {
            self.refuse_public(acl, bucket, rules)?;
        }
        Ok(Written { owner: owner.clone(), acl })
    }

    /// The list that headers or a body give an object or a bucket that is there already and belongs to `owner`.
    /// `bucket_owner` only for an object.
    pub(super) fn acl_of_request(
        &self,
        headers: &Headers,
        body: &[u8],
        owner: &AccountId,
        bucket_owner: Option<&AccountId>,
    ) -> Result<Acl, S3Error> {
        let given = self.given(headers)?;
        match (given, body.trim_ascii().is_empty()) {
            (Some(given), true) => Ok(given.acl(owner, bucket_owner)),
            (Some(_), false) => Err(S3Error::new(Code::UnexpectedContent)),
            (None, false) => self.acl_of_body(body, owner),
            (None, true) => Err(S3Error::with_message(
                Code::MissingSecurityHeader,
                "Your request was missing a required header: x-amz-acl, x-amz-grant-... or a body",
            )),
        }
    }

    /// The list that CreateBucket's headers ask for.
    pub(super) fn acl_of_bucket(&self, headers: &Headers, owner: &AccountId) -> Result<Option<Acl>, S3Error> {
        Ok(self.given(headers)?.map(|given| given.acl(owner, None)))
    }

    /// Fails where the list is public and the bucket, or its account, takes none that is.
    pub(super) fn refuse_public(&self, acl: &Acl, bucket: &Bucket, rules: &BucketRules) -> Result<(), S3Error> {
        let blocked = self.guard.block_of(&bucket.record.account, rules).block_public_acls;
        if blocked && acl.is_public() { Err(S3Error::new(Code::AccessDenied)) } else { Ok(()) }
    }

    fn given(&self, headers: &Headers) -> Result<Option<Given>, S3Error> {
        let canned = headers.text("x-amz-acl")?;
        let mut grants = Vec::new();
        for (header, permission) in GRANT_HEADERS {
            let Some(text) = headers.text(header)? else { continue };
            for grantee in grantees(header, text)? {
                grants.push(Grant { grantee: self.grantee(grantee)?, permission });
            }
        }
        if grants.len() > MAX_GRANTS {
            return Err(S3Error::with_message(Code::InvalidArgument, "An ACL has at most 100 grants"));
        }
        match canned {
            Some(_) if !grants.is_empty() => {
                let message = "Specifying both Canned ACLs and Header Grants is not allowed";
                Err(S3Error::with_message(Code::InvalidRequest, message))
            }
            Some(name) => {
                let canned = Canned::parse(name);
                let canned = canned.ok_or_else(|| S3Error::invalid_argument("Invalid Argument", "x-amz-acl", name))?;
                Ok(Some(Given::Canned(canned)))
            }
            None => Ok((!grants.is_empty()).then_some(Given::Grants(grants))),
        }
    }

    fn acl_of_body(&self, body: &[u8], owner: &AccountId) -> Result<Acl, S3Error> {
        let malformed = |error| S3Error::new(Code::MalformedACLError).caused_by(error);
        let policy = AccessControlPolicy::from_body(body).map_err(malformed)?;
        // The owner is what it is; a body that names another one is for something else.
        if self.account_by_id(&policy.owner.id, "CanonicalUser/ID")? != *owner {
            return Err(S3Error::new(Code::AccessDenied));
        }
        if policy.grants().len() > MAX_GRANTS {
            return Err(S3Error::new(Code::MalformedACLError));
        }
        let mut grants = Vec::with_capacity(policy.grants().len());
        for grant in policy.grants() {
            let permission = Permission::parse(&grant.permission).ok_or(Code::MalformedACLError)?;
            grants.push(Grant { grantee: self.grantee(Named::of(&grant.grantee)?)?, permission });
        }
        Ok(Acl { owner: owner.clone(), grants })
    }

    /// Finds whom a grant names.
    fn grantee(&self, named: Named<'_>) -> Result<Grantee, S3Error> {
        match named {
            Named::Id(id) => self.account_by_id(id, "CanonicalUser/ID").map(Grantee::Account),
            Named::Email(email) => {
                let account = self.identities.by_email(email);
                let unknown = || S3Error::new(Code::UnresolvableGrantByEmailAddress);
                account.map(|account| Grantee::Account(account.id.clone())).ok_or_else(unknown)
            }
            Named::Uri(uri) => {
                let invalid = || S3Error::invalid_argument("Invalid group uri", "Group/URI", uri);
                Grantee::group(uri).ok_or_else(invalid)
            }
        }
    }

    fn account_by_id(&self, id: &str, argument: &str) -> Result<AccountId, S3Error> {
        let account = self.identities.by_canonical_id(id);
        account.map(|account| account.id.clone()).ok_or_else(|| S3Error::invalid_argument("Invalid id", argument, id))
    }

    /// The document that GetBucketAcl and GetObjectAcl answer.
    pub(super) fn acl_document(&self, acl: &Acl) -> Writer {
        let mut document = Writer::new("AccessControlPolicy");
        owner::write(&mut document, "Owner", &self.identities.owner(&acl.owner));
        document.nest("AccessControlList", |list| {
            for grant in &acl.grants {
                list.nest("Grant", |element| {
                    self.write_grantee(element, &grant.grantee);
                    element.text("Permission", grant.permission.name());
                });
            }
        });
        document
    }

    fn write_grantee(&self, element: &mut Writer, grantee: &Grantee) {
        const SCHEMA: (&str, &str) = ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
        match grantee {
            Grantee::Account(account) => {
                let owner = self.identities.owner(account);
                element.nest_with("Grantee", &[SCHEMA, ("xsi:type", "CanonicalUser")], |inside| {
                    inside.text("ID", &owner.canonical_id).text("DisplayName", &owner.display_name);
                });
            }
            group => {
                element.nest_with("Grantee", &[SCHEMA, ("xsi:type", "Group")], |inside| {
                    inside.optional("URI", group.uri());
                });
            }
        }
    }
}

impl Given {
    fn acl(self, owner: &AccountId, bucket_owner: Option<&AccountId>) -> Acl {
        match self {
            Self::Canned(canned) => Acl::canned(canned, owner.clone(), bucket_owner),
            // Grants in headers are all there are: the owner gets only what they say, and may always change them.
            Self::Grants(grants) => Acl { owner: owner.clone(), grants },
        }
    }
}

/// Where lists are disabled, only those are taken that say what is the case anyway: the bucket's owner has full control.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html>
fn refuse_disabled(given: &Given, bucket_owner: &AccountId) -> Result<(), S3Error> {
    let owner = Grant { grantee: Grantee::Account(bucket_owner.clone()), permission: Permission::FullControl };
    match given {
        Given::Canned(Canned::Private | Canned::BucketOwnerFullControl) => Ok(()),
        Given::Grants(grants) if *grants == [owner] => Ok(()),
        Given::Canned(_) | Given::Grants(_) => Err(S3Error::new(Code::AccessControlListNotSupported)),
    }
}

/// A grantee as it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named<'g> {
    Id(&'g str),
    Email(&'g str),
    Uri(&'g str),
}

impl<'g> Named<'g> {
    fn of(grantee: &'g input::Grantee) -> Result<Self, S3Error> {
        let named = match (&grantee.id, &grantee.email, &grantee.uri) {
            (Some(id), None, None) => Some((Self::Id(id), "CanonicalUser")),
            (None, Some(email), None) => Some((Self::Email(email), "AmazonCustomerByEmail")),
            (None, None, Some(uri)) => Some((Self::Uri(uri), "Group")),
            _ => None,
        };
        let kind = grantee.kind.as_str();
        named.filter(|(_, known)| *known == kind).map(|(named, _)| named).ok_or_else(|| Code::MalformedACLError.into())
    }
}

/// The grantees of a header: `id="...", emailAddress="...", uri="..."`, with or without quotes.
fn grantees<'t>(header: &str, text: &'t str) -> Result<Vec<Named<'t>>, S3Error> {
    let invalid = || S3Error::invalid_argument("Argument format not recognized", header, text);
    let mut named = Vec::new();
    for part in text.split(',') {
        let (kind, value) = part.trim().split_once('=').ok_or_else(invalid)?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if bare.is_empty() || bare.contains('"') {
            return Err(invalid());
        }
        named.push(match kind.trim() {
            kind if kind.eq_ignore_ascii_case("id") => Named::Id(bare),
            kind if kind.eq_ignore_ascii_case("emailaddress") => Named::Email(bare),
            kind if kind.eq_ignore_ascii_case("uri") => Named::Uri(bare),
            _ => return Err(invalid()),
        });
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_in_headers_name_their_grantees_in_three_ways() {
        let text = r#"id="a1", emailAddress=b@example.com,uri="http://acs.amazonaws.com/groups/global/AllUsers""#;
        let expected = [
            Named::Id("a1"),
            Named::Email("b@example.com"),
            Named::Uri("http://acs.amazonaws.com/groups/global/AllUsers"),
        ];
        assert_eq!(grantees("x-amz-grant-read", text).unwrap(), expected);
        for wrong in ["", "a1", "id=", "id=\"\"", "name=x", "id=\"a\"b\"", "id=a,"] {
            assert_eq!(grantees("x-amz-grant-read", wrong).unwrap_err().code, Code::InvalidArgument, "{wrong}");
        }
    }

    #[test]
    fn disabled_lists_take_what_is_the_case_anyway() {
        let owner = AccountId::default();
        let full = |permission| Given::Grants(vec![Grant { grantee: Grantee::Account(owner.clone()), permission }]);
        for given in [
            Given::Canned(Canned::Private),
            Given::Canned(Canned::BucketOwnerFullControl),
            full(Permission::FullControl),
        ] {
            assert!(refuse_disabled(&given, &owner).is_ok(), "{given:?}");
        }
        for given in [Given::Canned(Canned::PublicRead), full(Permission::Read)] {
            let error = refuse_disabled(&given, &owner).unwrap_err();
            assert_eq!(error.code, Code::AccessControlListNotSupported, "{given:?}");
        }
    }

    #[test]
    #[allow(clippy::field_reassign_with_default)]
    fn a_grantee_is_of_the_type_that_it_says() {
        let grantee = |kind: &str, id: Option<&str>, uri: Option<&str>| {
            let (id, uri) = (id.map(str::to_owned), uri.map(str::to_owned));
            let mut grantee = input::Grantee::default();
            (grantee.kind, grantee.id, grantee.uri) = (kind.to_owned(), id, uri);
            grantee
        };
        assert_eq!(Named::of(&grantee("CanonicalUser", Some("a"), None)).unwrap(), Named::Id("a"));
        for wrong in [
            grantee("Group", Some("a"), None),
            grantee("CanonicalUser", Some("a"), Some("b")),
            grantee("CanonicalUser", None, None),
            grantee("", Some("a"), None),
        ] {
            assert_eq!(Named::of(&wrong).unwrap_err().code, Code::MalformedACLError);
        }
    }
}
