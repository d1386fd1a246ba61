//! Answers out of what is stored.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, RANGE};

use super::Engine;
use super::answer::{Answer, Found, Outcome};
use super::ask::Ask;
use super::body::Body;
use super::opened::{facts, with_other_body};
use super::serve::{Cut, Head, slice_of};
use super::slices::{SliceSource, Slices};
use crate::edge::cache::{Stored, StoredBody};
use crate::edge::compress;
use crate::edge::rules::age;
use crate::edge::rules::cache_status::CacheStatus;
use crate::edge::rules::compress::{MAX_BYTES, MIN_BYTES, compressed_headers, compressible};
use crate::edge::rules::conditional::{self, Selected};
use crate::http::encoding::Coding;

/// What is said of how an answer came about.
#[derive(Debug, Clone)]
pub(super) struct Told<'s> {
    pub said: CacheStatus<'s>,
    pub outcome: Outcome,
}

impl<'s> Told<'s> {
    /// That a response was stored.
    pub fn hit(ask: &Ask, stored: &'s Stored, found: Found) -> Self {
        let age = age::current(stored.initial_age(), stored.response_time(), ask.arrived);
        Self { said: CacheStatus::hit(stored.freshness(), age), outcome: Outcome::of(found) }
    }
}

impl Engine {
    /// Answers with a response whose bytes are in memory in the form in which the client gets them; `None` where something has
    /// to be waited for.
    pub(super) fn answer_from_memory<'s>(
        &self,
        ask: &Ask,
        stored: &'s Arc<Stored>,
        told: impl FnOnce() -> Told<'s>,
    ) -> Option<Answer> {
        let StoredBody::Whole(bytes) = stored.body() else { return None };
        match self.coding(ask, stored) {
            None => Some(answer_with(ask, stored, told(), |part| slice_of(bytes, part))),
            Some(coding) => {
                let form = stored.compressed(coding)?;
                Some(answer_with(ask, form, told(), |part| whole_of(form, part)))
            }
        }
    }

    /// Answers with a stored response. `None` where its bytes are gone.
    pub(super) async fn answer_stored(&self, ask: &Arc<Ask>, stored: &Arc<Stored>, told: Told<'_>) -> Option<Answer> {
        match stored.body() {
            StoredBody::Whole(bytes) => {
                if let Some(coding) = self.coding(ask, stored)
                    && let Some(form) = self.compressed(ask, stored, coding, bytes).await
                {
                    return Some(answer_with(ask, &form, told, |part| whole_of(&form, part)));
                }
                Some(answer_with(ask, stored, told, |part| slice_of(bytes, part)))
            }
            StoredBody::Sliced(set) => {
                let source = Arc::new(SliceSource::new(self, ask, stored, set));
                let slices = |part: Option<Range<u64>>| {
                    let part = part.unwrap_or(0..set.total);
                    Body::Slices(Box::new(Slices::new(Arc::clone(&source), part)))
                };
                let mut answer = answer_with(ask, stored, told, slices);
                // Before the status is sent: the slices may turn out to be those of another body.
                answer.response.body_mut().prime().await.ok()?;
                Some(answer)
            }
        }
    }

    /// The coding that the client gets of a stored response, if the edge compresses it for him.
    fn coding(&self, ask: &Ask, stored: &Stored) -> Option<Coding> {
        let length = stored.body().length();
        let sized = (MIN_BYTES..=MAX_BYTES).contains(&length);
        if !sized || !ask.compresses() || ask.headers.contains_key(RANGE) {
            return None;
        }
        let coding = ask.behaviour.compression.choose(ask.version, &ask.headers)?;
        let made = stored.compressed(coding).is_some();
        (made || compressible(stored.status(), &stored.head().to_headers(), length)).then_some(coding)
    }

    /// Gives the compressed form, which is made once. Whoever comes while another one makes it gets `None`, and the response as
    /// it is.
    async fn compressed(&self, ask: &Ask, stored: &Arc<Stored>, coding: Coding, bytes: &Bytes) -> Option<Arc<Stored>> {
        if let Some(form) = stored.compressed(coding) {
            return Some(Arc::clone(form));
        }
        let _turn = self.0.compressing.begin(stored, coding)?;
        let made = compress::whole(coding, bytes.clone()).await.ok()?;
        let mut headers = compressed_headers(&stored.head().to_headers(), coding);
        headers.insert(CONTENT_LENGTH, made.len().into());
        let form = with_other_body(stored, &headers, made)?;
        self.0.cache.store_compressed(&ask.key, stored, coding, form);
        stored.compressed(coding).cloned()
    }
}

/// The bytes of a response that is stored in one piece.
fn whole_of(stored: &Stored, part: Option<Range<u64>>) -> Body {
    match stored.body() {
        StoredBody::Whole(bytes) => slice_of(bytes, part),
        // Compressed forms are never sliced.
        StoredBody::Sliced(_) => Body::Empty,
    }
}

/// Answers with a stored response, of which `read` gives bytes.
fn answer_with(ask: &Ask, stored: &Stored, told: Told<'_>, read: impl FnMut(Option<Range<u64>>) -> Body) -> Answer {
    let mut head = Head { status: stored.status(), headers: stored.head().to_headers() };
    let cut = if conditional::has_conditions(&ask.headers) {
        let length = stored.body().length();
        let facts = facts(stored.status(), &head.headers, stored.response_time(), Some(length));
        head.cut(&ask.method, conditional::select(&ask.method, &ask.headers, &facts), Some(length))
    } else {
        head.cut(&ask.method, Selected::Whole, None)
    };
    head.note(ask, age::current(stored.initial_age(), stored.response_time(), ask.arrived), &told.said);
    let body = match cut {
        Cut::Nothing => Body::Empty,
        cut => cut.body(read),
    };
    head.answer(body, told.outcome)
}
