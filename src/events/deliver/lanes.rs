//! Who is behind whom: where an endpoint keeps the order of keys, the messages of one key go one after the other. Pure.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use crate::names::{BucketId, ObjectKey};

/// Names a change that waits or is under way, in the order in which they came.
pub type Ticket = u64;

/// Lanes of tickets. Without order there is nothing in them, and nobody waits for anybody.
#[derive(Debug)]
pub struct Lanes {
    ordered: bool,
    hasher: RandomState,
    /// By the hash of bucket and key: two keys that share one wait for each other without need, which is seldom.
    lanes: HashMap<u64, Lane>,
    lane_of: HashMap<Ticket, u64>,
}

#[derive(Debug, Default)]
struct Lane {
    tickets: VecDeque<Ticket>,
    /// How many of them are only in memory.
    fresh: usize,
}

/// Where a ticket that came stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nobody is before it.
    First,
    /// Somebody is who is only in memory.
    Waits,
    /// All who are before it are written down: it is to be written down too, or it would come before them after a restart.
    BehindWritten,
}

impl Lanes {
    pub fn new(ordered: bool) -> Self {
        Self { ordered, hasher: RandomState::new(), lanes: HashMap::new(), lane_of: HashMap::new() }
    }

    /// Puts a ticket at the end of its lane. `written`: there is a row of it.
    pub fn enter(&mut self, ticket: Ticket, bucket: BucketId, key: &ObjectKey, written: bool) -> Place {
        if !self.ordered {
            return Place::First;
        }
        let hash = self.hasher.hash_one((bucket, key.as_str()));
        let lane = self.lanes.entry(hash).or_default();
        let place = match (lane.tickets.is_empty(), lane.fresh) {
            (true, _) => Place::First,
            (false, 0) => Place::BehindWritten,
            (false, _) => Place::Waits,
        };
        lane.tickets.push_back(ticket);
        lane.fresh += usize::from(!written);
        self.lane_of.insert(ticket, hash);
        place
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// A row of it was written.
    pub fn written(&mut self, ticket: Ticket) {
        if let Some(lane) = self.lane_of.get(&ticket).and_then(|hash| self.lanes.get_mut(hash)) {
            lane.fresh = lane.fresh.saturating_sub(1);
        }
    }

    /// Who stands behind it, in order.
    pub fn behind(&self, ticket: Ticket) -> Vec<Ticket> {
        let lane = self.lane_of.get(&ticket).and_then(|hash| self.lanes.get(hash));
        let tickets = lane.into_iter().flat_map(|lane| lane.tickets.iter().copied());
        tickets.skip_while(|other| *other != ticket).skip(1).collect()
    }

    /// Takes a ticket out, wherever it stands; gives the one who is first because of it.
    pub fn leave(&mut self, ticket: Ticket, written: bool) -> Option<Ticket> {
        let hash = self.lane_of.remove(&ticket)?;
        let lane = self.lanes.get_mut(&hash)?;
        let at = lane.tickets.iter().position(|other| *other == ticket)?;
        lane.tickets.remove(at);
        lane.fresh = lane.fresh.saturating_sub(usize::from(!written));
        let next = lane.tickets.front().copied();
        if next.is_none() {
            self.lanes.remove(&hash);
        }
        next.filter(|_| at == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::parse(name).unwrap()
    }

    #[test]
    fn a_key_is_a_lane_and_others_do_not_wait_for_it() {
        let mut lanes = Lanes::new(true);
        let (bucket, other) = (BucketId(1), BucketId(2));
        assert_eq!(lanes.enter(1, bucket, &key("a"), false), Place::First);
        assert_eq!(lanes.enter(2, bucket, &key("a"), false), Place::Waits);
        assert_eq!(lanes.enter(3, bucket, &key("b"), false), Place::First);
        assert_eq!(lanes.enter(4, other, &key("a"), false), Place::First);
        assert_eq!(lanes.enter(5, bucket, &key("a"), false), Place::Waits);
        assert_eq!(lanes.behind(1), [2, 5]);
        assert_eq!(lanes.leave(2, false), None, "one from the middle lets nobody pass");
        assert_eq!(lanes.leave(1, false), Some(5));
        assert_eq!(lanes.leave(5, false), None);
        assert!(lanes.lanes.len() == 2 && lanes.lane_of.len() == 2, "empty lanes are forgotten");
    }

    #[test]
    fn who_comes_behind_written_ones_alone_is_to_be_written() {
        let mut lanes = Lanes::new(true);
        let bucket = BucketId(1);
        lanes.enter(1, bucket, &key("a"), false);
        lanes.written(1);
        assert_eq!(lanes.enter(2, bucket, &key("a"), false), Place::BehindWritten);
        assert_eq!(lanes.enter(3, bucket, &key("a"), false), Place::Waits, "the one before is not written yet");
        lanes.written(2);
        lanes.written(3);
        assert_eq!(lanes.leave(1, true), Some(2));
        assert_eq!(lanes.enter(4, bucket, &key("a"), true), Place::BehindWritten);
    }

    #[test]
    fn without_order_nobody_waits() {
        let mut lanes = Lanes::new(false);
        assert_eq!(lanes.enter(1, BucketId(1), &key("a"), false), Place::First);
        assert_eq!(lanes.enter(2, BucketId(1), &key("a"), false), Place::First);
        assert_eq!((lanes.behind(1), lanes.leave(1, false)), (vec![], None));
    }
}
