//! Removing the log's oldest segments.

use super::Log;
use crate::{
    disk::Disk,
    error::Result,
    segment::{INDEX_SUFFIX, SNAPSHOT_SUFFIX, Segment},
};
use std::sync::{Arc, atomic::Ordering};
use weir_types::{Millis, Offset};

/// What retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    pub segments: usize,
    pub bytes: u64,
    /// The log's start now.
    pub start: Offset,
}

impl<D: Disk> Log<D> {
    /// Applies retention by time and size below the high watermark, closes an old active segment
    /// and forgets idle producers. `now` is the Unix time. Durable when it returns.
    pub fn retain(&mut self, now: Millis, high_watermark: Offset) -> Result<Retained> {
        self.shared.check_writable()?;
        self.producers.expire(now.0, self.config.producer_expiry_ms);
        if self.active().summary().size > 0 && (self.is_old(now) || self.all_expired(now)) {
            match self.roll() {
                Err(error) if error.is_full() => {}
                result => result?,
            }
        }
        let to = if self.config.delete {
            self.expired_upto(now, high_watermark)
        } else {
            0
        };
        self.remove_below(to.max(self.shared.start()))
    }

    /// Moves the log's start (delete-records). Durable when it returns.
    ///
    /// # Errors
    /// `Misuse` for an offset beyond the log's end.
    pub fn advance_start(&mut self, to: Offset) -> Result<()> {
        self.shared.check_writable()?;
        if to > self.end() {
            let end = self.end();
            return Err(crate::StorageError::Misuse(format!(
                "log start {to} beyond end {end}"
            )));
        }
        if to > self.start() {
            self.remove_below(to.0)?;
        }
        Ok(())
    }

    /// A log that nobody writes to any more expires as a whole.
    fn all_expired(&self, now: Millis) -> bool {
        self.config.delete && self.is_expired(&self.active(), now)
    }

    fn is_expired(&self, segment: &Segment<D>, now: Millis) -> bool {
        let newest = segment.summary().max_timestamp;
        // Records without any timestamp are as old as this process knows them to be.
        let newest = if newest >= 0 {
            Some(newest)
        } else {
            self.active_since.map(|ms| ms.0)
        };
        match (self.config.retention_ms, newest) {
            (Some(retention), Some(newest)) => now.0.saturating_sub(newest) > retention,
            _ => false,
        }
    }

    /// Base of the first segment that stays.
    fn expired_upto(&self, now: Millis, high_watermark: Offset) -> i64 {
        let segments = self.shared.segments();
        let mut bytes: u64 = segments.iter().map(|segment| segment.summary().size).sum();
        let mut upto = 0;
        for pair in segments.windows(2) {
            let (segment, next) = (&pair[0], &pair[1]);
            let size = segment.summary().size;
            let too_large = self
                .config
                .retention_bytes
                .is_some_and(|max| bytes >= max + size);
            if next.base > high_watermark.0 || !(too_large || self.is_expired(segment, now)) {
                break;
            }
            bytes -= size;
            upto = next.base;
        }
        upto
    }

    /// Moves the start and removes the segments that lie wholly below it. The start is durable
    /// first: names may vanish from the disk in any order.
    fn remove_below(&mut self, to: i64) -> Result<Retained> {
        if to > self.shared.start() {
            let moved = self.move_start(to);
            self.poison_if_refused("move of the start", moved)?;
        }
        let gone: Vec<Arc<Segment<D>>> = self.shared.with_segments(|segments| {
            let kept = (1..segments.len()).find(|&at| segments[at].base > to);
            let kept = kept.unwrap_or(segments.len()).saturating_sub(1);
            segments.drain(..kept).collect()
        });
        let mut retained = Retained {
            segments: gone.len(),
            bytes: 0,
            start: self.start(),
        };
        for segment in &gone {
            retained.bytes += segment.summary().size;
            self.dirty.retain(|dirty| !Arc::ptr_eq(dirty, segment));
            self.remove_files(segment);
        }
        if !gone.is_empty() {
            self.remove_snapshots(|offsets| {
                let newest = offsets.pop();
                offsets.retain(|&offset| offset < to && Some(offset) != newest);
            });
        }
        Ok(retained)
    }

    fn move_start(&mut self, to: i64) -> Result<()> {
        self.store_start(to)?;
        self.shared.start.store(to, Ordering::Release);
        self.epochs.cut_start(to)
    }

    /// What cannot be removed now is removed at the next start.
    pub(super) fn remove_files(&self, segment: &Segment<D>) {
        for suffix in [INDEX_SUFFIX, SNAPSHOT_SUFFIX, crate::segment::LOG_SUFFIX] {
            let path = segment.path_of(suffix);
            if suffix == SNAPSHOT_SUFFIX || !self.shared.disk.exists(&path) {
                continue;
            }
            if let Err(error) = self.shared.disk.remove(&path) {
                tracing::warn!(%error, path = %path.display(), "not removed");
            }
        }
        segment.close_file();
    }
}
