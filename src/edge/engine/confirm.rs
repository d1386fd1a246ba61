//! A 304: what is stored still holds, and is renewed.

use std::sync::Arc;

use http::header::{HeaderMap, VARY};

use super::failure::Failure;
use super::fetch::{Fetch, Leading, ToOwn};
use super::fill::{Confirmed, Head};
use super::judge::Answered;
use crate::edge::cache::{Draft, Footing, Hit, Sequence, Stored};
use crate::edge::rules::store::{Exchange, storable};
use crate::edge::rules::target::CDN_CACHE_CONTROL;
use crate::edge::rules::update::{self, BRIM_DEPENDS};
use crate::edge::rules::vary::Vary;
use crate::edge::rules::{age, reuse};

impl Fetch {
    /// Renews what is stored by a 304.
    pub(super) async fn confirm(&self, lead: Leading, own: ToOwn, hit: &Hit, answered: &Answered, since: Sequence) {
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
        for name in [BRIM_DEPENDS, CDN_CACHE_CONTROL] {
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
}
