//! Whether a history of concurrent operations could have happened one after the other.
//!
//! The search of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of where it has been
//! ("Testing for linearizability", 2017): try every operation that may come next, never go on twice from the same place.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// What an object does when operations come one at a time.
pub trait Model {
    type State: Clone + Debug + Default + Eq + Hash;
    type Call: Debug;
    type Answer: Debug;

    /// The state after `call`, or `None` if it cannot be answered so. Without an answer anything goes.
    fn step(state: &Self::State, call: &Self::Call, answer: Option<&Self::Answer>) -> Option<Self::State>;
}

/// One operation as its client saw it. Times are from one clock for all clients.
#[derive(Debug, Clone)]
pub struct Operation<C, A> {
    pub client: usize,
    pub call: C,
    /// `None` where the connection broke: it happened between its times, or never.
    pub answer: Option<A>,
    pub started: u64,
    pub ended: u64,
}

/// More places than a search of a history from a test ever visits.
const MAX_PLACES: usize = 5_000_000;

/// A place in the search: what has happened, and what that came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place<S> {
    /// How many answered operations, in the order they started, have all happened.
    first: usize,
    /// The answered operations behind them that have happened too, in ascending order.
    ahead: Vec<usize>,
    /// The unanswered operations that have happened, in ascending order.
    unanswered: Vec<usize>,
    state: S,
}

/// Checks a history that begins in the default state. An error tells how far it could be explained.
pub fn check<M: Model>(history: &[Operation<M::Call, M::Answer>]) -> Result<(), String> {
    let mut sorted: Vec<_> = history.iter().collect();
    sorted.sort_by_key(|operation| operation.started);
    let (answered, unanswered) = sorted.into_iter().partition(|operation| operation.answer.is_some());
    let search = Search::<M> { answered, unanswered };
    let start = Place { first: 0, ahead: Vec::new(), unanswered: Vec::new(), state: M::State::default() };
    let mut furthest = start.clone();
    let (mut seen, mut open) = (HashSet::new(), vec![start]);
    while let Some(place) = open.pop() {
        if place.first == search.answered.len() {
            return Ok(());
        }
        if place.first + place.ahead.len() > furthest.first + furthest.ahead.len() {
            furthest = place.clone();
        }
        for next in search.behind(&place) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
        assert!(seen.len() < MAX_PLACES, "the history is too concurrent to be judged");
    }
    Err(search.explain(&furthest))
}

struct Search<'h, M: Model> {
    answered: Vec<&'h Operation<M::Call, M::Answer>>,
    unanswered: Vec<&'h Operation<M::Call, M::Answer>>,
}

impl<M: Model> Search<'_, M> {
    /// Every place that one more operation leads to. The last one given is tried first.
    fn behind(&self, place: &Place<M::State>) -> Vec<Place<M::State>> {
        let mut found = Vec::new();
        // What has not happened must happen before it has ended, so nothing that starts later can come first.
        let deadline = self.waiting(place).map(|index| self.answered[index].ended).min().unwrap_or(u64::MAX);
        let latest =
            place.ahead.last().copied().or(place.first.checked_sub(1)).map(|index| self.answered[index].started);
        for (index, operation) in self.unanswered.iter().enumerate() {
            // What broke off has no effect later on.
            let over = latest.is_some_and(|latest| latest > operation.ended);
            if place.unanswered.contains(&index) || operation.started > deadline || over {
                continue;
            }
            if let Some(state) = M::step(&place.state, &operation.call, None).filter(|state| *state != place.state) {
                let mut next = Place { state, ..place.clone() };
                next.unanswered.push(index);
                next.unanswered.sort_unstable();
                found.push(next);
            }
        }
        for index in self.waiting(place) {
            let operation = self.answered[index];
            if operation.started > deadline {
                break;
            }
            if let Some(state) = M::step(&place.state, &operation.call, operation.answer.as_ref()) {
                found.push(place.with(index, state));
            }
        }
        found
    }

    /// The answered operations that have not happened, in the order they started.
    fn waiting<'p>(&self, place: &'p Place<M::State>) -> impl Iterator<Item = usize> + use<'p, M> {
        (place.first..self.answered.len()).filter(|index| !place.ahead.contains(index))
    }

    fn explain(&self, place: &Place<M::State>) -> String {
        let mut text =
            format!("{} operations lead to {:?}, then none fits:\n", place.first + place.ahead.len(), place.state);
        for index in self.waiting(place).take(20) {
            let Operation { client, call, answer, started, ended } = self.answered[index];
            text += &format!("{started}..{ended} client {client}: {call:?} -> {answer:?}\n");
        }
        text
    }
}

impl<S: Clone> Place<S> {
    /// The place behind here once the answered operation `index` has happened.
    fn with(&self, index: usize, state: S) -> Self {
        let mut next = Self { state, ..self.clone() };
        next.ahead.push(index);
        next.ahead.sort_unstable();
        while next.ahead.first() == Some(&next.first) {
            next.ahead.remove(0);
            next.first += 1;
        }
        next
    }
}

mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A register of small numbers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Call {
        Read,
        Write(u8),
        Swap(u8, u8),
    }

    struct Register;

    impl Model for Register {
        type State = u8;
        type Call = Call;
        /// What was read, or 1 for a swap that happened and 0 for one that did not.
        type Answer = u8;

        fn step(state: &u8, call: &Call, answer: Option<&u8>) -> Option<u8> {
            let (after, said) = match *call {
                Call::Read => (*state, *state),
                Call::Write(value) => (value, 0),
                Call::Swap(old, new) if old == *state => (new, 1),
                Call::Swap(..) => (*state, 0),
            };
            answer.is_none_or(|answer| *answer == said).then_some(after)
        }
    }

    type Entry = Operation<Call, u8>;

    fn operation(started: u64, ended: u64, call: Call, answer: impl Into<Option<u8>>) -> Entry {
        Operation { client: 0, call, answer: answer.into(), started, ended }
    }

    fn accepts(history: &[Entry]) -> bool {
        check::<Register>(history).is_ok()
    }

    #[test]
    fn concurrent_operations_may_come_in_any_order() {
        let writes = [operation(0, 9, Call::Write(1), 0), operation(0, 9, Call::Write(2), 0)];
        for reads in [[1, 2], [2, 1]] {
            let reads = [operation(1, 3, Call::Read, reads[0]), operation(4, 6, Call::Read, reads[1])];
            assert!(accepts(&[&writes[..], &reads].concat()));
        }
    }

    #[test]
    fn a_stale_read_is_found() {
        let write = operation(0, 1, Call::Write(1), 0);
        assert!(!accepts(&[write.clone(), operation(2, 3, Call::Read, 0)]));
        assert!(accepts(&[write, operation(1, 3, Call::Read, 0), operation(4, 5, Call::Read, 1)]));
    }

    #[test]
    fn a_value_that_comes_back_is_found() {
        let write = operation(0, 9, Call::Write(1), 0);
        assert!(!accepts(&[write, operation(1, 2, Call::Read, 1), operation(3, 4, Call::Read, 0)]));
    }

    #[test]
    fn a_lost_update_is_found() {
        let swap = |new, answer| operation(0, 9, Call::Swap(0, new), answer);
        assert!(!accepts(&[swap(1, 1), swap(2, 1)]));
        assert!(accepts(&[swap(1, 1), swap(2, 0)]));
        assert!(!accepts(&[swap(1, 0), swap(2, 0)]), "one of them must win");
    }

    #[test]
    fn what_was_not_answered_happened_in_time_or_never() {
        let broken = operation(0, 3, Call::Write(1), None);
        for value in [0, 1] {
            assert!(accepts(&[broken.clone(), operation(5, 6, Call::Read, value)]));
        }
        let late = [operation(5, 6, Call::Read, 0), operation(7, 8, Call::Read, 1)];
        assert!(!accepts(&[&[broken.clone()][..], &late].concat()), "it takes effect after its end");
        let twice =
            [operation(5, 6, Call::Read, 1), operation(7, 8, Call::Write(0), 0), operation(9, 10, Call::Read, 1)];
        assert!(!accepts(&[&[broken][..], &twice].concat()));
    }

    /// The definition itself: some order of the answered and of some others, within real time, that the model allows.
    fn by_definition(state: u8, remaining: &[Entry], latest: Option<u64>) -> bool {
        if remaining.iter().all(|operation| operation.answer.is_none()) {
            return true;
        }
        (0..remaining.len()).any(|index| {
            let mut rest = remaining.to_vec();
            let next = rest.remove(index);
            let too_early = rest.iter().any(|other| other.answer.is_some() && other.ended < next.started);
            let too_late = next.answer.is_none() && latest.is_some_and(|latest| latest > next.ended);
            let latest = if next.answer.is_some() { latest.max(Some(next.started)) } else { latest };
            !too_early
                && !too_late
                && Register::step(&state, &next.call, next.answer.as_ref())
                    .is_some_and(|state| by_definition(state, &rest, latest))
        })
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let call = prop_oneof![
            Just(Call::Read),
            (0..3_u8).prop_map(Call::Write),
            (0..3_u8, 0..3_u8).prop_map(|(old, new)| Call::Swap(old, new))
        ];
        (0..12_u64, 1..8_u64, call, proptest::option::weighted(0.8, 0..3_u8)).prop_map(
            |(started, length, call, answer)| {
                let answer = answer.map(|answer| match call {
                    Call::Write(_) => 0,
                    Call::Swap(..) => answer % 2,
                    Call::Read => answer,
                });
                operation(started, started + length, call, answer)
            },
        )
    }

    proptest! {
        #[test]
        fn the_search_agrees_with_the_definition(history in proptest::collection::vec(entry(), 0..7)) {
            prop_assert_eq!(accepts(&history), by_definition(0, &history, None));
        }
    }
}
