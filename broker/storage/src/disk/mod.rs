//! The file system as the log sees it, so that one that lies can take its place.

mod faulty;
mod real;
mod seeded;
mod tree;

pub use faulty::{FaultCounters, FaultyDisk, FaultyFile, FaultyLock};
pub use real::{RealDisk, RealFile, RealLock};
pub use seeded::Seeded;

use std::{
    io::{self, IoSlice},
    path::Path,
    sync::Arc,
};

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// It must exist; writes fail.
    Read,
    /// It must exist.
    ReadWrite,
    /// It must not exist.
    CreateNew,
    CreateOrOpen,
}

/// A file system. A clone is the same one.
///
/// What survives a power loss: file contents and lengths up to the file's last successful
/// [`DiskFile::sync_data`]; names (created, renamed, removed) up to the last successful
/// [`Disk::sync_dir`] of the folder that holds them. Anything later may be there, or not, or in
/// part. A rename is atomic.
pub trait Disk: Clone + Send + Sync + 'static {
    type File: DiskFile;
    /// Held for as long as the lock is.
    type Lock: Send + Sync + 'static;

    fn open(&self, path: &Path, how: Open) -> io::Result<Self::File>;
    /// Replaces `to` if it exists; both in the same folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    fn exists(&self, path: &Path) -> bool;
    /// Bytes that may still be written below `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
    /// Size of the volume that `path` lies on; the largest number where there is none.
    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        let _ = path;
        Ok(u64::MAX)
    }
    /// An exclusive lock on the file `path`, which is created; `None`: somebody else has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;
}

/// An open file. All calls may be made by many threads at once.
pub trait DiskFile: Send + Sync + 'static {
    /// May read less than asked; 0 is the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// May write less than asked.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize>;
    /// May write less than asked.
    fn write_vectored_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        match parts.iter().find(|part| !part.is_empty()) {
            Some(part) => self.write_at(part, position),
            None => Ok(0),
        }
    }
    /// Makes contents and length durable (fdatasync). After a failure nothing is known about
    /// what was not yet durable, and another call proves nothing.
    fn sync_data(&self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the file at least `len` bytes long, with room on the disk for all of them.
    fn allocate(&self, len: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = self.len()?;
        while at < len {
            let part = (len - at).min(ZEROS.len() as u64);
            self.write_all_at(&ZEROS[..part as usize], at)?;
            at += part;
        }
        Ok(())
    }
    /// Asks that the next reads come from the medium, not from a cache (a hint).
    fn forget_cache(&self) {}
    /// The file of the operating system, for `sendfile`.
    fn std(&self) -> Option<Arc<std::fs::File>>;

    /// Fails with `UnexpectedEof` if the file ends first.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = self.read_at(buffer, position)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[count..];
            position += count as u64;
        }
        Ok(())
    }

    /// Some of it may have been written when it fails.
    fn write_all_at(&self, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.write_at(bytes, position)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[count..];
            position += count as u64;
        }
        Ok(())
    }

    /// Some of it may have been written when it fails.
    fn write_all_vectored_at(
        &self,
        mut parts: &mut [IoSlice<'_>],
        mut position: u64,
    ) -> io::Result<()> {
        // An iovec has at most IOV_MAX (1024) parts.
        const PARTS_MAX: usize = 1024;
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            let count = self.write_vectored_at(&parts[..parts.len().min(PARTS_MAX)], position)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut parts, count);
            position += count as u64;
        }
        Ok(())
    }
}

/// Writes a small file so that after a power loss either the old or the new one is there.
pub(crate) fn replace_file<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> io::Result<()> {
    place_file(disk, path, bytes)?;
    match path.parent() {
        Some(folder) => disk.sync_dir(folder),
        None => Ok(()),
    }
}

/// [`replace_file`] but for the folder's sync: until then a power loss may bring the old one back.
pub(crate) fn place_file<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let written = (|| {
        let file = disk.open(&temporary, Open::CreateOrOpen)?;
        file.set_len(0)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()
    })();
    if let Err(error) = written {
        // A leftover is harmless, and removed at the next start.
        let _ = disk.remove(&temporary);
        return Err(error);
    }
    disk.rename(&temporary, path)
}

/// Reads a file that is not larger than `bytes_max`; `None`: there is none.
pub(crate) fn read_file<D: Disk>(
    disk: &D,
    path: &Path,
    bytes_max: u64,
) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = file.len()?;
    if len > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "file is absurdly large",
        ));
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}
