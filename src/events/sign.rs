//! Signatures of messages by Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use zeroize::Zeroizing;

/// What every secret begins with, by which receivers know it.
const PREFIX: &str = "whsec_";
/// How many bytes a secret may have.
const LEAST_BYTES: usize = 24;
const MOST_BYTES: usize = 64;
/// How many bytes one that is made here has.
const GENERATED_BYTES: usize = 32;

/// What a receiver knows a sender by: 24 to 64 bytes. Wiped when the last clone is dropped.
#[derive(Clone)]
pub struct SigningSecret(Arc<Zeroizing<Vec<u8>>>);

/// A text that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is {PREFIX} and the base64 of {LEAST_BYTES} to {MOST_BYTES} bytes")]
pub struct InvalidSecret;

/// The system gave no random bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomBytes;

impl SigningSecret {
    /// Reads a secret as [`Self::reveal`] gives it.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = Zeroizing::new(BASE64.decode(encoded).map_err(|_| InvalidSecret)?);
        match (LEAST_BYTES..=MOST_BYTES).contains(&bytes.len()) {
            true => Ok(Self(Arc::new(bytes))),
            false => Err(InvalidSecret),
        }
    }

    /// A new secret of 32 random bytes.
    pub fn generate() -> Result<Self, NoRandomBytes> {
        let mut bytes = Zeroizing::new(vec![0; GENERATED_BYTES]);
        rand::fill(&mut bytes).map_err(|_| NoRandomBytes)?;
        Ok(Self(Arc::new(bytes)))
    }

    /// The secret as text: for whoever made the endpoint, once, and for what is sealed under the master key.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + MOST_BYTES.div_ceil(3) * 4));
        text.push_str(PREFIX);
        BASE64.encode_string(&**self.0, &mut text);
        text
    }

    fn tag(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(hidden)")
    }
}

/// The value of `webhook-signature`: one signature by each secret, so that receivers may know either while one takes the place
/// of the other. `id` and `timestamp` (of the attempt, in seconds since 1970) are those of the headers `webhook-id` and
/// `webhook-timestamp`; `id` has no dot.
pub fn sign(secrets: &[&SigningSecret], id: &str, timestamp: u64, body: &[u8]) -> HeaderValue {
    let head = format!("{id}.{timestamp}.");
    let signed = secrets.iter().map(|secret| format!("v1,{}", BASE64.encode(secret.tag(&[head.as_bytes(), body]))));
    let value = signed.collect::<Vec<_>>().join(" ");
    HeaderValue::try_from(value).expect("base64 with commas and spaces is a header's value")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example that the specification's own libraries test themselves with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = SigningSecret::parse(SECRET).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let value = sign(&[&secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(value, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(*secret.reveal(), SECRET);
    }

    #[test]
    fn each_secret_signs() {
        let (old, new) = (SigningSecret::parse(SECRET).unwrap(), SigningSecret::generate().unwrap());
        let both = sign(&[&new, &old], "msg_1", 5, b"body");
        let each = [&new, &old].map(|secret| sign(&[secret], "msg_1", 5, b"body").to_str().unwrap().to_owned());
        assert_eq!(both.to_str().unwrap(), each.join(" "));
        assert_ne!(each[0], each[1]);
        assert_eq!(sign(&[], "msg_1", 5, b"body"), "");
    }

    #[test]
    fn secrets_are_of_bounded_length_and_do_not_show() {
        let of = |bytes: usize| format!("{PREFIX}{}", BASE64.encode(vec![7; bytes]));
        assert!(SigningSecret::parse(&of(24)).is_ok() && SigningSecret::parse(&of(64)).is_ok());
        for wrong in [
            &of(23),
            &of(65),
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_M!KQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert_eq!(SigningSecret::parse(wrong).err(), Some(InvalidSecret), "{wrong}");
        }
        let secret = SigningSecret::generate().unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret(hidden)");
        assert_eq!(SigningSecret::parse(&secret.reveal()).unwrap().reveal(), secret.reveal());
    }

    proptest! {
        #[test]
        fn whatever_changes_changes_the_signature(body: Vec<u8>, other: Vec<u8>, time in 0u64..1 << 40) {
            let secret = SigningSecret::parse(SECRET).unwrap();
            let value = sign(&[&secret], "msg_1", time, &body);
            prop_assert_eq!(&value, &sign(&[&secret], "msg_1", time, &body));
            prop_assert_ne!(&value, &sign(&[&secret], "msg_2", time, &body));
            prop_assert_ne!(&value, &sign(&[&secret], "msg_1", time + 1, &body));
            if other != body {
                prop_assert_ne!(&value, &sign(&[&secret], "msg_1", time, &other));
            }
        }
    }
}
