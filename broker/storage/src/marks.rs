//! The durable marks of all partitions of a folder.
//!
//! A mark may lag behind what is durable (it is written after the sync, and itself synced only
//! now and then): that only widens what recovery takes for a torn tail. It must never run ahead,
//! so it is lowered, durably, before a log is cut.

use crate::{
    disk::{Disk, DiskFile, Open, read_file, replace_file},
    error::{Result, StorageError},
    format::mark::{ENTRY_BYTES, Mark},
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use weir_types::PartitionId;

/// The file is written anew when it has grown past this and past four times what counts.
const COMPACT_FROM_BYTES: u64 = 256 * 1024;
/// Calls of [`Marks::record`] between two syncs of the file.
const SYNC_EVERY: u32 = 32;
/// A file beyond this is none of ours.
const FILE_BYTES_MAX: u64 = 1 << 30;

#[derive(Clone, Copy, Debug)]
struct Known {
    /// What the file says; -1: nothing.
    mark: i64,
    /// What the log itself says is durable: no mark goes beyond.
    durable: i64,
}

struct Inner<D: Disk> {
    file: D::File,
    len: u64,
    known: HashMap<PartitionId, Known>,
    unsynced: u32,
}

pub(crate) struct Marks<D: Disk> {
    disk: D,
    path: PathBuf,
    inner: Mutex<Inner<D>>,
}

impl<D: Disk> Marks<D> {
    pub(crate) fn open(disk: &D, path: &Path) -> Result<Self> {
        let io = |error| StorageError::io("read", path, error);
        let bytes = read_file(disk, path, FILE_BYTES_MAX)
            .map_err(io)?
            .unwrap_or_default();
        let mut known = HashMap::new();
        for entry in bytes.chunks_exact(ENTRY_BYTES) {
            let decoded = Mark::decode(entry).map_err(|reason| StorageError::Format {
                path: path.to_owned(),
                reason,
            })?;
            match decoded {
                Some(Mark {
                    partition,
                    offset: -1,
                }) => drop(known.remove(&partition)),
                Some(Mark { partition, offset }) => {
                    known.insert(
                        partition,
                        Known {
                            mark: offset,
                            durable: offset,
                        },
                    );
                }
                // A torn entry: an older mark of that partition stands.
                None => {}
            }
        }
        let file = disk.open(path, Open::CreateOrOpen).map_err(io)?;
        // Entries stay aligned: what a torn write left behind is written over.
        let len = (bytes.len() / ENTRY_BYTES * ENTRY_BYTES) as u64;
        let inner = Mutex::new(Inner {
            file,
            len,
            known,
            unsynced: 0,
        });
        Ok(Self {
            disk: disk.clone(),
            path: path.to_owned(),
            inner,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner<D>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, partition: PartitionId) -> Option<i64> {
        self.inner()
            .known
            .get(&partition)
            .map(|known| known.mark)
            .filter(|&mark| mark >= 0)
    }

    /// The log is durable up to here; a later [`Marks::record`] may say so.
    pub(crate) fn raise(&self, partition: PartitionId, durable: i64) {
        let mut inner = self.inner();
        let known = inner
            .known
            .entry(partition)
            .or_insert(Known { mark: -1, durable });
        known.durable = durable;
    }

    /// Writes what is news; a mark beyond what the log says is durable is held back to that.
    pub(crate) fn record(&self, marks: impl Iterator<Item = (PartitionId, i64)>) -> Result<()> {
        let mut inner = self.inner();
        let mut bytes = Vec::new();
        for (partition, offset) in marks {
            if let Some(known) = inner.known.get_mut(&partition) {
                let offset = offset.min(known.durable);
                if offset > known.mark {
                    known.mark = offset;
                    Mark { partition, offset }.encode_into(&mut bytes);
                }
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        match self.append(&mut inner, &bytes) {
            Err(StorageError::Full { .. }) => {
                tracing::warn!(path = %self.path.display(), "no room for durable marks");
                return Ok(());
            }
            result => result?,
        }
        inner.unsynced += 1;
        if inner.unsynced >= SYNC_EVERY {
            inner.unsynced = 0;
            inner
                .file
                .sync_data()
                .map_err(|e| StorageError::io("sync", &self.path, e))?;
        }
        self.compact_if_large(&mut inner)
    }

    /// The log is about to lose everything from `to` on: durable when it returns. `None`: the
    /// partition is about to go.
    pub(crate) fn lower(&self, partition: PartitionId, to: Option<i64>) -> Result<()> {
        let mut inner = self.inner();
        let Some(known) = inner.known.get(&partition).copied() else {
            return Ok(());
        };
        let lowered = to.unwrap_or(-1);
        if known.mark > lowered {
            let mut bytes = Vec::new();
            Mark {
                partition,
                offset: lowered,
            }
            .encode_into(&mut bytes);
            self.append(&mut inner, &bytes)?;
            inner
                .file
                .sync_data()
                .map_err(|e| StorageError::io("sync", &self.path, e))?;
            inner.unsynced = 0;
        }
        match to {
            Some(to) => {
                let mark = known.mark.min(to);
                inner.known.insert(
                    partition,
                    Known {
                        mark,
                        durable: known.durable.min(to),
                    },
                );
            }
            None => drop(inner.known.remove(&partition)),
        }
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<()> {
        let mut inner = self.inner();
        inner.unsynced = 0;
        inner
            .file
            .sync_data()
            .map_err(|error| StorageError::io("sync", &self.path, error))
    }

    fn append(&self, inner: &mut Inner<D>, bytes: &[u8]) -> Result<()> {
        // On a failure the next entries go over what was written of these.
        inner
            .file
            .write_all_at(bytes, inner.len)
            .map_err(|error| StorageError::io("write", &self.path, error))?;
        inner.len += bytes.len() as u64;
        Ok(())
    }

    fn compact_if_large(&self, inner: &mut Inner<D>) -> Result<()> {
        let needed = (inner.known.len() * ENTRY_BYTES) as u64;
        if inner.len < COMPACT_FROM_BYTES || inner.len < 4 * needed {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(needed as usize);
        let mut known: Vec<_> = inner
            .known
            .iter()
            .filter(|(_, known)| known.mark >= 0)
            .collect();
        known.sort_unstable_by_key(|(partition, _)| **partition);
        for (partition, known) in known {
            Mark {
                partition: *partition,
                offset: known.mark,
            }
            .encode_into(&mut bytes);
        }
        let replaced = replace_file(&self.disk, &self.path, &bytes)
            .and_then(|()| self.disk.open(&self.path, Open::ReadWrite));
        match replaced {
            Ok(file) => {
                inner.file = file;
                inner.len = bytes.len() as u64;
                Ok(())
            }
            // The old file goes on growing until there is room.
            Err(error) if crate::error::is_full(&error) => Ok(()),
            Err(error) => Err(StorageError::io("replace", &self.path, error)),
        }
    }
}
