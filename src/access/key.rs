//! Condition keys.

/// A condition key, as policies name it; those that the caller or the resource answers are told apart when a policy is
/// read, not when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    PrincipalArn,
    PrincipalAccount,
    PrincipalType,
    PrincipalIsAwsService,
    ViaAwsService,
    ResourceAccount,
    UserId,
    UserName,
    /// Answered by the [`Context`](super::Context). In lower case.
    Request(Box<str>),
}

/// Keys of requests that tell who asks, or from where, by which S3 judges whether a policy is public.
const TELLING: [&str; 11] = [
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceorgid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

impl Key {
    /// Reads a key, without regard to case: `PREFIX:NAME`, where `NAME` may go on behind a slash
    /// (`s3:ExistingObjectTag/team`). `None` for other texts.
    pub fn parse(text: &str) -> Option<Self> {
        let (vendor, name) = text.split_once(':')?;
        let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if vendor.is_empty() || !word(vendor) || name.is_empty() || !word(name.split('/').next()?) {
            return None;
        }
        Some(match text.to_ascii_lowercase().as_str() {
            "aws:principalarn" => Self::PrincipalArn,
            "aws:principalaccount" => Self::PrincipalAccount,
            "aws:principaltype" => Self::PrincipalType,
            "aws:principalisawsservice" => Self::PrincipalIsAwsService,
            "aws:viaawsservice" => Self::ViaAwsService,
            "aws:resourceaccount" | "s3:resourceaccount" => Self::ResourceAccount,
            "aws:userid" => Self::UserId,
            "aws:username" => Self::UserName,
            other => Self::Request(other.into()),
        })
    }

    /// Whether the request answers the key, and it begins so, in lower case.
    pub fn is_of_request(&self, prefix: &str) -> bool {
        matches!(self, Self::Request(key) if key.starts_with(prefix))
    }

    /// Whether a fixed value of the key keeps a policy from being public.
    pub fn tells_who(&self) -> bool {
        match self {
            Self::PrincipalArn | Self::PrincipalAccount => true,
            // `anonymous` is a user's id too, and it is everyone's.
            Self::UserId => false,
            Self::UserName | Self::PrincipalType | Self::PrincipalIsAwsService => false,
            Self::ViaAwsService | Self::ResourceAccount => false,
            Self::Request(key) => TELLING.contains(&&**key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_without_regard_to_case() {
        assert_eq!(Key::parse("AWS:UserName"), Some(Key::UserName));
        assert_eq!(Key::parse("s3:Prefix"), Some(Key::Request("s3:prefix".into())));
        assert_eq!(Key::parse("s3:ExistingObjectTag/a b"), Some(Key::Request("s3:existingobjecttag/a b".into())));
        for text in ["", "aws", "aws:", ":x", "a b:x", "aws:a b", "${aws:x"] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }
}
