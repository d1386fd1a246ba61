//! The feed, without HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::poll::Asker;
use super::refusal::Refusal;
use super::{Edges, MAX_EDGES_OF_ACCOUNT, Options};
use crate::access::Principal;
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
        self.poll_as(&self.root, poll).await.unwrap()
    }

    async fn poll_as(&self, key: &Key, poll: Poll) -> Result<Page, Refusal> {
        self.edges.poll(&Asker { key, token: None, origin: NOWHERE }, poll).await
    }

    /// Polls as `key`, in a task, and returns once the server has heard of it and waits.
    async fn begin(&self, key: &Key, poll: Poll) -> JoinHandle<Result<Page, Refusal>> {
        let (edges, key, edge) = (self.edges.clone(), key.clone(), poll.edge.clone());
        self.edges.registry.lock().leave(&edge);
        let asking = async move { edges.poll(&Asker { key: &key, token: None, origin: NOWHERE }, poll).await };
        let polling = tokio::spawn(asking);
        while self.edges.registry.lock().get(&edge).is_none() {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!polling.is_finished());
        polling
    }

    /// The code of a refusal.
    async fn refused(&self, key: &Key, poll: Poll) -> &'static str {
        self.poll_as(key, poll).await.unwrap_err().code().1
    }

    /// The root key of another account.
    async fn other_account(&self) -> Key {
        let mut key = self.root.clone();
        let account: AccountId = "999999999999".parse().unwrap();
        let mut caller = (*key.caller).clone();
        caller.principal = Principal::Root { account: account.clone() };
        caller.user_id = account.to_string();
        key.account = Arc::new(crate::identity::Account { id: account, ..(*key.account).clone() });
        key.caller = Arc::new(caller);
        key
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
    let behaviour = Behaviour {
        path: "*".into(),
        min_ttl: 0,
        default_ttl: 0,
        max_ttl: 1,
        compress: false,
        viewers: Default::default(),
    };
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
    let polling = bench.begin(&bench.root, Poll { wait: 60_000, ..poll("a", at(&first)) }).await;
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
    let theirs = |poll| bench.poll_as(&key, poll);
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
    bench.poll_as(&one, told).await.unwrap();
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
async fn edges_that_serve_the_same_site_may_all_purge_it_whosever_keys_they_have() {
    let bench = Bench::new().await;
    let connect = r#"{"Effect":"Allow","Action":"brim:ConnectEdge","Resource":"*"}"#;
    let (one, two) = (bench.user("one", connect).await, bench.user("two", connect).await);
    let told = |name: &str| Poll { sites: Some(vec![site("www", "a.example")]), ..poll(name, None) };
    bench.poll_as(&one, told("a")).await.unwrap();
    bench.poll_as(&two, told("b")).await.unwrap();
    for key in [&one, &two] {
        for scope in [Scope::Site("www".into()), Scope::Host("a.example".into())] {
            let request = PurgeRequest { purges: vec![Purge { scope, target: Target::All, soft: false }] };
            bench.edges.purge_for(key, NOWHERE, request, "R1").await.unwrap();
        }
    }
    bench.poll_as(&one, Poll { leaving: true, ..poll("a", None) }).await.unwrap();
    let request =
        PurgeRequest { purges: vec![Purge { scope: Scope::Site("www".into()), target: Target::All, soft: false }] };
    let late = bench.edges.purge_for(&one, NOWHERE, request, "R1").await;
    assert_eq!(late.unwrap_err().code().1, "AccessDenied", "no edge of this user serves it any more");
}

#[tokio::test]
async fn what_no_live_edge_serves_is_known_not_to_be_served() {
    let bench = Bench::new().await;
    bench.poll(Poll { sites: Some(vec![site("www", "a.example")]), ..poll("a", None) }).await;
    let other: AccountId = "999999999999".parse().unwrap();
    for (scope, serves) in [
        (Scope::Everything, true),
        (Scope::Site("www".into()), true),
        (Scope::Site("shop".into()), false),
        (Scope::Host("a.example".into()), true),
        (Scope::Host("b.example".into()), false),
    ] {
        assert_eq!(bench.edges.serve(None, &scope), serves, "{scope:?}");
        assert_eq!(bench.edges.serve(Some(&other), &scope), scope == Scope::Everything, "{scope:?}");
    }
}

#[tokio::test]
async fn sites_that_contradict_those_of_another_edge_are_left_out_until_that_is_gone_and_the_feed_goes_on() {
    let bench = Bench::new().await;
    let told = |name: &str, sites: &[Site]| Poll { sites: Some(sites.to_vec()), ..poll(name, None) };
    let (www, other) = (site("www", "a.example"), site("www", "b.example"));
    bench.poll(told("a", std::slice::from_ref(&www))).await;
    assert!(bench.poll(told("b", std::slice::from_ref(&www))).await.not_taken.is_empty());
    let page = bench.poll(told("c", &[other.clone(), site("shop", "a.example"), site("blog", "c.example")])).await;
    assert_eq!(
        page.not_taken,
        [
            "site www: it is defined otherwise elsewhere, at edge a",
            "site shop: the host a.example is of site www, at edge a"
        ]
    );
    assert!(page.lease.is_some() && !page.register, "it reads the feed, and is not asked again");
    let sites = |name: &str| bench.edges.list().0.into_iter().find(|edge| edge.name == name).unwrap().sites;
    assert_eq!(sites("c"), ["blog"]);
    bench.poll(Poll { leaving: true, ..poll("b", None) }).await;
    // The edge itself may be configured anew.
    assert!(bench.poll(told("a", std::slice::from_ref(&other))).await.not_taken.is_empty());
    assert!(bench.poll(told("c", &[other])).await.not_taken.is_empty());
    let nonsense = bench.poll(told("d", &[site("a b", "d.example")])).await;
    assert_eq!(nonsense.not_taken.len(), 1);
}

#[tokio::test]
async fn nobody_speaks_for_an_edge_of_another_account() {
    let bench = Bench::new().await;
    let first = bench.poll(poll("a", None)).await;
    let other = bench.other_account().await;
    let told = Poll { sites: None, ..poll("a", at(&first)) };
    for theirs in [told.clone(), poll("a", at(&first)), Poll { leaving: true, ..told }] {
        assert_eq!(bench.refused(&other, theirs).await, "AccessDenied");
    }
    let offset = bench.put("pail", "k").await;
    assert!(!bench.gone(offset), "the edge is still waited for");
}

#[tokio::test]
async fn an_account_has_so_many_edges_and_leaves_room_for_others() {
    let bench = Bench::new().await;
    let edge = |run: u64| EdgeId { name: EdgeName::parse("a").unwrap(), run };
    for run in 0..MAX_EDGES_OF_ACCOUNT as u64 {
        bench.poll(Poll { edge: edge(run), ..poll("a", None) }).await;
    }
    let more = Poll { edge: edge(9999), ..poll("a", None) };
    assert_eq!(bench.refused(&bench.root, more.clone()).await, "SlowDown");
    bench.poll(Poll { edge: edge(0), ..poll("a", None) }).await;
    bench.poll_as(&bench.other_account().await, more).await.unwrap();
}

#[tokio::test]
async fn a_poll_that_waited_is_judged_by_the_policies_that_hold_then() {
    let bench = Bench::new().await;
    let connect = r#"{"Effect":"Allow","Action":"brim:ConnectEdge","Resource":"*"}"#;
    let read = r#"{"Effect":"Allow","Action":"brim:ReadFeed","Resource":"arn:aws:s3:::pail"}"#;
    bench.put("pail", "before").await;
    for left in [connect, read] {
        let name = if left == connect { "one" } else { "two" };
        let key = bench.user(name, &format!("{connect},{read}")).await;
        let first = bench.poll_as(&key, poll(name, None)).await.unwrap();
        let polling = bench.begin(&key, Poll { wait: 60_000, ..poll(name, at(&first)) }).await;
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{left}]}}"#);
        let user = EntityName::user(&AccountId::default(), name);
        bench.identities.put_inline_policy(&user, "p", &document).await.unwrap();
        bench.put("pail", "secret").await;
        let answer = polling.await.unwrap();
        match left == connect {
            true => {
                let page = answer.unwrap();
                assert!(page.entries.is_empty() && page.lease.is_none(), "it may not hear of the bucket any more");
            }
            false => assert_eq!(answer.unwrap_err().code().1, "AccessDenied"),
        }
    }
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
