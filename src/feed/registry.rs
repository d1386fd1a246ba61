//! Which edges read the feed, until when each may trust what it holds, and what each has applied. Pure: time is an argument.
//!
//! An edge counts as live from the moment a poll of it comes in, *before* the log is read for it, until its lease and a
//! margin are over. So whoever commits something and then finds that every live edge has applied it knows that no edge
//! trusts what was before: an edge that is not live here has no lease, and gets one only together with that very entry.

use std::collections::BTreeMap;

use super::edge_id::EdgeId;
use super::moment::Moment;
use super::position::Position;
use super::{LEASE, MARGIN};
use crate::names::LogId;

/// The most edges, those whose lease is over included.
pub const MAX_EDGES: usize = 4000;

/// The edges of a feed, each with what else is known of it.
#[derive(Debug)]
pub struct Registry<T> {
    edges: BTreeMap<EdgeId, Known<T>>,
}

/// An edge.
#[derive(Debug)]
pub struct Known<T> {
    pub details: T,
    /// Until when it counts as live.
    pub until: Moment,
    /// Up to where it said that everything is applied.
    applied: Option<Position>,
    /// The last entry that it was sent, and up to where the log holds nothing else for it.
    sent: u64,
    passed: u64,
}

/// There are too many live edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {MAX_EDGES} live edges already")]
pub struct Full;

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { edges: BTreeMap::new() }
    }
}

impl<T> Registry<T> {
    /// Notes a poll that came in at `now`, before anything is read for it. A position of another log, or one before what the
    /// edge said already, is passed over.
    pub fn polled(
        &mut self,
        edge: &EdgeId,
        applied: Option<Position>,
        now: Moment,
        details: T,
    ) -> Result<&mut Known<T>, Full> {
        if !self.edges.contains_key(edge) && self.edges.len() >= MAX_EDGES {
            self.edges.retain(|_, known| known.is_live(now));
            if self.edges.len() >= MAX_EDGES {
                return Err(Full);
            }
        }
        let known = match self.edges.entry(edge.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => {
                let known = known.into_mut();
                known.details = details;
                known
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(Known { details, until: Moment::default(), applied: None, sent: 0, passed: 0 })
            }
        };
        known.until = known.until.max(now.plus(LEASE + MARGIN));
        known.has_applied(applied);
        Ok(known)
    }

    /// Notes what an edge is about to be sent: that the log up to `next` has nothing for it behind the entry at `last`, if
    /// there is one for it.
    pub fn sends(&mut self, edge: &EdgeId, last: Option<u64>, next: u64) {
        if let Some(known) = self.edges.get_mut(edge) {
            known.sent = known.sent.max(last.unwrap_or(0));
            known.passed = known.passed.max(next);
        }
    }

    /// Notes that the log begins anew: offsets that were said before mean nothing any more.
    pub fn begin_log(&mut self) {
        for known in self.edges.values_mut() {
            (known.applied, known.sent, known.passed) = (None, 0, 0);
        }
    }

    /// Forgets an edge, which trusts nothing any more.
    pub fn leave(&mut self, edge: &EdgeId) {
        self.edges.remove(edge);
    }

    /// Whether every live edge has applied everything up to `position`.
    pub fn have_applied(&self, position: Position, now: Moment) -> bool {
        self.behind(position, now).next().is_none()
    }

    /// The live edges that have not applied everything up to `position`.
    pub fn behind(&self, position: Position, now: Moment) -> impl Iterator<Item = (&EdgeId, &Known<T>)> {
        self.live(now).filter(move |(_, known)| known.offset(position.log) < position.offset)
    }

    /// The offset that every live edge has applied everything up to; `None` where there is no live edge.
    pub fn least(&self, log: LogId, now: Moment) -> Option<u64> {
        self.live(now).map(|(_, known)| known.offset(log)).min()
    }

    pub fn live(&self, now: Moment) -> impl Iterator<Item = (&EdgeId, &Known<T>)> {
        self.edges.iter().filter(move |(_, known)| known.is_live(now))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&EdgeId, &Known<T>)> {
        self.edges.iter()
    }

    pub fn get(&self, edge: &EdgeId) -> Option<&Known<T>> {
        self.edges.get(edge)
    }
}

impl<T> Known<T> {
    pub fn is_live(&self, now: Moment) -> bool {
        now < self.until
    }

    /// The offset in `log` that everything up to is applied, or does not concern the edge.
    pub fn offset(&self, log: LogId) -> u64 {
        match self.applied.filter(|applied| applied.log == log) {
            Some(applied) if applied.offset >= self.sent => applied.offset.max(self.passed),
            Some(applied) => applied.offset,
            None => 0,
        }
    }

    /// What the edge said itself.
    pub fn applied(&self) -> Option<Position> {
        self.applied
    }

    fn has_applied(&mut self, applied: Option<Position>) {
        match (self.applied, applied) {
            (Some(before), Some(now)) if before.log == now.log => {
                self.applied = Some(Position { offset: before.offset.max(now.offset), ..now });
            }
            (_, Some(now)) => {
                self.applied = Some(now);
                (self.sent, self.passed) = (0, 0);
            }
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::EdgeName;

    const LOG: LogId = LogId([1; 16]);

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn edge(name: &str, run: u64) -> EdgeId {
        EdgeId { name: EdgeName::parse(name).unwrap(), run }
    }

    fn position(offset: u64) -> Position {
        Position { log: LOG, offset }
    }

    fn have(registry: &Registry<()>, offset: u64, now: u64) -> bool {
        registry.have_applied(position(offset), at(now))
    }

    #[test]
    fn nothing_is_gone_until_every_live_edge_has_applied_it_or_its_lease_and_the_margin_are_over() {
        let mut registry = Registry::default();
        assert!(have(&registry, 5, 0), "nobody holds anything");
        registry.polled(&edge("a", 1), Some(position(5)), at(0), ()).unwrap();
        registry.polled(&edge("b", 1), Some(position(4)), at(1000), ()).unwrap();
        assert!(!have(&registry, 5, 2000));
        assert_eq!(registry.least(LOG, at(2000)), Some(4));
        registry.polled(&edge("b", 1), Some(position(5)), at(3000), ()).unwrap();
        assert!(have(&registry, 5, 3000));
        assert!(!have(&registry, 6, 11_999));
        assert!(!have(&registry, 6, 14_999), "the one is over, the other not yet");
        assert!(have(&registry, 6, 15_000));
        assert_eq!(registry.least(LOG, at(15_000)), None);
    }

    #[test]
    fn an_edge_that_begins_counts_before_it_has_anything() {
        let mut registry = Registry::default();
        registry.polled(&edge("a", 1), None, at(0), ()).unwrap();
        assert!(!have(&registry, 1, 0));
        registry.sends(&edge("a", 1), None, 7);
        assert!(!have(&registry, 1, 0), "it does not have the page yet");
        registry.polled(&edge("a", 1), Some(position(7)), at(10), ()).unwrap();
        assert!(have(&registry, 7, 10));
    }

    #[test]
    fn what_does_not_concern_an_edge_is_not_waited_for() {
        let mut registry = Registry::default();
        let id = edge("a", 1);
        registry.polled(&id, Some(position(5)), at(0), ()).unwrap();
        registry.sends(&id, None, 9);
        assert!(have(&registry, 9, 0) && !have(&registry, 10, 0));
        registry.sends(&id, Some(12), 15);
        assert!(!have(&registry, 9, 0) && have(&registry, 5, 0), "what it was sent may be lost on the way");
        registry.polled(&id, Some(position(15)), at(1), ()).unwrap();
        assert!(have(&registry, 15, 1));
    }

    #[test]
    fn late_polls_and_other_logs_take_nothing_back_and_prove_nothing() {
        let mut registry = Registry::default();
        let id = edge("a", 1);
        registry.polled(&id, Some(position(5)), at(0), ()).unwrap();
        registry.polled(&id, Some(position(3)), at(1), ()).unwrap();
        assert!(have(&registry, 5, 1));
        let other = Position { log: LogId([2; 16]), offset: 99 };
        registry.polled(&id, Some(other), at(2), ()).unwrap();
        assert!(!have(&registry, 1, 2));
        registry.polled(&id, Some(position(6)), at(3), ()).unwrap();
        registry.begin_log();
        assert!(!have(&registry, 1, 3));
    }

    #[test]
    fn runs_of_one_name_are_edges_of_their_own_and_leaving_is_at_once() {
        let mut registry = Registry::default();
        registry.polled(&edge("a", 1), Some(position(1)), at(0), ()).unwrap();
        registry.polled(&edge("a", 2), Some(position(9)), at(0), ()).unwrap();
        assert!(!have(&registry, 9, 0));
        registry.leave(&edge("a", 1));
        assert!(have(&registry, 9, 0));
    }

    #[test]
    fn edges_are_bounded_and_those_that_are_gone_make_room() {
        let mut registry = Registry::default();
        for run in 0..MAX_EDGES as u64 {
            registry.polled(&edge("a", run), None, at(run), ()).unwrap();
        }
        assert_eq!(registry.polled(&edge("b", 0), None, at(0), ()).err(), Some(Full));
        assert!(registry.polled(&edge("a", 0), None, at(0), ()).is_ok(), "a known one goes on");
        assert!(registry.polled(&edge("b", 0), None, at(12_100), ()).is_ok());
    }
}
