//! New access keys, in the shape that AWS gives them.

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{Error, SecretKey};

/// The start of every access key id made here; with 16 characters behind it, as long as AWS's.
const PREFIX: &str = "BRIM";
const ID_RANDOM_CHARACTERS: usize = 16;
const SECRET_CHARACTERS: usize = 40;

/// RFC 4648 section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// RFC 4648 section 4.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// An access key id of 20 characters, 80 bits of them random.
pub fn access_key_id() -> Result<String, Error> {
    let random = letters::<ID_RANDOM_CHARACTERS>(BASE32)?;
    Ok(format!("{PREFIX}{}", *random))
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

    #[test]
    fn keys_have_the_shape_of_aws_keys_and_differ() {
        let (first, second) = (access_key_id().unwrap(), access_key_id().unwrap());
        assert_ne!(first, second);
        assert!(first.len() == 20 && first.starts_with("BRIM") && valid_access_key_id(&first), "{first}");
        assert_eq!(secret().unwrap().expose().len(), 40);
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
