//! Blob files in a directory that this program has not opened as an engine: what a backup writes and a restore fills.
//!
//! Everything here blocks.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use super::super::{BLOCK_BYTES, Footer, footer_bytes};
use super::layout::{FAN_OUT, Layout, Segment, parse_name, sync_directory};
use super::pack::Place;
use super::{BlobId, BlobRef, Error, run};

/// How many bytes are read, verified and written at a time.
const COPY_BYTES: u64 = 16 * BLOCK_BYTES;
/// Where files are while they are being copied.
const UNFINISHED: &str = "unfinished";

/// The files of blobs below one directory, laid out as the engine lays them out.
pub struct BlobTree {
    layout: Layout,
}

/// How closely a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrutiny {
    /// Its size and its footer: that it is the blob that is meant, and was finished.
    Footer,
    /// Every byte.
    Bytes,
}

impl BlobTree {
    /// The files below `root`, where an engine or another tree made them. Makes nothing.
    pub fn at(root: &Path) -> Self {
        Self { layout: Layout::at(root) }
    }

    /// The files below `root`, whose directories are made durably if need be.
    pub fn make(root: &Path) -> Result<Self, Error> {
        let tree = Self { layout: Layout::prepare(root)? };
        match fs::create_dir(tree.unfinished()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(tree),
        }
    }

    /// The blobs of which there are files, whatever is in them: some 30 bytes of memory each. For a tree that was made.
    pub fn ids(&self) -> Result<HashSet<BlobId>, Error> {
        let mut ids = HashSet::new();
        for index in 0..FAN_OUT {
            for entry in fs::read_dir(self.layout.directory(index))? {
                let id = parse_name(&entry?.file_name());
                ids.extend(id.filter(|id| Segment::of(*id).directory() == index));
            }
        }
        Ok(ids)
    }

    /// Whether there is a file of this blob, whatever is in it.
    pub fn has(&self, id: BlobId) -> bool {
        self.layout.path(id).exists()
    }

    /// Makes sure that `blob` is here as it was written, as far as `scrutiny` goes.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::Corrupt`] are about this blob; other errors are about the disk.
    pub fn check(&self, blob: BlobRef, scrutiny: Scrutiny) -> Result<(), Error> {
        let source = Source::open(&self.layout, blob)?;
        match scrutiny {
            Scrutiny::Footer => Ok(()),
            Scrutiny::Bytes => source.read_through(|_| Ok(())),
        }
    }

    /// Gives the file that `from` has for `blob` a name here as well; `false` where it shares a file with others, and where
    /// the file system does not let it, as where the two are on different ones. A file with that name that is here already
    /// stays.
    pub fn link(&self, blob: BlobId, from: &Self) -> Result<bool, Error> {
        if Place::open(&from.layout, blob, |path| File::open(path)).is_ok_and(|place| place.is_shared()) {
            return Ok(false);
        }
        match fs::hard_link(from.layout.path(blob), self.layout.path(blob)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(blob)),
            Err(error) if may_be_copied(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Copies `blob` from another tree, verifying every byte. It has its name only when it is whole and durable, so that a
    /// file with a blob's name is never half a blob. The name is durable after [`Self::sync`]. `told` hears of the bytes as
    /// they are copied; an error of it ends the copy, as if it had never begun.
    pub fn copy(&self, blob: BlobRef, from: &Self, told: &dyn Fn(u64) -> io::Result<()>) -> Result<(), Error> {
        let draft = self.draft(blob.id);
        copy_verified(&draft.path, &from.layout, blob, told)?;
        Ok(fs::rename(&draft.path, self.layout.path(blob.id))?)
    }

    /// Copies a damaged blob as it is: reading it finds the damage again, and gives what is whole.
    pub fn copy_damaged(&self, blob: BlobRef, from: &Self) -> Result<(), Error> {
        let draft = self.draft(blob.id);
        let place = Place::open(&from.layout, blob.id, |path| File::open(path))?;
        let mut file = create(&draft.path)?;
        let size = blob.length.saturating_add(footer_bytes(blob.length));
        (&place.file).seek(SeekFrom::Start(place.start))?;
        io::copy(&mut (&place.file).take(size), &mut file)?;
        file.sync_all()?;
        Ok(fs::rename(&draft.path, self.layout.path(blob.id))?)
    }

    /// Removes the file of a blob.
    pub fn remove(&self, id: BlobId) -> Result<(), Error> {
        Ok(fs::remove_file(self.layout.path(id))?)
    }

    /// Makes every name durable that was given here, and removes what copies that never ended left behind.
    pub fn sync(&self) -> Result<(), Error> {
        match fs::remove_dir_all(self.unfinished()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        for index in 0..FAN_OUT {
            sync_directory(&self.layout.directory(index))?;
        }
        Ok(sync_directory(self.layout.root())?)
    }

    /// Leaves `last` behind as the number of the last run, durably: the engine goes on behind it.
    pub fn set_last_run(&self, last: u64) -> Result<(), Error> {
        Ok(run::persist(self.layout.root(), last)?)
    }

    fn draft(&self, id: BlobId) -> Draft {
        Draft { path: self.unfinished().join(id.to_string()) }
    }

    fn unfinished(&self) -> PathBuf {
        self.layout.root().join(UNFINISHED)
    }
}

/// A copy on its way: dropped before it was renamed, it is gone.
struct Draft {
    path: PathBuf,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Renamed, or swept up at the end with the directory.
        let _ = fs::remove_file(&self.path);
    }
}

/// A blob's bytes with its verified footer.
struct Source {
    blob: BlobRef,
    place: Place,
    footer: Footer,
    encoded_footer: Vec<u8>,
}

impl Source {
    fn open(layout: &Layout, blob: BlobRef) -> Result<Self, Error> {
        let place = Place::open(layout, blob.id, |path| File::open(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing(blob.id),
            _ => error.into(),
        })?;
        if !place.has_room_for(&blob)? {
            return Err(Error::Corrupt(blob.id));
        }
        // The file has this size, so a footer is no longer than what was once written.
        let mut encoded_footer = vec![0; footer_bytes(blob.length) as usize];
        read(&place, &mut encoded_footer, blob.length, blob.id)?;
        let footer = Footer::decode(&encoded_footer, &blob).map_err(|_| match place.is_hole() {
            true => Error::Missing(blob.id),
            false => Error::Corrupt(blob.id),
        })?;
        Ok(Self { blob, place, footer, encoded_footer })
    }

    /// Reads and verifies every byte, and passes them on a piece at a time.
    fn read_through(&self, mut pass_on: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), Error> {
        // Nobody else will want these bytes soon: a server beside this should keep its own in the page cache.
        let _ = fadvise(&self.place.file, 0, None, Advice::NoReuse);
        let mut buffer = vec![0; COPY_BYTES.min(self.blob.length) as usize];
        let mut position = 0;
        while position < self.blob.length {
            let length = COPY_BYTES.min(self.blob.length - position) as usize;
            let bytes = &mut buffer[..length];
            read(&self.place, bytes, position, self.blob.id)?;
            if !self.footer.vouches_for(position / BLOCK_BYTES, bytes) {
                return Err(Error::Corrupt(self.blob.id));
            }
            pass_on(bytes)?;
            position += length as u64;
        }
        Ok(())
    }
}

fn create(draft: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)
}

fn copy_verified(
    draft: &Path,
    from: &Layout,
    blob: BlobRef,
    told: &dyn Fn(u64) -> io::Result<()>,
) -> Result<(), Error> {
    let source = Source::open(from, blob)?;
    let mut file = create(draft)?;
    source.read_through(|bytes| {
        told(bytes.len() as u64)?;
        file.write_all(bytes)
    })?;
    file.write_all(&source.encoded_footer)?;
    file.sync_data()?;
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    Ok(())
}

/// Reads bytes that a sound file has: an error means that the disk lost them.
fn read(place: &Place, buffer: &mut [u8], offset: u64, id: BlobId) -> Result<(), Error> {
    place.read_exact(buffer, offset).map_err(|error| {
        tracing::error!(blob = %id, offset, %error, "a blob cannot be read");
        Error::Corrupt(id)
    })
}

/// Whether a hard link was refused for a reason that does not keep the file from being copied: another file system, one
/// without links, too many links of one file, or a file of another user.
fn may_be_copied(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use bytes::Bytes;
    use tempfile::TempDir;

    use super::super::super::{Blobs, Options};
    use super::super::FileBlobs;
    use super::*;

    const LENGTH: usize = 3 * COPY_BYTES as usize / 2 + 5;

    struct Trees {
        blobs: FileBlobs,
        from: BlobTree,
        to: BlobTree,
        directory: TempDir,
    }

    /// An engine's tree with one blob in it, and an empty one.
    async fn trees(length: usize) -> (Trees, BlobRef) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("from");
        let blobs = FileBlobs::open(&root, Options::default()).unwrap();
        let mut writer = blobs.create(None).await.unwrap();
        writer.write((0..length).map(|i| (i * 7 + i / 255) as u8).collect::<Bytes>()).await.unwrap();
        let blob = writer.finish().await.unwrap();
        let to = BlobTree::make(&directory.path().join("to")).unwrap();
        (Trees { blobs, from: BlobTree::at(&root), to, directory }, blob)
    }

    fn quiet(_: u64) -> io::Result<()> {
        Ok(())
    }

    impl Trees {
        fn spoil(&self, blob: BlobRef, offset: u64) {
            let file = OpenOptions::new().write(true).open(self.from.layout.path(blob.id)).unwrap();
            file.write_all_at(b"spoilt", offset).unwrap();
        }

        fn copy(&self, blob: BlobRef) -> Result<(), Error> {
            self.to.copy(blob, &self.from, &quiet)
        }

        fn files_copied(&self) -> usize {
            let files = |index| fs::read_dir(self.to.layout.directory(index)).unwrap().count();
            (0..FAN_OUT).map(files).sum::<usize>() + fs::read_dir(self.to.unfinished()).map_or(0, Iterator::count)
        }
    }

    #[tokio::test]
    async fn a_copy_is_the_same_blob_in_a_file_of_its_own() {
        for length in [0, 1, BLOCK_BYTES as usize, LENGTH] {
            let (trees, blob) = trees(length).await;
            let told = std::cell::Cell::new(0);
            let tell = |bytes| {
                told.set(told.get() + bytes);
                Ok(())
            };
            assert!(!trees.to.has(blob.id) && trees.to.ids().unwrap().is_empty());
            trees.to.copy(blob, &trees.from, &tell).unwrap();
            assert_eq!(trees.to.ids().unwrap(), [blob.id].into());
            assert_eq!(told.get(), length as u64);
            trees.to.check(blob, Scrutiny::Bytes).unwrap();
            assert!(trees.to.has(blob.id));
            let inode = |tree: &BlobTree| fs::metadata(tree.layout.path(blob.id)).unwrap().ino();
            assert_ne!(inode(&trees.to), inode(&trees.from));
            trees.to.sync().unwrap();
            assert!(!trees.to.unfinished().exists());
        }
    }

    #[tokio::test]
    async fn a_link_is_the_same_file_and_may_be_there_already() {
        let (trees, blob) = trees(LENGTH).await;
        for _ in 0..2 {
            assert!(trees.to.link(blob.id, &trees.from).unwrap());
        }
        let inode = |tree: &BlobTree| fs::metadata(tree.layout.path(blob.id)).unwrap().ino();
        assert_eq!(inode(&trees.to), inode(&trees.from));
        trees.blobs.delete(blob.id).await.unwrap();
        trees.to.check(blob, Scrutiny::Bytes).unwrap();
        let other = BlobId { run: 9, number: 9 };
        assert!(matches!(trees.to.link(other, &trees.from), Err(Error::Missing(id)) if id == other));
    }

    #[tokio::test]
    async fn nothing_is_linked_across_file_systems() {
        let Ok(memory) = tempfile::tempdir_in("/dev/shm") else { return };
        let (trees, blob) = trees(9).await;
        let to = BlobTree::make(memory.path()).unwrap();
        if fs::metadata(memory.path()).unwrap().dev() == fs::metadata(trees.directory.path()).unwrap().dev() {
            return;
        }
        assert!(!to.link(blob.id, &trees.from).unwrap());
        to.copy(blob, &trees.from, &quiet).unwrap();
        to.check(blob, Scrutiny::Bytes).unwrap();
    }

    #[tokio::test]
    async fn damage_is_found_and_leaves_nothing_behind() {
        for offset in [0, COPY_BYTES + 1, LENGTH as u64 - 6, LENGTH as u64 + 3] {
            let (trees, blob) = trees(LENGTH).await;
            trees.spoil(blob, offset);
            assert!(matches!(trees.from.check(blob, Scrutiny::Bytes), Err(Error::Corrupt(_))), "{offset}");
            assert!(matches!(trees.copy(blob), Err(Error::Corrupt(_))), "{offset}");
            assert_eq!(trees.files_copied(), 0);
            let in_footer = offset > LENGTH as u64;
            assert_eq!(trees.from.check(blob, Scrutiny::Footer).is_err(), in_footer, "{offset}");
        }
        let (trees, blob) = trees(LENGTH).await;
        OpenOptions::new().write(true).open(trees.from.layout.path(blob.id)).unwrap().set_len(100).unwrap();
        assert!(matches!(trees.from.check(blob, Scrutiny::Footer), Err(Error::Corrupt(_))));
        trees.blobs.delete(blob.id).await.unwrap();
        assert!(matches!(trees.copy(blob), Err(Error::Missing(_))));
    }

    #[tokio::test]
    async fn a_damaged_blob_is_copied_as_it_is_where_that_is_wanted() {
        let (trees, blob) = trees(LENGTH).await;
        trees.spoil(blob, 0);
        trees.to.copy_damaged(blob, &trees.from).unwrap();
        let read = |tree: &BlobTree| fs::read(tree.layout.path(blob.id)).unwrap();
        assert!(read(&trees.to) == read(&trees.from));
        trees.to.remove(blob.id).unwrap();
        assert!(!trees.to.has(blob.id));
    }

    #[tokio::test]
    async fn a_copy_that_is_stopped_leaves_nothing_behind() {
        let (trees, blob) = trees(LENGTH).await;
        let stop = |_| Err(io::Error::from(io::ErrorKind::Interrupted));
        assert!(trees.to.copy(blob, &trees.from, &stop).is_err());
        assert_eq!(trees.files_copied(), 0);
    }

    #[tokio::test]
    async fn an_engine_goes_on_behind_the_last_run() {
        let (trees, blob) = trees(9).await;
        trees.copy(blob).unwrap();
        trees.to.set_last_run(41).unwrap();
        trees.to.sync().unwrap();
        let blobs = FileBlobs::open(&trees.directory.path().join("to"), Options::default()).unwrap();
        assert_eq!(blobs.run(), 42);
        assert_eq!(blobs.list(None, 9).await.unwrap(), [blob.id]);
        assert!(blobs.read(blob, 0..9).await.unwrap().next().await.unwrap().is_some());
    }
}
