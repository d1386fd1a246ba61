//! What a browser sends after it asked for user and password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The longest header that is read, in bytes.
const MAX_BYTES: usize = 1024;

/// A user and a password, as a client claims them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl Credentials {
    /// Reads the value of `Authorization`; `None` where it is no Basic authentication (RFC 7617 section 2) in UTF-8.
    pub fn parse(header: &[u8]) -> Option<Self> {
        if header.len() > MAX_BYTES {
            return None;
        }
        let (scheme, encoded) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(BASE64.decode(encoded.trim_start()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

/// Says who, and not with which password.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(scheme: &str, text: &[u8]) -> Vec<u8> {
        format!("{scheme} {}", BASE64.encode(text)).into_bytes()
    }

    #[test]
    fn only_basic_authentication_is_read() {
        for header in [
            b"".to_vec(),
            b"Basic".to_vec(),
            b"Basic !".to_vec(),
            header("Bearer", b"a:b"),
            header("Basic", b"ab"),
            header("Basic", b"a:\xff"),
            header("Basic", &[b'a'; MAX_BYTES]),
            b"Basic \xff".to_vec(),
        ] {
            assert_eq!(Credentials::parse(&header), None, "{}", header.escape_ascii());
        }
        assert!(Credentials::parse(&header("bAsIc ", b":")).is_some());
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = format!("{:?}", Credentials::parse(&header("Basic", b"ali:open sesame")).unwrap());
        assert!(shown.contains("ali") && !shown.contains("sesame"));
    }

    proptest! {
        #[test]
        fn user_and_password_come_through(user in "[^:]{0,20}", password in ".{0,20}") {
            let credentials = Credentials::parse(&header("Basic", format!("{user}:{password}").as_bytes()));
            prop_assert_eq!(credentials, Some(Credentials { user, password }));
        }
    }
}
