//! The life of identities, on the in-memory engine.

mod declared;
mod entities;
mod keys;
mod policies;
mod sessions;

use std::sync::Arc;

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::kv::{Kv, MemoryKv};
use crate::names::AccountId;

const MASTER: [u8; MASTER_KEY_BYTES] = [7; MASTER_KEY_BYTES];
const NOW: Timestamp = Timestamp::from_seconds(1_000);
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/bob"},"Action":"sts:AssumeRole"}]}"#;

/// An engine with the tables of identities, and a clock that stands still.
struct Fixture {
    kv: Arc<dyn Kv>,
    clock: Clock,
    identities: Identities,
    account: AccountId,
}

fn memory() -> Arc<dyn Kv> {
    Arc::new(MemoryKv::new(&[KEYS, IDENTITIES]))
}

async fn open(kv: Arc<dyn Kv>, master: [u8; MASTER_KEY_BYTES]) -> Result<Identities, Error> {
    open_with(kv, master, Declared::default(), Clock::fixed(NOW)).await
}

async fn open_with(
    kv: Arc<dyn Kv>,
    master: [u8; MASTER_KEY_BYTES],
    declared: Declared,
    clock: Clock,
) -> Result<Identities, Error> {
    let root = RootKey::new("root", SecretKey::parse("root-secret").unwrap());
    Identities::open(kv, MasterKey::new(master.into()), root, declared, clock).await
}

async fn fixture() -> Fixture {
    fixture_with(Declared::default()).await
}

async fn fixture_with(declared: Declared) -> Fixture {
    let (kv, clock) = (memory(), Clock::fixed(NOW));
    let identities = open_with(kv.clone(), MASTER, declared, clock.clone()).await.unwrap();
    Fixture { kv, clock, identities, account: AccountId::default() }
}

impl Fixture {
    fn user(&self, name: &str) -> EntityName {
        EntityName::user(&self.account, name)
    }

    fn group(&self, name: &str) -> EntityName {
        EntityName::group(&self.account, name)
    }

    fn role(&self, name: &str) -> EntityName {
        EntityName::role(&self.account, name)
    }

    async fn make_user(&self, name: &str) -> Entity {
        self.identities.create_user(&self.account, name, "/").await.unwrap()
    }

    async fn make_key(&self, user: &str) -> NewKey {
        let holder = Holder::User { account: self.account.clone(), name: user.to_owned() };
        self.identities.create_key(&holder, "").await.unwrap()
    }

    async fn make_policy(&self, name: &str) -> String {
        let new = NewPolicy {
            account: self.account.clone(),
            name: name.to_owned(),
            path: "/".to_owned(),
            description: String::new(),
            document: ALLOW.to_owned(),
        };
        self.identities.create_policy(new).await.unwrap().arn()
    }

    /// The names of the policies that the next request with this key is judged by.
    async fn policies_of_key(&self, id: &str) -> Vec<String> {
        let key = self.identities.authenticate(id, None).await.unwrap().unwrap();
        key.caller.policies.iter().map(|policy| policy.name.clone()).collect()
    }
}

/// The first `count` items of a list, or all.
fn first(count: usize) -> Wanted<'static> {
    Wanted { limit: count, ..Wanted::default() }
}
