//! Distributions and their invalidations.

use super::fixture::Fixture;
use crate::names::AccountId;
use crate::store::change::Cause;
use crate::store::distributions::{
    DistributionId, Error, Invalidate, Invalidated, InvalidationId, InvalidationRecord, MAX_KEPT, Register,
};
use crate::store::log::Logged;
use crate::store::{Position, Store};

fn account(digit: &str) -> AccountId {
    digit.repeat(12).parse().unwrap()
}

fn register(account: AccountId, site: &str, document: &str) -> Register {
    Register { account, site: site.to_owned(), registrant: "someone".to_owned(), document: document.into() }
}

fn invalidate(distribution: DistributionId, reference: &str, item: &str) -> Invalidate {
    Invalidate {
        account: account("1"),
        distribution,
        reference: reference.to_owned(),
        items: vec![item.to_owned()],
        document: item.into(),
        cause: Cause::default(),
    }
}

impl Fixture {
    async fn www(&self) -> DistributionId {
        self.store.register_distribution(register(account("1"), "www", "{}")).await.unwrap()
    }

    async fn invalidated(&self, id: DistributionId, reference: &str, item: &str) -> Result<Invalidated, Error> {
        self.store.invalidate(invalidate(id, reference, item)).await
    }

    async fn numbers(&self, id: DistributionId, after: Option<u64>, limit: usize) -> Vec<u64> {
        let found = self.store.invalidations(id, after.map(InvalidationId), limit).await.unwrap();
        found.iter().map(|record| record.number).collect()
    }
}

async fn last_purge(store: &Store) -> (u64, Vec<u8>) {
    let rows = store.read_log(Position(0), 10_000).await.unwrap().unwrap().rows;
    match rows.last() {
        Some((position, Logged::Purge(purge))) => (position.0, purge.document.clone()),
        other => panic!("no purge: {other:?}"),
    }
}

#[tokio::test]
async fn a_site_is_registered_once_and_changed_in_place() {
    let fixture = Fixture::new().await;
    let id = fixture.www().await;
    let before = fixture.store.distribution(&account("1"), id).await.unwrap();
    assert_eq!(fixture.www().await, id);
    assert_eq!(fixture.store.distribution(&account("1"), id).await.unwrap(), before);
    fixture.clock.advance(std::time::Duration::from_secs(1));
    fixture.store.register_distribution(register(account("1"), "www", "{1}")).await.unwrap();
    let after = fixture.store.distribution(&account("1"), id).await.unwrap();
    assert_eq!((after.document.as_slice(), after.created), (&b"{1}"[..], before.created));
    assert!(after.modified > before.modified);
    let other = fixture.store.register_distribution(register(account("2"), "www", "{}")).await.unwrap();
    assert_ne!(other, id);
    assert!(matches!(fixture.store.distribution(&account("2"), id).await, Err(Error::NoSuchDistribution)));
    assert_eq!(fixture.store.distributions(None).await.unwrap().len(), 2);
    assert_eq!(fixture.store.distributions(Some(&account("2"))).await.unwrap()[0].0, other);
    fixture.check().await;
}

#[tokio::test]
async fn an_invalidation_is_a_purge_in_the_log_and_its_reference_finds_it_again() {
    let fixture = Fixture::new().await;
    let id = fixture.www().await;
    let first = fixture.invalidated(id, "r", "/a").await.unwrap();
    assert_eq!(last_purge(&fixture.store).await, (first.record.position, b"/a".to_vec()));
    assert!(first.is_new && !first.record.completed);
    let again = fixture.invalidated(id, "r", "/a").await.unwrap();
    assert_eq!(again, Invalidated { is_new: false, ..first.clone() });
    assert!(matches!(fixture.invalidated(id, "r", "/b").await, Err(Error::ReferenceTaken)));
    let next = fixture.reopen().await;
    assert_eq!(next.invalidated(id, "r", "/a").await.unwrap().record, first.record);
    let unknown = DistributionId::of(&account("1"), "shop");
    assert!(matches!(next.invalidated(unknown, "r", "/a").await, Err(Error::NoSuchDistribution)));
    next.store.complete_invalidation(id, InvalidationId(1)).await.unwrap();
    let record = next.store.invalidation(id, InvalidationId(1)).await.unwrap();
    assert_eq!(record, Some(InvalidationRecord { completed: true, ..first.record }));
    next.check().await;
}

#[tokio::test]
async fn the_newest_come_first_and_no_more_than_so_many_are_kept() {
    let fixture = Fixture::new().await;
    let id = fixture.www().await;
    for number in 0..MAX_KEPT + 3 {
        fixture.invalidated(id, &number.to_string(), "/a").await.unwrap();
    }
    assert_eq!(fixture.numbers(id, None, 2).await, [MAX_KEPT + 3, MAX_KEPT + 2]);
    assert_eq!(fixture.numbers(id, Some(6), 9).await, [5, 4]);
    // A reference that is no longer kept is a new one.
    assert!(fixture.invalidated(id, "0", "/b").await.unwrap().is_new);
    fixture.check().await;
}
