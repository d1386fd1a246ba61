//! One object as a register: read, write, create, remove, and all of that on a condition.

use super::checker::Model;
use super::clients::Subject;
use crate::dice::Dice;
use crate::harness::noise;
use crate::raw::Answer;
use crate::signed::Signed;

/// Few, so that conditions hold often and old values come back.
const VALUES: u64 = 5;

/// The object: a number, or nothing.
pub struct Register;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Read,
    Write(u64),
    Create(u64),
    /// Writes the second where the first is.
    Swap(u64, u64),
    Remove,
    RemoveIf(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What was read.
    Value(Option<u64>),
    Done,
    /// The condition does not hold for what is there.
    Refused,
    /// There is nothing that the condition could hold for.
    Absent,
    /// Nothing happened: others were quicker.
    Busy,
}

/// Small ones travel in the commit, others are files.
fn body(value: u64) -> Vec<u8> {
    noise(if value.is_multiple_of(2) { 20 } else { 40_000 }, value + 1)
}

fn etag(value: u64) -> String {
    use md5::{Digest, Md5};
    format!("\"{}\"", hex::encode(Md5::digest(body(value))))
}

impl Model for Register {
    type State = Option<u64>;
    type Call = Call;
    type Answer = Said;

    fn step(state: &Option<u64>, call: &Call, answer: Option<&Said>) -> Option<Option<u64>> {
        if answer == Some(&Said::Busy) {
            return Some(*state);
        }
        let judge = |wanted: u64, after: Option<u64>| match *state {
            Some(there) if there == wanted => (after, Said::Done),
            Some(_) => (*state, Said::Refused),
            None => (*state, Said::Absent),
        };
        let (after, said) = match (*call, *state) {
            (Call::Read, _) => (*state, Said::Value(*state)),
            (Call::Write(value), _) | (Call::Create(value), None) => (Some(value), Said::Done),
            (Call::Create(_), Some(_)) => (*state, Said::Refused),
            (Call::Swap(old, new), _) => judge(old, Some(new)),
            (Call::Remove, _) => (None, Said::Done),
            (Call::RemoveIf(old), _) => judge(old, None),
        };
        answer.is_none_or(|answer| *answer == said).then_some(after)
    }
}

impl Subject for Register {
    const BUSY: Said = Said::Busy;

    fn choose(dice: &mut Dice) -> Call {
        let (value, other) = (dice.below(VALUES), dice.below(VALUES));
        match dice.below(100) {
            0..30 => Call::Read,
            30..45 => Call::Write(value),
            45..60 => Call::Create(value),
            60..85 => Call::Swap(value, other),
            85..90 => Call::Remove,
            _ => Call::RemoveIf(value),
        }
    }

    async fn send(client: &Signed, path: &str, call: &Call) -> Option<Answer> {
        match call {
            Call::Read => client.try_send("GET", path, &[], "").await,
            Call::Write(value) => client.try_send("PUT", path, &[], body(*value)).await,
            Call::Create(value) => client.try_send("PUT", path, &[("if-none-match", "*")], body(*value)).await,
            Call::Swap(old, new) => client.try_send("PUT", path, &[("if-match", &etag(*old))], body(*new)).await,
            Call::Remove => client.try_send("DELETE", path, &[], "").await,
            Call::RemoveIf(old) => client.try_send("DELETE", path, &[("if-match", &etag(*old))], "").await,
        }
    }

    fn read(call: &Call, answer: &Answer) -> Said {
        match (answer.status, call) {
            (200, Call::Read) => {
                let value = (0..VALUES).find(|value| answer.body == body(*value)).expect("a value that was written");
                assert_eq!(answer.header("etag"), Some(etag(value).as_str()));
                Said::Value(Some(value))
            }
            (404, Call::Read) => Said::Value(None),
            (200, Call::Write(_) | Call::Create(_) | Call::Swap(..)) | (204, Call::Remove | Call::RemoveIf(_)) => {
                Said::Done
            }
            (412, Call::Create(_) | Call::Swap(..) | Call::RemoveIf(_)) => Said::Refused,
            (404, Call::Swap(..) | Call::RemoveIf(_)) => Said::Absent,
            (409 | 503, _) if *call != Call::Read => Said::Busy,
            _ => panic!("{call:?}: {answer:?}"),
        }
    }
}
