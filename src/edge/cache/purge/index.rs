//! The rules in force: for each scope, tag, path and prefix the last purge of it. A response is gone when a rule that is
//! about it is newer than its fill.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::super::sequence::Sequence;
use super::super::site::SiteId;
use super::super::tags::Tags;
use super::footing::{Footing, Standing};
use super::rule::{Dated, EVERYTHING, Matter, Rule, Subject};
use crate::edge::rules::key::PrimaryKey;

/// The most rules in force. What comes beyond them counts for its whole scope.
pub(in super::super) const MAX_RULES: usize = 100_000;

/// Every rule in force, and the number of the last purge.
#[derive(Debug)]
pub(in super::super) struct Index {
    /// The same as the rules' own, readable without the lock. Written while it is held, after the rules.
    latest: AtomicU64,
    folded: AtomicU64,
    rules: RwLock<Rules>,
    most: usize,
}

#[derive(Debug, Default)]
struct Rules {
    latest: Sequence,
    /// Rules up to here are retired: what was not compared with all of them cannot be judged any more.
    floor: Sequence,
    scopes: HashMap<u64, ScopeRules>,
    count: usize,
}

#[derive(Debug, Default)]
struct ScopeRules {
    all: Mark,
    paths: HashMap<u64, Mark>,
    prefixes: HashMap<(u32, u64), Mark>,
    /// How many prefixes there are of each length: only those are looked up.
    lengths: BTreeMap<u32, usize>,
    tags: HashMap<u64, Mark>,
}

/// The last hard and the last soft purge of one thing; zero for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    hard: Sequence,
    soft: Sequence,
}

impl Index {
    pub fn new(most: usize) -> Self {
        Self { latest: AtomicU64::new(0), folded: AtomicU64::new(0), rules: RwLock::default(), most }
    }

    pub fn latest(&self) -> Sequence {
        Sequence::new(self.latest.load(Ordering::Acquire))
    }

    /// The purge up to which rules are retired.
    pub fn floor(&self) -> Sequence {
        self.rules.read().floor
    }

    /// The number of rules in force.
    pub fn len(&self) -> usize {
        self.rules.read().count
    }

    /// How many rules came beyond the bound and were made to count for their whole scope.
    pub fn folded(&self) -> u64 {
        self.folded.load(Ordering::Relaxed)
    }

    /// Puts rules in force, all under one new number. `record` is called with it while no other purge can come between.
    pub fn apply(&self, rules: &[Rule], record: impl FnOnce(Sequence)) -> Sequence {
        let mut held = self.rules.write();
        let sequence = held.latest.next();
        self.enforce(&mut held, rules, sequence);
        record(sequence);
        sequence
    }

    /// Puts rules in force again that were recorded before, and counts on from the last.
    pub fn restore(&self, dated: &[Dated], latest: Sequence, floor: Sequence) {
        let mut held = self.rules.write();
        for Dated { rule, sequence } in dated {
            self.enforce(&mut held, std::slice::from_ref(rule), *sequence);
        }
        held.floor = held.floor.max(floor);
        held.latest = held.latest.max(latest).max(held.floor);
        self.latest.store(held.latest.number(), Ordering::Release);
    }

    fn enforce(&self, held: &mut Rules, rules: &[Rule], sequence: Sequence) {
        for rule in rules {
            if held.add(rule, sequence, self.most) {
                self.folded.fetch_add(1, Ordering::Relaxed);
            }
        }
        held.latest = held.latest.max(sequence);
        // After the rules: who sees the number finds them, once the lock is free.
        self.latest.store(held.latest.number(), Ordering::Release);
    }

    /// What purges made of a response: one load where none came since it was last asked.
    pub fn standing(&self, key: &PrimaryKey, footing: &Footing) -> Standing {
        let (checked, soft) = footing.checked();
        if checked == self.latest() {
            return if soft { Standing::Soft } else { Standing::Good };
        }
        let subject = Subject::new(footing.site(), key);
        let (latest, mark) = match self.since(checked, &subject, Some(footing.tags())) {
            Some(found) => found,
            None => return Standing::Gone,
        };
        if mark.hard > checked {
            return Standing::Gone;
        }
        let soft = soft || mark.soft > checked;
        footing.note(latest, soft);
        if soft { Standing::Soft } else { Standing::Good }
    }

    /// The number of the last purge, if no purge since `since`, hard or soft, is about a response.
    pub fn untouched(&self, since: Sequence, site: &SiteId, key: &PrimaryKey, tags: Option<&Tags>) -> Option<Sequence> {
        if since == self.latest() {
            return Some(since);
        }
        let (latest, mark) = self.since(since, &Subject::new(site, key), tags)?;
        (mark.hard <= since && mark.soft <= since).then_some(latest)
    }

    /// The number of the last purge, and the last ones that are about a response; `None` where rules newer than `since`
    /// are retired.
    fn since(&self, since: Sequence, subject: &Subject<'_>, tags: Option<&Tags>) -> Option<(Sequence, Mark)> {
        let rules = self.rules.read();
        (since >= rules.floor).then(|| (rules.latest, rules.last_about(subject, tags)))
    }

    /// Every rule in force with its number, the number of the last purge, and the one up to which rules are retired.
    pub fn snapshot(&self) -> (Vec<Dated>, Sequence, Sequence) {
        let rules = self.rules.read();
        (rules.dated(), rules.latest, rules.floor)
    }

    /// Retires the rules up to `floor`. From here on, what was not compared with all of them counts as gone.
    pub fn retire(&self, floor: Sequence) {
        let mut held = self.rules.write();
        let kept: Vec<Dated> = held.dated().into_iter().filter(|dated| dated.sequence > floor).collect();
        held.floor = held.floor.max(floor);
        held.scopes.clear();
        held.count = 0;
        for Dated { rule, sequence } in kept {
            held.add(&rule, sequence, self.most);
        }
    }
}

impl Rules {
    /// Adds a rule, or one for its whole scope where there would be too many. Says whether it was widened.
    fn add(&mut self, rule: &Rule, sequence: Sequence, most: usize) -> bool {
        let mut rule = *rule;
        let full = self.count >= most && !self.has(&rule);
        if full {
            let scope = if self.scopes.contains_key(&rule.scope) { rule.scope } else { EVERYTHING };
            rule = Rule { scope, matter: Matter::All, soft: rule.soft };
        }
        let hides = rule.matter == Matter::All && !rule.soft;
        if hides {
            self.forget_before(rule.scope, sequence);
        }
        let scope = self.scopes.entry(rule.scope).or_default();
        self.count += usize::from(scope.mark(&rule, sequence));
        full
    }

    fn has(&self, rule: &Rule) -> bool {
        self.scopes.get(&rule.scope).is_some_and(|scope| match rule.matter {
            Matter::All => true,
            Matter::Path(hash) => scope.paths.contains_key(&hash),
            Matter::Prefix { hash, length } => scope.prefixes.contains_key(&(length, hash)),
            Matter::Tag(hash) => scope.tags.contains_key(&hash),
        })
    }

    /// Drops what a hard purge of a whole scope makes superfluous.
    fn forget_before(&mut self, scope: u64, sequence: Sequence) {
        let newest = self.scopes.values().map(ScopeRules::newest).max().unwrap_or_default();
        if scope == EVERYTHING && newest <= sequence {
            self.scopes.clear();
            self.count = 0;
        } else if self.scopes.get(&scope).is_some_and(|rules| rules.newest() <= sequence) {
            self.count -= self.scopes.remove(&scope).map_or(0, |rules| rules.len());
        }
    }

    fn last_about(&self, subject: &Subject<'_>, tags: Option<&Tags>) -> Mark {
        let mut last = Mark::default();
        for scope in subject.scopes() {
            if let Some(rules) = self.scopes.get(&scope) {
                last.merge(rules.last_about(subject, tags));
            }
        }
        last
    }

    fn dated(&self) -> Vec<Dated> {
        let mut dated = Vec::with_capacity(self.count);
        for (scope, rules) in &self.scopes {
            rules.each(|matter, mark| {
                for (soft, sequence) in [(false, mark.hard), (true, mark.soft)] {
                    if sequence > Sequence::default() {
                        dated.push(Dated { rule: Rule { scope: *scope, matter, soft }, sequence });
                    }
                }
            });
        }
        dated
    }
}

impl ScopeRules {
    /// Notes a purge; says whether it is of something that had none.
    fn mark(&mut self, rule: &Rule, sequence: Sequence) -> bool {
        let before = self.len();
        let mark = match rule.matter {
            Matter::All => &mut self.all,
            Matter::Path(hash) => self.paths.entry(hash).or_default(),
            Matter::Prefix { hash, length } => self.prefixes.entry((length, hash)).or_insert_with(|| {
                *self.lengths.entry(length).or_default() += 1;
                Mark::default()
            }),
            Matter::Tag(hash) => self.tags.entry(hash).or_default(),
        };
        let side = if rule.soft { &mut mark.soft } else { &mut mark.hard };
        *side = sequence.max(*side);
        self.len() > before
    }

    /// The number of rules, of which the one for the whole scope is counted once it is there.
    fn len(&self) -> usize {
        usize::from(self.all != Mark::default()) + self.paths.len() + self.prefixes.len() + self.tags.len()
    }

    fn newest(&self) -> Sequence {
        let mut newest = Sequence::default();
        self.each(|_, mark| newest = newest.max(mark.hard).max(mark.soft));
        newest
    }

    fn last_about(&self, subject: &Subject<'_>, tags: Option<&Tags>) -> Mark {
        let mut last = self.all;
        self.merge_tags(&mut last, tags);
        self.merge_paths(&mut last, subject);
        last
    }

    /// The tags' marks; every one where the tags are unknown.
    fn merge_tags(&self, last: &mut Mark, tags: Option<&Tags>) {
        if self.tags.is_empty() {
            return;
        }
        match tags {
            None => self.tags.values().for_each(|mark| last.merge(*mark)),
            Some(tags) => {
                for mark in tags.hashes().iter().filter_map(|hash| self.tags.get(hash)) {
                    last.merge(*mark);
                }
            }
        }
    }

    /// The marks of the path and of its prefixes: one walk along the path.
    fn merge_paths(&self, last: &mut Mark, subject: &Subject<'_>) {
        if self.paths.is_empty() && self.prefixes.is_empty() {
            return;
        }
        let mut lengths = self.lengths.keys().copied().peekable();
        let mut whole = 0;
        for (length, hash) in subject.prefixes() {
            if lengths.next_if_eq(&length).is_some()
                && let Some(mark) = self.prefixes.get(&(length, hash))
            {
                last.merge(*mark);
            }
            whole = hash;
        }
        if let Some(mark) = self.paths.get(&whole) {
            last.merge(*mark);
        }
    }

    fn each(&self, mut each: impl FnMut(Matter, Mark)) {
        each(Matter::All, self.all);
        self.paths.iter().for_each(|(hash, mark)| each(Matter::Path(*hash), *mark));
        self.prefixes.iter().for_each(|((length, hash), mark)| {
            each(Matter::Prefix { hash: *hash, length: *length }, *mark);
        });
        self.tags.iter().for_each(|(hash, mark)| each(Matter::Tag(*hash), *mark));
    }
}

impl Mark {
    fn merge(&mut self, other: Self) {
        self.hard = self.hard.max(other.hard);
        self.soft = self.soft.max(other.soft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Purge, Scope, What};
    use super::*;

    fn rule(scope: Scope, what: What, soft: bool) -> Rule {
        Rule::new(&Purge { scope, what, soft })
    }

    fn path(site: &str, number: usize) -> Rule {
        rule(Scope::Site(SiteId::new(site)), What::Path(format!("/{number}")), false)
    }

    fn footing(site: &str, index: &Index) -> Footing {
        Footing::new(SiteId::new(site), Tags::default(), index.latest())
    }

    fn apply(index: &Index, rule: Rule) -> Sequence {
        index.apply(&[rule], |_| ())
    }

    fn key(number: usize) -> PrimaryKey {
        PrimaryKey::from_stored(&format!("https://a.test/{number}"))
    }

    #[test]
    fn repeated_purges_take_the_room_of_one() {
        let index = Index::new(10);
        for number in 0..100 {
            apply(&index, path("a", number % 5));
        }
        assert_eq!((index.len(), index.folded(), index.latest()), (5, 0, Sequence::new(100)));
    }

    #[test]
    fn a_purge_of_a_whole_scope_makes_the_others_in_it_superfluous() {
        let index = Index::new(10);
        apply(&index, path("a", 1));
        apply(&index, path("b", 1));
        apply(&index, rule(Scope::Site(SiteId::new("a")), What::All, false));
        assert_eq!(index.len(), 2);
        apply(&index, rule(Scope::Everything, What::All, true));
        assert_eq!(index.len(), 3);
        apply(&index, rule(Scope::Everything, What::All, false));
        assert_eq!(index.len(), 1);
    }

    #[test]
    fn purges_beyond_the_bound_count_for_their_whole_site() {
        let index = Index::new(3);
        let (mine, other, fresh) = (footing("a", &index), footing("b", &index), footing("c", &index));
        apply(&index, path("b", 100));
        for number in 0..2 {
            apply(&index, path("a", number));
        }
        assert_eq!((index.standing(&key(7), &mine), index.folded()), (Standing::Good, 0));
        apply(&index, path("a", 2));
        assert_eq!((index.standing(&key(7), &mine), index.folded()), (Standing::Gone, 1));
        assert_eq!((index.standing(&key(7), &other), index.len()), (Standing::Good, 2));
        // A soft one that is folded leaves the hard ones in force.
        apply(&index, path("b", 101));
        apply(&index, rule(Scope::Site(SiteId::new("b")), What::Path("/5".to_owned()), true));
        assert_eq!(index.standing(&key(7), &other), Standing::Soft);
        assert_eq!(index.standing(&key(101), &other), Standing::Soft, "it was found good before");
        assert_eq!(
            index.standing(&key(101), &Footing::new(SiteId::new("b"), Tags::default(), Sequence::new(3))),
            Standing::Gone
        );
        // A site that has no purge yet has no room for one.
        apply(&index, path("c", 0));
        assert_eq!(index.standing(&key(7), &fresh), Standing::Gone);
        assert!(index.len() <= 4);
    }

    #[test]
    fn rules_come_back_from_a_snapshot() {
        let index = Index::new(10);
        let footing = footing("a", &index);
        apply(&index, path("a", 1));
        apply(&index, rule(Scope::Host("a.test".to_owned()), What::Prefix("/2".to_owned()), true));
        let (rules, latest, floor) = index.snapshot();
        let restored = Index::new(10);
        restored.restore(&rules, latest, floor);
        assert_eq!(restored.latest(), index.latest());
        let standings = [1, 2, 3].map(|number| restored.standing(&key(number), &Footing::copied(&footing)));
        assert_eq!(standings, [Standing::Gone, Standing::Soft, Standing::Good]);
    }

    #[test]
    fn retired_rules_leave_what_was_compared_and_nothing_else() {
        let index = Index::new(10);
        let (seen, unseen) = (footing("a", &index), footing("a", &index));
        let first = apply(&index, path("a", 1));
        assert_eq!(index.standing(&key(2), &seen), Standing::Good);
        apply(&index, path("a", 3));
        index.retire(first);
        assert_eq!((index.len(), index.floor()), (1, first));
        assert_eq!(index.standing(&key(2), &seen), Standing::Good);
        assert_eq!(index.standing(&key(2), &unseen), Standing::Gone);
        assert_eq!(index.standing(&key(3), &footing("a", &Index::new(1))), Standing::Gone);
    }
}
