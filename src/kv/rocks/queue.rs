//! The commits that wait for the committer: bounded in bytes, taken a batch at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Semaphore, oneshot};

use super::super::{Commit, CommitError, Committed, Error, Expected, Write};

/// What all waiting commits together may hold, in KiB; whoever comes later waits for room. A commit counts as 1 KiB at
/// least, so that this bounds their number too.
const QUEUE_KIB: u32 = 32 * 1024;

/// The most commits of one batch, and the bytes after which a batch takes no further commit.
const BATCH_COMMITS: usize = 1024;
const BATCH_KIB: u32 = 4 * 1024;

/// What a commit costs beside its keys and values, for each expectation and each write, in bytes.
const ENTRY_BYTES: usize = 64;

/// Hands commits from any number of callers to one thread.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Signalled when a commit arrives, and when the queue closes.
    filled: Condvar,
    /// One permit for each KiB of room.
    room: Semaphore,
}

/// A commit, and where its answer goes.
pub(super) struct Request {
    pub commit: Commit,
    pub answer: oneshot::Sender<Result<Committed, CommitError>>,
    kib: u32,
}

/// How long a batch waits for more commits than one, so that callers who were answered together are written together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Company {
    /// How many are enough.
    pub commits: usize,
    pub until: Instant,
}

/// What [`Queue::take`] came back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Commits,
    /// The deadline passed without a commit.
    Nothing,
    /// The queue is paused.
    Paused,
    /// The queue is closed and empty.
    Closed,
}

struct State {
    waiting: VecDeque<Request>,
    waiting_kib: u32,
    /// The committer sleeps until this many wait, or a full batch.
    wanted: usize,
    phase: Phase,
}

enum Phase {
    Open,
    /// Commits are refused until the queue is resumed.
    Paused(String),
    Closed,
    Failed(String),
}

impl Queue {
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State { waiting: VecDeque::new(), waiting_kib: 0, wanted: 1, phase: Phase::Open }),
            filled: Condvar::new(),
            room: Semaphore::new(QUEUE_KIB as usize),
        }
    }

    /// Tells whether commits are taken.
    pub fn check(&self) -> Result<(), Error> {
        self.state.lock().check()
    }

    /// Waits for room, queues `commit`, and waits for its answer. Dropped while it waits for room, nothing was queued.
    pub async fn submit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let kib = kib_of(&commit);
        // An error means that the queue closed; the check under the lock below says how.
        let room = self.room.acquire_many(kib).await;
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.state.lock();
            state.check()?;
            if let Ok(room) = room {
                // Given back by the committer, which takes the commit over here.
                room.forget();
            }
            state.push(Request { commit, answer, kib });
            if state.has_wanted() {
                self.filled.notify_one();
            }
        }
        answered.await.unwrap_or_else(|_| Err(Error::Engine("the committer stopped half-way".to_owned()).into()))
    }

    /// Moves the next commits into `batch`, in order of arrival; waits for the first until `deadline`, and then for more
    /// as `company` says.
    pub fn take(&self, batch: &mut Vec<Request>, deadline: Option<Instant>, company: Company) -> Taken {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            match state.phase {
                Phase::Open => {}
                Phase::Paused(_) => return Taken::Paused,
                Phase::Closed | Phase::Failed(_) => return Taken::Closed,
            }
            let Some(deadline) = deadline else {
                self.filled.wait(&mut state);
                continue;
            };
            if self.filled.wait_until(&mut state, deadline).timed_out() && state.waiting.is_empty() {
                return Taken::Nothing;
            }
        }
        self.wait_for(company, &mut state);
        let kib = state.move_to(batch);
        drop(state);
        self.room.add_permits(kib as usize);
        Taken::Commits
    }

    fn wait_for(&self, company: Company, state: &mut MutexGuard<'_, State>) {
        state.wanted = company.commits.min(BATCH_COMMITS);
        while !state.has_wanted() && matches!(state.phase, Phase::Open) {
            if self.filled.wait_until(state, company.until).timed_out() {
                break;
            }
        }
        state.wanted = 1;
    }

    /// How many commits wait now.
    pub fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Takes no more commits; those that wait are still committed.
    pub fn close(&self) {
        self.stop(Phase::Closed);
    }

    /// Takes no more commits and refuses those that wait.
    pub fn fail(&self, reason: String) {
        self.stop(Phase::Failed(reason.clone()));
        self.refuse_waiting(&Error::ReadOnly(reason));
    }

    /// Takes no more commits until [`Self::resume`], and refuses those that wait.
    pub fn pause(&self, reason: String) {
        {
            let mut state = self.state.lock();
            if matches!(state.phase, Phase::Open) {
                state.phase = Phase::Paused(reason.clone());
            }
        }
        self.refuse_waiting(&Error::Paused(reason));
    }

    /// Takes commits again after a pause.
    pub fn resume(&self) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Paused(_)) {
            state.phase = Phase::Open;
        }
    }

    /// Waits until the queue takes no commits for good, or for `patience`; tells which.
    pub fn is_closed_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        let closed = |state: &State| matches!(state.phase, Phase::Closed | Phase::Failed(_));
        while !closed(&state) && !self.filled.wait_until(&mut state, deadline).timed_out() {}
        closed(&state)
    }

    fn refuse_waiting(&self, reason: &Error) {
        let (refused, kib) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.waiting_kib))
        };
        self.room.add_permits(kib as usize);
        // Outside the lock: each answer wakes its caller, if that is still there.
        for request in refused {
            let _ = request.answer.send(Err(reason.clone().into()));
        }
    }

    fn stop(&self, phase: Phase) {
        {
            let mut state = self.state.lock();
            if !matches!(state.phase, Phase::Failed(_)) {
                state.phase = phase;
            }
        }
        self.room.close();
        self.filled.notify_all();
    }
}

impl Company {
    /// No waiting: the first commit is enough.
    pub fn none() -> Self {
        Self { commits: 1, until: Instant::now() }
    }
}

impl State {
    fn push(&mut self, request: Request) {
        self.waiting_kib += request.kib;
        self.waiting.push_back(request);
    }

    fn has_wanted(&self) -> bool {
        self.waiting.len() >= self.wanted || self.waiting_kib >= BATCH_KIB
    }

    /// Moves the first commits into `batch`, as many as fit, and gives the room that they took.
    fn move_to(&mut self, batch: &mut Vec<Request>) -> u32 {
        let mut kib = 0;
        while kib < BATCH_KIB && batch.len() < BATCH_COMMITS {
            let Some(request) = self.waiting.pop_front() else { break };
            kib += request.kib;
            batch.push(request);
        }
        self.waiting_kib -= kib;
        kib
    }

    fn check(&self) -> Result<(), Error> {
        match &self.phase {
            Phase::Open => Ok(()),
            Phase::Paused(reason) => Err(Error::Paused(reason.clone())),
            Phase::Closed => Err(Error::Closed),
            Phase::Failed(reason) => Err(Error::ReadOnly(reason.clone())),
        }
    }
}

/// What a commit takes of the queue's room: all of it, where it is larger.
fn kib_of(commit: &Commit) -> u32 {
    let expectations = commit.expectations.iter().map(|expectation| match &expectation.expected {
        Expected::Absent => expectation.key.len(),
        Expected::Value(value) => expectation.key.len() + value.len(),
    });
    let writes = commit.writes.iter().map(|write| match write {
        Write::Put { key, value, .. } => key.len() + value.len(),
        Write::Delete { key, .. } => key.len(),
        Write::DeleteRange { start, end, .. } => start.len() + end.len(),
        Write::Append { value, .. } => value.len(),
        Write::Advance { .. } => 0,
    });
    let bytes: usize = expectations.chain(writes).map(|bytes| bytes + ENTRY_BYTES).sum();
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(QUEUE_KIB).clamp(1, QUEUE_KIB)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::super::contract::RECORDS;
    use super::*;

    fn commit_of(bytes: usize) -> Commit {
        Commit::new().put(RECORDS, "k", vec![0; bytes])
    }

    #[tokio::test]
    async fn a_batch_is_bounded_and_the_rest_stays_in_order() {
        let queue = Arc::new(Queue::new());
        for size in [3 << 20, 3 << 20, 10] {
            let queue = Arc::clone(&queue);
            let waiting = queue.len();
            tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.submit(commit_of(size)).await }
            });
            while queue.len() == waiting {
                tokio::task::yield_now().await;
            }
        }
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch, None, Company::none()), Taken::Commits);
        assert_eq!(batch.len(), 2);
        batch.clear();
        assert_eq!(queue.take(&mut batch, None, Company::none()), Taken::Commits);
        assert_eq!(batch.len(), 1);
        assert_eq!(queue.room.available_permits(), QUEUE_KIB as usize);
    }

    #[tokio::test]
    async fn callers_wait_for_room_and_a_dropped_one_queues_nothing() {
        let queue = Queue::new();
        let full = queue.submit(commit_of(64 << 20));
        let late = queue.submit(commit_of(1));
        tokio::pin!(full);
        {
            tokio::pin!(late);
            assert!(futures_util::poll!(&mut full).is_pending());
            assert!(futures_util::poll!(&mut late).is_pending());
            assert_eq!(queue.len(), 1);
        }
        let mut batch = Vec::new();
        queue.take(&mut batch, None, Company::none());
        assert_eq!((batch.len(), queue.len()), (1, 0));
    }

    #[tokio::test]
    async fn a_failed_queue_refuses_waiting_and_later_commits() {
        let queue = Queue::new();
        let waiting = queue.submit(commit_of(1));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        queue.fail("disk".to_owned());
        queue.close();
        for refused in [waiting.await, queue.submit(commit_of(1)).await] {
            assert!(matches!(refused, Err(CommitError::Engine(Error::ReadOnly(_)))));
        }
        assert_eq!(queue.take(&mut Vec::new(), None, Company::none()), Taken::Closed);
    }

    #[tokio::test]
    async fn a_paused_queue_refuses_until_it_is_resumed() {
        let queue = Queue::new();
        let waiting = queue.submit(commit_of(64 << 20));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        queue.pause("disk".to_owned());
        for refused in [waiting.await, queue.submit(commit_of(1)).await] {
            assert!(matches!(refused, Err(CommitError::Engine(Error::Paused(_)))));
        }
        assert_eq!(queue.take(&mut Vec::new(), None, Company::none()), Taken::Paused);
        assert!(!queue.is_closed_within(Duration::from_millis(1)));

        queue.resume();
        assert_eq!(queue.room.available_permits(), QUEUE_KIB as usize);
        let waiting = queue.submit(commit_of(1));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(queue.take(&mut Vec::new(), None, Company::none()), Taken::Commits);

        queue.pause("disk".to_owned());
        queue.close();
        assert!(queue.is_closed_within(Duration::ZERO));
        queue.resume();
        assert_eq!(queue.take(&mut Vec::new(), None, Company::none()), Taken::Closed);
    }

    #[tokio::test]
    async fn a_commit_that_was_taken_and_never_answered_has_an_unknown_outcome() {
        let queue = Queue::new();
        let waiting = queue.submit(commit_of(1));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let mut batch = Vec::new();
        queue.take(&mut batch, None, Company::none());
        drop(batch);
        assert!(matches!(waiting.await, Err(CommitError::Engine(Error::Engine(_)))));
    }

    #[tokio::test]
    async fn a_closed_queue_hands_out_what_waits() {
        let queue = Queue::new();
        let waiting = queue.submit(commit_of(1));
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        queue.close();
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch, None, Company::none()), Taken::Commits);
        assert_eq!(queue.take(&mut batch, None, Company::none()), Taken::Closed);
        assert!(matches!(queue.submit(commit_of(1)).await, Err(CommitError::Engine(Error::Closed))));
    }

    #[tokio::test]
    async fn a_batch_waits_for_company_but_not_for_long() {
        let queue = Queue::new();
        let first = queue.submit(commit_of(1));
        tokio::pin!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        let began = Instant::now();
        let company = Company { commits: 2, until: began + Duration::from_millis(20) };
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch, None, company), Taken::Commits);
        assert!(batch.len() == 1 && began.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let queue = Queue::new();
        assert_eq!(queue.take(&mut Vec::new(), Some(Instant::now()), Company::none()), Taken::Nothing);
    }
}
