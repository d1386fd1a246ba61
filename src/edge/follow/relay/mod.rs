//! The feed for edges behind this one: a shield passes on what it has applied itself.
//!
//! An edge behind a shield trusts what it holds no longer than the shield does: its lease is what is left of the shield's.
//! And what the shield says to the server of how far it is counts for them too.

mod ring;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, rand};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use self::ring::Ring;
use super::channel::{Settings, SettingsError};
use crate::auth::{self, SigningKeys};
use crate::clock::Clock;
use crate::feed::{
    Behind, Entry, FeedState, HEARTBEAT, MAX_ENTRIES, Moment, PATH, PURGE_PATH, Page, Poll, Position, Refused,
    Registry, SERVICE, VERSION,
};
use crate::http::head::Head;
use crate::names::LogId;
use crate::signer::Credentials;

/// Answers edges that read the feed here. They sign with the same key as this edge does.
pub struct Relay {
    credentials: Credentials,
    options: auth::Options,
    keys: SigningKeys,
    clock: Clock,
    state: Arc<FeedState>,
    /// What they are recognised by when they ask for pages.
    pass: String,
    ring: Mutex<Ring>,
    /// Told whenever the ring has more.
    grown: watch::Sender<()>,
    registry: Mutex<Registry<()>>,
    /// Told whenever an edge said more.
    heard: watch::Sender<()>,
}

/// What is to be done with a request of an edge behind this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relayed {
    /// The answer.
    Answer(StatusCode, Bytes),
    /// It hands in purges: a document that [`Follower::purge`](super::Follower::purge) is for.
    Purges(Vec<crate::feed::Purge>),
}

impl Relay {
    pub fn new(settings: &Settings, state: Arc<FeedState>, clock: Clock) -> Result<Self, SettingsError> {
        let mut pass = [0; 16];
        rand::fill(&mut pass).map_err(|_| SettingsError::NoRandomBytes)?;
        Ok(Self {
            credentials: settings.credentials.clone(),
            options: auth::Options::default(),
            keys: SigningKeys::new(auth::DEFAULT_CAPACITY),
            clock,
            state,
            pass: hex::encode(pass),
            ring: Mutex::default(),
            grown: watch::Sender::new(()),
            registry: Mutex::default(),
            heard: watch::Sender::new(()),
        })
    }

    /// Whether a request is one of the feed's.
    pub fn is_addressed(head: &Parts) -> bool {
        Self::is_addressed_by(&head.method, &head.uri)
    }

    /// The same, of a request that is not taken apart yet.
    pub fn is_addressed_by(method: &http::Method, uri: &http::Uri) -> bool {
        method == http::Method::POST && [PATH, PURGE_PATH].contains(&uri.path())
    }

    /// Whether a request for a page comes from an edge that reads the feed here: its answer may name what it depends on.
    pub fn knows(&self, pass: &[u8]) -> bool {
        self.pass.as_bytes().ct_eq(pass).into()
    }

    /// Answers a request of which [`Self::is_addressed`] is true; `body` is whole.
    pub async fn answer(&self, head: &Parts, body: &[u8]) -> Relayed {
        if let Err(why) = self.verify(head, body) {
            tracing::warn!(why, "an edge was refused that wants the feed");
            return refuse(StatusCode::FORBIDDEN, "AccessDenied", why);
        }
        if head.uri.path() == PURGE_PATH {
            return match serde_json::from_slice::<crate::feed::PurgeRequest>(body) {
                Ok(request) => Relayed::Purges(request.purges),
                Err(error) => refuse(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string()),
            };
        }
        match serde_json::from_slice::<Poll>(body) {
            Ok(poll) if poll.version == VERSION => self.poll(&poll).await,
            Ok(_) => refuse(StatusCode::BAD_REQUEST, "UnknownVersion", "This edge speaks version 1 of the feed."),
            Err(error) => refuse(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string()),
        }
    }

    fn verify(&self, head: &Parts, body: &[u8]) -> Result<(), &'static str> {
        const NO: &str = "It is not signed with this edge's key.";
        let head = head_of(head);
        let claim = auth::parse(&head, &self.options).ok().flatten().ok_or(NO)?;
        if claim.service() != SERVICE || claim.access_key_id() != self.credentials.access_key {
            return Err(NO);
        }
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        let (secret, now) = (self.credentials.secret_key.as_str(), self.clock.now());
        auth::verify_with_body(&claim, &head, &hash, secret, now, &self.options, &self.keys).map_err(|_| NO)
    }

    async fn poll(&self, poll: &Poll) -> Relayed {
        if poll.leaving {
            self.registry.lock().leave(&poll.edge);
            self.heard.send_replace(());
            return answer(&page(LogId([0; 16]), 0, 0));
        }
        // Before anything is read for it: see `Registry`.
        if let Err(full) = self.registry.lock().polled(&poll.edge, poll.applied, Moment::now(), ()).map(drop) {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", &full.to_string());
        }
        self.heard.send_replace(());
        let end = Instant::now() + Duration::from_millis(poll.wait).min(HEARTBEAT);
        let mut grown = self.grown.subscribe();
        loop {
            grown.mark_unchanged();
            let (page, waits) = self.page_for(poll);
            if !waits || Instant::now() >= end {
                return answer(&page);
            }
            let _ = timeout_at(end, grown.changed()).await;
        }
    }

    /// What there is to say, and whether there may be more worth waiting for.
    fn page_for(&self, poll: &Poll) -> (Page, bool) {
        let ring = self.ring.lock();
        let Some(log) = ring.log() else {
            // Nothing is known here yet: not even whether what the edge holds can be trusted.
            let at = poll.from.unwrap_or(Position { log: LogId([0; 16]), offset: 0 });
            return (page(at.log, at.offset, at.offset), true);
        };
        let from = poll.from.filter(|from| from.log == log).map(|from| from.offset);
        let mut page = match from.and_then(|from| Some((from, ring.after(from, MAX_ENTRIES)?))) {
            Some((from, (entries, next))) => Page { entries, ..page(log, from, next) },
            None => Page { flush: true, ..page(log, ring.next(), ring.next()) },
        };
        let left = self.state.left(Moment::now()).as_millis() as u64;
        page.lease = (page.next == ring.next() && left > 0).then_some(left);
        page.pass = Some(self.pass.clone());
        let waits = !page.flush && page.next == page.from;
        let last = page.entries.last().map(|entry| entry.offset);
        self.registry.lock().sends(&poll.edge, last, page.next);
        (page, waits)
    }

    /// The log begins anew here: edges behind this one have nothing to go on from.
    pub fn begin(&self, log: LogId, next: u64) {
        self.ring.lock().begin(log, next);
        self.registry.lock().begin_log();
        self.grown.send_replace(());
    }

    /// Nothing is passed on until [`Self::begin`].
    pub fn end(&self) {
        self.ring.lock().end();
    }

    /// Passes on what was applied here.
    pub fn publish(&self, entries: impl Iterator<Item = Entry>, next: u64) {
        self.ring.lock().push(entries, next);
        self.grown.send_replace(());
        self.heard.send_replace(());
    }

    /// Up to where everything is applied by this edge, which is at `at`, and by every live one behind it.
    pub fn applied(&self, at: Position, now: Moment) -> Position {
        let least = self.registry.lock().least(at.log, now);
        Position { offset: least.map_or(at.offset, |least| least.min(at.offset)), ..at }
    }

    pub fn behind(&self, now: Moment) -> Vec<Behind> {
        let registry = self.registry.lock();
        let known = registry.live(now).map(|(edge, known)| Behind {
            edge: edge.clone(),
            applied: known.applied(),
            live: known.until.since(now).as_millis() as u64,
        });
        known.collect()
    }

    pub fn has_live(&self, now: Moment) -> bool {
        self.registry.lock().live(now).next().is_some()
    }

    /// Tells whenever an edge behind this one said more.
    pub fn heard(&self) -> watch::Receiver<()> {
        self.heard.subscribe()
    }
}

fn page(log: LogId, from: u64, next: u64) -> Page {
    let (entries, version) = (Vec::new(), VERSION);
    Page {
        version,
        log,
        from,
        flush: false,
        entries,
        next,
        lease: None,
        register: false,
        not_taken: Vec::new(),
        pass: None,
    }
}

fn answer(page: &Page) -> Relayed {
    let document = serde_json::to_vec(page).unwrap_or_default();
    Relayed::Answer(StatusCode::OK, document.into())
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Relayed {
    let refused = Refused { code: code.to_owned(), message: message.to_owned() };
    Relayed::Answer(status, serde_json::to_vec(&refused).unwrap_or_default().into())
}

/// The head as signatures are verified by. In HTTP/2 the host is not among the headers.
fn head_of(parts: &Parts) -> Head {
    let mut headers: crate::http::head::Headers =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    if let Some(authority) = parts.uri.authority().filter(|_| !headers.contains("host")) {
        headers.push("host", authority.as_str());
    }
    Head {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
    }
}
