//! A simulated disk in memory that fails as disks do, decided by a seed.

pub use super::tree::FaultCounters;
use super::{
    Disk, DiskFile, Open, Seeded,
    tree::{Content, Folder, Ino, Node, Tree},
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
    syncs_to_fail: u32,
    /// One write in this many is short; 0: none.
    short_write_one_in: u64,
    /// Bytes that may still be added; `None`: no bound.
    free_bytes: Option<u64>,
    locked: BTreeSet<PathBuf>,
}

pub struct FaultyFile {
    disk: FaultyDisk,
    ino: Ino,
    boot: u64,
    writable: bool,
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

    /// The next `count` syncs of files fail, and what they should have synced never is.
    pub fn fail_next_syncs(&self, count: u32) {
        self.inner().syncs_to_fail = count;
    }

    pub fn fail_next_sync(&self) {
        self.fail_next_syncs(1);
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
        self.inner().tree.used_bytes(super::tree::ROOT)
    }
}

impl Inner {
    fn reboot(&mut self) {
        self.boot += 1;
        self.locked.clear();
        self.syncs_to_fail = 0;
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

    fn give_back(&mut self, bytes: u64) {
        if let Some(free) = &mut self.free_bytes {
            *free += bytes;
        }
    }
}

impl Disk for FaultyDisk {
    type File = FaultyFile;
    type Lock = FaultyLock;

    fn open(&self, path: &Path, how: Open) -> io::Result<FaultyFile> {
        let mut inner = self.inner();
        let ino = match inner.tree.find(path) {
            Ok(_) if how == Open::CreateNew => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(ino) => ino,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && matches!(how, Open::CreateNew | Open::CreateOrOpen) =>
            {
                if inner.free_bytes == Some(0) {
                    inner.counters.full_writes += 1;
                    return Err(io::ErrorKind::StorageFull.into());
                }
                let (parent, name) = inner.tree.parent(path)?;
                inner
                    .tree
                    .link(parent, name, Node::File(Content::default()))?
            }
            Err(error) => return Err(error),
        };
        inner.tree.content(ino)?;
        let boot = inner.boot;
        Ok(FaultyFile {
            disk: self.clone(),
            ino,
            boot,
            writable: how != Open::Read,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let (from_parent, from) = inner.tree.parent(from)?;
        let (to_parent, to) = inner.tree.parent(to)?;
        if from_parent != to_parent {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        if let Some(replaced) = inner.tree.rename(from_parent, &from, &to)? {
            let bytes = inner.tree.used_bytes(replaced);
            inner.give_back(bytes);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        inner.tree.content(ino)?;
        let (parent, name) = inner.tree.parent(path)?;
        inner.tree.unlink(parent, &name)?;
        let bytes = inner.tree.used_bytes(ino);
        inner.give_back(bytes);
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let mut so_far = PathBuf::new();
        for part in path.components() {
            so_far.push(part);
            if so_far.file_name().is_none() {
                continue;
            }
            match inner.tree.find(&so_far) {
                Ok(ino) => drop(inner.tree.folder(ino)?),
                Err(_) => {
                    let (parent, name) = inner.tree.parent(&so_far)?;
                    inner
                        .tree
                        .link(parent, name, Node::Folder(Folder::default()))?;
                }
            }
        }
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        inner.tree.folder(ino)?;
        let bytes = inner.tree.used_bytes(ino);
        let (parent, name) = inner.tree.parent(path)?;
        inner.tree.unlink(parent, &name)?;
        inner.give_back(bytes);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        Ok(inner.tree.folder(ino)?.names.keys().cloned().collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.counters.syncs += 1;
        let ino = inner.tree.find(path)?;
        inner.tree.folder(ino)?.sync();
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner().tree.find(path).is_ok()
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.inner().free_bytes.unwrap_or(1 << 50))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<FaultyLock>> {
        drop(self.open(path, Open::CreateOrOpen)?);
        let mut inner = self.inner();
        let boot = inner.boot;
        let fresh = inner.locked.insert(path.to_owned());
        Ok(fresh.then(|| FaultyLock {
            disk: self.clone(),
            path: path.to_owned(),
            boot,
        }))
    }
}

impl FaultyFile {
    fn live(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.disk.inner();
        if inner.boot == self.boot {
            Ok(inner)
        } else {
            Err(io::Error::other("file of an earlier boot"))
        }
    }

    fn live_writable(&self) -> io::Result<MutexGuard<'_, Inner>> {
        if self.writable {
            self.live()
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut inner = self.live()?;
        let bytes = &inner.tree.content(self.ino)?.bytes;
        let from = usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        let mut inner = self.live_writable()?;
        let count = inner.admit(self.ino, bytes.len(), position)?;
        inner
            .tree
            .content(self.ino)?
            .write(&bytes[..count], position as usize);
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.live()?;
        if inner.syncs_to_fail > 0 {
            inner.syncs_to_fail -= 1;
            inner.counters.failed_syncs += 1;
            inner.tree.content(self.ino)?.fail_sync();
            return Err(io::Error::other("simulated failure of a sync"));
        }
        inner.counters.syncs += 1;
        inner.tree.content(self.ino)?.sync();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.live()?.tree.content(self.ino)?.bytes.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.live_writable()?;
        let old = inner.tree.content(self.ino)?.bytes.len() as u64;
        inner.tree.content(self.ino)?.set_len(len as usize);
        inner.give_back(old.saturating_sub(len));
        Ok(())
    }

    fn std(&self) -> Option<Arc<std::fs::File>> {
        None
    }
}
