//! A password for a site: HTTP Basic authentication (RFC 7617) against a hash that is slow on purpose.

mod credentials;
mod doorkeeper;

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use aws_lc_rs::{pbkdf2, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use subtle::ConstantTimeEq;

pub use credentials::Credentials;
pub use doorkeeper::{Doorkeeper, Entry};

/// The value of `WWW-Authenticate` in an answer with 401.
pub const CHALLENGE: &str = "Basic realm=\"site\", charset=\"UTF-8\"";

/// PBKDF2 with HMAC-SHA-256 (RFC 8018), in the form of PHC strings: `$pbkdf2-sha256$i=ITERATIONS$SALT$HASH`.
const NAME: &str = "pbkdf2-sha256";
/// What OWASP recommends for this function: about a sixth of a second of one processor.
const ITERATIONS: u32 = 600_000;
/// What is accepted: fewer are weak, more cost the server.
const ACCEPTED_ITERATIONS: RangeInclusive<u32> = 100_000..=1_000_000;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Who may see a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    /// Without a colon (RFC 7617 section 2).
    pub user: String,
    pub hash: Hash,
}

/// A hash of a password, with everything it takes to compare one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hash {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    derived: [u8; HASH_BYTES],
}

/// A text that is no hash of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is `$pbkdf2-sha256$i=600000$SALT$HASH`, as `brim site password` prints it")]
pub struct InvalidHash;

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random bytes")]
pub struct NoRandomBytes;

impl Hash {
    /// Hashes a password with a new salt. Takes a good part of a second.
    pub fn make(password: &str) -> Result<Self, NoRandomBytes> {
        let mut salt = vec![0; SALT_BYTES];
        rand::fill(&mut salt).map_err(|_| NoRandomBytes)?;
        let iterations = NonZeroU32::new(ITERATIONS).expect("the number is not zero");
        let mut derived = [0; HASH_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut derived);
        Ok(Self { iterations, salt, derived })
    }

    /// Reads what [`std::fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let mut parts = text.split('$');
        let (Some(""), Some(NAME)) = (parts.next(), parts.next()) else { return Err(InvalidHash) };
        let (Some(count), Some(salt), Some(derived), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidHash);
        };
        let count = count.strip_prefix("i=").and_then(|count| count.parse::<u32>().ok());
        let iterations = count.filter(|count| ACCEPTED_ITERATIONS.contains(count)).and_then(NonZeroU32::new);
        let salt = BASE64.decode(salt).map_err(|_| InvalidHash)?;
        let derived = BASE64.decode(derived).map_err(|_| InvalidHash)?;
        if !(8..=64).contains(&salt.len()) {
            return Err(InvalidHash);
        }
        let derived = derived.try_into().map_err(|_| InvalidHash)?;
        Ok(Self { iterations: iterations.ok_or(InvalidHash)?, salt, derived })
    }

    /// Whether this is the password. Takes a good part of a second, whatever the answer: not for threads that must
    /// not block. [`Doorkeeper`] remembers.
    pub fn verify(&self, password: &str) -> bool {
        let function = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::verify(function, self.iterations, &self.salt, password.as_bytes(), &self.derived).is_ok()
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (salt, derived) = (BASE64.encode(&self.salt), BASE64.encode(self.derived));
        write!(f, "${NAME}$i={}${salt}${derived}", self.iterations)
    }
}

impl Password {
    /// Whether these are the credentials. As slow as [`Hash::verify`], and no faster where the user is another one.
    pub fn verify(&self, credentials: &Credentials) -> bool {
        let user = self.user.as_bytes().ct_eq(credentials.user.as_bytes());
        self.hash.verify(&credentials.password) & bool::from(user)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Of `open sesame`, with the fewest iterations that are accepted; made with Python's hashlib.
    pub const HASH: &str = "$pbkdf2-sha256$i=100000$c2FsdHNhbHRzYWx0c2FsdA$ZlyMsyg8UImDkg487RWJO6r2T2n9342nSd/dVylWWcI";

    #[test]
    fn a_hash_of_another_implementation_is_understood() {
        let hash = Hash::parse(HASH).unwrap();
        assert!(hash.verify("open sesame"));
        assert!(!hash.verify("open sesame ") && !hash.verify(""));
        assert_eq!(hash.to_string(), HASH);
    }

    #[test]
    fn a_new_hash_has_its_own_salt_and_is_read_again() {
        let (one, other) = (Hash::make("a").unwrap(), Hash::make("a").unwrap());
        assert_ne!(one, other);
        assert_eq!(Hash::parse(&one.to_string()), Ok(one.clone()));
        assert!(one.verify("a") && !one.verify("b"));
    }

    #[test]
    fn user_and_password_must_both_be_right() {
        let password = Password { user: "ali".to_owned(), hash: Hash::parse(HASH).unwrap() };
        for (user, text, expected) in
            [("ali", "open sesame", true), ("ali", "x", false), ("baba", "open sesame", false), ("", "", false)]
        {
            let credentials = Credentials { user: user.to_owned(), password: text.to_owned() };
            assert_eq!(password.verify(&credentials), expected, "{user} {text}");
        }
    }

    #[test]
    fn weak_costly_and_broken_hashes_are_refused() {
        let with = |from: &str, to: &str| HASH.replacen(from, to, 1);
        for text in [
            "",
            "open sesame",
            &with("i=100000", "i=99999"),
            &with("i=100000", "i=1000001"),
            &with("i=100000", "i=-1"),
            &with("i=100000", "100000"),
            &with("pbkdf2-sha256", "argon2id"),
            &with("c2FsdHNhbHRzYWx0c2FsdA", "c2Fs"),
            &with("c2FsdHNhbHRzYWx0c2FsdA", "!"),
            &format!("{HASH}$"),
            &HASH[..HASH.len() - 4],
            &HASH[1..],
        ] {
            assert_eq!(Hash::parse(text), Err(InvalidHash), "{text}");
        }
    }
}
