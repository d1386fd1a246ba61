//! The contract of [`Blobs`] as tests, run on every engine.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::{BLOCK_BYTES, BlobId, BlobRef, Blobs, Error, FaultyBlobs, FileBlobs, MemoryBlobs, Options, footer_bytes};

const BLOCK: usize = BLOCK_BYTES as usize;
const CHUNK_LIMIT: usize = 1 << 20;

/// An engine's place: opens it, and damages what it stored behind its back.
trait Subject {
    type Engine: Blobs;

    /// Begins the next run over the same blobs. The engine of the last run is gone by then.
    fn open(&self) -> Self::Engine;

    /// Changes a bit of the byte at `at`, counting through body and footer.
    fn flip(&self, id: BlobId, at: u64);

    /// Cuts body and footer together down to `bytes`.
    fn truncate(&self, id: BlobId, bytes: u64);
}

macro_rules! every_engine_keeps {
    ($($promise:ident)*) => {
        mod files { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$promise(super::Files::new()).await }
        )* }
        mod packs { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$promise(super::Packed(super::Files::new())).await }
        )* }
        mod memory { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$promise(super::Memory::default()).await }
        )* }
        mod faulty { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$promise(super::Decorated(super::Memory::default())).await }
        )* }
    };
}

every_engine_keeps! {
    a_blob_reads_back_as_it_was_written
    a_range_is_clamped_to_the_blob
    the_length_hint_is_no_promise
    an_unfinished_blob_never_existed
    ids_are_never_given_twice
    deleting_twice_succeeds
    a_missing_blob_is_missing
    a_listing_is_ordered_and_paged
    a_damaged_byte_is_never_given_out
    a_truncated_blob_is_corrupt
    a_wrong_reference_is_noticed
    a_reader_of_a_deleted_blob_never_gives_other_bytes
    many_writers_do_not_disturb_each_other
    space_is_what_is_left_of_a_whole
}

async fn a_blob_reads_back_as_it_was_written(subject: impl Subject) {
    let blobs = subject.open();
    for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, 3_500_001] {
        for chunk in [1_000_003, 70_001, usize::MAX] {
            let body = body(length);
            let blob = write(&blobs, &body, chunk).await;
            assert_eq!(blob.length, length as u64);
            assert_eq!(read(&blobs, blob, 0..u64::MAX).await.unwrap(), body, "{length} bytes in chunks of {chunk}");
        }
    }
}

async fn a_range_is_clamped_to_the_blob(subject: impl Subject) {
    let blobs = subject.open();
    let body = body(9 * BLOCK + 17);
    let blob = write(&blobs, &body, 512 * 1024).await;
    let (block, length) = (BLOCK_BYTES, body.len() as u64);
    let edges = [0, 1, block - 1, block, block + 1, 4 * block, 8 * block + 9, length - 1, length, length + 1, u64::MAX];
    for start in edges {
        for end in edges {
            let range = start.min(length) as usize..end.min(length) as usize;
            let expected = body.get(range).unwrap_or_default();
            assert_eq!(read(&blobs, blob, start..end).await.unwrap(), expected, "{start}..{end}");
        }
    }
}

async fn the_length_hint_is_no_promise(subject: impl Subject) {
    let blobs = subject.open();
    let body = body(2 * BLOCK);
    for hint in [0, 1, 2 * BLOCK_BYTES, 5_000_000] {
        let mut writer = blobs.create(Some(hint)).await.unwrap();
        writer.write(Bytes::copy_from_slice(&body)).await.unwrap();
        let blob = writer.finish().await.unwrap();
        assert_eq!(read(&blobs, blob, 0..u64::MAX).await.unwrap(), body);
    }
}

async fn an_unfinished_blob_never_existed(subject: impl Subject) {
    let blobs = subject.open();
    let untouched = blobs.create(None).await.unwrap();
    let mut begun = blobs.create(Some(3_000_000)).await.unwrap();
    begun.write(body(2_000_000).into()).await.unwrap();
    drop((untouched, begun));
    until_empty(&blobs).await;
}

async fn ids_are_never_given_twice(subject: impl Subject) {
    let mut ids = BTreeSet::new();
    let mut last_run = 0;
    for _ in 0..3 {
        let blobs = subject.open();
        assert!(blobs.run() > last_run);
        last_run = blobs.run();
        for _ in 0..3 {
            drop(blobs.create(None).await.unwrap());
            let writer = blobs.create(None).await.unwrap();
            let id = writer.finish().await.unwrap().id;
            assert_eq!(id.run, last_run);
            assert!(ids.insert(id), "{id} was given before");
            blobs.delete(id).await.unwrap();
        }
    }
}

async fn deleting_twice_succeeds(subject: impl Subject) {
    let blobs = subject.open();
    let gone = write(&blobs, b"gone", 9).await;
    let kept = write(&blobs, b"kept", 9).await;
    for _ in 0..2 {
        blobs.delete(gone.id).await.unwrap();
    }
    assert_eq!(blobs.list(None, 9).await.unwrap(), [kept.id]);
    assert!(matches!(read(&blobs, gone, 0..4).await, Err(Error::Missing(id)) if id == gone.id));
    assert_eq!(read(&blobs, kept, 0..4).await.unwrap(), b"kept");
}

async fn a_missing_blob_is_missing(subject: impl Subject) {
    let blobs = subject.open();
    let never = BlobRef { id: BlobId { run: 77, number: 7 }, length: 5, footer_checksum: 0 };
    assert!(matches!(blobs.read(never, 0..5).await.err(), Some(Error::Missing(id)) if id == never.id));
    blobs.delete(never.id).await.unwrap();
}

async fn a_listing_is_ordered_and_paged(subject: impl Subject) {
    let mut written = Vec::new();
    for _ in 0..3 {
        let blobs = subject.open();
        for _ in 0..5 {
            written.push(write(&blobs, b"x", 1).await.id);
        }
    }
    let blobs = subject.open();
    assert_eq!(blobs.list(None, 100).await.unwrap(), written);
    assert_eq!(blobs.list(None, 0).await.unwrap(), []);
    for (i, id) in written.iter().enumerate() {
        let behind = &written[i + 1..];
        assert_eq!(blobs.list(Some(*id), 4).await.unwrap(), behind[..behind.len().min(4)]);
    }
    let between = BlobId { run: written[0].run, number: u64::MAX };
    assert_eq!(blobs.list(Some(between), 1).await.unwrap(), [written[5]]);
    let last = BlobId { run: u64::MAX, number: u64::MAX };
    assert_eq!(blobs.list(Some(last), 1).await.unwrap(), []);
}

async fn a_damaged_byte_is_never_given_out(subject: impl Subject) {
    let blobs = subject.open();
    let body = body(20 * BLOCK + 100);
    let length = body.len() as u64;
    let middle = 9 * BLOCK_BYTES + 1;
    for at in [0, BLOCK_BYTES - 1, middle, length - 1] {
        let blob = write(&blobs, &body, 512 * 1024).await;
        subject.flip(blob.id, at);
        assert_corrupt_after_a_prefix(&blobs, blob, &body).await;
        let block = at / BLOCK_BYTES;
        let damaged = block * BLOCK_BYTES..((block + 1) * BLOCK_BYTES).min(length);
        assert!(matches!(read(&blobs, blob, damaged.start..damaged.start + 1).await, Err(Error::Corrupt(_))));
        assert!(matches!(read(&blobs, blob, damaged.end - 1..damaged.end).await, Err(Error::Corrupt(_))));
        let before = read(&blobs, blob, 0..damaged.start).await.unwrap();
        assert_eq!(before, body[..damaged.start as usize]);
        let behind = read(&blobs, blob, damaged.end..length).await.unwrap();
        assert_eq!(behind, body[damaged.end as usize..]);
    }
    for at in length..length + footer_bytes(length) {
        let blob = write(&blobs, &body, usize::MAX).await;
        subject.flip(blob.id, at);
        assert!(matches!(read(&blobs, blob, 0..1).await, Err(Error::Corrupt(_))), "footer byte {}", at - length);
        blobs.delete(blob.id).await.unwrap();
    }
    let empty = write(&blobs, b"", 1).await;
    subject.flip(empty.id, 3);
    assert!(matches!(read(&blobs, empty, 0..0).await, Err(Error::Corrupt(_))));
}

async fn a_truncated_blob_is_corrupt(subject: impl Subject) {
    let blobs = subject.open();
    let body = body(5 * BLOCK + 1);
    let length = body.len() as u64;
    let size = length + footer_bytes(length);
    for bytes in [0, 1, BLOCK_BYTES, length - 1, length, length + 1, size - 1] {
        let blob = write(&blobs, &body, usize::MAX).await;
        subject.truncate(blob.id, bytes);
        assert_corrupt_after_a_prefix(&blobs, blob, &body).await;
    }
}

async fn a_wrong_reference_is_noticed(subject: impl Subject) {
    let blobs = subject.open();
    let body = body(2 * BLOCK + 5);
    let blob = write(&blobs, &body, usize::MAX).await;
    let wrong_references = [
        BlobRef { footer_checksum: blob.footer_checksum ^ 1, ..blob },
        BlobRef { length: blob.length - 1, ..blob },
        BlobRef { length: blob.length + 1, ..blob },
        BlobRef { length: 0, ..blob },
        BlobRef { length: u64::MAX, ..blob },
    ];
    // Also once the right reference has been used: nothing that is remembered of it serves a wrong one.
    for _ in 0..2 {
        for wrong in wrong_references {
            assert!(matches!(read(&blobs, wrong, 0..1).await, Err(Error::Corrupt(id)) if id == blob.id), "{wrong:?}");
        }
        assert_eq!(read(&blobs, blob, 0..u64::MAX).await.unwrap(), body);
    }
}

async fn a_reader_of_a_deleted_blob_never_gives_other_bytes(subject: impl Subject) {
    let blobs = subject.open();
    let body = body(40 * BLOCK);
    let blob = write(&blobs, &body, usize::MAX).await;
    let mut reader = blobs.read(blob, 0..blob.length).await.unwrap();
    let mut given = reader.next().await.unwrap().unwrap().to_vec();
    blobs.delete(blob.id).await.unwrap();
    write(&blobs, &vec![0xee; body.len()], usize::MAX).await;
    while let Ok(Some(bytes)) = reader.next().await {
        given.extend_from_slice(&bytes);
    }
    assert!(body.starts_with(&given));
}

async fn many_writers_do_not_disturb_each_other(subject: impl Subject) {
    const WRITERS: usize = 64;
    let blobs = Arc::new(subject.open());
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let blobs = blobs.clone();
            tokio::spawn(async move {
                let body = body(100_000 + writer * 1_000);
                (write(&*blobs, &body, 30_011 + writer).await, body)
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for task in tasks {
        let (blob, body) = task.await.unwrap();
        assert_eq!(read(&*blobs, blob, 0..u64::MAX).await.unwrap(), body);
        ids.insert(blob.id);
    }
    assert_eq!(blobs.list(None, 2 * WRITERS).await.unwrap(), Vec::from_iter(ids));
}

async fn space_is_what_is_left_of_a_whole(subject: impl Subject) {
    let space = subject.open().space().await.unwrap();
    assert!(0 < space.free && space.free <= space.total, "{space:?}");
}

struct Files {
    root: TempDir,
}

#[derive(Default)]
struct Memory {
    latest: Mutex<MemoryBlobs>,
}

struct Decorated<S>(S);

impl Files {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    /// Finds the file without knowing the engine's layout.
    fn file(&self, id: BlobId) -> std::fs::File {
        let directories = std::fs::read_dir(self.root.path()).unwrap();
        let mut paths = directories.map(|entry| entry.unwrap().path().join(id.to_string()));
        let path = paths.find(|path| path.exists()).unwrap();
        std::fs::File::options().read(true).write(true).open(path).unwrap()
    }
}

impl Subject for Files {
    type Engine = FileBlobs;

    fn open(&self) -> FileBlobs {
        FileBlobs::open(self.root.path(), Options { pack_threshold: 0, ..Options::default() }).unwrap()
    }

    fn flip(&self, id: BlobId, at: u64) {
        use std::os::unix::fs::FileExt;
        let (file, mut byte) = (self.file(id), [0]);
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    fn truncate(&self, id: BlobId, bytes: u64) {
        self.file(id).set_len(bytes).unwrap();
    }
}

/// The same engine, with everything packed that is announced.
struct Packed(Files);

impl Packed {
    /// Finds the pack and where in it the body begins, by what an id says.
    fn pack(&self, id: BlobId) -> (std::fs::File, u64) {
        let name = BlobId { number: id.number >> 32 << 32, ..id }.to_string();
        let path = self.0.root.path().join("packs").join(name);
        let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
        (file, (id.number >> 12 & 0xf_ffff) * 4096 + 40)
    }
}

impl Subject for Packed {
    type Engine = FileBlobs;

    fn open(&self) -> FileBlobs {
        let options = Options { pack_threshold: u64::MAX, ..Options::default() };
        FileBlobs::open(self.0.root.path(), options).unwrap()
    }

    fn flip(&self, id: BlobId, at: u64) {
        use std::os::unix::fs::FileExt;
        let ((file, start), mut byte) = (self.pack(id), [0]);
        file.read_exact_at(&mut byte, start + at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], start + at).unwrap();
    }

    fn truncate(&self, id: BlobId, bytes: u64) {
        let (file, start) = self.pack(id);
        file.set_len(start + bytes).unwrap();
    }
}

impl Subject for Memory {
    type Engine = MemoryBlobs;

    fn open(&self) -> MemoryBlobs {
        let mut latest = self.latest.lock();
        let opened = latest.reopen();
        *latest = opened.reopen();
        opened
    }

    fn flip(&self, id: BlobId, at: u64) {
        assert!(self.latest.lock().flip(id, at));
    }

    fn truncate(&self, id: BlobId, bytes: u64) {
        assert!(self.latest.lock().truncate(id, bytes));
    }
}

impl<S: Subject> Subject for Decorated<S> {
    type Engine = FaultyBlobs<S::Engine>;

    fn open(&self) -> Self::Engine {
        FaultyBlobs::new(self.0.open())
    }

    fn flip(&self, id: BlobId, at: u64) {
        self.0.flip(id, at);
    }

    fn truncate(&self, id: BlobId, bytes: u64) {
        self.0.truncate(id, bytes);
    }
}

/// Bytes in which no block resembles another.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 11) as u8).collect()
}

async fn write(blobs: &dyn Blobs, body: &[u8], chunk: usize) -> BlobRef {
    let mut writer = blobs.create(Some(body.len() as u64)).await.unwrap();
    for chunk in body.chunks(chunk) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn read(blobs: &dyn Blobs, blob: BlobRef, range: std::ops::Range<u64>) -> Result<Vec<u8>, Error> {
    let mut reader = blobs.read(blob, range).await?;
    let mut all = Vec::new();
    while let Some(bytes) = reader.next().await? {
        assert!((1..=CHUNK_LIMIT).contains(&bytes.len()));
        all.extend_from_slice(&bytes);
    }
    assert!(reader.next().await?.is_none(), "the end stays the end");
    Ok(all)
}

/// Reads until the first error, which must say that the blob is corrupt, and checks all that was given before.
async fn assert_corrupt_after_a_prefix(blobs: &dyn Blobs, blob: BlobRef, body: &[u8]) {
    let mut given = Vec::new();
    let error = match blobs.read(blob, 0..blob.length).await {
        Err(error) => error,
        Ok(mut reader) => loop {
            match reader.next().await {
                Ok(Some(bytes)) => given.extend_from_slice(&bytes),
                Ok(None) => panic!("the damage was not noticed"),
                Err(error) => break error,
            }
        },
    };
    assert!(matches!(error, Error::Corrupt(id) if id == blob.id), "{error:?}");
    assert!(body.starts_with(&given));
}

/// Dropped writers clean up behind the caller's back; they are given a moment.
async fn until_empty(blobs: &dyn Blobs) {
    for _ in 0..1_000 {
        if blobs.list(None, 1).await.unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("unfinished blobs stay");
}
