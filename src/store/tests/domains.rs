//! Custom domains: who may have one, what it leads to, and that memory says what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fixture::{Fixture, bucket_name};
use crate::kv::{Commit, Fault, Kv};
use crate::names::{AccountId, HostName};
use crate::store::bucket::CreateBucket;
use crate::store::change::{Cause, ChangeKind};
use crate::store::domains::{ClaimDomain, Claimed, Error, Source, State};
use crate::store::tables::{self, DOMAINS};
use crate::store::{self, Store, fsck};

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

impl Fixture {
    async fn claim(&self, domain: &str, bucket: &str) -> Result<Claimed, Error> {
        let (domain, bucket) = (name(domain), bucket_name(bucket));
        self.store.claim_domain(ClaimDomain { domain, bucket, cause: Cause::default() }).await
    }

    async fn release(&self, domain: &str) -> Result<String, Error> {
        let released = self.store.release_domain(name(domain), Cause::default()).await?;
        Ok(released.bucket.to_string())
    }

    /// The bucket that a host leads to.
    async fn at(&self, host: &str) -> Option<String> {
        at(&self.store, host).await
    }

    async fn bucket_of(&self, name: &str, account: &str) {
        let create = CreateBucket {
            name: bucket_name(name),
            account: account.parse().unwrap(),
            region: "us-east-1".to_owned(),
            configuration: Vec::new(),
            cause: Cause::default(),
        };
        self.store.create_bucket(create).await.unwrap();
    }

    /// The kinds of what a check finds.
    async fn found(&self) -> Vec<String> {
        let (_, findings) = self.fsck(fsck::Options { serving: false, repair: false }).await;
        findings.into_iter().map(|finding| finding.kind).collect()
    }

    fn declare(&self, domains: &[(&str, &str)]) {
        let declared: BTreeMap<_, _> =
            domains.iter().map(|(domain, bucket)| (name(domain), bucket_name(bucket))).collect();
        self.store.declare_domains(declared);
    }
}

async fn at(store: &Store, host: &str) -> Option<String> {
    store.domain(&name(host)).await.unwrap().map(|bucket| bucket.record.name.to_string())
}

#[tokio::test]
async fn a_domain_leads_to_the_bucket_that_claimed_it_until_it_is_released() {
    let fixture = Fixture::new().await;
    fixture.bucket("pail").await;
    assert_eq!(fixture.at("www.example.com").await, None);
    let claimed = fixture.claim("www.example.com", "pail").await.unwrap();
    assert_eq!(claimed, Claimed { account: AccountId::default(), before: None });
    assert_eq!(fixture.at("www.example.com").await.as_deref(), Some("pail"));
    assert_eq!(fixture.at("example.com").await, None);
    // Looking up reads the bucket's row and nothing else, and for a host that nobody has nothing at all.
    fixture.kv.fail_at(u64::MAX, Fault::Refused);
    fixture.at("www.example.com").await;
    assert_eq!(fixture.kv.calls(), 1);
    fixture.at("other.example.com").await;
    assert_eq!(fixture.kv.calls(), 1);
    let again = fixture.reopen().await;
    assert_eq!(again.at("www.example.com").await.as_deref(), Some("pail"), "after a restart");
    assert_eq!(again.release("www.example.com").await.unwrap(), "pail");
    assert_eq!(again.at("www.example.com").await, None);
    assert!(matches!(again.release("www.example.com").await, Err(Error::NoSuchDomain(_))));
    let kinds: Vec<_> = again.changes().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds[1..], [ChangeKind::BucketConfiguration, ChangeKind::BucketConfiguration]);
    assert!(again.found().await.is_empty());
}

#[tokio::test]
async fn a_domain_belongs_to_the_first_account_that_claims_it() {
    let fixture = Fixture::new().await;
    fixture.bucket("pail").await;
    fixture.bucket("other").await;
    fixture.bucket_of("foreign", "111111111111").await;
    fixture.claim("www.example.com", "pail").await.unwrap();
    let refused = fixture.claim("www.example.com", "foreign").await.unwrap_err();
    assert!(matches!(&refused, Error::Taken { account, .. } if *account == AccountId::default()), "{refused}");
    assert_eq!(fixture.at("www.example.com").await.as_deref(), Some("pail"));
    let before = |claimed: Claimed| claimed.before.map(|bucket| bucket.to_string());
    let logged = fixture.changes().await.len();
    assert_eq!(before(fixture.claim("www.example.com", "pail").await.unwrap()).as_deref(), Some("pail"));
    assert_eq!(fixture.changes().await.len(), logged, "a claim that changes nothing writes nothing");
    assert_eq!(before(fixture.claim("www.example.com", "other").await.unwrap()).as_deref(), Some("pail"));
    assert_eq!(fixture.at("www.example.com").await.as_deref(), Some("other"));
    assert_eq!(fixture.changes().await.len(), logged + 2, "both buckets' sites changed");
    let missing = fixture.claim("www.example.com", "nowhere").await;
    assert!(matches!(missing, Err(Error::Store(store::Error::NoSuchBucket(_)))));
}

#[tokio::test]
async fn the_domain_of_a_deleted_bucket_shows_nothing_and_is_free() {
    let fixture = Fixture::new().await;
    fixture.bucket("pail").await;
    fixture.claim("www.example.com", "pail").await.unwrap();
    fixture.delete_bucket("pail").await.unwrap();
    assert_eq!(fixture.at("www.example.com").await, None);
    assert_eq!(fixture.found().await, ["domain_without_bucket"]);
    fixture.bucket("pail").await;
    assert_eq!(fixture.at("www.example.com").await, None, "another bucket of the same name");
    let page = fixture.store.domains(None, 10).await.unwrap();
    assert_eq!(page.domains[0].state, State::NoBucket);
    fixture.bucket_of("foreign", "111111111111").await;
    assert_eq!(fixture.claim("www.example.com", "foreign").await.unwrap().before, None);
    assert_eq!(fixture.at("www.example.com").await.as_deref(), Some("foreign"));
    assert!(fixture.found().await.is_empty());
    fixture.delete_bucket("foreign").await.unwrap();
    assert_eq!(fixture.release("www.example.com").await.unwrap(), "foreign");
    assert!(fixture.found().await.is_empty());
}

#[tokio::test]
async fn what_the_configuration_declares_counts_first() {
    let fixture = Fixture::new().await;
    fixture.bucket("pail").await;
    fixture.bucket("declared").await;
    fixture.claim("www.example.com", "pail").await.unwrap();
    fixture.declare(&[("www.example.com", "declared"), ("a.example.com", "nowhere")]);
    assert_eq!(fixture.at("www.example.com").await.as_deref(), Some("declared"));
    let missing = fixture.store.domain(&name("a.example.com")).await;
    assert!(matches!(missing, Err(store::Error::NoSuchBucket(_))));
    assert!(matches!(fixture.claim("www.example.com", "pail").await, Err(Error::Declared { .. })));
    assert!(matches!(fixture.release("a.example.com").await, Err(Error::Declared { .. })));
    let page = fixture.store.domains(None, 10).await.unwrap();
    let listed: Vec<_> = page
        .domains
        .iter()
        .map(|summary| (summary.domain.as_str(), summary.bucket.as_str(), &summary.source, summary.state))
        .collect();
    let claim = Source::Claim { account: AccountId::default(), created: fixture.clock.now() };
    let expected = [
        ("a.example.com", "nowhere", &Source::Configuration, State::NoBucket),
        ("www.example.com", "declared", &Source::Configuration, State::InForce),
        ("www.example.com", "pail", &claim, State::Overridden),
    ];
    assert_eq!(listed, expected);
    // A claim that is overridden can still be taken back; without the declaration it would count again.
    fixture.declare(&[]);
    assert_eq!(fixture.at("www.example.com").await.as_deref(), Some("pail"));
    fixture.declare(&[("www.example.com", "declared")]);
    assert_eq!(fixture.release("www.example.com").await.unwrap(), "pail");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let fixture = Fixture::new().await;
    fixture.bucket("pail").await;
    for number in 0..5 {
        fixture.claim(&format!("d{number}.example.com"), "pail").await.unwrap();
    }
    fixture.declare(&[("d1x.example.com", "pail"), ("d3.example.com", "pail")]);
    for limit in 1..8 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = fixture.store.domains(after.as_ref(), limit).await.unwrap();
            seen.extend(page.domains.into_iter().map(|summary| summary.domain.to_string()));
            after = page.after;
            if after.is_none() {
                break;
            }
        }
        let expected = ["d0", "d1", "d1x", "d2", "d3", "d3", "d4"].map(|label| format!("{label}.example.com"));
        assert_eq!(seen, expected, "{limit} at a time");
    }
}

/// Whatever call fails: what is in memory is what the next run finds.
#[tokio::test]
async fn memory_agrees_with_the_rows_after_every_failure() {
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::Paused] {
        for call in 1..14 {
            let fixture = Fixture::new().await;
            fixture.bucket("pail").await;
            fixture.bucket("other").await;
            fixture.claim("moved.example.com", "pail").await.unwrap();
            fixture.claim("gone.example.com", "pail").await.unwrap();
            fixture.kv.fail_at(call, fault);
            let _ = fixture.claim("new.example.com", "pail").await;
            let _ = fixture.claim("moved.example.com", "other").await;
            let _ = fixture.release("gone.example.com").await;
            let again = fixture.reopen().await;
            for host in ["new.example.com", "moved.example.com", "gone.example.com"] {
                assert_eq!(fixture.at(host).await, again.at(host).await, "{host}, {fault:?} at call {call}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_claims_at_a_time_one_account_has_the_domain() {
    let fixture = Arc::new(Fixture::new().await);
    for account in 0..8 {
        fixture.bucket_of(&format!("bucket-{account}"), &format!("{account}").repeat(12)).await;
    }
    let claims = (0..8).map(|account| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move { fixture.claim("www.example.com", &format!("bucket-{account}")).await.is_ok() })
    });
    let mut won = Vec::new();
    for (account, claim) in claims.collect::<Vec<_>>().into_iter().enumerate() {
        if claim.await.unwrap() {
            won.push(account);
        }
    }
    let [winner] = won[..] else { panic!("{won:?}") };
    assert_eq!(fixture.at("www.example.com").await, Some(format!("bucket-{winner}")));
}

#[tokio::test]
async fn a_claim_meets_a_bucket_that_is_being_deleted() {
    let fixture = Fixture::new().await;
    let mut bucket = fixture.bucket("pail").await.record;
    bucket.state = store::record::BucketState::Deleting;
    let row = tables::bucket(&bucket.name);
    let announced = Commit::new().put(tables::BUCKETS, row, store::codec::encode(&bucket));
    fixture.kv.inner().commit(announced).await.unwrap();
    let refused = fixture.claim("www.example.com", "pail").await;
    assert!(matches!(refused, Err(Error::Store(store::Error::BucketBusy(_)))));
}

#[tokio::test]
async fn a_damaged_row_serves_nothing_and_is_found() {
    let fixture = Fixture::new().await;
    fixture.bucket("pail").await;
    fixture.claim("good.example.com", "pail").await.unwrap();
    for (key, value) in [("bad.example.com", &b"\xff"[..]), ("Not a name", b"x")] {
        fixture.kv.inner().commit(Commit::new().put(DOMAINS, key.as_bytes().to_vec(), value)).await.unwrap();
    }
    let again = fixture.reopen().await;
    assert_eq!(again.at("good.example.com").await.as_deref(), Some("pail"));
    assert_eq!(again.at("bad.example.com").await, None);
    let refused = again.claim("bad.example.com", "pail").await;
    assert!(matches!(refused, Err(Error::Store(store::Error::Record(_)))), "it may be somebody's");
    assert_eq!(again.found().await, ["unreadable_record", "unreadable_record"]);
}
