//! Fetching as the one does who leads: asks the origin, judges the answer, carries its body, stores it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
use http::{StatusCode, Version};
use tokio::sync::oneshot;

use super::Engine;
use super::answer::{Found, OriginPart, Outcome};
use super::ask::Ask;
use super::collapse::Lead;
use super::failure::Failure;
use super::fill::{FillKey, Head, Own};
use super::judge::{Answered, Reason, Watch};
use super::opened::Opened;
use super::pump::{Cutter, Stopped, WINDOW, carry_slices, carry_whole};
use super::stream::Keep;
use crate::edge::cache::{Hit, NotKept, SLICE_LENGTH, Sequence, SliceSet, Stored, StoredBody};
use crate::edge::origin::{FetchError, Fetched, Received, ViewerFacts};
use crate::edge::rules::hygiene;
use crate::edge::rules::reuse::{self, may_serve_on_error};
use crate::edge::rules::update::BRIM_DEPENDS;

/// For how long requests for what cannot be shared do not wait for one another.
const APART: Duration = Duration::from_secs(120);

/// One fetch.
pub(super) struct Fetch {
    pub engine: Engine,
    pub ask: Arc<Ask>,
    /// What the origin may confirm.
    pub stale: Option<Hit>,
    /// The bytes that are asked for, which begin and end with slices; `None` for all.
    pub part: Option<Range<u64>>,
}

pub(super) type Leading = Lead<FillKey, Head>;
pub(super) type ToOwn = Option<oneshot::Sender<Own>>;

impl Fetch {
    /// Fetches, for all who follow, and for the one alone who had it begin.
    pub async fn run(mut self, mut lead: Leading, own: ToOwn) {
        if hygiene::loops(&self.ask.headers, &self.engine.0.name) {
            return lead.open(Head::Failed(Failure::Loop, reuse::Failure::Unreachable, OriginPart::NONE));
        }
        let since = self.engine.0.cache.sequence();
        self.forget_what_was_purged();
        let validating = self.stale.as_ref().map(|hit| hit.stored.head().to_headers());
        let Some(fetched) = self.ask_origin(&lead, validating.as_ref()).await else { return };
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => return lead.open(failed(error)),
        };
        let (answered, body) = self.receive(fetched);
        if let (Some(hit), StatusCode::NOT_MODIFIED) = (&self.stale, answered.status) {
            return self.confirm(lead, own, hit, &answered, since).await;
        }
        if let Some(head) = self.stays_stale(&answered) {
            return lead.open(head);
        }
        match self.open(&answered, &body, since) {
            Ok(opened) => self.carry(lead, own, opened, body, since).await,
            Err(reason) => self.release(&mut lead, own, answered, body, reason).await,
        }
    }

    /// A stored response that a purge came for since it was found is not asked about: a 304 would bring it back.
    fn forget_what_was_purged(&mut self) {
        let purged = self.stale.as_ref().is_some_and(|hit| {
            let footing = hit.stored.footing();
            let cache = &self.engine.0.cache;
            cache.untouched(self.ask.sequence, footing.site(), &self.ask.key, Some(footing.tags())).is_err()
        });
        if purged {
            self.stale = None;
        }
    }

    /// Asks the origin; `None` where nobody waits for the answer any more.
    async fn ask_origin(&self, lead: &Leading, validate: Option<&HeaderMap>) -> Option<Result<Fetched, FetchError>> {
        let request = self.ask.to_origin(&self.engine, validate, self.part.as_ref().map(|part| (part, None)));
        let facts = ViewerFacts { feed: self.engine.0.feed.as_deref(), ..self.ask.facts() };
        tokio::select! {
            fetched = self.ask.site.origins.fetch(request, &facts) => Some(fetched),
            _ = lead.writer.abandoned() => None,
        }
    }

    fn receive(&self, fetched: Fetched) -> (Answered, Received) {
        let Fetched { response, request_time, response_time, fed, watched, .. } = fetched;
        let (parts, body) = response.into_parts();
        let watch = match fed && parts.headers.contains_key(BRIM_DEPENDS) {
            true => Watch::Feed,
            false if watched => self.unless_followed(),
            false => Watch::Nobody,
        };
        let first_byte = response_time.since(request_time);
        let origin = OriginPart { first_byte, status: Some(parts.status) };
        let (status, version, headers) = (parts.status, parts.version, parts.headers);
        (Answered { status, version, headers, request_time, response_time, origin, watch }, body)
    }

    /// How an answer stands of which the feed should tell, and whose origin does not say what it depends on.
    fn unless_followed(&self) -> Watch {
        match &self.engine.0.feed {
            Some(feed) if !feed.is_live() => {
                feed.note_unwatched();
                Watch::Lost
            }
            _ => Watch::Nobody,
        }
    }

    /// Whether what is stored is sent in place of an error.
    fn stays_stale(&self, answered: &Answered) -> Option<Head> {
        let hit = self.stale.as_ref()?;
        let standing = self.engine.standing(&self.ask, hit);
        let how = reuse::Failure::Status(answered.status);
        may_serve_on_error(hit.stored.freshness(), standing, &self.ask.directives, how)
            .then(|| Head::Failed(Failure::Answered(answered.status), how, answered.origin))
    }

    /// Gives an answer that cannot be shared to the one who had it fetched, and sends the others to fetches of their own.
    async fn release(&self, lead: &mut Leading, own: ToOwn, answered: Answered, body: Received, reason: Reason) {
        // A range beyond the end tells nothing of other requests.
        if reason.holds_for_others() && answered.status != StatusCode::RANGE_NOT_SATISFIABLE {
            self.engine.0.cache.mark_uncacheable(&self.ask.key, APART);
        }
        lead.leave_table();
        lead.open(Head::Alone);
        let Some(own) = own else { return };
        let answer = match answered.status {
            // What was asked for is not what the client asked for: it is asked again, in the client's own words.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                drop(body);
                self.engine.pass_on(&self.ask, reason.forward()).await
            }
            StatusCode::NOT_MODIFIED => {
                Failure::Nonsense.answer(&self.ask.method, Some(reason.forward()), Outcome::of(Found::Error))
            }
            _ => {
                let Answered { status, version, headers, response_time, origin, .. } = answered;
                self.engine.hand_over(&self.ask, (status, version, headers), body, response_time, origin, reason.word())
            }
        };
        // Whoever had it fetched may be gone by now.
        drop(own.send(Own::Passed(answer)));
    }

    /// Carries the body of a response that is stored.
    async fn carry(&self, mut lead: Leading, own: ToOwn, opened: Opened, body: Received, since: Sequence) {
        let engine = &self.engine;
        let needed = match (&opened.sliced, opened.total) {
            (Some(_), _) => WINDOW + SLICE_LENGTH,
            (None, Some(total)) => 2 * total,
            (None, None) => WINDOW,
        };
        let opened = Arc::new(opened);
        let in_background = own.is_none();
        let Some(share) = engine.0.budget.take(needed) else {
            return self.carry_unkept(lead, own, &opened, body).await;
        };
        lead.writer.account(share);
        let shared = opened.is_shared(engine.0.clock.now(), engine.feed_is_live());
        if shared {
            lead.open(Head::Open(Arc::clone(&opened)));
        } else {
            lead.leave_table();
            lead.open(Head::Alone);
            if let Some(own) = own {
                drop(own.send(Own::Open(Arc::clone(&opened))));
            }
        }
        let stopped = match &opened.sliced {
            Some((set, head)) => self.carry_sliced(lead, &opened, (set, head), body, since).await,
            None => {
                // What has a known end is fetched to it, also when nobody waits for it any more; and what nobody ever waited for.
                lead.writer.keep(Keep::Everything, opened.total.is_some() || in_background);
                self.carry_entire(lead, &opened, body).await
            }
        };
        if !shared {
            // What was stored is there to be validated; nobody waits for another one's answer to that.
            engine.0.cache.mark_uncacheable(&self.ask.key, APART);
        }
        if let Err(error) = stopped {
            tracing::debug!(%error, "a body was not carried to its end");
        }
    }

    async fn carry_entire(&self, mut lead: Leading, opened: &Opened, body: Received) -> Result<(), Stopped> {
        let whole = {
            let (writer, leave) = lead.parts();
            carry_whole(&self.engine, writer, body, leave).await?
        };
        if let Some(bytes) = whole {
            if opened.total.is_some_and(|total| total != bytes.len() as u64) {
                return Err(Stopped::Length);
            }
            if !lead.is_void() {
                self.keep(opened, bytes);
            }
        }
        // Stored first: whoever has all of it may ask again at once.
        lead.finish();
        Ok(())
    }

    fn keep(&self, opened: &Opened, bytes: bytes::Bytes) {
        let mut headers = opened.headers.clone();
        Opened::note_length(&mut headers, opened.status, bytes.len() as u64);
        let stored = opened.with_headers(&self.ask, &headers, StoredBody::Whole(bytes.into()));
        let kept = stored.and_then(|stored| self.engine.0.cache.store(&self.ask.key, &opened.variation, &stored));
        self.note(kept);
    }

    async fn carry_sliced(
        &self,
        lead: Leading,
        opened: &Opened,
        (set, head): (&Arc<SliceSet>, &Arc<Stored>),
        body: Received,
        since: Sequence,
    ) -> Result<(), Stopped> {
        lead.writer.keep(Keep::Window { bytes: WINDOW }, false);
        let bytes = opened.part.clone().unwrap_or(0..set.total);
        // Whoever comes from now on finds the head, and comes along slice by slice.
        let listed = self.engine.0.runs.list(set, head, bytes.clone(), lead.writer.stream());
        if !lead.is_void() {
            self.note(self.engine.0.cache.store(&self.ask.key, &opened.variation, head));
        }
        let cutter = Cutter::new(&self.engine, set, head, since, bytes.start);
        carry_slices(&lead.writer, body, cutter, &bytes).await?;
        drop(listed);
        lead.finish();
        Ok(())
    }

    /// Hands a body over for which there is no memory, to be sent as it comes.
    async fn carry_unkept(&self, mut lead: Leading, own: ToOwn, opened: &Arc<Opened>, body: Received) {
        lead.leave_table();
        lead.open(Head::Alone);
        let Some(own) = own else { return };
        let answer = if opened.part.is_some() {
            drop(body);
            self.engine.pass_on(&self.ask, Reason::Memory.forward()).await
        } else {
            let head = (opened.status, Version::HTTP_11, opened.headers.clone());
            self.engine.hand_over(&self.ask, head, body, opened.response_time, opened.origin, Reason::Memory.word())
        };
        drop(own.send(Own::Passed(answer)));
    }

    pub(super) fn note(&self, kept: Result<(), NotKept>) {
        if let Err(error) = kept {
            tracing::debug!(%error, key = %self.ask.key, "a response is not kept");
        }
    }
}

fn failed(error: FetchError) -> Head {
    Head::Failed(error.into(), reuse::Failure::Unreachable, OriginPart::NONE)
}
