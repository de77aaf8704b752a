//! Appending as leader, and what both ways share.

use super::Log;
use crate::{
    batch::{BatchHeader, Checked, HEADER_BYTES, Rules, check_client_batch},
    disk::{Disk, DiskFile},
    error::{AppendError, StorageError},
    producer::Sequence,
    segment::Segment,
    walk::Placed,
};
use bytes::Bytes;
use std::{io::IoSlice, sync::Arc};
use weir_types::{LeaderEpoch, Millis, Offset};

/// Batches of one leader append. A client sends one.
const BATCHES_MAX: usize = 4096;

/// Where records were appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderAppend {
    pub base_offset: Offset,
    /// Inclusive.
    pub last_offset: Offset,
    /// Milliseconds since the Unix epoch with LogAppendTime, else -1.
    pub append_time_ms: i64,
    /// Nothing was written: the offsets are those of the first time.
    pub duplicate: bool,
}

impl<D: Disk> Log<D> {
    /// Validates batches of a client, gives them offsets and writes them, all or none.
    ///
    /// `now` is the Unix time. Batches of an idempotent producer come alone.
    ///
    /// # Errors
    /// Nothing is left of refused records; after a storage error other than `Full` the log is
    /// poisoned.
    pub fn append_as_leader(
        &mut self,
        records: &Bytes,
        epoch: LeaderEpoch,
        now: Millis,
    ) -> Result<LeaderAppend, AppendError> {
        self.shared.check_writable()?;
        let batches = check_all(records, &Rules::of(&self.config, now))?;
        if epoch.0 < self.epochs.latest() {
            let latest = self.epochs.latest();
            return Err(AppendError::Invalid(format!(
                "epoch {epoch} is older than {latest}"
            )));
        }
        if let Some(duplicate) = self.check_producers(&batches)? {
            return Ok(duplicate);
        }
        let base = self.shared.end();
        let mut headers = Vec::with_capacity(batches.len());
        let mut next = base;
        for checked in &batches {
            let header = BatchHeader {
                base_offset: next,
                leader_epoch: epoch.0,
                ..checked.header
            };
            next = next
                .checked_add(i64::from(header.last_offset_delta) + 1)
                .ok_or_else(|| AppendError::Invalid("offsets are used up".to_owned()))?;
            headers.push(header);
        }
        self.take_room(records.len())?;
        self.roll_if_due(records.len() as u64, next, now)?;
        self.epochs.note(epoch.0, base)?;
        self.write_patched(records, &headers)?;
        self.took_in(&headers, now);
        let log_append_time = headers.last().is_some_and(BatchHeader::is_log_append_time);
        Ok(LeaderAppend {
            base_offset: Offset(base),
            last_offset: Offset(next - 1),
            append_time_ms: if log_append_time { now.0 } else { -1 },
            duplicate: false,
        })
    }

    /// What others need of the volume is left to them.
    pub(super) fn take_room(&self, bytes: usize) -> Result<(), StorageError> {
        if self.room.take(bytes as u64) {
            return Ok(());
        }
        let path = self.shared.dir.clone();
        Err(StorageError::Full { path })
    }

    fn check_producers(&self, batches: &[Checked]) -> Result<Option<LeaderAppend>, AppendError> {
        if batches.iter().all(|checked| checked.header.producer_id < 0) {
            return Ok(None);
        }
        let [Checked { header, .. }] = batches else {
            return Err(AppendError::Invalid(
                "an idempotent producer's batches are appended one by one".to_owned(),
            ));
        };
        Ok(match self.producers.check(header)? {
            Sequence::Next => None,
            Sequence::Duplicate(seen) => Some(LeaderAppend {
                base_offset: Offset(seen.base_offset),
                last_offset: Offset(seen.last_offset),
                append_time_ms: seen.append_time_ms,
                duplicate: true,
            }),
        })
    }

    /// Writes `records` with these headers in place of theirs, without copying the rest.
    fn write_patched(
        &mut self,
        records: &Bytes,
        headers: &[BatchHeader],
    ) -> Result<(), StorageError> {
        let patches: Vec<[u8; HEADER_BYTES]> = headers.iter().map(BatchHeader::encode).collect();
        let mut parts = Vec::with_capacity(2 * headers.len());
        let mut at = 0;
        for (header, patch) in headers.iter().zip(&patches) {
            parts.push(IoSlice::new(patch));
            parts.push(IoSlice::new(
                &records[at + HEADER_BYTES..at + header.size()],
            ));
            at += header.size();
        }
        self.write(&mut parts, at as u64)
    }

    pub(super) fn write(
        &mut self,
        parts: &mut [IoSlice<'_>],
        len: u64,
    ) -> Result<(), StorageError> {
        let segment = self.active();
        let size = segment.summary().size;
        let file = match segment.file() {
            Ok(file) => file,
            Err(error) => return Err(self.write_failed(&segment, size, error)),
        };
        if let Err(error) = file.write_all_vectored_at(parts, size) {
            return Err(self.write_failed(&segment, size, error));
        }
        debug_assert!(len > 0, "somebody appends nothing");
        if !self.dirty.iter().any(|dirty| Arc::ptr_eq(dirty, &segment)) {
            self.dirty.push(segment);
        }
        Ok(())
    }

    /// No room: cuts off what was written. Anything else: the log takes no more writes.
    fn write_failed(&self, segment: &Segment<D>, size: u64, error: std::io::Error) -> StorageError {
        if crate::error::is_full(&error) {
            // If this fails too, the next append writes over it, and recovery cuts it.
            if let Ok(file) = segment.file() {
                let _ = file.set_len(size);
            }
            return StorageError::Full {
                path: segment.path().to_owned(),
            };
        }
        self.poison(format!(
            "write to {} failed: {error}",
            segment.path().display()
        ))
    }

    /// Notes batches that are in the active segment's file now, and shows them to readers.
    pub(super) fn took_in(&mut self, headers: &[BatchHeader], now: Millis) {
        let segment = self.active();
        let mut contents = segment.contents_mut();
        for header in headers {
            let placed = Placed {
                header: *header,
                position: contents.summary.size,
            };
            contents.note(segment.base, &placed, self.config.index_interval_bytes);
            self.producers.note(header, now.0);
        }
        let end = contents.summary.end;
        drop(contents);
        self.active_since.get_or_insert(now);
        self.shared
            .end
            .store(end, std::sync::atomic::Ordering::Release);
    }

    /// Starts a new segment if the active one is full or old.
    pub(super) fn roll_if_due(
        &mut self,
        more_bytes: u64,
        next: i64,
        now: Millis,
    ) -> Result<(), StorageError> {
        let active = self.active();
        let summary = active.summary();
        if summary.size == 0 {
            return Ok(());
        }
        let full = summary.size + more_bytes > u64::from(self.config.segment_bytes);
        let far = next - active.base > i64::from(i32::MAX);
        if full || far || self.is_old(now) {
            self.roll()?;
        }
        Ok(())
    }

    pub(super) fn is_old(&self, now: Millis) -> bool {
        self.active_since
            .is_some_and(|since| now.since(since) >= self.config.segment_ms)
    }

    /// Seals the active segment and starts the next. If there is no room, nothing changes.
    pub(super) fn roll(&mut self) -> Result<(), StorageError> {
        let sealed = self.active();
        let end = self.shared.end();
        // Bytes after the last batch, left by a write that had no room, must not end up in the
        // middle of the log.
        let summary = sealed.summary();
        let cut = sealed.file().and_then(|file| match file.len()? {
            len if len > summary.size => file.set_len(summary.size),
            _ => Ok(()),
        });
        cut.map_err(|error| StorageError::io("cut", sealed.path(), error))?;
        let next = Segment::create(&self.shared.disk, &self.shared.dir, end)?;
        if let Err(error) = sealed.write_index() {
            tracing::warn!(%error, partition = %self.partition(), "index not written");
        }
        self.write_snapshot()?;
        self.shared
            .with_segments(|segments| segments.push(Arc::new(next)));
        self.dirty_dir(self.shared.dir.clone());
        self.active_since = None;
        Ok(())
    }

    pub(super) fn dirty_dir(&mut self, dir: std::path::PathBuf) {
        if !self.dirty_dirs.contains(&dir) {
            self.dirty_dirs.push(dir);
        }
    }
}

fn check_all(records: &Bytes, rules: &Rules) -> Result<Vec<Checked>, AppendError> {
    let mut batches = Vec::with_capacity(1);
    let mut at = 0;
    while let Some(checked) = check_client_batch(&records[at..], rules)? {
        at += checked.size;
        batches.push(checked);
        if batches.len() > BATCHES_MAX {
            return Err(AppendError::Invalid(format!(
                "more than {BATCHES_MAX} batches"
            )));
        }
    }
    if batches.is_empty() {
        return Err(AppendError::Invalid("no record batch".to_owned()));
    }
    Ok(batches)
}
