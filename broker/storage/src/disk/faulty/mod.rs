//! A simulated disk in memory that fails as disks do, decided by a seed.

mod calls;
mod file;

pub use super::tree::FaultCounters;
pub use file::FaultyFile;

use super::{
    Seeded,
    tree::{Ino, ROOT, Tree},
};
use std::{
    collections::BTreeSet,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A clone is the same disk. Deterministic: the same calls in the same order and the same seed
/// give the same bytes.
#[derive(Clone)]
pub struct FaultyDisk(Arc<Mutex<Inner>>);

impl fmt::Debug for FaultyDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyDisk")
    }
}

struct Inner {
    tree: Tree,
    random: Seeded,
    counters: FaultCounters,
    /// Handles of an earlier boot are dead.
    boot: u64,
    /// Of files and folders alike.
    syncs_to_fail: u32,
    dir_syncs_to_fail: u32,
    /// One write in this many is short; 0: none.
    short_write_one_in: u64,
    /// Bytes that may still be added; `None`: no bound.
    free_bytes: Option<u64>,
    locked: BTreeSet<PathBuf>,
}

pub struct FaultyLock {
    disk: FaultyDisk,
    path: PathBuf,
    boot: u64,
}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        let mut inner = self.disk.inner();
        if inner.boot == self.boot {
            inner.locked.remove(&self.path);
        }
    }
}

impl FaultyDisk {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            tree: Tree::new(),
            random: Seeded::new(seed),
            counters: FaultCounters::default(),
            boot: 0,
            syncs_to_fail: 0,
            dir_syncs_to_fail: 0,
            short_write_one_in: 0,
            free_bytes: None,
            locked: BTreeSet::new(),
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine loses power: what was not synced is kept, lost or torn, page by page and name
    /// by name. Open files and locks are dead afterwards.
    pub fn power_loss(&self) {
        let inner = &mut *self.inner();
        inner.counters.power_losses += 1;
        inner
            .tree
            .power_loss(&mut inner.random, &mut inner.counters);
        inner.reboot();
    }

    /// The process is killed: everything written is there, synced or not. Open files and locks
    /// are dead afterwards.
    pub fn kill(&self) {
        self.inner().reboot();
    }

    /// The next `count` syncs, of files or folders, fail, and what they should have synced never
    /// is.
    pub fn fail_next_syncs(&self, count: u32) {
        self.inner().syncs_to_fail = count;
    }

    pub fn fail_next_sync(&self) {
        self.fail_next_syncs(1);
    }

    /// The next sync of a folder fails; those of files before it work.
    pub fn fail_next_dir_sync(&self) {
        self.inner().dir_syncs_to_fail = 1;
    }

    /// One write in `count` writes less than asked; 0: none does.
    pub fn set_short_writes(&self, one_in: u64) {
        self.inner().short_write_one_in = one_in;
    }

    /// Bytes that files may still grow by in all; `None`: no bound.
    pub fn set_free_bytes(&self, free: Option<u64>) {
        self.inner().free_bytes = free;
    }

    /// Flips one bit on the medium. `false`: the file is not that long.
    pub fn flip_bit(&self, path: &Path, position: u64, bit: u8) -> io::Result<bool> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        let flipped = inner.tree.content(ino)?.flip_bit(position as usize, bit);
        inner.counters.bits_flipped += u64::from(flipped);
        Ok(flipped)
    }

    pub fn counters(&self) -> FaultCounters {
        self.inner().counters
    }

    /// Of all files that have a name.
    pub fn used_bytes(&self) -> u64 {
        self.inner().tree.used_bytes(ROOT)
    }
}

impl Inner {
    fn reboot(&mut self) {
        self.boot += 1;
        self.locked.clear();
        self.syncs_to_fail = 0;
        self.dir_syncs_to_fail = 0;
    }

    /// How many of `len` bytes at `position` may be written.
    fn admit(&mut self, ino: Ino, len: usize, position: u64) -> io::Result<usize> {
        let mut admitted = len;
        if len > 1 && self.short_write_one_in > 0 && self.random.one_in(self.short_write_one_in) {
            admitted = 1 + self.random.below(len as u64 - 1) as usize;
            self.counters.short_writes += 1;
        }
        let old_len = self.tree.content(ino)?.bytes.len() as u64;
        let Some(free) = &mut self.free_bytes else {
            return Ok(admitted);
        };
        let room = old_len.saturating_add(*free).saturating_sub(position);
        if room == 0 && len > 0 {
            self.counters.full_writes += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        admitted = admitted.min(usize::try_from(room).unwrap_or(usize::MAX));
        *free -= (position + admitted as u64).saturating_sub(old_len);
        Ok(admitted)
    }

    /// Whether this sync is one of those that fail.
    fn fails_sync(&mut self, of_dir: bool) -> bool {
        let armed = if of_dir && self.dir_syncs_to_fail > 0 {
            &mut self.dir_syncs_to_fail
        } else {
            &mut self.syncs_to_fail
        };
        let fails = *armed > 0;
        *armed -= u32::from(fails);
        self.counters.failed_syncs += u64::from(fails);
        self.counters.syncs += u64::from(!fails);
        fails
    }

    fn give_back(&mut self, bytes: u64) {
        if let Some(free) = &mut self.free_bytes {
            *free += bytes;
        }
    }
}

fn failed_sync() -> io::Error {
    io::Error::other("simulated failure of a sync")
}
