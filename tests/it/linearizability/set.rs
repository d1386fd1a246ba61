//! A bucket as a set of keys: add, remove, move, look, and list.

use super::checker::Model;
use super::clients::Subject;
use crate::dice::Dice;
use crate::raw::Answer;
use crate::signed::Signed;

const KEYS: u64 = 6;

/// The keys below a prefix. A state is a bit for each key.
pub struct Set;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Add(u64),
    Remove(u64),
    /// Renames the first to the second: a listing shows one of them, never both and never neither.
    Move(u64, u64),
    Has(u64),
    List,
    /// One page of a listing that starts behind this key, of at most two.
    ListTwo(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Done,
    Absent,
    /// Nothing happened: others were quicker.
    Busy,
    Keys(u64),
}

fn name(key: u64) -> String {
    format!("key-{key}")
}

fn keys_behind(state: u64, start: u64, limit: usize) -> u64 {
    (start + 1..KEYS).filter(|key| state & 1 << key != 0).take(limit).fold(0, |keys, key| keys | 1 << key)
}

impl Model for Set {
    type State = u64;
    type Call = Call;
    type Answer = Said;

    fn step(state: &u64, call: &Call, answer: Option<&Said>) -> Option<u64> {
        if answer == Some(&Said::Busy) {
            return Some(*state);
        }
        let has = |key: u64| state & 1 << key != 0;
        let (after, said) = match *call {
            Call::Add(key) => (state | 1 << key, Said::Done),
            Call::Remove(key) => (state & !(1 << key), Said::Done),
            Call::Move(from, to) if has(from) => (state & !(1 << from) | 1 << to, Said::Done),
            Call::Has(key) if has(key) => (*state, Said::Done),
            Call::Move(..) | Call::Has(_) => (*state, Said::Absent),
            Call::List => (*state, Said::Keys(*state)),
            Call::ListTwo(start) => (*state, Said::Keys(keys_behind(*state, start, 2))),
        };
        answer.is_none_or(|answer| *answer == said).then_some(after)
    }
}

impl Subject for Set {
    const BUSY: Said = Said::Busy;

    fn choose(dice: &mut Dice) -> Call {
        let (key, other) = (dice.below(KEYS), dice.below(KEYS));
        match dice.below(100) {
            0..30 => Call::Add(key),
            30..50 => Call::Remove(key),
            50..65 if key != other => Call::Move(key, other),
            50..75 => Call::Has(key),
            75..90 => Call::List,
            _ => Call::ListTwo(key),
        }
    }

    async fn send(client: &Signed, path: &str, call: &Call) -> Option<Answer> {
        let object = |key: &u64| format!("{path}/{}", name(*key));
        match call {
            Call::Add(key) => client.try_send("PUT", &object(key), &[], key.to_string()).await,
            Call::Remove(key) => client.try_send("DELETE", &object(key), &[], "").await,
            Call::Move(from, to) => {
                let source = name(*from);
                let target = format!("{}?renameObject=", object(to));
                client.try_send("PUT", &target, &[("x-amz-rename-source", &source)], "").await
            }
            Call::Has(key) => client.try_send("HEAD", &object(key), &[], "").await,
            Call::List => client.try_send("GET", &format!("{path}?list-type=2"), &[], "").await,
            Call::ListTwo(start) => {
                let target = format!("{path}?list-type=2&max-keys=2&start-after={}", name(*start));
                client.try_send("GET", &target, &[], "").await
            }
        }
    }

    fn read(call: &Call, answer: &Answer) -> Said {
        match (answer.status, call) {
            (200, Call::List | Call::ListTwo(_)) => {
                let number = |key: &String| key.strip_prefix("key-").and_then(|number| number.parse::<u64>().ok());
                let keys = answer.elements("Key");
                assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
                Said::Keys(
                    keys.iter()
                        .map(|key| number(key).expect("a key that was added"))
                        .fold(0, |keys, key| keys | 1 << key),
                )
            }
            (200, Call::Add(_) | Call::Move(..) | Call::Has(_)) | (204, Call::Remove(_)) => Said::Done,
            (404, Call::Move(..) | Call::Has(_)) => Said::Absent,
            (409 | 412 | 503, Call::Add(_) | Call::Remove(_) | Call::Move(..)) => Said::Busy,
            _ => panic!("{call:?}: {answer:?}"),
        }
    }
}
