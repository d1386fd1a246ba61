//! Clients that do as they like, and the history of what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::checker::{Model, Operation};
use crate::dice::Dice;
use crate::raw::Answer;
use crate::signed::Signed;

/// How long a client waits before it tries again to reach a server that is gone.
const PAUSE: Duration = Duration::from_millis(20);

/// Where the server is at the moment.
#[derive(Clone)]
pub struct Door(Arc<RwLock<Signed>>);

impl Door {
    pub fn new(client: Signed) -> Self {
        Self(Arc::new(RwLock::new(client)))
    }

    /// The server has moved.
    pub fn lead_to(&self, client: Signed) {
        *self.0.write() = client;
    }

    fn client(&self) -> Signed {
        self.0.read().clone()
    }
}

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

/// Has `clients` clients do `each` operations, as they come.
pub async fn run<S: Subject>(door: &Door, path: &str, dice: &Dice, clients: usize, each: usize) -> History<S> {
    let history = Arc::new(Mutex::new(Vec::new()));
    let clock = Arc::new(AtomicU64::new(0));
    let running = (0..clients).map(|client| {
        let (door, path, mut dice) = (door.clone(), path.to_owned(), dice.fork(client as u64 + 1));
        let (history, clock) = (history.clone(), clock.clone());
        tokio::spawn(async move {
            for _ in 0..each {
                let call = S::choose(&mut dice);
                // One clock for all: what ends before another starts has the smaller time.
                let started = clock.fetch_add(1, Ordering::SeqCst);
                let answer = S::send(&door.client(), &path, &call).await;
                let ended = clock.fetch_add(1, Ordering::SeqCst);
                let gone = answer.is_none();
                let answer = answer.map(|answer| S::read(&call, &answer));
                history.lock().push(Operation { client, call, answer, started, ended });
                if gone {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        })
    });
    for client in running.collect::<Vec<_>>() {
        client.await.expect("every answer makes sense");
    }
    std::mem::take(&mut *history.lock())
}
