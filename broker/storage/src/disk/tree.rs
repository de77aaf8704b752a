//! Folders and files of the simulated disk: what programs see, and what the medium holds.

use super::Seeded;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Component, Path},
};

pub(super) const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;

pub(super) type Ino = usize;
pub(super) const ROOT: Ino = 0;

/// What power losses did to the disk so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounters {
    pub syncs: u64,
    pub failed_syncs: u64,
    pub short_writes: u64,
    pub full_writes: u64,
    pub power_losses: u64,
    pub pages_lost: u64,
    pub pages_kept: u64,
    pub pages_torn: u64,
    pub names_lost: u64,
    pub bits_flipped: u64,
}

#[derive(Clone, Debug)]
enum NameChange {
    Link(String, Ino),
    Unlink(String),
    Rename(String, String),
}

#[derive(Debug, Default)]
pub(super) struct Folder {
    pub names: BTreeMap<String, Ino>,
    durable: BTreeMap<String, Ino>,
    /// Since the last sync, in order.
    changes: Vec<NameChange>,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    pub bytes: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Debug)]
pub(super) enum Node {
    Folder(Folder),
    File(Content),
}

#[derive(Debug)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    pub fn new() -> Self {
        Self {
            nodes: vec![Node::Folder(Folder::default())],
        }
    }

    pub fn find(&self, path: &Path) -> io::Result<Ino> {
        let mut at = ROOT;
        for part in path.components() {
            if let Component::Normal(name) = part {
                let Node::Folder(folder) = &self.nodes[at] else {
                    return Err(io::ErrorKind::NotADirectory.into());
                };
                let name = name.to_string_lossy();
                at = *folder.names.get(&*name).ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(at)
    }

    /// The folder that holds `path`, and the name there.
    pub fn parent(&self, path: &Path) -> io::Result<(Ino, String)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = self.find(path.parent().unwrap_or(Path::new("")))?;
        Ok((parent, name.to_string_lossy().into_owned()))
    }

    pub fn folder(&mut self, ino: Ino) -> io::Result<&mut Folder> {
        match &mut self.nodes[ino] {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub fn content(&mut self, ino: Ino) -> io::Result<&mut Content> {
        match &mut self.nodes[ino] {
            Node::File(content) => Ok(content),
            Node::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    pub fn link(&mut self, parent: Ino, name: String, node: Node) -> io::Result<Ino> {
        let ino = self.nodes.len();
        self.nodes.push(node);
        let folder = self.folder(parent)?;
        folder.names.insert(name.clone(), ino);
        folder.changes.push(NameChange::Link(name, ino));
        Ok(ino)
    }

    pub fn unlink(&mut self, parent: Ino, name: &str) -> io::Result<Ino> {
        let folder = self.folder(parent)?;
        let ino = folder.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        folder.changes.push(NameChange::Unlink(name.to_owned()));
        Ok(ino)
    }

    /// Answers the file that `to` was before.
    pub fn rename(&mut self, parent: Ino, from: &str, to: &str) -> io::Result<Option<Ino>> {
        let folder = self.folder(parent)?;
        let ino = folder.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = folder.names.insert(to.to_owned(), ino);
        folder
            .changes
            .push(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(replaced)
    }

    pub fn power_loss(&mut self, random: &mut Seeded, counters: &mut FaultCounters) {
        for node in &mut self.nodes {
            match node {
                Node::Folder(folder) => folder.power_loss(random, counters),
                Node::File(content) => content.power_loss(random, counters),
            }
        }
    }

    /// Bytes of all files that have a name.
    pub fn used_bytes(&self, ino: Ino) -> u64 {
        match &self.nodes[ino] {
            Node::File(content) => content.bytes.len() as u64,
            Node::Folder(folder) => folder.names.values().map(|&ino| self.used_bytes(ino)).sum(),
        }
    }
}

impl Folder {
    pub fn sync(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            self.reach_medium(change);
        }
    }

    /// The changes count as synced afterwards, but never reached the medium: what a later sync
    /// claims covers only what changed since.
    pub fn fail_sync(&mut self) {
        self.changes.clear();
    }

    fn reach_medium(&mut self, change: NameChange) {
        match change {
            NameChange::Link(name, ino) => drop(self.durable.insert(name, ino)),
            NameChange::Unlink(name) => drop(self.durable.remove(&name)),
            NameChange::Rename(from, to) => {
                if let Some(ino) = self.durable.remove(&from) {
                    self.durable.insert(to, ino);
                }
            }
        }
    }

    /// Each change since the last sync is there or not, on its own; a rename is one change.
    fn power_loss(&mut self, random: &mut Seeded, counters: &mut FaultCounters) {
        for change in std::mem::take(&mut self.changes) {
            if random.one_in(2) {
                counters.names_lost += 1;
            } else {
                self.reach_medium(change);
            }
        }
        self.names = self.durable.clone();
    }
}

impl Content {
    pub fn write(&mut self, bytes: &[u8], position: usize) {
        let end = position + bytes.len();
        if self.bytes.len() < end {
            self.set_len(end);
        }
        self.bytes[position..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty
                .extend(position / PAGE_BYTES..=(end - 1) / PAGE_BYTES);
        }
    }

    pub fn set_len(&mut self, len: usize) {
        let old = self.bytes.len();
        self.bytes.resize(len, 0);
        let (low, high) = (old.min(len), old.max(len));
        if low != high {
            self.dirty
                .extend(low / PAGE_BYTES..=(high - 1) / PAGE_BYTES);
        }
    }

    pub fn sync(&mut self) {
        self.durable.resize(self.bytes.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            let from = (page * PAGE_BYTES).min(self.bytes.len());
            let to = (from + PAGE_BYTES).min(self.bytes.len());
            self.durable[from..to].copy_from_slice(&self.bytes[from..to]);
        }
    }

    /// As Linux does: the pages count as clean afterwards, but never reached the medium.
    pub fn fail_sync(&mut self) {
        self.dirty.clear();
    }

    pub fn flip_bit(&mut self, position: usize, bit: u8) -> bool {
        let mut flipped = false;
        for copy in [&mut self.bytes, &mut self.durable] {
            if let Some(byte) = copy.get_mut(position) {
                *byte ^= 1 << (bit % 8);
                flipped = true;
            }
        }
        flipped
    }

    /// Each unsynced page is kept, lost, or torn between two sectors; so is the length.
    fn power_loss(&mut self, random: &mut Seeded, counters: &mut FaultCounters) {
        if self.dirty.is_empty() && self.bytes.len() == self.durable.len() {
            self.bytes.clone_from(&self.durable);
            return;
        }
        let len = if random.one_in(2) {
            self.bytes.len()
        } else {
            self.durable.len()
        };
        let mut after = std::mem::take(&mut self.durable);
        after.resize(len, 0);
        for page in std::mem::take(&mut self.dirty) {
            let from = (page * PAGE_BYTES).min(len).min(self.bytes.len());
            let to = (from + PAGE_BYTES).min(len).min(self.bytes.len());
            match random.below(3) {
                0 => counters.pages_lost += 1,
                1 => {
                    after[from..to].copy_from_slice(&self.bytes[from..to]);
                    counters.pages_kept += 1;
                }
                _ => {
                    tear(&mut after[from..to], &self.bytes[from..to], random);
                    counters.pages_torn += 1;
                }
            }
        }
        self.bytes.clone_from(&after);
        self.durable = after;
    }
}

fn tear(old: &mut [u8], new: &[u8], random: &mut Seeded) {
    for (old, new) in old.chunks_mut(SECTOR_BYTES).zip(new.chunks(SECTOR_BYTES)) {
        if random.one_in(2) {
            old.copy_from_slice(new);
        }
    }
}
