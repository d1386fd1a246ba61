//! What a disk holds when the power goes: all that was synced, and of the rest whatever chance had it write.
//!
//! The rules are those of POSIX and no kinder: a file's bytes and size are durable when the file was synced, a name when
//! its directory was. Until then each write may be there, or not, or in part, and each change of a name may be there or
//! not, in any combination.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::journal::Record;
use crate::dice::Dice;

/// The unit in which bytes that nobody synced reach the disk or do not.
const PAGE_BYTES: u64 = 4096;

/// How much of what was not synced outlives the power.
#[derive(Debug, Clone)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Of each file and directory a beginning of its changes, the last one torn at any byte.
    Beginnings(Dice),
    /// Of each file any of its changed pages, of each directory any of its changes.
    Anything(Dice),
}

/// A directory tree with its history since it was synced.
pub struct Disk {
    nodes: Vec<Node>,
    /// Which node an inode number stands for now; numbers of removed files are used again.
    live: HashMap<u64, usize>,
    root: usize,
    records: u64,
}

struct Node {
    mode: u32,
    content: Content,
}

enum Content {
    File { durable: Vec<u8>, pending: Vec<Pending<Change>> },
    Directory { durable: Names, now: Names, pending: Vec<Pending<Renaming>> },
}

type Names = BTreeMap<String, usize>;

/// What names stand for after one change; `None`: nothing.
type Renaming = Vec<(String, Option<usize>)>;

/// A change that no sync has covered.
struct Pending<T> {
    /// Its number in the journal.
    record: u64,
    change: T,
}

enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Resize(u64),
}

/// A tree of files as they would be found: paths relative to the root, their bytes or `None` for a directory.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

impl Disk {
    /// Takes the directory as it is for durable.
    pub fn scan(root: &Path) -> Self {
        let mut disk = Self { nodes: Vec::new(), live: HashMap::new(), root: 0, records: 0 };
        disk.root = disk.scan_node(root);
        disk
    }

    fn scan_node(&mut self, path: &Path) -> usize {
        let metadata = fs::symlink_metadata(path).expect("a file that is there");
        let content = if metadata.is_dir() {
            let mut names = Names::new();
            for entry in fs::read_dir(path).expect("a directory") {
                let entry = entry.expect("a directory entry");
                let kind = entry.file_type().expect("a kind");
                // Sockets have no bytes.
                if kind.is_dir() || kind.is_file() {
                    names.insert(name_of(&entry), self.scan_node(&entry.path()));
                }
            }
            directory(names)
        } else {
            Content::File { durable: fs::read(path).expect("a readable file"), pending: Vec::new() }
        };
        self.add(metadata.ino(), metadata.mode() & 0o7777, content)
    }

    fn add(&mut self, inode: u64, mode: u32, content: Content) -> usize {
        self.nodes.push(Node { mode, content });
        self.live.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// Takes in the next record of the journal.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Created { node, directory, name, mode } => {
                let made = self.add(node, mode, Content::File { durable: Vec::new(), pending: Vec::new() });
                self.rename(directory, vec![(name, Some(made))]);
            }
            Record::Made { node, directory: parent, name, mode } => {
                let made = self.add(node, mode, directory(Names::new()));
                self.rename(parent, vec![(name, Some(made))]);
            }
            Record::Written { node, offset, bytes } => self.change(node, Change::Write { offset, bytes }),
            Record::Resized { node, size } => self.change(node, Change::Resize(size)),
            Record::Renamed { directory, name, to_directory, to_name } => {
                let moved = Some(self.named(directory, &name));
                if directory == to_directory {
                    self.rename(directory, vec![(name, None), (to_name, moved)]);
                } else {
                    self.rename(directory, vec![(name, None)]);
                    self.rename(to_directory, vec![(to_name, moved)]);
                }
            }
            Record::Removed { directory, name } => self.rename(directory, vec![(name, None)]),
            Record::Linked { node, directory, name } => {
                let linked = Some(self.live[&node]);
                self.rename(directory, vec![(name, linked)]);
            }
            Record::Synced { node, begun } => self.node(node).settle(begun, true),
            Record::Lost { node, begun } => self.node(node).settle(begun, false),
        }
        self.records += 1;
    }

    fn node(&mut self, inode: u64) -> &mut Node {
        let index = self.live.get(&inode).unwrap_or_else(|| panic!("the journal names inode {inode}, never made"));
        &mut self.nodes[*index]
    }

    fn change(&mut self, inode: u64, change: Change) {
        let record = self.records;
        match &mut self.node(inode).content {
            Content::File { pending, .. } => pending.push(Pending { record, change }),
            Content::Directory { .. } => panic!("bytes of a directory"),
        }
    }

    fn rename(&mut self, inode: u64, change: Renaming) {
        let record = self.records;
        match &mut self.node(inode).content {
            Content::Directory { now, pending, .. } => {
                set_names(now, &change);
                pending.push(Pending { record, change });
            }
            Content::File { .. } => panic!("names in a file"),
        }
    }

    fn named(&mut self, inode: u64, name: &str) -> usize {
        match &self.node(inode).content {
            Content::Directory { now, .. } => now[name],
            Content::File { .. } => panic!("names in a file"),
        }
    }

    /// What a process sees, as long as the power is on.
    pub fn now(&self) -> Tree {
        let mut tree = Tree::new();
        let see = &mut |node: &Node| match &node.content {
            Content::File { durable, pending } => {
                let mut bytes = durable.clone();
                pending.iter().for_each(|pending| pending.change.apply(&mut bytes));
                Found::File(bytes)
            }
            Content::Directory { now, .. } => Found::Directory(now.clone()),
        };
        self.walk(self.root, "", see, &mut |path, _, found| {
            tree.insert(path.to_owned(), found);
        });
        tree
    }

    /// Makes `target`, an empty directory, hold what is found after the power was lost.
    pub fn lose_power(&self, survival: &mut Survival, target: &Path) {
        let see = &mut |node: &Node| node.after_power_loss(survival);
        self.walk(self.root, "", see, &mut |path, mode, found| {
            let path = target.join(path);
            match found {
                None => DirBuilder::new().mode(mode).create(path).expect("a new directory"),
                Some(bytes) => {
                    let mut file =
                        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).expect("a new file");
                    file.write_all(&bytes).expect("room for a file");
                }
            }
        });
    }

    fn walk(
        &self,
        index: usize,
        path: &str,
        see: &mut impl FnMut(&Node) -> Found,
        visit: &mut impl FnMut(&str, u32, Option<Vec<u8>>),
    ) {
        let node = &self.nodes[index];
        match see(node) {
            Found::File(bytes) => visit(path, node.mode, Some(bytes)),
            Found::Directory(names) => {
                if !path.is_empty() {
                    visit(path, node.mode, None);
                }
                for (name, child) in names {
                    let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                    self.walk(child, &path, see, visit);
                }
            }
        }
    }
}

enum Found {
    File(Vec<u8>),
    Directory(Names),
}

impl Node {
    /// What happened before record `begun` is on the disk now, or, of a file's bytes, will never be: a failed sync forgets
    /// dirty pages. Names it does not forget: a file system keeps them for the next sync, or takes no more at all.
    fn settle(&mut self, begun: u64, durably: bool) {
        match &mut self.content {
            Content::File { durable, pending } => {
                for settled in take_before(pending, begun).filter(|_| durably) {
                    settled.apply(durable);
                }
            }
            Content::Directory { durable, pending, .. } if durably => {
                for settled in take_before(pending, begun) {
                    set_names(durable, &settled);
                }
            }
            Content::Directory { .. } => {}
        }
    }

    fn after_power_loss(&self, survival: &mut Survival) -> Found {
        match &self.content {
            Content::File { durable, pending } => {
                let mut bytes = durable.clone();
                survival.of_bytes(&mut bytes, pending);
                Found::File(bytes)
            }
            Content::Directory { durable, pending, .. } => {
                let mut names = durable.clone();
                survival.of_names(&mut names, pending);
                Found::Directory(names)
            }
        }
    }
}

impl Survival {
    fn of_names(&mut self, names: &mut Names, pending: &[Pending<Renaming>]) {
        match self {
            Self::Nothing => {}
            Self::Beginnings(dice) => {
                let kept = dice.below(pending.len() as u64 + 1) as usize;
                pending[..kept].iter().for_each(|pending| set_names(names, &pending.change));
            }
            Self::Anything(dice) => {
                let share = any_share(dice);
                pending.iter().filter(|_| dice.percent(share)).for_each(|pending| set_names(names, &pending.change));
            }
        }
    }

    fn of_bytes(&mut self, bytes: &mut Vec<u8>, pending: &[Pending<Change>]) {
        match self {
            Self::Nothing => {}
            Self::Beginnings(dice) => {
                let kept = dice.below(pending.len() as u64 + 1) as usize;
                pending[..kept].iter().for_each(|pending| pending.change.apply(bytes));
                if let Some(Pending { change: Change::Write { offset, bytes: torn }, .. }) = pending.get(kept) {
                    write_at(bytes, *offset, &torn[..dice.below(torn.len() as u64 + 1) as usize]);
                }
            }
            Self::Anything(dice) => {
                let share = any_share(dice);
                pending.iter().for_each(|pending| pending.change.apply_some(bytes, dice, share));
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes: written } => write_at(bytes, *offset, written),
            Self::Resize(size) => bytes.resize(usize::try_from(*size).expect("a size"), 0),
        }
    }

    /// Applies `share` percent of the pages.
    fn apply_some(&self, bytes: &mut Vec<u8>, dice: &mut Dice, share: u64) {
        let Self::Write { offset, bytes: written } = self else {
            if dice.percent(share) {
                self.apply(bytes);
            }
            return;
        };
        let mut done = 0;
        while done < written.len() as u64 {
            let to_page_end = PAGE_BYTES - (offset + done) % PAGE_BYTES;
            let end = (done + to_page_end).min(written.len() as u64);
            if dice.percent(share) {
                write_at(bytes, offset + done, &written[done as usize..end as usize]);
            }
            done = end;
        }
    }
}

/// Most of the time all or nothing: what was written together mostly stays together.
fn any_share(dice: &mut Dice) -> u64 {
    [0, 30, 70, 100][dice.below(4) as usize]
}

fn take_before<T>(pending: &mut Vec<Pending<T>>, record: u64) -> impl Iterator<Item = T> {
    let before = pending.partition_point(|pending| pending.record < record);
    pending.drain(..before).map(|pending| pending.change)
}

fn write_at(bytes: &mut Vec<u8>, offset: u64, written: &[u8]) {
    let start = usize::try_from(offset).expect("an offset");
    if bytes.len() < start + written.len() && !written.is_empty() {
        bytes.resize(start + written.len(), 0);
    }
    if !written.is_empty() {
        bytes[start..start + written.len()].copy_from_slice(written);
    }
}

fn set_names(names: &mut Names, change: &Renaming) {
    for (name, node) in change {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

fn directory(names: Names) -> Content {
    Content::Directory { durable: names.clone(), now: names, pending: Vec::new() }
}

fn name_of(entry: &fs::DirEntry) -> String {
    entry.file_name().into_string().expect("names are UTF-8")
}
