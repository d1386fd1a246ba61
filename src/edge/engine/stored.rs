//! Answers out of what is stored.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::RANGE;

use super::Engine;
use super::answer::{Answer, Found, Outcome};
use super::ask::Ask;
use super::body::Body;
use super::disk::DiskBytes;
use super::opened::facts;
use super::serve::{Cut, Head, slice_of};
use super::slices::{SliceSource, Slices};
use crate::edge::cache::{DiskReader, Stored, StoredBody};
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

/// The bytes of a stored response, ready to be read.
enum Bytewise {
    Memory(Bytes),
    Disk(Arc<DiskReader>, u64),
    Slices(Arc<SliceSource>, u64),
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
                let StoredBody::Whole(bytes) = form.body() else { return None };
                Some(answer_with(ask, form, told(), |part| slice_of(bytes, part)))
            }
        }
    }

    /// Answers with a stored response. `None` where its bytes are gone.
    pub(super) async fn answer_stored(&self, ask: &Arc<Ask>, stored: &Arc<Stored>, told: Told<'_>) -> Option<Answer> {
        if let Some(answer) = self.answer_from_memory(ask, stored, || told.clone()) {
            return Some(answer);
        }
        let bytes = self.bytes_of(ask, stored).await?;
        if let (Bytewise::Memory(bytes), Some(coding)) = (&bytes, self.coding(ask, stored)) {
            if let Some(form) = self.compressed(ask, stored, coding, bytes).await {
                return self.answer_from_memory(ask, &form, || told);
            }
        }
        let conditions = conditional::has_conditions(&ask.headers);
        if let Bytewise::Slices(source, total) = &bytes
            && !conditions
            && ask.method == http::Method::GET
        {
            // Before the status is sent: the slices may turn out to be those of another body.
            let mut slices = Slices::new(Arc::clone(source), 0..*total);
            slices.prime().await.ok()?;
            let mut first = Some(Body::Slices(Box::new(slices)));
            return Some(answer_with(ask, stored, told, |_| first.take().unwrap_or_default()));
        }
        if let Bytewise::Slices(source, _) = &bytes {
            return self.answer_part_of_slices(ask, stored, told, source).await;
        }
        Some(answer_with(ask, stored, told, |part| bytes.read(part)))
    }

    async fn answer_part_of_slices(
        &self,
        ask: &Ask,
        stored: &Arc<Stored>,
        told: Told<'_>,
        source: &Arc<SliceSource>,
    ) -> Option<Answer> {
        let total = stored.body().length();
        let mut answer = answer_with(ask, stored, told, |part| {
            Body::Slices(Box::new(Slices::new(Arc::clone(source), part.unwrap_or(0..total))))
        });
        if let Body::Slices(slices) = answer.response.body_mut() {
            slices.prime().await.ok()?;
        }
        Some(answer)
    }

    async fn bytes_of(&self, ask: &Arc<Ask>, stored: &Arc<Stored>) -> Option<Bytewise> {
        Some(match stored.body() {
            StoredBody::Whole(bytes) => Bytewise::Memory(bytes.clone()),
            StoredBody::OnDisk(file) => {
                // Gone is not worth a word: it was evicted. Anything else was logged where it happened.
                Bytewise::Disk(Arc::new(file.open().await.ok()?), file.length())
            }
            StoredBody::Sliced(set) => {
                let source = SliceSource::new(self, ask, stored, set);
                Bytewise::Slices(Arc::new(source), set.total)
            }
        })
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

    /// Makes the compressed form, once. Whoever comes while another one makes it gets `None`, and the response as it is.
    async fn compressed(&self, ask: &Ask, stored: &Arc<Stored>, coding: Coding, bytes: &Bytes) -> Option<Arc<Stored>> {
        let _turn = self.0.compressing.begin(stored, coding)?;
        if stored.compressed(coding).is_none() {
            let made = compress::whole(coding, bytes.clone()).await.ok()?;
            let mut headers = compressed_headers(&stored.head().to_headers(), coding);
            headers.insert(http::header::CONTENT_LENGTH, made.len().into());
            let form = super::opened::with_other_body(stored, &headers, made)?;
            self.0.cache.store_compressed(&ask.key, stored, coding, form);
        }
        stored.compressed(coding).map(|_| Arc::clone(stored))
    }
}

impl Bytewise {
    fn read(&self, part: Option<Range<u64>>) -> Body {
        match self {
            Self::Memory(bytes) => slice_of(bytes, part),
            Self::Disk(file, length) => {
                let part = part.unwrap_or(0..*length);
                Body::Disk(Box::new(DiskBytes::new(Arc::clone(file), part)))
            }
            Self::Slices(source, total) => {
                let part = part.unwrap_or(0..*total);
                Body::Slices(Box::new(Slices::new(Arc::clone(source), part)))
            }
        }
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
