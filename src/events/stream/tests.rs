//! Streams, without HTTP and without policies.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Audience, Ended, Filter, Gap, Heard, Lost, NotJudged, Reader, Start, Streams, lines, parse_patterns, sse};
use crate::events::record::Origin;
use crate::feed::Position;
use crate::names::{BucketName, LogId};
use crate::store::change::Change;
use crate::store::tests::fixture::Fixture;

/// Hears everything but of these buckets, and nothing once it is gone.
#[derive(Clone, Default)]
struct Ears {
    deaf_to: HashSet<&'static str>,
    gone: Rc<RefCell<bool>>,
}

impl Audience for Ears {
    async fn may_listen(&mut self) -> Result<bool, NotJudged> {
        Ok(!*self.gone.borrow())
    }

    async fn may_hear(&mut self, change: &Change) -> Result<bool, NotJudged> {
        Ok(!self.deaf_to.contains(change.bucket.as_str()))
    }
}

struct Bench {
    fixture: Fixture,
    streams: Arc<Streams>,
}

impl Bench {
    async fn new() -> Self {
        Self::beating(Duration::from_secs(60)).await
    }

    async fn beating(patience: Duration) -> Self {
        Self::on(Fixture::new().await, patience).await
    }

    async fn on(fixture: Fixture, patience: Duration) -> Self {
        let log = fixture.store.log_id().await.unwrap();
        let origin = Origin { log, region: "eu-test-1".into(), host_id: "host".into() };
        Self { streams: Arc::new(Streams::new(fixture.store.clone(), origin, patience)), fixture }
    }

    async fn put(&self, bucket: &str, key: &str) -> u64 {
        let bucket = self.fixture.bucket(bucket).await;
        self.fixture.put(&bucket, key, &Bytes::from_static(b"x")).await.unwrap().position.0
    }

    fn follow(&self, filter: Filter, start: Start) -> Reader<Ears> {
        self.streams.follow(self.streams.enter("me").unwrap(), filter, start, Ears::default())
    }

    fn position(&self, offset: u64) -> Position {
        Position { offset, ..self.streams.head() }
    }
}

fn filter(bucket: Option<&str>, prefix: &str, suffix: &str, events: &str) -> Filter {
    let bucket = bucket.map(|name| BucketName::parse(name).unwrap());
    let patterns = parse_patterns(events.split(',')).unwrap();
    Filter { bucket, prefix: prefix.to_owned(), suffix: suffix.to_owned(), patterns }
}

fn all() -> Filter {
    filter(None, "", "", "")
}

async fn opened(reader: &mut Reader<Ears>) -> Position {
    match reader.next().await.unwrap() {
        Heard::Open(position) => position,
        other => panic!("{other:?}"),
    }
}

/// The keys of the next events, and the position of the last.
async fn keys(reader: &mut Reader<Ears>) -> (Vec<String>, Position) {
    match reader.next().await.unwrap() {
        Heard::Events(events) => {
            let last = events.last().unwrap();
            let position = Position { log: last.log, offset: last.position.0 };
            (events.iter().map(|event| event.change.key.as_ref().unwrap().as_str().to_owned()).collect(), position)
        }
        other => panic!("{other:?}"),
    }
}

async fn gap(reader: &mut Reader<Ears>) -> Gap {
    match reader.next().await.unwrap() {
        Heard::Gap(gap) => gap,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_begins_with_what_is_committed_next_and_goes_on_where_its_reader_was() {
    let bench = Bench::new().await;
    bench.put("pail", "before").await;
    let mut reader = bench.follow(all(), Start::Now);
    bench.put("pail", "one").await;
    opened(&mut reader).await;
    let (heard, seen) = keys(&mut reader).await;
    assert_eq!(heard, ["one"]);
    drop(reader);
    bench.put("pail", "two").await;
    bench.put("tub", "three").await;
    let mut again = bench.follow(all(), Start::After(seen));
    assert_eq!(opened(&mut again).await, seen);
    assert_eq!(keys(&mut again).await.0, ["two", "three"]);
}

#[tokio::test]
async fn a_waiting_stream_hears_of_a_commit_and_not_of_a_timer() {
    let bench = Bench::new().await;
    bench.fixture.bucket("pail").await;
    let mut reader = bench.follow(all(), Start::Now);
    opened(&mut reader).await;
    let waiting = async { tokio::time::timeout(Duration::from_secs(5), keys(&mut reader)).await };
    let writing = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        bench.put("pail", "k").await
    };
    let (heard, offset) = tokio::join!(waiting, writing);
    assert_eq!(heard.unwrap(), (vec!["k".to_owned()], bench.position(offset)));
}

#[tokio::test]
async fn only_what_the_filter_and_the_audience_let_pass_is_told() {
    let bench = Bench::new().await;
    let place = bench.streams.enter("me").unwrap();
    let ears = Ears { deaf_to: HashSet::from(["secret"]), ..Ears::default() };
    let mut everywhere =
        bench.streams.follow(place, filter(None, "a/", ".jpg", "s3:ObjectCreated:*"), Start::Now, ears);
    let mut of_pail = bench.follow(filter(Some("pail"), "", "", "s3:ObjectRemoved:Delete"), Start::Now);
    for (bucket, key) in
        [("pail", "a/1.jpg"), ("pail", "a/1.png"), ("pail", "b/1.jpg"), ("secret", "a/2.jpg"), ("tub", "a/3.jpg")]
    {
        bench.put(bucket, key).await;
    }
    let pail = bench.fixture.bucket("pail").await;
    bench.fixture.delete(&pail, "b/1.jpg").await.unwrap();
    opened(&mut everywhere).await;
    assert_eq!(keys(&mut everywhere).await.0, ["a/1.jpg", "a/3.jpg"]);
    opened(&mut of_pail).await;
    assert_eq!(keys(&mut of_pail).await.0, ["b/1.jpg"]);
}

#[tokio::test]
async fn a_beat_says_how_far_was_read_though_nothing_was_to_be_heard() {
    let bench = Bench::beating(Duration::from_millis(40)).await;
    let mut reader = bench.follow(filter(Some("other"), "", "", ""), Start::Now);
    let begin = opened(&mut reader).await;
    let offset = bench.put("pail", "k").await;
    let Heard::Beat(position) = reader.next().await.unwrap() else { panic!("no beat") };
    assert_eq!(position, bench.position(offset));
    assert!(position.offset > begin.offset);
}

#[tokio::test]
async fn what_was_trimmed_is_a_counted_gap_and_the_stream_goes_on_with_what_is_left() {
    let bench = Bench::new().await;
    let first = bench.put("pail", "one").await;
    let mut reader = bench.follow(all(), Start::After(bench.position(first - 1)));
    opened(&mut reader).await;
    bench.put("pail", "two").await;
    bench.fixture.clock.advance(Duration::from_secs(400 * 24 * 3600));
    bench.fixture.store.trim_log().await.unwrap();
    let last = bench.put("pail", "three").await;
    let found = gap(&mut reader).await;
    assert_eq!((found.why, found.from.offset, found.to.offset), (Lost::Trimmed, first - 1, last - 1));
    assert_eq!(keys(&mut reader).await.0, ["three"]);
    // One that comes back is told the same.
    let mut again = bench.follow(all(), Start::After(found.from));
    opened(&mut again).await;
    assert_eq!(gap(&mut again).await, found);
    let text = String::from_utf8(sse::write(&Heard::Gap(found)).to_vec()).unwrap();
    let lost = last - first;
    assert!(text.starts_with(&format!("id: {}\nevent: gap\ndata: {{\"reason\":\"trimmed\",", found.to)), "{text}");
    assert!(text.ends_with(&format!("\"lost\":{lost}}}\n\n")), "{text}");
}

#[tokio::test]
async fn positions_of_another_log_or_of_another_past_are_gaps_up_to_the_end() {
    let bench = Bench::new().await;
    let offset = bench.put("pail", "k").await;
    let other = Position { log: LogId([9; 16]), offset: 1 };
    let mut reader = bench.follow(all(), Start::After(other));
    let found = gap(&mut reader).await;
    assert_eq!(found, Gap { why: Lost::OtherLog, from: other, to: bench.position(offset) });
    let beyond = bench.position(offset + 7);
    let mut reader = bench.follow(all(), Start::After(beyond));
    opened(&mut reader).await;
    assert_eq!(gap(&mut reader).await, Gap { why: Lost::OtherLog, from: beyond, to: bench.position(offset) });
    bench.put("pail", "next").await;
    assert_eq!(keys(&mut reader).await.0, ["next"]);
    assert!(lines::write(&Heard::Gap(found), lines::Ping::Line).is_err(), "MinIO has no word for it");
}

#[tokio::test]
async fn a_stream_ends_with_the_permission_and_with_the_server() {
    let bench = Bench::new().await;
    let ears = Ears::default();
    let mut reader = bench.streams.follow(bench.streams.enter("me").unwrap(), all(), Start::Now, ears.clone());
    opened(&mut reader).await;
    bench.put("pail", "one").await;
    assert_eq!(keys(&mut reader).await.0, ["one"]);
    *ears.gone.borrow_mut() = true;
    bench.put("pail", "two").await;
    let ended = reader.next().await.unwrap_err();
    assert!(matches!(ended, Ended::NotAllowed), "{ended:?}");
    assert_eq!(sse::write_end(&ended), "event: end\ndata: {\"reason\":\"denied\"}\n\n");

    let mut other = bench.follow(all(), Start::Now);
    opened(&mut other).await;
    let streams = bench.streams.clone();
    let (ended, ()) = tokio::join!(other.next(), async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        streams.stop();
    });
    assert!(matches!(ended, Err(Ended::Stopping)));
}

#[tokio::test]
async fn events_are_written_in_order_each_with_its_position() {
    let bench = Bench::new().await;
    let mut reader = bench.follow(all(), Start::Now);
    let first = bench.put("pail", "a b").await;
    let second = bench.put("pail", "two\nlines").await;
    opened(&mut reader).await;
    let heard = reader.next().await.unwrap();
    let text = String::from_utf8(sse::write(&heard).to_vec()).unwrap();
    let events: Vec<Vec<&str>> = text.split_terminator("\n\n").map(|event| event.lines().collect()).collect();
    for (event, (offset, key)) in events.iter().zip([(first, "a+b"), (second, "two%0Alines")]) {
        assert_eq!(event.len(), 3, "{event:?}");
        assert_eq!(event[0], format!("id: {}", bench.position(offset)));
        assert_eq!(event[1], "event: ObjectCreated:Put");
        let record: serde_json::Value = serde_json::from_str(event[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(record["Records"][0]["s3"]["object"]["key"], key);
        assert_eq!(record["Records"][0]["awsRegion"], "eu-test-1");
    }
    assert_eq!(events.len(), 2);

    let text = String::from_utf8(lines::write(&heard, lines::Ping::Space).unwrap().to_vec()).unwrap();
    let names: Vec<_> = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0]["Records"][0]["eventName"], "s3:ObjectCreated:Put");
    assert_eq!(lines::write(&Heard::Beat(bench.position(1)), lines::Ping::Space).unwrap(), " ");
}
