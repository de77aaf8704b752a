//! Keeping the last record of each key.

use super::{Log, Shared};
use crate::{
    batch::{BatchBuilder, BatchHeader, Record, RecordBatch},
    disk::{Disk, DiskFile, Open},
    error::{AppendError, Result, StorageError},
    segment::{Contents, INDEX_SUFFIX, Segment},
    walk::{Gaps, Placed, WalkEnd, walk_verified},
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    ops::ControlFlow,
    sync::Arc,
};
use weir_types::{Millis, Offset};

/// Keys of one run; what comes after waits for the next run.
const KEYS_MAX: usize = 2_000_000;

/// What a run of compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Segments that were written anew.
    pub segments: usize,
    pub records_kept: u64,
    pub records_removed: u64,
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// The last offset of each key, by 128 bits of its hash.
struct LastOffsets {
    hashers: [RandomState; 2],
    known: HashMap<(u64, u64), i64>,
    /// Exclusive: where the map was full.
    upto: i64,
}

impl LastOffsets {
    fn new() -> Self {
        let hashers = [RandomState::new(), RandomState::new()];
        Self {
            hashers,
            known: HashMap::new(),
            upto: i64::MAX,
        }
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        (self.hashers[0].hash_one(key), self.hashers[1].hash_one(key))
    }

    fn note(&mut self, key: &[u8], offset: i64) -> ControlFlow<()> {
        let hash = self.hash(key);
        if self.known.len() >= KEYS_MAX && !self.known.contains_key(&hash) {
            self.upto = offset;
            return ControlFlow::Break(());
        }
        self.known.insert(hash, offset);
        ControlFlow::Continue(())
    }

    fn is_superseded(&self, key: &[u8], offset: i64) -> bool {
        self.known
            .get(&self.hash(key))
            .is_some_and(|&last| last > offset)
    }
}

impl<D: Disk> Log<D> {
    /// Rewrites sealed segments below the high watermark so that each key keeps its last record,
    /// and tombstones only for `delete_retention_ms`. Offsets stay. Blocks on the disk; memory is
    /// bounded by the keys of one run. Batches are verified as they are read.
    ///
    /// # Errors
    /// `Damaged` if a batch is: nothing was replaced from there on.
    pub fn compact(&mut self, now: Millis, high_watermark: Offset) -> Result<Compacted> {
        self.shared.check_writable()?;
        if !self.config.compact {
            return Ok(Compacted::default());
        }
        if self.active().summary().size > 0 && self.is_old(now) {
            self.roll()?;
        }
        let segments = self.shared.segments();
        let sealed: Vec<_> = segments[..segments.len() - 1]
            .iter()
            .filter(|segment| self.may_compact(segment, now, high_watermark))
            .cloned()
            .collect();
        let Some(cleanable_to) = sealed.last().map(|segment| segment.summary().end) else {
            return Ok(Compacted::default());
        };
        if !self.is_worth_it(&sealed, cleanable_to) {
            return Ok(Compacted::default());
        }
        // A cut must not bring back what compaction removed: the newer record must be durable.
        self.sync_all()?;
        let last = self.last_offsets(&segments, high_watermark)?;
        let mut compacted = Compacted::default();
        for segment in &sealed {
            if segment.base >= last.upto {
                break;
            }
            self.rewrite(segment, &last, now, &mut compacted)?;
        }
        self.compacted_to = cleanable_to.min(last.upto);
        Ok(compacted)
    }

    fn may_compact(&self, segment: &Segment<D>, now: Millis, high_watermark: Offset) -> bool {
        let summary = segment.summary();
        let lag = now.0.saturating_sub(summary.max_timestamp);
        summary.end <= high_watermark.0 && lag >= self.config.min_compaction_lag_ms
    }

    /// As Kafka's dirty ratio: new bytes against all.
    fn is_worth_it(&self, sealed: &[Arc<Segment<D>>], cleanable_to: i64) -> bool {
        if cleanable_to <= self.compacted_to {
            return false;
        }
        let (mut dirty, mut all) = (0, 0);
        for segment in sealed {
            let size = segment.summary().size;
            all += size;
            dirty += if segment.base >= self.compacted_to {
                size
            } else {
                0
            };
        }
        all > 0 && dirty * 100 >= all * u64::from(self.config.min_cleanable_percent)
    }

    fn last_offsets(
        &self,
        segments: &[Arc<Segment<D>>],
        high_watermark: Offset,
    ) -> Result<LastOffsets> {
        let mut last = LastOffsets::new();
        let below = high_watermark.0.min(self.durable_end);
        for segment in segments {
            if segment.base >= below.min(last.upto) {
                break;
            }
            for_each_batch(&self.shared, segment, |batch, _| {
                if batch.header.is_control() || batch.header.base_offset >= below {
                    return Ok(());
                }
                batch.for_each(|record| match record.key {
                    Some(key) if record.offset < below && record.offset < last.upto => {
                        last.note(&key, record.offset)
                    }
                    _ => ControlFlow::Continue(()),
                })
            })?;
        }
        Ok(last)
    }

    /// Writes the kept records beside the segment, then takes its place.
    fn rewrite(
        &self,
        segment: &Arc<Segment<D>>,
        last: &LastOffsets,
        now: Millis,
        compacted: &mut Compacted,
    ) -> Result<()> {
        let disk = &self.shared.disk;
        let temporary = segment.path_of("tmp");
        let io = |error| StorageError::io("write", &temporary, error);
        let file = disk.open(&temporary, Open::CreateOrOpen).map_err(io)?;
        file.set_len(0).map_err(io)?;
        let mut contents = Contents::empty(segment.base);
        let mut failure = None;
        let (mut kept, mut removed) = (0, 0);
        for_each_batch(&self.shared, segment, |batch, _| {
            if failure.is_some() {
                return Ok(());
            }
            let filtered = self.filter(&batch, last, now)?;
            kept += filtered.kept;
            removed += filtered.removed;
            if let Some((header, bytes)) = filtered.batch {
                let position = contents.summary.size;
                failure = file.write_all_at(&bytes, position).err();
                let placed = Placed { header, position };
                contents.note(segment.base, &placed, self.config.index_interval_bytes);
            }
            Ok(())
        })?;
        let before = segment.summary().size;
        compacted.bytes_before += before;
        compacted.records_kept += kept;
        compacted.records_removed += removed;
        if let Some(error) = failure {
            let _ = disk.remove(&temporary);
            return Err(io(error));
        }
        if removed == 0 {
            compacted.bytes_after += before;
            return disk.remove(&temporary).map_err(io);
        }
        compacted.segments += 1;
        compacted.bytes_after += contents.summary.size;
        file.sync_data().map_err(io)?;
        drop(file);
        // The segment still ends where the next one begins.
        contents.summary.end = segment.summary().end;
        self.put_in_place(segment, contents)
    }

    /// One segment after another, each durable before the next: a tombstone must not vanish
    /// before the record that it covers.
    fn put_in_place(&self, segment: &Arc<Segment<D>>, contents: Contents) -> Result<()> {
        let disk = &self.shared.disk;
        let io = |error| StorageError::io("replace", segment.path(), error);
        let index = segment.path_of(INDEX_SUFFIX);
        if disk.exists(&index) {
            disk.remove(&index).map_err(io)?;
        }
        disk.rename(&segment.path_of("tmp"), segment.path())
            .map_err(io)?;
        let dir = &self.shared.dir;
        self.sync_dir()?;
        let fresh = Arc::new(Segment::new(disk, dir, segment.base, contents));
        if fresh.write_index().is_ok() {
            fresh.unload_index();
        }
        self.shared.with_segments(|segments| {
            if let Some(place) = segments.iter_mut().find(|place| place.base == fresh.base) {
                *place = fresh;
            }
        });
        Ok(())
    }

    fn filter(
        &self,
        batch: &RecordBatch,
        last: &LastOffsets,
        now: Millis,
    ) -> std::result::Result<Filtered, AppendError> {
        let header = batch.header;
        if header.is_control() {
            let count = header.record_count as u64;
            let kept = Some((header, batch.bytes().clone()));
            return Ok(Filtered {
                batch: kept,
                kept: count,
                removed: 0,
            });
        }
        let mut builder = BatchBuilder::new();
        let (mut kept, mut removed) = (0, 0);
        batch.for_each(|record| {
            if self.is_kept(&record, last, now) {
                push_kept(&mut builder, &header, &record);
                kept += 1;
            } else {
                removed += 1;
            }
            ControlFlow::Continue(())
        })?;
        // The last batch of a producer says which sequence comes next, even without records.
        let batch = if removed == 0 {
            Some((header, batch.bytes().clone()))
        } else if kept > 0 || self.producers.is_last_batch(&header) {
            let bytes = builder.build_like(&header);
            BatchHeader::parse(&bytes).map(|header| (header, bytes))
        } else {
            None
        };
        Ok(Filtered {
            batch,
            kept,
            removed,
        })
    }

    fn is_kept(&self, record: &Record, last: &LastOffsets, now: Millis) -> bool {
        if record.offset >= last.upto {
            return true;
        }
        let Some(key) = &record.key else {
            return false;
        };
        if last.is_superseded(key, record.offset) {
            return false;
        }
        let age = now.0.saturating_sub(record.timestamp);
        record.value.is_some() || age < self.config.delete_retention_ms
    }
}

struct Filtered {
    batch: Option<(BatchHeader, Bytes)>,
    kept: u64,
    removed: u64,
}

fn push_kept(builder: &mut BatchBuilder, header: &BatchHeader, record: &Record) {
    let headers: Vec<(&[u8], Option<&[u8]>)> = record
        .headers
        .iter()
        .map(|header| (&*header.name, header.value.as_deref()))
        .collect();
    let delta = (record.offset - header.base_offset) as i32;
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    builder.push_at(delta, record.timestamp, key, value, &headers);
}

/// Reads a segment's batches, each verified.
fn for_each_batch<D: Disk>(
    shared: &Shared<D>,
    segment: &Segment<D>,
    mut visit: impl FnMut(RecordBatch, &Placed) -> std::result::Result<(), AppendError>,
) -> Result<()> {
    let io = |error| StorageError::io("read", segment.path(), error);
    let file = segment.file().map_err(io)?;
    let mut failure = None;
    let size = segment.summary().size;
    let (_, end) = walk_verified(
        &*file,
        0,
        size,
        segment.base,
        Gaps::Allowed,
        |placed, bytes| {
            if failure.is_none() {
                let mut bytes = Bytes::copy_from_slice(bytes);
                let visited = RecordBatch::take(&mut bytes)
                    .and_then(|batch| batch.map_or(Ok(()), |batch| visit(batch, placed)));
                failure = visited.err();
            }
        },
    )
    .map_err(io)?;
    match (failure, end) {
        (None, WalkEnd::Complete) => Ok(()),
        (Some(error), _) => Err(shared.damaged(&error.to_string())),
        (None, WalkEnd::Invalid(reason)) => Err(shared.damaged(&reason)),
    }
}
