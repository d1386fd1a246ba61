//! Accounts: who owns buckets and holds users.

use aws_lc_rs::digest;

use crate::names::AccountId;

/// An account, as the configuration declares it or, for the default account, as it is without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// 64 lower-case hex digits: how ACLs name the account.
    pub canonical_id: String,
    pub display_name: String,
    pub email: Option<String>,
}

impl Account {
    /// The account of which only the number is known: with the derived canonical id, named by its number.
    pub fn plain(id: AccountId) -> Self {
        Self { canonical_id: derived_canonical_id(&id), display_name: id.to_string(), email: None, id }
    }

    /// `arn:aws:iam::ID:root`.
    pub fn root_arn(&self) -> String {
        format!("arn:aws:iam::{}:root", self.id)
    }
}

/// The canonical user id of an account that declares none: 64 hex digits that stay the same for the account's life.
pub fn derived_canonical_id(account: &AccountId) -> String {
    let text = format!("brim canonical user id of {account}");
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

/// Whether `text` can be a canonical user id: 64 lower-case hex digits.
pub fn valid_canonical_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_canonical_id_is_valid_and_stays_as_it_is() {
        let id = derived_canonical_id(&AccountId::default());
        assert!(valid_canonical_id(&id), "{id}");
        // Stored nowhere and shown to clients: another derivation would be another owner to them.
        assert_eq!(id, "326ab900b92aecf2eb70305978b2f3c801fa7814e2d4645575f38b21de54cecc");
    }
}
