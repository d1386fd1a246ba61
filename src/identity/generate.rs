//! New access keys and unique ids, in the shape that AWS gives them.

use aws_lc_rs::{digest, rand};
use zeroize::Zeroizing;

use super::{EntityName, Error, SecretKey, names};

/// The start of every access key id made here; with 16 characters behind it, as long as AWS's.
const PREFIX: &str = "BRIM";
/// The start of the key ids of temporary credentials.
const TEMPORARY_PREFIX: &str = "BRIT";
const ID_RANDOM_CHARACTERS: usize = 16;
const SECRET_CHARACTERS: usize = 40;
/// How many characters a unique id has behind its four-letter prefix.
const UNIQUE_CHARACTERS: usize = 17;

/// RFC 4648 section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// RFC 4648 section 4.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a unique id belongs to.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueId {
    User,
    Group,
    Role,
    ManagedPolicy,
}

impl UniqueId {
    fn prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::ManagedPolicy => "ANPA",
        }
    }

    /// A new id, 85 bits of it random.
    pub fn generate(self) -> Result<String, Error> {
        let random = letters::<UNIQUE_CHARACTERS>(BASE32)?;
        Ok(format!("{}{}", self.prefix(), *random))
    }
}

/// The unique id of a user that the configuration declares: it stays the same for as long as the name does.
pub fn declared_user_id(name: &EntityName) -> String {
    derived_id(UniqueId::User, &format!("brim declared user {}/{}", name.account, names::folded(&name.name)))
}

/// An id made of what it belongs to.
pub fn derived_id(kind: UniqueId, text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let letters = digest.as_ref().iter().take(UNIQUE_CHARACTERS).map(|byte| char::from(BASE32[usize::from(byte % 32)]));
    kind.prefix().chars().chain(letters).collect()
}

/// An access key id of 20 characters, 80 bits of them random.
pub fn access_key_id() -> Result<String, Error> {
    key_id(PREFIX)
}

/// The access key id of temporary credentials.
pub fn temporary_key_id() -> Result<String, Error> {
    key_id(TEMPORARY_PREFIX)
}

fn key_id(prefix: &str) -> Result<String, Error> {
    let random = letters::<ID_RANDOM_CHARACTERS>(BASE32)?;
    Ok(format!("{prefix}{}", *random))
}

/// A secret of 40 characters, 240 random bits.
pub fn secret() -> Result<SecretKey, Error> {
    let text = letters::<SECRET_CHARACTERS>(BASE64)?;
    Ok(SecretKey::parse(&text).expect("40 letters of base64 are visible ASCII"))
}

/// Random letters. The alphabet's length is a power of two, so that each letter is equally likely.
fn letters<const N: usize>(alphabet: &[u8]) -> Result<Zeroizing<String>, Error> {
    let mut random = Zeroizing::new([0u8; N]);
    rand::fill(&mut *random).map_err(|_| Error::Random)?;
    let text = random.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect();
    Ok(Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use super::super::valid_access_key_id;
    use super::*;
    use crate::names::AccountId;

    #[test]
    fn keys_have_the_shape_of_aws_keys_and_differ() {
        let (first, second) = (access_key_id().unwrap(), access_key_id().unwrap());
        assert_ne!(first, second);
        assert!(first.len() == 20 && first.starts_with("BRIM") && valid_access_key_id(&first), "{first}");
        assert!(temporary_key_id().unwrap().starts_with("BRIT"));
        assert_eq!(secret().unwrap().expose().len(), 40);
        assert_ne!(secret().unwrap(), secret().unwrap());
    }

    #[test]
    fn unique_ids_tell_what_they_belong_to() {
        let id = UniqueId::Role.generate().unwrap();
        assert!(id.len() == 21 && id.starts_with("AROA"), "{id}");
        let user = |name| declared_user_id(&EntityName::user(&AccountId::default(), name));
        assert_eq!(user("bob"), user("BOB"));
        assert_ne!(user("bob"), user("bib"));
        assert!(user("bob").len() == 21 && user("bob").starts_with("AIDA"));
    }
}
