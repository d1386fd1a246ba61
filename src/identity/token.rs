//! Session tokens: everything that temporary credentials stand for, sealed, so that nothing of them is stored.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Error, MasterKey};
use crate::clock::Timestamp;
use crate::names::AccountId;

const VERSION: u8 = 1;

/// The longest token that is looked at, in bytes: above the longest session policy and ARNs, sealed and written out.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Seals and opens session tokens. Its key is made of the master key and serves nothing else.
pub struct Tokens(LessSafeKey);

/// What a token says. Whether the user or role is still there, and what it may do, is looked up at every request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub secret: String,
    pub account: AccountId,
    pub of: SessionOf,
    pub expires: Timestamp,
    /// The policy given with the session, as its text.
    pub policy: Option<String>,
    /// Managed policies given with the session, by ARN.
    pub policy_arns: Vec<String>,
}

/// Who the session stands for. Unique ids keep it from standing for a later one of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionOf {
    Root,
    User { name: String, id: String },
    Role { name: String, id: String, session: String },
}

impl Tokens {
    pub fn new(master: &MasterKey) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, master.expose());
        let derived = hmac::sign(&key, b"brim session tokens");
        let key = UnboundKey::new(&AES_256_GCM, derived.as_ref()).expect("an HMAC-SHA256 has the 32 bytes of AES-256");
        Self(LessSafeKey::new(key))
    }

    /// Gives the token of `session`, which opens beside this access key id alone: visible ASCII. Random 96-bit nonces are
    /// safe for 2^32 tokens under one key (NIST SP 800-38D section 8.3).
    pub fn seal(&self, access_key_id: &str, session: &Session) -> Result<String, Error> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| Error::Random)?;
        let mut sealed = Zeroizing::new(postcard::to_stdvec(session).expect("encoding into a Vec does not fail"));
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(access_key_id), &mut *sealed)
            .expect("a session is far below AES-GCM's limit of 64 GiB");
        Ok(STANDARD.encode([&[VERSION], &nonce[..], &sealed].concat()))
    }

    /// Gives what the token says, expired or not; [`Error::InvalidToken`] where it was not sealed here, for this access key
    /// id, or was changed.
    pub fn open(&self, access_key_id: &str, token: &str) -> Result<Session, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::InvalidToken);
        }
        let sealed = STANDARD.decode(token).map_err(|_| Error::InvalidToken)?;
        let (nonce, bytes) = match sealed.split_first() {
            Some((&VERSION, rest)) => rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::InvalidToken)?,
            _ => return Err(Error::InvalidToken),
        };
        let mut bytes = Zeroizing::new(bytes.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(access_key_id), &mut bytes);
        let plain = plain.map_err(|_| Error::InvalidToken)?;
        let (session, rest) = postcard::take_from_bytes(plain).map_err(|_| Error::InvalidToken)?;
        if rest.is_empty() { Ok(session) } else { Err(Error::InvalidToken) }
    }
}

/// What a token is remembered by.
pub fn digest_of(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::MASTER_KEY_BYTES;
    use super::*;

    fn tokens(master: u8) -> Tokens {
        Tokens::new(&MasterKey::new([master; MASTER_KEY_BYTES].into()))
    }

    fn session(policy: Option<String>) -> Session {
        Session {
            secret: "a-secret".to_owned(),
            account: AccountId::default(),
            of: SessionOf::User { name: "bob".to_owned(), id: "AIDA1".to_owned() },
            expires: Timestamp::from_seconds(1),
            policy,
            policy_arns: vec!["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned()],
        }
    }

    #[test]
    fn a_token_opens_only_on_its_server_beside_its_key_and_unchanged() {
        let token = tokens(7).seal("BRITA", &session(None)).unwrap();
        assert_eq!(tokens(7).open("BRITA", &token).unwrap(), session(None));
        assert!(matches!(tokens(7).open("BRITB", &token), Err(Error::InvalidToken)));
        assert!(matches!(tokens(8).open("BRITA", &token), Err(Error::InvalidToken)));
        let bytes = STANDARD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(tokens(7).open("BRITA", &STANDARD.encode(&changed)).is_err(), "byte {at}");
            assert!(tokens(7).open("BRITA", &STANDARD.encode(&bytes[..at])).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn nothing_of_a_session_is_readable_and_no_two_tokens_are_alike() {
        let (first, second) = (tokens(7).seal("A", &session(None)), tokens(7).seal("A", &session(None)));
        let bytes = STANDARD.decode(first.as_ref().unwrap()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret" || window == b"Amazon"));
        assert_ne!(first.unwrap(), second.unwrap());
    }

    proptest! {
        #[test]
        fn sessions_come_back(policy in proptest::option::of(".{0,200}"), key in "[A-Z0-9]{3,20}") {
            let token = tokens(7).seal(&key, &session(policy.clone())).unwrap();
            prop_assert!(token.is_ascii());
            prop_assert_eq!(tokens(7).open(&key, &token).unwrap(), session(policy));
        }

        #[test]
        fn any_text_is_refused_without_panic(text in "\\PC{0,200}") {
            prop_assert!(tokens(7).open("BRITA", &text).is_err());
        }
    }
}
