//! A faulty disk whose power goes out after so many operations, wherever that falls.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use weir_storage::{Disk, DiskFile, FaultyDisk, FaultyFile, FaultyLock, Open};

const NEVER: i64 = i64::MAX;

/// A clone is the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    inner: FaultyDisk,
    fuse: Fuse,
}

/// Changes left until the power goes out.
#[derive(Clone, Debug)]
struct Fuse(Arc<AtomicI64>);

impl Fuse {
    /// One more change of the disk.
    fn burn(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) == NEVER {
            return Ok(());
        }
        if self.0.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        self.0.store(0, Ordering::Relaxed);
        Err(io::Error::other("the power is out"))
    }
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        let fuse = Fuse(Arc::new(AtomicI64::new(NEVER)));
        Self {
            inner: FaultyDisk::new(seed),
            fuse,
        }
    }

    /// What fails besides the power.
    pub fn faults(&self) -> &FaultyDisk {
        &self.inner
    }

    /// The power goes out after this many more changes.
    pub fn power_off_after(&self, changes: u64) {
        let changes = i64::try_from(changes).unwrap_or(NEVER);
        self.fuse.0.store(changes, Ordering::Relaxed);
    }

    /// The power stays, if it is still there.
    pub fn disarm(&self) {
        if !self.is_out() {
            self.fuse.0.store(NEVER, Ordering::Relaxed);
        }
    }

    /// Whether it went out, and nothing works until [`SimDisk::power_loss`].
    pub fn is_out(&self) -> bool {
        self.fuse.0.load(Ordering::Relaxed) <= 0
    }

    /// Turns over one bit of the last segment of some log. False if there is none.
    pub fn flip_a_bit(&self, draw: u64, at: u64) -> bool {
        let root = Path::new("/data/partitions");
        let logs: Vec<_> = self.inner.list(root).unwrap_or_default();
        let Some(log) = pick(&logs, draw) else {
            return false;
        };
        let mut segments = self.inner.list(&root.join(log)).unwrap_or_default();
        segments.retain(|name| name.ends_with(".log"));
        let Some(segment) = segments.last() else {
            return false;
        };
        let path = root.join(log).join(segment);
        let len = self.inner.open(&path, Open::Read).and_then(|f| f.len());
        // In the older half: what was written last may have no durable mark yet, and a bit lost
        // there looks like a torn tail.
        let position = at.checked_rem(len.unwrap_or(0) / 2).unwrap_or(0);
        let bit = u8::try_from(draw % 8).unwrap_or(0);
        self.inner.flip_bit(&path, position, bit).unwrap_or(false)
    }

    /// What was not synced is lost, in part or whole; then the power is back.
    pub fn power_loss(&self) {
        self.inner.power_loss();
        self.fuse.0.store(NEVER, Ordering::Relaxed);
    }
}

fn pick(among: &[String], draw: u64) -> Option<&String> {
    let index = draw.checked_rem(among.len() as u64)?;
    among.get(usize::try_from(index).unwrap_or(0))
}

/// An open file of a [`SimDisk`].
pub struct SimFile {
    inner: FaultyFile,
    fuse: Fuse,
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = FaultyLock;

    fn open(&self, path: &Path, how: Open) -> io::Result<SimFile> {
        if matches!(how, Open::CreateNew | Open::CreateOrOpen) {
            self.fuse.burn()?;
        }
        let inner = self.inner.open(path, how)?;
        Ok(SimFile {
            inner,
            fuse: self.fuse.clone(),
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fuse.burn()?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.fuse.burn()?;
        self.inner.remove(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.fuse.burn()?;
        self.inner.create_dir_all(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.fuse.burn()?;
        self.inner.remove_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.inner.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.fuse.burn()?;
        self.inner.sync_dir(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner.exists(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.inner.free_bytes(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<FaultyLock>> {
        self.inner.lock(path)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.fuse.burn()?;
        self.inner.write_at(bytes, position)
    }

    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.fuse.burn()?;
        self.inner.write_vectored_at(parts, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fuse.burn()?;
        self.inner.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fuse.burn()?;
        self.inner.set_len(len)
    }

    fn std(&self) -> Option<Arc<std::fs::File>> {
        None
    }
}
