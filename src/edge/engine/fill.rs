//! Fetching as those see it who wait: one leads, the others follow, and whoever cannot be served so fetches for himself.

use std::sync::Arc;

use http::Method;
use http::header::RANGE;
use tokio::sync::oneshot;

use super::Engine;
use super::answer::{Answer, Found, OriginPart, Outcome};
use super::ask::Ask;
use super::body::Body;
use super::collapse::{Claim, Seat, Table};
use super::failure::Failure;
use super::fetch::Fetch;
use super::judge::ranged;
use super::opened::Opened;
use super::serve::{Cut, Head as AnswerHead};
use super::slices::{SliceSource, Slices};
use super::stored::Told;
use super::tail::Tail;
use crate::edge::cache::{Hit, Purge, Sequence, SiteId, Stored, Tags, What};
use crate::edge::compress;
use crate::edge::rules::cache_status::{CacheStatus, Forward};
use crate::edge::rules::compress::compressed_headers;
use crate::edge::rules::conditional::{self, Selected};
use crate::edge::rules::key::PrimaryKey;
use crate::edge::rules::reuse::{self, may_serve_on_error};
use crate::edge::rules::vary::SecondaryKey;

/// How often somebody who followed what turned out not to be his tries again before he fetches for himself.
const MAX_TURNS: usize = 3;

/// What is fetched once for all who want it at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FillKey {
    pub site: SiteId,
    pub primary: PrimaryKey,
    /// The variant, where it is known what the response varies by.
    pub secondary: Option<SecondaryKey>,
    /// The address of the stored response that is to be confirmed.
    pub confirms: Option<usize>,
    /// The first and the last slice of a part.
    pub part: Option<(u64, u64)>,
}

/// What came of a fetch.
#[derive(Debug, Clone)]
pub(super) enum Head {
    /// A response that is being stored.
    Open(Arc<Opened>),
    /// The stored response still holds: this is it, renewed.
    Confirmed(Arc<Confirmed>),
    /// The origin failed, in this way. Whoever has a stale response may use it.
    Failed(Failure, reuse::Failure, OriginPart),
    /// An answer for one alone, or one that is stored but not to be shared.
    Alone,
}

/// A stored response that the origin confirmed.
#[derive(Debug)]
pub(super) struct Confirmed {
    pub stored: Arc<Stored>,
    pub origin: OriginPart,
}

/// What the one gets alone who had the fetch begin.
pub(super) enum Own {
    Open(Arc<Opened>),
    Passed(Answer),
}

/// Where somebody is who wants a fetched response.
struct Turn<'a> {
    engine: &'a Engine,
    ask: &'a Arc<Ask>,
    why: Forward,
    stale: Option<Hit>,
}

/// What came of one turn.
enum Outturn {
    Answer(Box<Answer>),
    /// The response varies: what is wanted is this variant.
    Variant(SecondaryKey),
    /// It cannot be shared.
    Alone,
    /// What it came with began too early.
    Again,
}

impl Engine {
    /// Answers with what the origin has: fetched, or confirmed where something `stale` is stored.
    pub(super) async fn fetch(&self, ask: &Arc<Ask>, why: Forward, stale: Option<Hit>) -> Answer {
        if stale.is_none() && self.is_for_itself(ask) {
            return self.pass_on(ask, why).await;
        }
        let turn = Turn { engine: self, ask, why, stale };
        let mut alone = self.0.cache.is_uncacheable(&ask.key);
        let mut secondary = None;
        for _ in 0..MAX_TURNS {
            match turn.take(alone, secondary.take()).await {
                Outturn::Answer(answer) => return *answer,
                Outturn::Variant(variant) => secondary = Some(variant),
                Outturn::Alone => alone = true,
                Outturn::Again => {}
            }
        }
        match turn.take(true, None).await {
            Outturn::Answer(answer) => *answer,
            Outturn::Variant(_) | Outturn::Alone | Outturn::Again => {
                Failure::Lost.answer(&ask.method, Some(why), Outcome::of(Found::Error))
            }
        }
    }

    /// Whether a request is passed on as it came although it might be answered from the cache: a HEAD of what is not stored, and
    /// conditions or ranges for what was found not to be cacheable.
    fn is_for_itself(&self, ask: &Ask) -> bool {
        let conditional = conditional::has_conditions(&ask.headers);
        let uncacheable = || self.0.cache.is_uncacheable(&ask.key);
        let unsliced = ask.headers.contains_key(RANGE) && ranged(ask).is_none() && !ask.behaviour.cached.slices;
        ask.method == Method::HEAD || unsliced || (conditional && uncacheable())
    }

    /// Has a stale response fetched anew, unless somebody does already. Nobody waits for it.
    pub(super) fn refresh(&self, ask: &Arc<Ask>, hit: &Hit) {
        let key = fill_key(ask, None, Some(hit), None);
        if let Claim::Lead(lead, _seat) = self.0.fills.claim(key, |_| true) {
            lead.writer.keep(super::stream::Keep::Everything, true);
            let fetch = Fetch { engine: self.clone(), ask: Arc::clone(ask), stale: Some(hit.clone()), part: None };
            tokio::spawn(fetch.run(lead, None));
        }
    }

    /// Has nobody come along any more with fetches that purges are about.
    pub(super) fn detach(&self, purges: &[Purge]) {
        self.0.fills.detach(|key, head| purges.iter().any(|purge| concerns(purge, key, head)));
        self.0.runs.detach(|set, head| {
            let footing = head.footing();
            purges.iter().any(|purge| purge.matches(footing.site(), &set.key, Some(footing.tags())))
        });
    }
}

/// Whether a purge is about a fetch. By which tags is not known before the head has come: those who join until then compare
/// it themselves ([`Turn::is_current`]).
fn concerns(purge: &Purge, key: &FillKey, head: Option<&Head>) -> bool {
    let by_tag = matches!(purge.what, What::Tag(_) | What::Dependency(_));
    match head.and_then(Head::tags) {
        Some((tags, _)) => purge.matches(&key.site, &key.primary, Some(tags)),
        None => !by_tag && purge.matches(&key.site, &key.primary, None),
    }
}

impl Head {
    /// What the response is purged by, and the last purge before it was asked for.
    fn tags(&self) -> Option<(&Tags, Sequence)> {
        match self {
            Self::Open(opened) => Some((&opened.tags, opened.since)),
            Self::Confirmed(confirmed) => {
                let footing = confirmed.stored.footing();
                Some((footing.tags(), footing.filled_at()))
            }
            Self::Failed(..) | Self::Alone => None,
        }
    }
}

fn fill_key(ask: &Ask, secondary: Option<SecondaryKey>, stale: Option<&Hit>, part: Option<(u64, u64)>) -> FillKey {
    FillKey {
        site: ask.site.id.clone(),
        primary: ask.key.clone(),
        secondary,
        confirms: stale.map(|hit| Arc::as_ptr(&hit.stored).addr()),
        part,
    }
}

impl Turn<'_> {
    async fn take(&self, alone: bool, secondary: Option<SecondaryKey>) -> Outturn {
        let part = if self.stale.is_some() { None } else { ranged(self.ask) };
        let key = fill_key(self.ask, secondary, self.stale.as_ref(), part.as_ref().map(|part| (part.start, part.end)));
        let claim = match alone {
            true => {
                let (lead, seat) = Table::alone(key);
                Claim::Lead(lead, seat)
            }
            false => self.engine.0.fills.claim(key, |head| self.may_join(head)),
        };
        match claim {
            Claim::Follow(seat) => self.follow(seat).await,
            Claim::Lead(lead, seat) => {
                let (sender, own) = oneshot::channel();
                let (engine, ask) = (self.engine.clone(), Arc::clone(self.ask));
                let fetch = Fetch { engine, ask, stale: self.stale.clone(), part };
                tokio::spawn(fetch.run(lead, Some(sender)));
                self.lead(seat, own).await
            }
        }
    }

    /// Whether a fetch whose head has come is still of use to somebody who comes only now.
    fn may_join(&self, head: &Head) -> bool {
        if !self.is_current(head) {
            return false;
        }
        match head {
            Head::Open(opened) => {
                opened.is_shared(self.ask.arrived, self.engine.feed_is_live()) && !self.ask.directives.no_cache
            }
            _ => false,
        }
    }

    async fn lead(&self, seat: Seat<FillKey, Head>, own: oneshot::Receiver<Own>) -> Outturn {
        let answer = match seat.head().await {
            Some(Head::Alone) => match own.await {
                Ok(Own::Open(opened)) => self.answer_open(seat, opened, false).await,
                Ok(Own::Passed(answer)) => answer,
                Err(_) => self.fail(&Failure::Lost, reuse::Failure::Unreachable, None).await,
            },
            Some(Head::Open(opened)) => self.answer_open(seat, opened, false).await,
            Some(Head::Confirmed(confirmed)) => return self.answer_confirmed(&confirmed, false).await,
            Some(Head::Failed(failure, how, origin)) => self.fail(&failure, how, Some(origin)).await,
            None => self.fail(&Failure::Lost, reuse::Failure::Unreachable, None).await,
        };
        Outturn::Answer(Box::new(answer))
    }

    async fn follow(&self, seat: Seat<FillKey, Head>) -> Outturn {
        let Some(head) = seat.head().await else { return Outturn::Alone };
        if !self.is_current(&head) {
            return Outturn::Again;
        }
        let answer = match head {
            Head::Alone => return Outturn::Alone,
            Head::Open(opened) if opened.is_for(self.ask) => self.answer_open(seat, opened, true).await,
            Head::Open(opened) => {
                return Outturn::Variant(self.ask.variation(opened.variation.vary.clone()).secondary);
            }
            Head::Confirmed(confirmed) => return self.answer_confirmed(&confirmed, true).await,
            // What another one may be sent stale, this one may not: he asks for himself.
            Head::Failed(Failure::Answered(_), how, _) if !self.may_be_stale(how) => return Outturn::Alone,
            Head::Failed(failure, how, origin) => self.fail(&failure, how, Some(origin)).await,
        };
        Outturn::Answer(Box::new(answer))
    }

    /// Whether no purge came between the beginning of a fetch and this request that is about what it brought.
    fn is_current(&self, head: &Head) -> bool {
        let Some((tags, since)) = head.tags() else { return true };
        let (cache, ask) = (&self.engine.0.cache, self.ask);
        ask.sequence <= since || cache.untouched(since, &ask.site.id, &ask.key, Some(tags)).is_ok()
    }

    async fn answer_confirmed(&self, confirmed: &Confirmed, collapsed: bool) -> Outturn {
        let mut told = Told::hit(self.ask, &confirmed.stored, Found::RefreshHit);
        told.said = self.forwarded(told.said.ttl, collapsed);
        told.said.forward_status = Some(http::StatusCode::NOT_MODIFIED);
        told.outcome.collapsed = collapsed;
        told.outcome.origin = Some(confirmed.origin);
        match self.engine.answer_stored(self.ask, &confirmed.stored, told).await {
            Some(answer) => Outturn::Answer(Box::new(answer)),
            None => Outturn::Alone,
        }
    }

    /// Answers with what is stale if that may be done, and otherwise with what went wrong.
    async fn fail(&self, failure: &Failure, how: reuse::Failure, origin: Option<OriginPart>) -> Answer {
        if let Some(hit) = self.stale.as_ref().filter(|_| failure.is_the_origins() && self.may_be_stale(how)) {
            let mut told = Told::hit(self.ask, &hit.stored, Found::StaleHit);
            told.said.detail = Some("origin-failed");
            told.outcome.origin = origin;
            if let Some(answer) = self.engine.answer_stored(self.ask, &hit.stored, told).await {
                return answer;
            }
        }
        let outcome = Outcome { origin, ..Outcome::of(Found::Error) };
        failure.answer(&self.ask.method, Some(self.why), outcome)
    }

    /// That the origin was asked for what is stored now.
    fn forwarded(&self, ttl: Option<i64>, collapsed: bool) -> CacheStatus<'static> {
        let mut said = CacheStatus::forward(self.why);
        (said.ttl, said.stored, said.collapsed) = (ttl, true, collapsed);
        said
    }

    fn may_be_stale(&self, how: reuse::Failure) -> bool {
        self.stale.as_ref().is_some_and(|hit| {
            let standing = self.engine.standing(self.ask, hit);
            may_serve_on_error(hit.stored.freshness(), standing, &self.ask.directives, how)
        })
    }

    async fn answer_open(&self, seat: Seat<FillKey, Head>, opened: Arc<Opened>, collapsed: bool) -> Answer {
        let now = self.engine.0.clock.now();
        let age = opened.age(now);
        let said = self.forwarded(Some(opened.freshness.ttl(age)), collapsed);
        let outcome = Outcome { result: Found::Miss, collapsed, origin: Some(opened.origin) };
        let mut head = AnswerHead { status: opened.status, headers: opened.headers.clone() };
        let coding = self.coding(&opened);
        let mut facts = opened.facts();
        if let Some(coding) = coding {
            head.headers = compressed_headers(&opened.headers, coding);
            facts.length = None;
        }
        let selected = match conditional::has_conditions(&self.ask.headers) {
            true => conditional::select(&self.ask.method, &self.ask.headers, &facts),
            false => Selected::Whole,
        };
        let selected = match selected {
            // A stream is read once: several parts only of what is kept in slices.
            Selected::Parts(_) if opened.sliced.is_none() => Selected::Whole,
            selected => selected,
        };
        let cut = head.cut(&self.ask.method, selected, opened.total);
        if !collapsed {
            head.headers.extend(opened.named.clone());
        }
        head.note(self.ask, age, &said);
        let body = self.body(seat, &opened, cut).await;
        let body = match coding.filter(|_| !matches!(body, Body::Empty)) {
            Some(coding) => Body::Compressed(Box::new(compress::streamed(coding, body))),
            None => body,
        };
        head.answer(body, outcome)
    }

    /// The coding in which the client gets what is being fetched.
    fn coding(&self, opened: &Opened) -> Option<crate::http::encoding::Coding> {
        let wanted = opened.compressible && !self.ask.headers.contains_key(RANGE);
        let chosen = self.ask.behaviour.compression.choose(self.ask.version, &self.ask.headers);
        chosen.filter(|_| wanted)
    }

    async fn body(&self, seat: Seat<FillKey, Head>, opened: &Arc<Opened>, cut: Cut) -> Body {
        let source =
            opened.sliced.as_ref().map(|(set, head)| Arc::new(SliceSource::new(self.engine, self.ask, head, set)));
        let mut follower = Some(seat.follower);
        let base = opened.part.as_ref().map_or(0, |part| part.start);
        cut.body(|wanted| {
            let wanted = wanted.or(opened.total.map(|total| 0..total));
            let comes = |wanted: &std::ops::Range<u64>| {
                opened.part.as_ref().is_none_or(|part| part.start <= wanted.start && wanted.end <= part.end)
            };
            let elsewhere = source.clone().map(|source| move |left| Slices::new(source, left));
            match (wanted, follower.take(), &source) {
                (Some(wanted), Some(follower), _) if comes(&wanted) => {
                    Body::fill(Tail::of_part(follower, base, wanted), elsewhere)
                }
                (Some(wanted), _, Some(source)) => Body::Slices(Box::new(Slices::new(Arc::clone(source), wanted))),
                (None, Some(follower), _) => Body::fill(Tail::of_everything(follower), elsewhere),
                // Several parts are read of slices, or of what was asked for as a whole.
                _ => Body::Empty,
            }
        })
    }
}
