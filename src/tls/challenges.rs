//! Answers to the HTTP-01 challenges of a certificate authority: RFC 8555 section 8.3.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// The path under which an authority asks, over plain HTTP; the token follows.
pub const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";

/// The answers that are offered at present. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Challenges(Arc<RwLock<HashMap<String, String>>>);

/// Offers an answer until it is dropped.
#[derive(Debug)]
pub struct Offered {
    challenges: Challenges,
    token: String,
}

impl Challenges {
    /// The body to answer with where an authority asks for `token`; `None` where nobody waits for that.
    pub fn answer(&self, token: &str) -> Option<String> {
        self.0.read().get(token).cloned()
    }

    /// Offers `answer` for `token`. Orders are carried out one at a time, so there are never more than a handful.
    #[must_use]
    pub fn offer(&self, token: &str, answer: &str) -> Offered {
        self.0.write().insert(token.to_owned(), answer.to_owned());
        Offered { challenges: self.clone(), token: token.to_owned() }
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.challenges.0.write().remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_as_long_as_it_is_offered() {
        let challenges = Challenges::default();
        let offered = challenges.offer("token", "token.thumbprint");
        assert_eq!(challenges.clone().answer("token").as_deref(), Some("token.thumbprint"));
        assert_eq!(challenges.answer("other"), None);
        drop(offered);
        assert_eq!(challenges.answer("token"), None);
    }
}
