//! An engine that fails when told to, so that tests can interrupt any sequence of calls at any point.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{BlobId, BlobReader, BlobRef, BlobWriter, Blobs, Error, Space};

/// What a failing call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Full,
    ReadOnly,
    Io,
}

/// Counts the calls to an engine and to its writers and readers, and fails those that it was told to fail.
///
/// A failing call does not reach the engine. `run`, `id` and `forget_cached` are not counted.
#[derive(Debug)]
pub struct FaultyBlobs<B> {
    inner: B,
    plan: Arc<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: AtomicU64,
    faults: Mutex<BTreeMap<u64, Fault>>,
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    plan: Arc<Plan>,
}

struct FaultyReader {
    inner: Box<dyn BlobReader>,
    plan: Arc<Plan>,
}

impl<B> FaultyBlobs<B> {
    /// Decorates `inner`; without [`fail_at`](Self::fail_at) it behaves as `inner` does.
    pub fn new(inner: B) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// Lets call number `call` fail; the first call is number 1.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.plan.faults.lock().insert(call, fault);
    }

    /// How many calls there were, failed ones included.
    pub fn calls(&self) -> u64 {
        self.plan.calls.load(Ordering::SeqCst)
    }

    pub fn inner(&self) -> &B {
        &self.inner
    }
}

impl Plan {
    fn count(&self) -> Result<(), Error> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.faults.lock().remove(&call) {
            None => Ok(()),
            Some(Fault::Full) => Err(Error::Full),
            Some(Fault::ReadOnly) => Err(Error::ReadOnly(format!("injected at call {call}"))),
            Some(Fault::Io) => Err(Error::Io(io::Error::other(format!("injected at call {call}")))),
        }
    }
}

#[async_trait]
impl<B: Blobs> Blobs for FaultyBlobs<B> {
    async fn create(&self, length: Option<u64>) -> Result<Box<dyn BlobWriter>, Error> {
        self.plan.count()?;
        let inner = self.inner.create(length).await?;
        Ok(Box::new(FaultyWriter { inner, plan: self.plan.clone() }))
    }

    async fn read(&self, blob: BlobRef, range: Range<u64>) -> Result<Box<dyn BlobReader>, Error> {
        self.plan.count()?;
        let inner = self.inner.read(blob, range).await?;
        Ok(Box::new(FaultyReader { inner, plan: self.plan.clone() }))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        self.plan.count()?;
        self.inner.delete(id).await
    }

    async fn quarantine(&self, id: BlobId) -> Result<(), Error> {
        self.plan.count()?;
        self.inner.quarantine(id).await
    }

    async fn forget_cached(&self, id: BlobId) {
        self.inner.forget_cached(id).await;
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobId>, Error> {
        self.plan.count()?;
        self.inner.list(after, limit).await
    }

    async fn space(&self) -> Result<Space, Error> {
        self.plan.count()?;
        self.inner.space().await
    }

    fn writable(&self) -> Result<(), Error> {
        self.inner.writable()
    }

    fn run(&self) -> u64 {
        self.inner.run()
    }
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.plan.count()?;
        self.inner.write(chunk).await
    }

    async fn finish(self: Box<Self>) -> Result<BlobRef, Error> {
        self.plan.count()?;
        self.inner.finish().await
    }
}

#[async_trait]
impl BlobReader for FaultyReader {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.plan.count()?;
        self.inner.next().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryBlobs;
    use super::*;

    /// One of every counted call, in a fixed order.
    async fn every_call(blobs: &dyn Blobs) -> Result<(), Error> {
        let mut writer = blobs.create(None).await?;
        writer.write(Bytes::from_static(b"bytes")).await?;
        let blob = writer.finish().await?;
        let mut reader = blobs.read(blob, 0..5).await?;
        reader.next().await?;
        blobs.list(None, 1).await?;
        blobs.space().await?;
        blobs.delete(blob.id).await
    }

    const CALLS: u64 = 8;

    #[tokio::test]
    async fn every_call_can_be_the_one_that_fails() {
        for call in 1..=CALLS {
            let blobs = FaultyBlobs::new(MemoryBlobs::new());
            blobs.fail_at(call, Fault::Io);
            let error = every_call(&blobs).await.unwrap_err();
            assert!(matches!(error, Error::Io(_)), "call {call} gave {error:?}");
            assert_eq!(blobs.calls(), call);
            assert_eq!(blobs.inner().len(), usize::from(call > 3), "unfinished blobs are gone after call {call}");
        }
    }

    #[tokio::test]
    async fn a_fault_strikes_once_and_says_what_it_was_told_to_say() {
        let blobs = FaultyBlobs::new(MemoryBlobs::new());
        blobs.fail_at(1, Fault::Full);
        blobs.fail_at(2, Fault::ReadOnly);
        assert!(matches!(every_call(&blobs).await, Err(Error::Full)));
        assert!(matches!(every_call(&blobs).await, Err(Error::ReadOnly(_))));
        every_call(&blobs).await.unwrap();
        assert_eq!(blobs.calls(), 2 + CALLS);
    }
}
