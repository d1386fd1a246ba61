//! The public access block of each account: asked for by every request that a policy or a list could make public.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::table::{self, IDENTITIES};
use super::{Error, Identities, MAX_PAGE, record};
use crate::access::PublicAccessBlock;
use crate::kv::{Commit, CommitError, Item, Kv, Scan};
use crate::names::AccountId;

/// Every block that was ever put, in memory: there are no more than accounts.
#[derive(Default)]
pub struct Blocks {
    known: RwLock<HashMap<AccountId, PublicAccessBlock>>,
    /// Held from a commit to the change in memory, so that both have the same last one.
    changing: Mutex<()>,
}

impl Blocks {
    pub async fn load(kv: &Arc<dyn Kv>) -> Result<Self, Error> {
        let mut known = HashMap::new();
        let mut scan = Scan::prefix(IDENTITIES, table::PUBLIC_ACCESS_BLOCKS, MAX_PAGE);
        loop {
            let page = kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                let (account, block) = decode(&key, &value)?;
                known.insert(account, block);
                scan.start = [&key[..], b"\0"].concat();
            }
            if !page.more {
                return Ok(Self { known: RwLock::new(known), changing: Mutex::default() });
            }
        }
    }
}

impl Blocks {
    fn set(&self, account: AccountId, block: Option<PublicAccessBlock>) {
        let mut known = self.known.write();
        match block {
            Some(block) => known.insert(account, block),
            None => known.remove(&account),
        };
    }
}

impl Identities {
    /// The account's public access block, where it has one.
    pub fn public_access_block(&self, account: &AccountId) -> Option<PublicAccessBlock> {
        self.blocks.known.read().get(account).copied()
    }

    /// Puts the account's public access block, or removes it with `None`. Counts from the next request on.
    pub async fn put_public_access_block(
        &self,
        account: &AccountId,
        block: Option<PublicAccessBlock>,
    ) -> Result<(), Error> {
        let account = self.known_account(account)?.id.clone();
        let (kv, blocks) = (Arc::clone(&self.kv), Arc::clone(&self.blocks));
        // In a task of its own: whoever hangs up must not leave memory behind the row.
        let put = tokio::spawn(async move {
            let _changing = blocks.changing.lock().await;
            let key = table::public_access_block(&account);
            let commit = match &block {
                Some(block) => Commit::new().put(IDENTITIES, key.clone(), record::encode(block)),
                None => Commit::new().delete(IDENTITIES, key.clone()),
            };
            let committed = kv.commit(commit).await;
            // After a failed commit, too: it may have been applied all the same.
            let stored = match kv.get(IDENTITIES, &key).await? {
                Some(row) => Some(decode(&key, &row)?.1),
                None => None,
            };
            blocks.set(account, stored);
            match committed {
                Ok(_) => Ok(()),
                Err(CommitError::Engine(error)) => Err(error.into()),
                Err(CommitError::Conflict { .. }) => Err(Error::Contended),
            }
        });
        put.await?
    }
}

fn decode(key: &[u8], row: &[u8]) -> Result<(AccountId, PublicAccessBlock), Error> {
    let account =
        key.strip_prefix(table::PUBLIC_ACCESS_BLOCKS).and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
    let decoded = account.zip(record::decode(row));
    decoded.ok_or_else(|| Error::Record(key.escape_ascii().to_string()))
}
