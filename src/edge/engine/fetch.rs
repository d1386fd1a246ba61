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
use super::judge::{Answered, Reason};
use super::opened::Opened;
use super::pump::{Cutter, Stopped, WINDOW, carry_slices, carry_whole};
use super::stream::Keep;
<<<<<<< HEAD
use crate::clock::Timestamp;
use crate::edge::cache::{Draft, Footing, Hit, NotKept, SLICE_LENGTH, Sequence, SliceSet, Stored, StoredBody, Tags};
use crate::edge::origin::{FetchError, Fetched, Received, ViewerFacts};
use crate::edge::rules::compress::{add_vary, compressible};
use crate::edge::rules::ranges::{self, Part};
=======
use crate::edge::cache::{Hit, NotKept, SLICE_LENGTH, Sequence, SliceSet, Stored, StoredBody};
use crate::edge::origin::{FetchError, Fetched, Received};
use crate::edge::rules::hygiene;
>>>>>>> 995d64eb2ce45feaa1e67460c743404893e389f9
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
    pub async fn run(self, mut lead: Leading, own: ToOwn) {
        if hygiene::loops(&self.ask.headers, &self.engine.0.name) {
            return lead.open(Head::Failed(Failure::Loop, reuse::Failure::Unreachable, OriginPart::NONE));
        }
        let since = self.engine.0.cache.sequence();
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
        let Fetched { response, request_time, response_time, fed, .. } = fetched;
        let (parts, body) = response.into_parts();
        let fed = fed && parts.headers.contains_key(BRIM_DEPENDS);
        let first_byte = response_time.since(request_time);
        let origin = OriginPart { first_byte, status: Some(parts.status) };
        let (status, version, headers) = (parts.status, parts.version, parts.headers);
        (Answered { status, version, headers, request_time, response_time, origin, fed }, body)
    }

    /// Whether what is stored is sent in place of an error.
    fn stays_stale(&self, answered: &Answered) -> Option<Head> {
        let hit = self.stale.as_ref()?;
        let standing = self.engine.standing(&self.ask, hit);
        let how = reuse::Failure::Status(answered.status);
        may_serve_on_error(hit.stored.freshness(), standing, &self.ask.directives, how)
            .then(|| Head::Failed(Failure::Answered(answered.status), how, answered.origin))
    }

<<<<<<< HEAD
    /// Whether what only edges are told is not kept: nobody asks here who is to be told.
    fn hides(&self, answered: &Answered) -> bool {
        answered.fed && !self.engine.relays()
    }

    fn exchange<'a>(&'a self, sent: &'a HeaderMap, answered: &'a Answered, status: StatusCode) -> Exchange<'a> {
        let cached = &self.ask.behaviour.cached;
        Exchange {
            method: &Method::GET,
            request_headers: sent,
            request: &self.ask.directives,
            status,
            response_headers: &answered.headers,
            request_time: answered.request_time,
            response_time: answered.response_time,
            policy: &cached.ttl,
            errors: &cached.errors,
            set_cookies: self.ask.set_cookies(),
            signed: self.ask.site.kind.is_signed(),
            fed: answered.fed,
            keeps_parts: self.part.is_some(),
        }
    }

    /// Judges an answer: what is stored of it, and how it may be used.
    fn open(&self, answered: &Answered, body: &Received, since: Sequence) -> Result<Opened, Reason> {
        let sent = self.sent();
        let freshness = storable(&self.exchange(&sent, answered, answered.status))?;
        let tags = self.tags(answered)?;
        let part = match answered.status {
            StatusCode::PARTIAL_CONTENT => {
                Some(ranges::part(answered.status, &answered.headers).map_err(|_| Reason::Part)?)
            }
            _ => None,
        };
        if let Some(part) = &part
            && !self.is_what_was_asked(part)
        {
            return Err(Reason::Part);
        }
        let total = part.as_ref().map(|part| part.total).or(body.size_hint().exact());
        let whole = part.as_ref().is_none_or(|part| part.range == (0..part.total));
        let set = self.sliced(answered, total, whole)?;
        let status = if part.is_some() { StatusCode::OK } else { answered.status };
        let part = part.filter(|_| !whole).map(|part| part.range);
        self.assemble(answered, freshness, tags, since, (status, total, part), set)
    }

    /// Puts together what is known of a response that is stored.
    fn assemble(
        &self,
        answered: &Answered,
        freshness: Freshness,
        tags: Tags,
        since: Sequence,
        (status, total, part): (StatusCode, Option<u64>, Option<Range<u64>>),
        set: Option<SliceSet>,
    ) -> Result<Opened, Reason> {
        let mut headers = update::stored_headers(
            &answered.headers,
            self.ask.set_cookies(),
            self.hides(answered),
            answered.response_time,
        );
        if answered.status == StatusCode::PARTIAL_CONTENT {
            headers.remove(CONTENT_RANGE);
        }
        headers.remove(CONTENT_LENGTH);
        if let Some(total) = total {
            Opened::note_length(&mut headers, status, total);
        }
        hygiene::add_via(&mut headers, answered.version, &self.engine.0.name);
        let vary = Vary::parse(&answered.headers);
        let compressed =
            self.ask.compresses() && set.is_none() && total.is_some_and(|total| compressible(status, &headers, total));
        if compressed {
            add_vary(&mut headers, &http::header::ACCEPT_ENCODING);
        }
        let mut opened = Opened {
            status,
            headers,
            request_time: answered.request_time,
            response_time: answered.response_time,
            initial_age: age::initial(&answered.headers, answered.request_time, answered.response_time),
            freshness,
            variation: self.ask.variation(vary),
            tags,
            since,
            total,
            part,
            sliced: None,
            compressible: compressed,
            origin: answered.origin,
        };
        if let Some(mut set) = set {
            set.secondary = opened.variation.secondary.clone();
            let set = Arc::new(set);
            let head = opened.stored(&self.ask, StoredBody::Sliced(Arc::clone(&set))).map_err(|_| Reason::Head)?;
            opened.sliced = Some((set, head));
        }
        Ok(opened)
    }

    /// Whether a part is the one that was asked for: cut at the end of the body, if anywhere.
    fn is_what_was_asked(&self, part: &Part) -> bool {
        let asked = self.part.as_ref();
        asked.is_some_and(|asked| part.range.start == asked.start && part.range.end == asked.end.min(part.total))
    }

    /// How a response is kept whose body is too long for one piece, or of which a part comes: in slices, or not at all.
    fn sliced(&self, answered: &Answered, total: Option<u64>, whole: bool) -> Result<Option<SliceSet>, Reason> {
        let Some(total) = total else { return Ok(None) };
        if whole && total <= self.engine.0.limits.whole {
            return Ok(None);
        }
        let tag = answered.headers.get(http::header::ETAG).and_then(|tag| tag.to_str().ok());
        let strong = tag.filter(|tag| EntityTag::parse(tag).is_ok_and(|tag| !tag.weak));
        let encoded = answered.headers.contains_key(http::header::CONTENT_ENCODING);
        let ok = matches!(answered.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
        match strong.filter(|_| ok && !encoded && total <= MAX_SLICED && self.ask.behaviour.cached.slices) {
            None => Err(Reason::TooLong),
            Some(etag) => Ok(Some(SliceSet {
                key: self.ask.key.clone(),
                secondary: Default::default(),
                etag: etag.into(),
                total,
            })),
        }
    }

    fn tags(&self, answered: &Answered) -> Result<Tags, Reason> {
        let mut tags = Vec::new();
        let own = self.ask.behaviour.tag_headers.iter().map(|name| (name.clone(), ','));
        for (name, between) in TAG_HEADERS.into_iter().chain(own) {
            for value in answered.headers.get_all(&name) {
                let text = value.to_str().map_err(|_| Reason::Tags)?;
                tags.extend(text.split(between).map(str::trim).filter(|tag| !tag.is_empty()));
            }
        }
        let depends = match answered.headers.get(BRIM_DEPENDS).filter(|_| answered.fed) {
            Some(value) => {
                let text = value.to_str().map_err(|_| Reason::Tags)?;
                Depends::parse(text).map_err(|_| Reason::Tags)?;
                text
            }
            None => "",
        };
        let depends = depends.split(' ').filter(|tag| !tag.is_empty());
        Tags::new(tags, depends).map_err(|_| Reason::Tags)
    }

    /// The client's fields that the origin was sent, for the rules of storing.
    fn sent(&self) -> HeaderMap {
        let mut sent = self.ask.headers.clone();
        crate::edge::rules::conditional::remove_conditions(&mut sent);
        sent
    }

=======
>>>>>>> 995d64eb2ce45feaa1e67460c743404893e389f9
    /// Gives an answer that cannot be shared to the one who had it fetched, and sends the others to fetches of their own.
    async fn release(&self, lead: &mut Leading, own: ToOwn, answered: Answered, body: Received, reason: Reason) {
        if reason.holds_for_others() {
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

<<<<<<< HEAD
    /// Renews what is stored by a 304.
    async fn confirm(&self, lead: Leading, own: ToOwn, hit: &Hit, answered: &Answered, since: Sequence) {
        let stored = hit.stored.head().to_headers();
        if !update::confirms(&stored, &answered.headers) {
            // RFC 9111 section 4.3.3: it speaks of something else. The origin is asked again, for all of it.
            let again = Self { engine: self.engine.clone(), ask: Arc::clone(&self.ask), stale: None, part: None };
            return Box::pin(again.run(lead, own)).await;
        }
        let headers = update::freshened(
            &stored,
            &answered.headers,
            self.ask.set_cookies(),
            self.hides(answered),
            answered.response_time,
        );
        lead.open(match self.renewed(hit, answered, &headers, since) {
            Some(stored) => Head::Confirmed(Arc::new(Confirmed { stored, origin: answered.origin })),
            None => Head::Failed(Failure::Nonsense, reuse::Failure::Unreachable, answered.origin),
        });
    }

    /// The stored response with renewed fields, which is stored in its place if it may still be.
    fn renewed(&self, hit: &Hit, answered: &Answered, headers: &HeaderMap, since: Sequence) -> Option<Arc<Stored>> {
        let old = &hit.stored;
        let mut judged = headers.clone();
        // What only edges are told is not among the stored fields, and yet counts.
        for name in [BRIM_DEPENDS, crate::edge::rules::target::CDN_CACHE_CONTROL] {
            judged.extend(answered.headers.get(&name).map(|value| (name, value.clone())));
        }
        let sent = self.sent();
        let merged = Answered { headers: judged, origin: answered.origin, status: old.status(), ..*answered };
        let verdict = storable(&Exchange { keeps_parts: false, ..self.exchange(&sent, &merged, old.status()) });
        let tags = self.tags(&merged).ok()?;
        let freshness = verdict.as_ref().copied().unwrap_or(*old.freshness());
        let draft = Draft {
            status: old.status(),
            headers,
            body: old.body().clone(),
            request_time: answered.request_time,
            response_time: answered.response_time,
            initial_age: age::initial(&answered.headers, answered.request_time, answered.response_time),
            freshness,
            footing: Footing::new(self.ask.site.id.clone(), tags, since),
        };
        let renewed = Arc::new(Stored::new(draft).ok()?);
        match verdict {
            Ok(_) => {
                // The stored `Vary` may have a name that the edge added: only the origin's own says how to choose.
                let cache = &self.engine.0.cache;
                let variation = match answered.headers.contains_key(VARY) {
                    true => None,
                    false => cache.variation_of(&self.ask.key, &self.ask.headers, old),
                };
                let variation = variation.unwrap_or_else(|| self.ask.variation(Vary::parse(headers)));
                self.note(self.engine.0.cache.store(&self.ask.key, &variation, &renewed));
            }
            // It holds for this once, but may not be kept any longer.
            Err(_) => self.engine.0.cache.remove(&self.ask.key),
        }
        Some(renewed)
    }

=======
>>>>>>> 995d64eb2ce45feaa1e67460c743404893e389f9
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
