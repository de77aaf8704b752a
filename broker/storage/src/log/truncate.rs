//! Cutting the log's end, and starting it anew.

use super::{Health, Log};
use crate::{
    disk::{Disk, DiskFile},
    error::{Result, StorageError},
    producer::Producers,
    segment::{SNAPSHOT_SUFFIX, Segment, file_name},
    walk::Placed,
};
use std::sync::{Arc, atomic::Ordering};
use weir_types::Offset;

/// What the files of an empty log take, with room to spare.
const RESET_BYTES: u64 = 64 * 1024;

impl<D: Disk> Log<D> {
    /// Cuts everything from the batch that holds `to` on, with its epochs and producer state.
    /// Durable when it returns: nothing of what was cut comes back. The end is below `to` if `to`
    /// lies within a batch. At or beyond the end only epochs without a record are forgotten. Below
    /// the log's start it is a [`Log::reset`] to `to`.
    pub fn truncate(&mut self, to: Offset) -> Result<()> {
        self.shared.check_writable()?;
        if to >= self.end() {
            // A leader that wrote nothing leaves an epoch that its heir does not know.
            let cut = self.epochs.cut_empty(self.shared.end());
            return self.poison_if_refused("cut of epochs", cut);
        }
        if to < self.start() {
            return self.reset(to);
        }
        let result = self.cut(to.0);
        if let Err(error) = &result
            && !error.is_full()
        {
            self.poison(format!("cut to {to} failed: {error}"));
        }
        result
    }

    fn cut(&mut self, to: i64) -> Result<()> {
        // The lower mark first: a log that ends below its mark is a damaged one.
        let (segment, place) = self.find_cut(to)?;
        let new_end = place.as_ref().map_or(segment.base, |(end, _)| *end);
        self.marks.lower(self.partition(), Some(new_end))?;
        self.generation += 1;
        let removed = self.shared.with_segments(|segments| {
            let kept = segments.partition_point(|other| other.base <= segment.base);
            segments.split_off(kept)
        });
        self.shared.end.store(new_end, Ordering::Release);
        self.durable_end = self.durable_end.min(new_end);
        for segment in removed.iter().rev() {
            self.remove_files(segment);
        }
        self.dirty
            .retain(|dirty| !removed.iter().any(|gone| Arc::ptr_eq(gone, dirty)));
        let size = place.map_or(0, |(_, size)| size);
        let io = |error| StorageError::io("cut", segment.path(), error);
        segment
            .file()
            .and_then(|file| file.set_len(size))
            .map_err(io)?;
        let left = segment.shortened(size, self.config.index_interval_bytes)?;
        *segment.contents_mut() = left;
        if self
            .shared
            .disk
            .exists(&segment.path_of(crate::segment::INDEX_SUFFIX))
        {
            self.shared
                .disk
                .remove(&segment.path_of(crate::segment::INDEX_SUFFIX))
                .map_err(io)?;
        }
        if !self.dirty.iter().any(|dirty| Arc::ptr_eq(dirty, &segment)) {
            self.dirty.push(Arc::clone(&segment));
        }
        self.dirty_dir(self.shared.dir.clone());
        self.epochs.cut_end(new_end)?;
        self.compacted_to = self.compacted_to.min(new_end);
        self.remove_snapshots(|offsets| offsets.retain(|&offset| offset > new_end));
        if !self.producers.cut(new_end) {
            self.load_producers()?;
        }
        self.sync_all()?;
        self.lower_start_to_end()
    }

    /// A log that was cut within the batch that holds its start begins where it ends.
    pub(super) fn lower_start_to_end(&self) -> Result<()> {
        let end = self.shared.end();
        if self.shared.start() > end {
            self.store_start(end)?;
            self.shared.start.store(end, Ordering::Release);
        }
        Ok(())
    }

    /// The segment that becomes the active one, and offset and position where it will end.
    /// `None`: at its base.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn find_cut(&self, to: i64) -> Result<(Arc<Segment<D>>, Option<(i64, u64)>)> {
        let (_, segment) = self
            .shared
            .segment_at(to)
            .ok_or_else(|| StorageError::Misuse(format!("no segment holds {to}")))?;
        let io = |error| StorageError::io("read", segment.path(), error);
        let file = segment.file().map_err(io)?;
        let mut from = segment.position_before(to)?;
        let mut last: Option<Placed> = None;
        loop {
            let mut walk = segment.walk(&file, from);
            while let Some(placed) = walk.next().map_err(io)? {
                if placed.header.next_offset() > to {
                    break;
                }
                last = Some(placed);
            }
            if last.is_some() || from == 0 {
                break;
            }
            // The cut is at a boundary of the index: what ends there was not walked over.
            from = 0;
        }
        Ok((
            Arc::clone(&segment),
            last.map(|p| (p.header.next_offset(), p.end())),
        ))
    }

    /// Empties the log; it starts, and ends, at `start` afterwards. Also what heals a damaged
    /// log, whose contents then come from the leader. Durable when it returns, but for epochs
    /// without records of a log that is as it should be already.
    ///
    /// # Errors
    /// `Poisoned` logs stay as they are.
    pub fn reset(&mut self, start: Offset) -> Result<()> {
        if let Health::Poisoned(reason) = self.shared.health() {
            return Err(StorageError::Poisoned {
                partition: self.partition(),
                reason,
            });
        }
        if start.0 < 0 {
            return Err(StorageError::Misuse(format!(
                "a log cannot start at {start}"
            )));
        }
        if self.is_fresh_at(start) {
            let cut = self.epochs.cut_empty(start.0);
            return self.poison_if_refused("cut of epochs", cut);
        }
        self.check_room_for_reset()?;
        self.marks.lower(self.partition(), Some(0))?;
        self.generation += 1;
        // From here on a power loss leaves a part of the old log, or none.
        let gone = self.shared.with_segments(std::mem::take);
        self.dirty.clear();
        let result = self.replace_all(start.0, &gone);
        if let Err(error) = &result {
            self.poison(format!("reset to {start} failed: {error}"));
        }
        result
    }

    /// Whether a reset would leave all as it is, but for epochs without records. A log whose
    /// records were all deleted is not: it knows their epochs and producers, and may hold them yet.
    fn is_fresh_at(&self, start: Offset) -> bool {
        let sound = matches!(self.shared.health(), Health::Sound);
        let empty = self.shared.start() == start.0 && self.shared.end() == start.0;
        let segments = self.shared.segments();
        let new = matches!(&segments[..], [only] if only.summary().size == 0);
        let knows_nothing = self.producers.is_empty() && self.epochs.begin_at(start.0);
        sound && empty && new && knows_nothing
    }

    /// An empty log frees nothing that its new files could use: on a full disk it is left alone
    /// rather than half replaced.
    fn check_room_for_reset(&self) -> Result<()> {
        let dir = &self.shared.dir;
        let empty = self.shared.start() == self.shared.end();
        let free = |error| StorageError::io("stat", dir, error);
        if empty && self.shared.disk.free_bytes(dir).map_err(free)? < RESET_BYTES {
            return Err(StorageError::Full { path: dir.clone() });
        }
        Ok(())
    }

    fn replace_all(&mut self, start: i64, gone: &[Arc<Segment<D>>]) -> Result<()> {
        for segment in gone.iter().rev() {
            self.remove_files(segment);
        }
        self.remove_stray_segments()?;
        self.remove_snapshots(|_| {});
        self.shared
            .disk
            .sync_dir(&self.shared.dir)
            .map_err(|error| StorageError::io("sync", &self.shared.dir, error))?;
        self.store_start(start)?;
        let segment = Segment::create(&self.shared.disk, &self.shared.dir, start)?;
        self.shared
            .with_segments(|segments| *segments = vec![Arc::new(segment)]);
        self.shared.start.store(start, Ordering::Release);
        self.shared.end.store(start, Ordering::Release);
        self.epochs.clear()?;
        self.producers = Producers::default();
        self.durable_end = start;
        self.compacted_to = start;
        self.active_since = None;
        self.dirty.push(self.active());
        self.dirty_dir(self.shared.dir.clone());
        self.shared.set_health(Health::Sound);
        self.sync_all()?;
        self.marks.raise(self.partition(), start);
        Ok(())
    }

    /// Segments of a damaged log that were never taken in.
    fn remove_stray_segments(&self) -> Result<()> {
        let disk = &self.shared.disk;
        let names = disk
            .list(&self.shared.dir)
            .map_err(|error| StorageError::io("list", &self.shared.dir, error))?;
        for name in names {
            let is_segment = [crate::segment::LOG_SUFFIX, crate::segment::INDEX_SUFFIX]
                .iter()
                .any(|suffix| crate::segment::parse_name(&name, suffix).is_some());
            if is_segment {
                let path = self.shared.path(&name);
                disk.remove(&path)
                    .map_err(|error| StorageError::io("remove", &path, error))?;
            }
        }
        Ok(())
    }

    /// Producer state at the log's end: the newest snapshot, and what was appended since.
    pub(super) fn load_producers(&mut self) -> Result<()> {
        let (from, producers) = self.newest_snapshot();
        self.producers = producers;
        for segment in self.shared.segments() {
            if segment.summary().end <= from {
                continue;
            }
            let io = |error| StorageError::io("read", segment.path(), error);
            let file = segment.file().map_err(io)?;
            let mut walk = segment.walk(&file, segment.position_before(from)?);
            while let Some(placed) = walk.next().map_err(io)? {
                if placed.header.base_offset >= from {
                    self.producers.note(&placed.header, self.opened_at.0);
                }
            }
        }
        Ok(())
    }

    fn newest_snapshot(&self) -> (i64, Producers) {
        let mut offsets = super::snapshots::snapshot_offsets(&self.shared.disk, &self.shared.dir);
        offsets.retain(|&offset| offset <= self.shared.end());
        for offset in offsets.into_iter().rev() {
            let path = self.shared.path(&file_name(offset, SNAPSHOT_SUFFIX));
            let read = crate::disk::read_file(&self.shared.disk, &path, 1 << 30);
            if let Ok(Some(bytes)) = read
                && let Ok((found, producers)) = crate::format::snapshot::decode(&bytes)
                && found == offset
            {
                return (offset, Producers::from_snapshot(producers));
            }
            // A torn snapshot: an older one, or the log itself, says the same.
        }
        (0, Producers::default())
    }
}
