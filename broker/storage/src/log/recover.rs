//! Finding out, at start, what of a log is sound.

use super::{Health, Log};
use crate::{
    disk::{Disk, DiskFile},
    error::{Result, StorageError},
    segment::{Contents, Segment},
    walk::{Gaps, WalkEnd, walk_verified},
};
use std::{path::Path, sync::Arc, sync::atomic::Ordering};
use weir_types::{Millis, Offset};

/// What was found when a log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// There was none: it is empty.
    Created,
    /// The last stop was orderly.
    Clean { end: Offset },
    /// The last stop was not, and all that was durable is there. `cut_bytes` of a torn tail,
    /// which was never acknowledged as durable, were cut.
    Recovered { end: Offset, cut_bytes: u64 },
    /// Something that was durable is missing or wrong: the log refuses service until
    /// [`Log::reset`]. Never to be served, nor counted as a replica.
    Damaged { reason: String },
}

/// One segment's verdict.
enum Found {
    Sound(Contents),
    /// Sound up to here, then invalid bytes.
    Torn {
        contents: Contents,
        cut_bytes: u64,
        reason: String,
    },
}

impl<D: Disk> Log<D> {
    pub(super) fn recover(
        &mut self,
        mut bases: Vec<i64>,
        clean: bool,
        root: &Path,
    ) -> Result<Recovery> {
        let start = self.shared.start();
        let mark = self.marks.get(self.partition()).unwrap_or(0);
        self.remove_leftovers(&mut bases, start)?;
        if bases.is_empty() {
            return self.recover_empty(start, mark);
        }
        let (mut expected, mut cut_bytes, mut torn) = (start.max(bases[0]), 0, None);
        if bases[0] > start && !self.config.compact {
            expected = start;
        }
        for (at, &base) in bases.iter().enumerate() {
            // The first segment may begin below the log's start; compaction leaves gaps.
            let fits = match (at, self.config.compact) {
                (0, true) => true,
                (0, false) => base <= expected,
                (_, true) => base >= expected,
                (_, false) => base == expected,
            };
            if !fits {
                torn = Some((at, format!("segment {base} where {expected} was due")));
                break;
            }
            let last = at + 1 == bases.len();
            let contents = match self.examine(base, last, clean, mark)? {
                Found::Sound(contents) => contents,
                Found::Torn {
                    contents,
                    cut_bytes: cut,
                    reason,
                } => {
                    torn = Some((at + 1, reason));
                    cut_bytes += cut;
                    contents
                }
            };
            expected = contents.summary.end.max(base);
            let segment = Segment::new(&self.shared.disk, &self.shared.dir, base, contents);
            self.shared
                .with_segments(|segments| segments.push(Arc::new(segment)));
            if torn.is_some() {
                break;
            }
        }
        if expected < mark {
            let reason = torn.map_or_else(|| "bytes are missing".to_owned(), |(_, reason)| reason);
            return Ok(self.refuse(format!("{reason} (ends at {expected}, durable to {mark})")));
        }
        if let Some((from, reason)) = torn {
            tracing::info!(partition = %self.partition(), end = expected, %reason, "torn tail cut");
            cut_bytes += self.cut_torn(&bases[from..])?;
        }
        if self.shared.segments().is_empty() {
            return self.recover_empty(start, mark);
        }
        self.settle(clean && cut_bytes == 0, root)?;
        let end = self.end();
        Ok(match clean && cut_bytes == 0 {
            true => Recovery::Clean { end },
            false => Recovery::Recovered { end, cut_bytes },
        })
    }

    fn recover_empty(&mut self, start: i64, mark: i64) -> Result<Recovery> {
        if mark > start {
            return Ok(self.refuse(format!("no segment is there (durable to {mark})")));
        }
        let segment = Segment::create(&self.shared.disk, &self.shared.dir, start)?;
        self.shared
            .with_segments(|segments| segments.push(Arc::new(segment)));
        self.dirty_dir(self.shared.dir.clone());
        self.epochs.cut_end(start)?;
        self.remove_snapshots(|_| {});
        self.marks.raise(self.partition(), start);
        Ok(Recovery::Created)
    }

    fn refuse(&mut self, reason: String) -> Recovery {
        tracing::error!(partition = %self.partition(), %reason, "log is damaged");
        self.shared.with_segments(Vec::clear);
        self.shared.set_health(Health::Damaged(reason.clone()));
        Recovery::Damaged { reason }
    }

    /// Segments below the log's start, whose removal was cut short.
    fn remove_leftovers(&self, bases: &mut Vec<i64>, start: i64) -> Result<()> {
        while bases.len() > 1 && bases[1] <= start {
            let base = bases.remove(0);
            let segment = Segment::new(
                &self.shared.disk,
                &self.shared.dir,
                base,
                Contents::empty(base),
            );
            self.remove_files(&segment);
        }
        Ok(())
    }

    /// Looks at one segment; everything that was not durable, and the last segment, is verified
    /// byte by byte.
    fn examine(&mut self, base: i64, last: bool, clean: bool, mark: i64) -> Result<Found> {
        let (disk, dir) = (self.shared.disk.clone(), self.shared.dir.clone());
        let segment = Segment::new(&disk, &dir, base, Contents::empty(base));
        let io = |error| StorageError::io("read", segment.path(), error);
        let file = segment.file().map_err(io)?;
        let len = file.len().map_err(io)?;
        if let Some(summary) = Segment::<D>::stored_summary(&disk, &dir, base, len)
            && (clean || (!last && summary.end <= mark))
        {
            return Ok(Found::Sound(Contents::stored(summary)));
        }
        // After a killed process the bytes may be in the page cache only, and after a failed
        // sync they may be there and nowhere else: write them, then look at the medium.
        if !clean {
            file.sync_data()
                .map_err(|e| StorageError::io("sync", segment.path(), e))?;
            file.forget_cache();
        }
        let gaps = if self.config.compact {
            Gaps::Allowed
        } else {
            Gaps::None
        };
        let mut contents = Contents::empty(base);
        let mut epochs = Vec::new();
        let interval = self.config.index_interval_bytes;
        let (end, verdict) = walk_verified(&*file, 0, len, base, gaps, |placed, _| {
            contents.note(base, placed, interval);
            let epoch = placed.header.leader_epoch;
            if epochs.last().is_none_or(|&(last, _)| last != epoch) {
                epochs.push((epoch, placed.header.base_offset));
            }
        })
        .map_err(io)?;
        for (epoch, start) in epochs {
            self.epochs.restore(epoch, start);
        }
        Ok(match verdict {
            WalkEnd::Complete => Found::Sound(contents),
            WalkEnd::Invalid(why) => {
                let reason = format!("{why} at byte {end} of segment {base}");
                Found::Torn {
                    contents,
                    cut_bytes: len - end,
                    reason,
                }
            }
        })
    }

    /// Cuts the invalid end of the last segment that was taken in, and removes those after it.
    fn cut_torn(&mut self, removed: &[i64]) -> Result<u64> {
        let mut cut_bytes = 0;
        for &base in removed.iter().rev() {
            let segment = Segment::new(
                &self.shared.disk,
                &self.shared.dir,
                base,
                Contents::empty(base),
            );
            cut_bytes += segment.file().and_then(|file| file.len()).unwrap_or(0);
            self.remove_files(&segment);
        }
        if let Some(segment) = self.shared.segments().last() {
            let io = |error| StorageError::io("cut", segment.path(), error);
            let file = segment.file().map_err(io)?;
            file.set_len(segment.summary().size).map_err(io)?;
            file.sync_data().map_err(io)?;
            let index = segment.path_of(crate::segment::INDEX_SUFFIX);
            if self.shared.disk.exists(&index) {
                self.shared.disk.remove(&index).map_err(io)?;
            }
        }
        Ok(cut_bytes)
    }

    /// Brings everything else in line with the segments.
    fn settle(&mut self, clean: bool, root: &Path) -> Result<()> {
        let active = self.active();
        let summary = active.summary();
        if active.contents().entries.is_none() {
            let contents = active.rebuild(self.config.index_interval_bytes)?;
            *active.contents_mut() = contents;
        }
        let end = summary.end;
        let start = self.shared.start().max(self.shared.segments()[0].base);
        self.shared.start.store(start, Ordering::Release);
        self.shared.end.store(end, Ordering::Release);
        self.lower_start_to_end()?;
        let first_ms = Millis(summary.first_timestamp).min(self.opened_at);
        self.active_since = (summary.size > 0).then_some(if first_ms.0 >= 0 {
            first_ms
        } else {
            self.opened_at
        });
        self.epochs.cut_end(end)?;
        self.epochs.store_restored()?;
        // A snapshot of what is no more would be believed once the log has grown past it.
        self.remove_snapshots(|offsets| offsets.retain(|&offset| offset > end));
        if !clean {
            if let Some(file) = self.epochs.take_dirty()? {
                file.sync_data()
                    .map_err(|e| StorageError::io("sync", &self.shared.dir, e))?;
            }
            for dir in [&self.shared.dir, root] {
                self.shared
                    .disk
                    .sync_dir(dir)
                    .map_err(|e| StorageError::io("sync", dir, e))?;
            }
            self.dirty_dirs.clear();
        }
        self.load_producers()?;
        self.durable_end = end;
        self.marks.raise(self.partition(), end);
        for segment in self.shared.segments().iter().rev().skip(1) {
            if segment.contents().entries.is_some() && segment.write_index().is_ok() {
                segment.unload_index();
            }
            segment.close_file();
        }
        Ok(())
    }
}
