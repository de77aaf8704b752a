//! An open file of the simulated disk.

use super::{FaultyDisk, Inner, failed_sync};
use crate::disk::{DiskFile, tree::Ino};
use std::{
    io,
    sync::{Arc, MutexGuard},
};

pub struct FaultyFile {
    pub(super) disk: FaultyDisk,
    pub(super) ino: Ino,
    pub(super) boot: u64,
    pub(super) writable: bool,
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
        if inner.fails_sync(false) {
            inner.tree.content(self.ino)?.fail_sync();
            return Err(failed_sync());
        }
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
