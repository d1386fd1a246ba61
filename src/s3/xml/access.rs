//! The XML inputs of operations on permissions. Unlike others they are read strictly: an element that is not understood
//! might have been meant to keep somebody out.

use serde::Deserialize;

use super::read::{Bounds, MalformedXml, from_body};
use super::scalar;

/// The input of PutBucketAcl and PutObjectAcl: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AccessControlPolicy.html>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessControlPolicy {
    #[serde(rename = "@xmlns", default)]
    _namespace: String,
    #[serde(rename = "@xmlns:xsi", default)]
    _schema: String,
    #[serde(rename = "Owner")]
    pub owner: Owner,
    #[serde(rename = "AccessControlList")]
    list: GrantList,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "DisplayName", default)]
    _display_name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantList {
    #[serde(rename = "Grant", default)]
    grants: Vec<Grant>,
}

/// A grant as given: nothing of it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    #[serde(rename = "Grantee")]
    pub grantee: Grantee,
    #[serde(rename = "Permission", deserialize_with = "scalar::text")]
    pub permission: String,
}

/// Who is granted something, named in one of three ways; `kind` says in which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grantee {
    #[serde(rename = "@xmlns:xsi")]
    _schema: String,
    #[serde(rename = "@xsi:type", alias = "@type")]
    pub kind: String,
    #[serde(rename = "ID", deserialize_with = "scalar::optional_text")]
    pub id: Option<String>,
    #[serde(rename = "DisplayName")]
    _display_name: Option<String>,
    #[serde(rename = "EmailAddress", deserialize_with = "scalar::optional_text")]
    pub email: Option<String>,
    #[serde(rename = "URI", deserialize_with = "scalar::optional_text")]
    pub uri: Option<String>,
}

/// The input of PutPublicAccessBlock; what is left out is off.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PublicAccessBlockConfiguration.html>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicAccessBlockConfiguration {
    #[serde(rename = "@xmlns", default)]
    _namespace: String,
    #[serde(rename = "BlockPublicAcls", default, deserialize_with = "scalar::flag")]
    pub block_public_acls: bool,
    #[serde(rename = "IgnorePublicAcls", default, deserialize_with = "scalar::flag")]
    pub ignore_public_acls: bool,
    #[serde(rename = "BlockPublicPolicy", default, deserialize_with = "scalar::flag")]
    pub block_public_policy: bool,
    #[serde(rename = "RestrictPublicBuckets", default, deserialize_with = "scalar::flag")]
    pub restrict_public_buckets: bool,
}

/// The input of PutBucketOwnershipControls: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_OwnershipControls.html>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnershipControls {
    #[serde(rename = "@xmlns", default)]
    _namespace: String,
    #[serde(rename = "Rule")]
    rule: OwnershipRule,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnershipRule {
    #[serde(rename = "ObjectOwnership", deserialize_with = "scalar::text")]
    ownership: String,
}

impl AccessControlPolicy {
    pub fn from_body(body: &[u8]) -> Result<Self, MalformedXml> {
        from_body(body, "AccessControlPolicy", Bounds::CONFIGURATION)
    }

    pub fn grants(&self) -> &[Grant] {
        &self.list.grants
    }
}

impl PublicAccessBlockConfiguration {
    pub fn from_body(body: &[u8]) -> Result<Self, MalformedXml> {
        from_body(body, "PublicAccessBlockConfiguration", Bounds::CONFIGURATION)
    }
}

impl OwnershipControls {
    pub fn from_body(body: &[u8]) -> Result<Self, MalformedXml> {
        from_body(body, "OwnershipControls", Bounds::CONFIGURATION)
    }

    /// The one rule's word, not checked.
    pub fn ownership(&self) -> &str {
        &self.rule.ownership
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACL: &str = r#"<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>me</ID></Owner>
        <AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
        <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>
        <Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>me</ID>
        <DisplayName>I</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"#;

    #[test]
    fn an_acl_is_read_with_its_types() {
        let acl = AccessControlPolicy::from_body(ACL.as_bytes()).unwrap();
        assert_eq!(acl.owner.id, "me");
        let [group, user] = acl.grants() else { panic!("{acl:?}") };
        assert_eq!((group.grantee.kind.as_str(), group.permission.as_str()), ("Group", "READ"));
        assert!(group.grantee.uri.as_deref().unwrap().ends_with("AllUsers"));
        assert_eq!((user.grantee.id.as_deref(), user.permission.as_str()), (Some("me"), "FULL_CONTROL"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (was, is) in [
            ("<Owner>", "<Deny/><Owner>"),
            ("<Permission>READ</Permission>", "<Permission>READ</Permission><Permission>WRITE</Permission>"),
            ("<Owner><ID>me</ID></Owner>", ""),
            ("<ID>me</ID></Owner>", "</Owner>"),
            ("</Grantee><Permission>READ", "<Unless>x</Unless></Grantee><Permission>READ"),
        ] {
            assert_ne!(ACL.replace(was, is), ACL);
            assert!(AccessControlPolicy::from_body(ACL.replace(was, is).as_bytes()).is_err(), "{is}");
        }
    }

    #[test]
    fn configurations_have_their_own_elements_alone() {
        let block = PublicAccessBlockConfiguration::from_body(
            b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><RestrictPublicBuckets>TRUE</RestrictPublicBuckets></PublicAccessBlockConfiguration>",
        );
        let block = block.unwrap();
        assert!(block.block_public_acls && block.restrict_public_buckets && !block.block_public_policy);
        let controls =
            b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
        assert_eq!(OwnershipControls::from_body(controls).unwrap().ownership(), "ObjectWriter");
        for wrong in [
            "<PublicAccessBlockConfiguration><BlockAll>true</BlockAll></PublicAccessBlockConfiguration>",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>yes</BlockPublicAcls></PublicAccessBlockConfiguration>",
        ] {
            assert!(PublicAccessBlockConfiguration::from_body(wrong.as_bytes()).is_err(), "{wrong}");
        }
        for wrong in ["<OwnershipControls/>", "<OwnershipControls><Rule/></OwnershipControls>"] {
            assert!(OwnershipControls::from_body(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
