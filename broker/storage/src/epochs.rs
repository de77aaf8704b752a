//! The leader epochs of one log, and where each starts.

use crate::{
    disk::{Disk, DiskFile, Open, read_file, replace_file},
    error::{Result, StorageError},
    format::epoch::{ENTRY_BYTES, EpochEntry},
};
use std::{path::PathBuf, sync::Arc};

const FILE_BYTES_MAX: u64 = 64 << 20;

/// The checkpoint is a row of entries, appended to and synced with the log; cutting it rewrites
/// it. Batches carry their epoch too, so recovery can add what was not yet synced.
pub(crate) struct Epochs<D: Disk> {
    disk: D,
    path: PathBuf,
    /// Ascending in both fields.
    entries: Vec<EpochEntry>,
    dirty: bool,
    exists: bool,
    /// The file is new: its name is not durable yet.
    created: bool,
    /// The file says something else: it is written anew before anything is added.
    stale: bool,
    file_bytes: u64,
}

impl<D: Disk> Epochs<D> {
    /// `clean`: the last stop was orderly, and what the file says is durable. After a kill it may
    /// be in the page cache only.
    pub(crate) fn open(disk: &D, path: PathBuf, clean: bool) -> Result<Self> {
        let bytes = read_file(disk, &path, FILE_BYTES_MAX)
            .map_err(|error| StorageError::io("read", &path, error))?;
        let exists = bytes.is_some();
        let bytes = bytes.unwrap_or_default();
        let mut entries: Vec<EpochEntry> = Vec::new();
        for chunk in bytes.chunks_exact(ENTRY_BYTES) {
            let entry = EpochEntry::decode(chunk).map_err(|reason| StorageError::Format {
                path: path.clone(),
                reason,
            })?;
            // A torn entry was never relied on: it was not synced yet.
            let Some(entry) = entry else { break };
            if entries.last().is_none_or(|last| last.epoch < entry.epoch) {
                entries.push(entry);
            }
        }
        let file_bytes = (entries.len() * ENTRY_BYTES) as u64;
        Ok(Self {
            disk: disk.clone(),
            path,
            dirty: !clean && !entries.is_empty(),
            exists,
            created: false,
            // Behind a torn entry there may be a sound one, which must not come back.
            stale: bytes.len() as u64 != file_bytes,
            entries,
            file_bytes,
        })
    }

    /// -1: none.
    pub(crate) fn latest(&self) -> i32 {
        self.entries.last().map_or(-1, |entry| entry.epoch)
    }

    /// Whether none starts before `start`.
    pub(crate) fn begin_at(&self, start: i64) -> bool {
        self.entries
            .first()
            .is_none_or(|entry| entry.start >= start)
    }

    /// Notes that `epoch` starts at `start`; an epoch that is known, or old, changes nothing.
    /// Not durable before the file that [`Epochs::take_dirty`] gives is synced.
    pub(crate) fn note(&mut self, epoch: i32, start: i64) -> Result<()> {
        let known = self
            .entries
            .binary_search_by_key(&epoch, |entry| entry.epoch)
            .is_ok_and(|at| self.entries[at].start <= start);
        if epoch == self.latest() || known {
            return Ok(());
        }
        // Epochs without a single record in them say nothing, even if they are newer: a leader
        // of epoch 5 that wrote nothing may be sent a batch of epoch 4 afterwards.
        let kept = self.entries.partition_point(|entry| entry.start < start);
        if kept > 0 && self.entries[kept - 1].epoch >= epoch {
            return Ok(());
        }
        let holds_records = self.entries[kept..].iter().any(|entry| entry.start > start);
        if self.stale || holds_records {
            self.entries.truncate(kept);
            self.entries.push(EpochEntry { epoch, start });
            return self.rewrite();
        }
        self.shorten(kept)?;
        let mut bytes = Vec::with_capacity(ENTRY_BYTES);
        EpochEntry { epoch, start }.encode_into(&mut bytes);
        self.disk
            .open(&self.path, Open::CreateOrOpen)
            .and_then(|file| file.write_all_at(&bytes, self.file_bytes))
            .map_err(|error| StorageError::io("write", &self.path, error))?;
        self.created |= !self.exists;
        self.exists = true;
        self.file_bytes += bytes.len() as u64;
        self.entries.push(EpochEntry { epoch, start });
        self.dirty = true;
        Ok(())
    }

    /// Takes in what recovery read in a segment: `epoch` has a record at `start`. Other epochs
    /// stay, as their segments may not be read at all. [`Epochs::store_restored`] writes it.
    pub(crate) fn restore(&mut self, epoch: i32, start: i64) {
        let Err(at) = self
            .entries
            .binary_search_by_key(&epoch, |entry| entry.epoch)
        else {
            return;
        };
        self.entries.insert(at, EpochEntry { epoch, start });
        // What contradicts a record never had one.
        self.entries.retain(|entry| match entry.epoch.cmp(&epoch) {
            std::cmp::Ordering::Less => entry.start < start,
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => entry.start > start,
        });
        self.stale = true;
    }

    /// Durable when it returns, if anything was restored.
    pub(crate) fn store_restored(&mut self) -> Result<()> {
        if self.stale { self.rewrite() } else { Ok(()) }
    }

    /// The file, if it must be synced with the log.
    pub(crate) fn take_dirty(&mut self) -> Result<Option<Arc<D::File>>> {
        if !self.dirty {
            return Ok(None);
        }
        let file = self
            .disk
            .open(&self.path, Open::ReadWrite)
            .map_err(|error| StorageError::io("open", &self.path, error))?;
        self.dirty = false;
        Ok(Some(Arc::new(file)))
    }

    /// Whether the folder must be synced for the file's sake.
    pub(crate) fn take_created(&mut self) -> bool {
        std::mem::take(&mut self.created)
    }

    /// The file must be synced again: whoever took it may never do it.
    pub(crate) fn mark_dirty(&mut self) {
        self.dirty = !self.entries.is_empty();
    }

    /// Largest epoch that is not above `asked`, and its end: the next epoch's start, or the
    /// log's end.
    pub(crate) fn end_of(&self, asked: i32, log_end: i64) -> Option<(i32, i64)> {
        let after = self.entries.partition_point(|entry| entry.epoch <= asked);
        let found = self.entries.get(after.checked_sub(1)?)?;
        let end = self.entries.get(after).map_or(log_end, |next| next.start);
        Some((found.epoch, end))
    }

    /// Forgets epochs that start at or after `end`. Durable when it returns.
    pub(crate) fn cut_end(&mut self, end: i64) -> Result<()> {
        let kept = self.entries.partition_point(|entry| entry.start < end);
        if kept == self.entries.len() {
            return Ok(());
        }
        self.entries.truncate(kept);
        self.rewrite()
    }

    /// Forgets epochs that start at `end`, the log's: they have no records. A power loss may bring
    /// them back, and then they say as little as before: all partitions of a broker lose such an
    /// epoch with each move of their leaders, and nobody is to wait for a sync of each.
    pub(crate) fn cut_empty(&mut self, end: i64) -> Result<()> {
        let kept = self.entries.partition_point(|entry| entry.start < end);
        if self.stale {
            return self.cut_end(end);
        }
        self.shorten(kept)
    }

    /// Keeps the first `kept` entries; durable with the next sync.
    fn shorten(&mut self, kept: usize) -> Result<()> {
        if kept == self.entries.len() {
            return Ok(());
        }
        let file_bytes = (kept * ENTRY_BYTES) as u64;
        self.disk
            .open(&self.path, Open::ReadWrite)
            .and_then(|file| file.set_len(file_bytes))
            .map_err(|error| StorageError::io("shorten", &self.path, error))?;
        self.entries.truncate(kept);
        self.file_bytes = file_bytes;
        self.dirty = true;
        Ok(())
    }

    /// Forgets epochs that end at or before `start`.
    pub(crate) fn cut_start(&mut self, start: i64) -> Result<()> {
        let after = self.entries.partition_point(|entry| entry.start <= start);
        if after <= 1 {
            return Ok(());
        }
        self.entries.drain(..after - 1);
        self.rewrite()
    }

    pub(crate) fn clear(&mut self) -> Result<()> {
        self.entries.clear();
        self.rewrite()
    }

    fn rewrite(&mut self) -> Result<()> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for entry in &self.entries {
            entry.encode_into(&mut bytes);
        }
        replace_file(&self.disk, &self.path, &bytes)
            .map_err(|error| StorageError::io("replace", &self.path, error))?;
        self.file_bytes = bytes.len() as u64;
        self.exists = true;
        self.dirty = false;
        self.stale = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
