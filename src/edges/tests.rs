//! The feed, without HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Edges, Options};
use crate::feed::{
    Behaviour, EdgeId, EdgeName, Entry, LEASE, MARGIN, Moment, Origin as SiteOrigin, OriginKind, Page, Poll, Position,
    Purge, PurgeRequest, Scope, Site, Target, VERSION, What,
};
use crate::guard::Origin;
use crate::http::head::Head;
use crate::identity::{EntityName, Holder, IDENTITIES, Identities, KEYS, Key, MasterKey, RootKey};
use crate::names::AccountId;
use crate::store::change::Cause;
use crate::store::tests::fixture::Fixture;

const NOWHERE: Origin = Origin { address: None, secure: false };

struct Bench {
    fixture: Fixture,
    identities: Arc<Identities>,
    edges: Arc<Edges>,
    root: Key,
}

impl Bench {
    async fn new() -> Self {
        Self::on(Fixture::beside(&[KEYS, IDENTITIES], Default::default()).await).await
    }

    async fn on(fixture: Fixture) -> Self {
        let (master, root) = (MasterKey::generate().unwrap(), RootKey::generate().unwrap());
        let id = root.access_key_id().to_owned();
        let (kv, clock) = (fixture.kv.clone(), fixture.clock.clone());
        let identities = Identities::open(kv, master, root, Default::default(), clock.clone()).await.unwrap();
        let identities = Arc::new(identities);
        let options = Options { auth: Default::default(), body_idle: Duration::ZERO, min_rate: 0 };
        let edges = Edges::open(fixture.store.clone(), identities.clone(), clock, b"", options).await.unwrap();
        let root = identities.authenticate(&id, None).await.unwrap().unwrap();
        Self { fixture, identities, edges: Arc::new(edges), root }
    }

    /// A key of a user with this policy.
    async fn user(&self, name: &str, statements: &str) -> Key {
        let account = AccountId::default();
        self.identities.create_user(&account, name, "/").await.unwrap();
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        self.identities.put_inline_policy(&EntityName::user(&account, name), "p", &document).await.unwrap();
        let holder = Holder::User { account, name: name.to_owned() };
        let made = self.identities.create_key(&holder, "").await.unwrap();
        self.identities.authenticate(&made.access_key_id, None).await.unwrap().unwrap()
    }

    async fn poll(&self, poll: Poll) -> Page {
        self.edges.poll(&self.root, NOWHERE, poll).await.unwrap()
    }

    /// The code of a refusal.
    async fn refused(&self, key: &Key, poll: Poll) -> &'static str {
        self.edges.poll(key, NOWHERE, poll).await.unwrap_err().code().1
    }

    async fn put(&self, bucket: &str, key: &str) -> u64 {
        let bucket = self.fixture.bucket(bucket).await;
        self.fixture.put(&bucket, key, &Bytes::new()).await.unwrap().position.0
    }

    fn gone(&self, offset: u64) -> bool {
        self.edges.is_gone(offset, None)
    }
}

fn poll(name: &str, from: Option<Position>) -> Poll {
    let edge = EdgeId { name: EdgeName::parse(name).unwrap(), run: 1 };
    Poll {
        version: VERSION,
        edge,
        from,
        applied: from,
        wait: 0,
        sites: Some(Vec::new()),
        behind: Vec::new(),
        leaving: false,
    }
}

fn at(page: &Page) -> Option<Position> {
    Some(Position { log: page.log, offset: page.next })
}

fn keys(entries: &[Entry]) -> Vec<String> {
    let name = |entry: &Entry| match &entry.what {
        What::Object { key, .. } => key.clone(),
        What::Configuration { bucket } => format!("{bucket}!"),
        What::Purge { purges } => format!("purge {}", purges[0].target),
        What::Unknown => "?".to_owned(),
    };
    entries.iter().map(name).collect()
}

fn site(id: &str, host: &str) -> Site {
    let behaviour = Behaviour { path: "*".into(), min_ttl: 0, default_ttl: 0, max_ttl: 1, compress: false };
    let origins = vec![SiteOrigin { name: "pail".into(), kind: OriginKind::Bucket }];
    Site { id: id.into(), hosts: vec![host.into()], origins, behaviours: vec![behaviour] }
}

#[tokio::test]
async fn an_edge_begins_where_the_log_ends_and_then_hears_everything_once() {
    let bench = Bench::new().await;
    bench.put("pail", "before").await;
    let first = bench.poll(poll("a", None)).await;
    assert!(first.flush && first.entries.is_empty() && first.lease.is_some() && first.next == 2);
    bench.put("pail", "one").await;
    bench.put("pail", "_headers").await;
    let second = bench.poll(poll("a", at(&first))).await;
    assert_eq!(keys(&second.entries), ["one", "_headers"]);
    assert!(matches!(second.entries[1].what, What::Object { configuration: true, .. }));
    assert!(!second.flush && (second.from, second.next) == (2, 4));
    let again = bench.poll(poll("a", at(&first))).await;
    assert_eq!(again.entries, second.entries, "until it says that it has them");
    assert!(bench.poll(poll("a", at(&second))).await.entries.is_empty());
}

#[tokio::test]
async fn what_is_gone_is_what_every_live_edge_has_applied() {
    let bench = Bench::new().await;
    let (one, two) = (bench.poll(poll("a", None)).await, bench.poll(poll("b", None)).await);
    let offset = bench.put("pail", "k").await;
    assert!(!bench.gone(offset));
    let heard = bench.poll(poll("a", at(&one))).await;
    bench.poll(poll("a", at(&heard))).await;
    let heard = bench.poll(poll("b", at(&two))).await;
    assert!(!bench.gone(offset), "it was only sent");
    bench.poll(poll("b", at(&heard))).await;
    assert!(bench.gone(offset));
    assert!(!bench.gone(offset + 1));
    bench.poll(Poll { leaving: true, ..poll("a", at(&heard)) }).await;
    bench.poll(Poll { leaving: true, ..poll("b", at(&heard)) }).await;
    assert!(bench.gone(offset + 1), "nobody is left");
}

#[tokio::test]
async fn a_poll_waits_for_the_commit_and_not_for_a_timer() {
    let bench = Bench::new().await;
    bench.put("pail", "before").await;
    let first = bench.poll(poll("a", None)).await;
    let edges = bench.edges.clone();
    let (root, waiting) = (bench.root.clone(), Poll { wait: 60_000, ..poll("a", at(&first)) });
    let polling = tokio::spawn(async move { edges.poll(&root, NOWHERE, waiting).await });
    while bench.edges.registry.lock().live(Moment::now()).count() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!polling.is_finished());
    bench.put("pail", "k").await;
    let page = tokio::time::timeout(Duration::from_secs(1), polling).await.unwrap().unwrap().unwrap();
    assert_eq!(keys(&page.entries), ["k"]);
}

#[tokio::test]
async fn an_edge_hears_of_the_buckets_that_it_may_read_and_nobody_waits_for_it_over_others() {
    let bench = Bench::new().await;
    let connect = r#"{"Effect":"Allow","Action":"brim:ConnectEdge","Resource":"*"}"#;
    let read = r#"{"Effect":"Allow","Action":"brim:ReadFeed","Resource":"arn:aws:s3:::pail"}"#;
    let stranger = bench.user("stranger", read).await;
    assert_eq!(bench.refused(&stranger, poll("x", None)).await, "AccessDenied");
    let key = bench.user("edge", &format!("{connect},{read}")).await;
    let theirs = |poll| bench.edges.poll(&key, NOWHERE, poll);
    let first = theirs(poll("a", None)).await.unwrap();
    bench.put("pail", "one").await;
    let other = bench.put("tub", "two").await;
    let second = theirs(poll("a", at(&first))).await.unwrap();
    assert_eq!(keys(&second.entries), ["pail!", "one"]);
    assert_eq!(second.next, other);
    theirs(poll("a", at(&second))).await.unwrap();
    assert!(bench.gone(other));
    let more = bench.put("tub", "three").await;
    assert!(!bench.gone(more), "it was not looked at yet");
    theirs(poll("a", at(&second))).await.unwrap();
    assert!(bench.gone(more), "and is nothing to it");
}

#[tokio::test]
async fn positions_of_other_logs_are_flushed_and_so_are_those_beyond_the_end() {
    let bench = Bench::new().await;
    let offset = bench.put("pail", "k").await;
    let first = bench.poll(poll("a", None)).await;
    let beyond = Position { log: first.log, offset: offset + 5 };
    assert!(bench.poll(poll("a", Some(beyond))).await.flush);
    let other = Position { log: crate::names::LogId([9; 16]), offset };
    assert!(bench.poll(poll("a", Some(other))).await.flush);
    bench.edges.reconfigure(b"").await.unwrap();
    assert!(!bench.poll(poll("a", at(&first))).await.flush, "nothing changed");
    bench.edges.reconfigure(b"other domains").await.unwrap();
    assert!(!bench.gone(offset), "what was said of the log before means nothing");
    let anew = bench.poll(poll("a", at(&first))).await;
    assert!(anew.flush && anew.log != first.log);
    bench.poll(poll("a", at(&anew))).await;
    assert!(bench.gone(offset));
}

#[tokio::test]
async fn a_restarted_server_goes_on_with_the_log_and_waits_for_leases_that_it_does_not_know() {
    let bench = Bench::new().await;
    let first = bench.poll(poll("a", None)).await;
    let offset = bench.put("pail", "k").await;
    let next = Bench::on(bench.fixture.reopen().await).await;
    assert!(!next.gone(offset));
    let after = Moment::now().plus(LEASE + MARGIN);
    assert!(next.edges.is_gone_at(offset, None, after));
    let page = next.poll(poll("a", at(&first))).await;
    assert_eq!((page.flush, keys(&page.entries)), (false, vec!["pail!".to_owned(), "k".to_owned()]));
    assert!(!next.edges.is_gone_at(offset, None, Moment::now().plus(LEASE)));
}

#[tokio::test]
async fn an_edge_that_was_not_heard_of_for_a_lease_and_a_margin_is_not_waited_for() {
    let bench = Bench::new().await;
    bench.poll(poll("a", None)).await;
    let offset = bench.put("pail", "k").await;
    let now = Moment::now();
    assert!(!bench.edges.is_gone_at(offset, None, now.plus(LEASE)));
    assert!(bench.edges.is_gone_at(offset, None, now.plus(LEASE + MARGIN + Duration::from_secs(1))));
}

#[tokio::test]
async fn purges_are_entries_for_the_edges_of_their_account() {
    let bench = Bench::new().await;
    let first = bench.poll(poll("a", None)).await;
    let purge = Purge { scope: Scope::Everything, target: Target::All, soft: false };
    let other: AccountId = "999999999999".parse().unwrap();
    let theirs = bench.edges.purge(Some(other.clone()), std::slice::from_ref(&purge), Cause::default()).await.unwrap();
    assert!(bench.edges.is_gone(theirs.0, Some(&other)), "that account has no edge");
    bench.edges.purge(None, std::slice::from_ref(&purge), Cause::default()).await.unwrap();
    let page = bench.poll(poll("a", at(&first))).await;
    assert_eq!(keys(&page.entries), ["purge /*"]);
}

#[tokio::test]
async fn an_edge_purges_the_sites_that_it_told_of_and_no_others() {
    let bench = Bench::new().await;
    let connect = r#"{"Effect":"Allow","Action":"brim:ConnectEdge","Resource":"*"}"#;
    let (one, two) = (bench.user("one", connect).await, bench.user("two", connect).await);
    let told = Poll { sites: Some(vec![site("www", "a.example")]), ..poll("a", None) };
    bench.edges.poll(&one, NOWHERE, told).await.unwrap();
    let purge = |scope: Scope| PurgeRequest { purges: vec![Purge { scope, target: Target::All, soft: false }] };
    for (key, scope, allowed) in [
        (&one, Scope::Site("www".into()), true),
        (&one, Scope::Host("a.example".into()), true),
        (&one, Scope::Site("shop".into()), false),
        (&one, Scope::Host("b.example".into()), false),
        (&one, Scope::Everything, false),
        (&two, Scope::Site("www".into()), false),
        (&bench.root, Scope::Everything, true),
    ] {
        let answer = bench.edges.purge_for(key, NOWHERE, purge(scope.clone()), "R1").await;
        assert_eq!(answer.is_ok(), allowed, "{} {scope:?}", key.caller.user_id);
    }
    assert!(bench.edges.purge_for(&bench.root, NOWHERE, PurgeRequest { purges: Vec::new() }, "R1").await.is_err());
}

#[tokio::test]
async fn edges_that_contradict_each_other_are_refused_until_the_other_is_gone() {
    let bench = Bench::new().await;
    let told = |name: &str, site: Site| Poll { sites: Some(vec![site]), ..poll(name, None) };
    bench.poll(told("a", site("www", "a.example"))).await;
    bench.poll(told("b", site("www", "a.example"))).await;
    assert_eq!(bench.refused(&bench.root, told("c", site("www", "b.example"))).await, "SiteConflict");
    assert_eq!(bench.refused(&bench.root, told("c", site("shop", "a.example"))).await, "SiteConflict");
    bench.poll(Poll { leaving: true, ..poll("b", None) }).await;
    // The edge itself may be configured anew.
    bench.poll(told("a", site("www", "b.example"))).await;
    bench.poll(told("c", site("www", "b.example"))).await;
}

#[tokio::test]
async fn the_server_asks_for_sites_that_it_does_not_know() {
    let bench = Bench::new().await;
    let silent = bench.poll(Poll { sites: None, ..poll("a", None) }).await;
    assert!(silent.register);
    let told = Poll { sites: Some(vec![site("www", "a.example")]), ..poll("a", None) };
    assert!(!bench.poll(told).await.register);
    assert!(!bench.poll(Poll { sites: None, ..poll("a", None) }).await.register);
    let (listed, _) = bench.edges.list();
    assert_eq!((listed[0].name.as_str(), listed[0].sites.as_slice()), ("a", &["www".to_owned()][..]));
}

#[tokio::test]
async fn a_request_that_names_a_key_that_reads_the_feed_of_the_bucket_is_an_edge_s() {
    let bench = Bench::new().await;
    let bucket = bench.fixture.bucket("pail").await;
    let read = r#"{"Effect":"Allow","Action":"brim:ReadFeed","Resource":"arn:aws:s3:::pail"}"#;
    let other = r#"{"Effect":"Allow","Action":"brim:ReadFeed","Resource":"arn:aws:s3:::tub"}"#;
    let (edge, stranger) = (bench.user("edge", read).await, bench.user("stranger", other).await);
    for (named, follows) in [
        (Some(&*edge.access_key_id), true),
        (Some(&*bench.root.access_key_id), true),
        (Some(&*stranger.access_key_id), false),
        (Some("BRIMUNKNOWN"), false),
        (None, false),
    ] {
        let headers = named.map(|id| ("brim-edge", id)).into_iter().collect();
        let head = Head { headers, ..Head::default() };
        let owner = &bucket.record.account;
        assert_eq!(bench.edges.follows(&head, owner, &bucket.record.name).await, follows, "{named:?}");
    }
}

#[tokio::test]
async fn polls_end_when_the_server_stops() {
    let bench = Bench::new().await;
    let first = bench.poll(poll("a", None)).await;
    bench.edges.stop();
    assert_eq!(bench.refused(&bench.root, Poll { wait: 60_000, ..poll("a", at(&first)) }).await, "SlowDown");
}
