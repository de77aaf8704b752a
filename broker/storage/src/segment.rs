//! One segment: a log file and its sparse index.

mod shorten;

use crate::{
    disk::{Disk, DiskFile, Open, read_file},
    error::{Result, StorageError},
    format::index::{self, IndexEntry, SUMMARY_BYTES, Summary},
    walk::{HeaderWalk, Placed},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

pub(crate) const LOG_SUFFIX: &str = "log";
pub(crate) const INDEX_SUFFIX: &str = "index";
pub(crate) const SNAPSHOT_SUFFIX: &str = "snapshot";
/// What header walks read at once: about one index interval.
const WALK_CHUNK_BYTES: usize = 8 * 1024;
const INDEX_BYTES_MAX: u64 = 1 << 30;

pub(crate) fn file_name(base: i64, suffix: &str) -> String {
    format!("{base:020}.{suffix}")
}

/// The base offset in a file name with this suffix.
pub(crate) fn parse_name(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?.strip_suffix('.')?;
    (digits.len() == 20)
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|&base: &i64| base >= 0)
}

/// What is known of a segment's contents.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub summary: Summary,
    /// `None`: on disk, to be loaded when needed.
    pub entries: Option<Vec<IndexEntry>>,
    bytes_since_entry: u64,
}

impl Contents {
    pub(crate) const fn empty(base: i64) -> Self {
        let summary = Summary {
            size: 0,
            end: base,
            max_timestamp: -1,
            max_timestamp_at: -1,
            first_timestamp: -1,
        };
        Self {
            summary,
            entries: Some(Vec::new()),
            bytes_since_entry: 0,
        }
    }

    pub(crate) const fn stored(summary: Summary) -> Self {
        Self {
            summary,
            entries: None,
            bytes_since_entry: 0,
        }
    }

    /// Adds the batch that follows.
    pub(crate) fn note(&mut self, base: i64, placed: &Placed, interval_bytes: u32) {
        let (header, summary) = (&placed.header, &mut self.summary);
        if self.bytes_since_entry > u64::from(interval_bytes)
            && let Some(entries) = &mut self.entries
        {
            entries.push(IndexEntry {
                offset_delta: (header.base_offset - base) as u32,
                position: placed.position as u32,
                max_timestamp_before: summary.max_timestamp,
            });
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += header.size() as u64;
        if summary.size == 0 {
            summary.first_timestamp = header.max_timestamp;
        }
        if header.max_timestamp > summary.max_timestamp {
            summary.max_timestamp = header.max_timestamp;
            summary.max_timestamp_at = header.base_offset;
        }
        summary.size = placed.end();
        summary.end = header.next_offset();
    }
}

pub(crate) struct Segment<D: Disk> {
    pub base: i64,
    disk: D,
    path: PathBuf,
    file: Mutex<Option<Arc<D::File>>>,
    contents: RwLock<Contents>,
    /// Bytes from here on were written since the process started: likely in the page cache.
    warm_from: AtomicU64,
}

impl<D: Disk> Segment<D> {
    pub(crate) fn create(disk: &D, dir: &Path, base: i64) -> Result<Self> {
        let path = dir.join(file_name(base, LOG_SUFFIX));
        let file = disk
            .open(&path, Open::CreateOrOpen)
            .and_then(|file| file.set_len(0).map(|()| file))
            .map_err(|error| StorageError::io("create", &path, error))?;
        let segment = Self::new(disk, dir, base, Contents::empty(base));
        *segment.file_slot() = Some(Arc::new(file));
        segment.warm_from.store(0, Ordering::Relaxed);
        Ok(segment)
    }

    pub(crate) fn new(disk: &D, dir: &Path, base: i64, contents: Contents) -> Self {
        Self {
            base,
            disk: disk.clone(),
            path: dir.join(file_name(base, LOG_SUFFIX)),
            file: Mutex::new(None),
            warm_from: AtomicU64::new(contents.summary.size),
            contents: RwLock::new(contents),
        }
    }

    fn file_slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<D::File>>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn contents_mut(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn summary(&self) -> Summary {
        self.contents().summary
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn path_of(&self, suffix: &str) -> PathBuf {
        self.path.with_extension(suffix)
    }

    pub(crate) fn is_cold(&self, position: u64) -> bool {
        position < self.warm_from.load(Ordering::Relaxed)
    }

    /// The open file; opened again if it was closed meanwhile.
    pub(crate) fn file(&self) -> io::Result<Arc<D::File>> {
        let mut slot = self.file_slot();
        if let Some(file) = &*slot {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.disk.open(&self.path, Open::ReadWrite)?);
        *slot = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Gives the file up; those who read from it keep theirs.
    pub(crate) fn close_file(&self) {
        *self.file_slot() = None;
    }

    /// Drops the index of a sealed segment from memory if it can be loaded again.
    pub(crate) fn unload_index(&self) {
        if self.disk.exists(&self.path_of(INDEX_SUFFIX)) {
            self.contents_mut().entries = None;
        }
    }

    /// Writes the index file; a torn one is noticed by its CRC and built anew, so it is not
    /// synced.
    pub(crate) fn write_index(&self) -> io::Result<()> {
        let bytes = {
            let contents = self.contents();
            let Some(entries) = &contents.entries else {
                return Ok(());
            };
            index::encode(&contents.summary, entries)
        };
        let path = self.path_of(INDEX_SUFFIX);
        let written = (|| {
            let file = self.disk.open(&path, Open::CreateOrOpen)?;
            file.set_len(0)?;
            file.write_all_at(&bytes, 0)
        })();
        if written.is_err() {
            // Better none than half of one.
            let _ = self.disk.remove(&path);
        }
        written
    }

    /// What the index file says, if it fits a log file of `size` bytes.
    pub(crate) fn stored_summary(disk: &D, dir: &Path, base: i64, size: u64) -> Option<Summary> {
        let file = disk
            .open(&dir.join(file_name(base, INDEX_SUFFIX)), Open::Read)
            .ok()?;
        let mut bytes = [0; SUMMARY_BYTES];
        file.read_exact_at(&mut bytes, 0).ok()?;
        index::decode_summary(&bytes)
            .ok()
            .filter(|summary| summary.size == size)
    }

    /// Position of a batch boundary at or before the batch with `offset`, and the next boundary
    /// that the index knows behind it.
    fn floor_and<T>(&self, find: impl Fn(&[IndexEntry]) -> T) -> Result<T> {
        if let Some(entries) = &self.contents().entries {
            return Ok(find(entries));
        }
        let entries = self.load_entries()?;
        let found = find(&entries);
        self.contents_mut().entries = Some(entries);
        Ok(found)
    }

    fn load_entries(&self) -> Result<Vec<IndexEntry>> {
        let summary = self.summary();
        let stored = read_file(&self.disk, &self.path_of(INDEX_SUFFIX), INDEX_BYTES_MAX);
        if let Ok(Some(bytes)) = stored
            && let Ok((stored, entries)) = index::decode(&bytes)
            && stored == summary
        {
            return Ok(entries);
        }
        self.rebuild(4096)
            .map(|contents| contents.entries.unwrap_or_default())
    }

    /// A batch boundary at or before the first batch that ends after `offset`.
    pub(crate) fn position_before(&self, offset: i64) -> Result<u64> {
        let base = self.base;
        self.floor_and(|entries| {
            let after = entries.partition_point(|e| base + i64::from(e.offset_delta) <= offset);
            after
                .checked_sub(1)
                .map_or(0, |at| u64::from(entries[at].position))
        })
    }

    /// The last batch boundary in the index that lies at or before `position` and whose batch
    /// begins at or before offset `below`.
    pub(crate) fn boundary_before(&self, position: u64, below: i64) -> Result<u64> {
        let base = self.base;
        self.floor_and(|entries| {
            let after = entries.partition_point(|entry| {
                u64::from(entry.position) <= position
                    && base + i64::from(entry.offset_delta) <= below
            });
            after
                .checked_sub(1)
                .map_or(0, |at| u64::from(entries[at].position))
        })
    }

    /// A batch boundary before which no batch has a timestamp of `timestamp` or later.
    pub(crate) fn position_before_timestamp(&self, timestamp: i64) -> Result<u64> {
        self.floor_and(|entries| {
            let after = entries.partition_point(|entry| entry.max_timestamp_before < timestamp);
            after
                .checked_sub(1)
                .map_or(0, |at| u64::from(entries[at].position))
        })
    }

    /// Walks headers from `position` on, up to what is written now.
    pub(crate) fn walk<'a>(&self, file: &'a D::File, position: u64) -> HeaderWalk<'a, D::File> {
        HeaderWalk::new(file, position, self.summary().size, WALK_CHUNK_BYTES)
    }
}
