//! Clients that do as they like, and the history of what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::checker::{Model, Operation};
use crate::dice::Dice;
use crate::raw::Answer;
use crate::signed::Signed;

/// How long a killed server may take to come back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the server is at the moment: a client for each place it moves to.
pub type Door = watch::Sender<Signed>;

/// What clients do to an object, over HTTP.
pub trait Subject: Model<Call: Clone + Send + Sync, Answer: PartialEq + Send> + 'static {
    /// Some operation.
    fn choose(dice: &mut Dice) -> Self::Call;

    /// Does it below `path`; `None` where the server is gone before the answer is here.
    fn send(client: &Signed, path: &str, call: &Self::Call) -> impl Future<Output = Option<Answer>> + Send;

    /// The answer of an operation that did not happen because others were quicker.
    const BUSY: Self::Answer;

    /// What the answer says. Panics on answers that no operation may get.
    fn read(call: &Self::Call, answer: &Answer) -> Self::Answer;
}

/// What happened, in the order of its ends.
pub type History<S> = Vec<Operation<<S as Model>::Call, <S as Model>::Answer>>;

/// One clock for all clients of a history: what ends before another starts has the smaller time.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// Waits until about `operations` operations are through, each of which ticks twice, or `running` has ended.
    pub async fn reaches<T>(&self, operations: usize, running: &JoinHandle<T>) {
        while self.0.load(Ordering::SeqCst) < 2 * operations as u64 && !running.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Has `clients` clients do `each` operations, as they come.
pub async fn run<S: Subject>(
    door: &Door,
    path: &str,
    dice: &Dice,
    clock: &Clock,
    (clients, each): (usize, usize),
) -> History<S> {
    let history = Arc::new(Mutex::new(Vec::new()));
    let running = (0..clients).map(|client| {
        let (mut door, path, mut dice) = (door.subscribe(), path.to_owned(), dice.fork(client as u64 + 1));
        let (history, clock) = (history.clone(), clock.clone());
        tokio::spawn(async move {
            for _ in 0..each {
                let call = S::choose(&mut dice);
                let started = clock.tick();
                let here = door.borrow_and_update().clone();
                let answer = S::send(&here, &path, &call).await;
                let ended = clock.tick();
                let gone = answer.is_none();
                let answer = answer.map(|answer| S::read(&call, &answer));
                history.lock().push(Operation { client, call, answer, started, ended });
                if gone {
                    // One unanswered operation for each client and death: more would only be guesses for the checker.
                    timeout(PATIENCE, door.changed()).await.expect("the server comes back").expect("the door is kept");
                }
            }
        })
    });
    for client in running.collect::<Vec<_>>() {
        client.await.expect("every answer makes sense");
    }
    std::mem::take(&mut *history.lock())
}
