//! Finding offsets by time.

use super::LogReader;
use crate::{
    batch::{HEADER_BYTES, Record, RecordBatch},
    disk::{Disk, DiskFile},
    error::{Result, StorageError},
    segment::Segment,
    walk::Placed,
};
use bytes::Bytes;
use std::{ops::ControlFlow, sync::Arc};
use weir_types::{LeaderEpoch, Offset};

/// Offset, timestamp in milliseconds, epoch of the record's leader.
pub type Found = (Offset, i64, LeaderEpoch);

impl<D: Disk> LogReader<D> {
    /// The first record below `below` with a timestamp of at least `timestamp_ms`. Blocks on the
    /// disk; decompresses at most a few batches.
    ///
    /// # Errors
    /// `Damaged` if a batch in question does not decode.
    pub fn find_timestamp(&self, timestamp_ms: i64, below: Offset) -> Result<Option<Found>> {
        self.shared.check_readable()?;
        for segment in self.shared.segments() {
            if segment.base >= below.0 {
                break;
            }
            let summary = segment.summary();
            if summary.max_timestamp < timestamp_ms || summary.end <= self.shared.start() {
                continue;
            }
            let from = segment.position_before_timestamp(timestamp_ms)?;
            if let Some(found) = self.find_in(&segment, from, timestamp_ms, below)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record below `below` with the largest timestamp there (KIP-734).
    pub fn max_timestamp(&self, below: Offset) -> Result<Option<Found>> {
        self.shared.check_readable()?;
        let mut best: Option<i64> = None;
        for segment in self.shared.segments() {
            let summary = segment.summary();
            if segment.base >= below.0 || summary.end <= self.shared.start() {
                continue;
            }
            let whole = summary.end <= below.0 && segment.base >= self.shared.start();
            let largest = match whole {
                true => Some(summary.max_timestamp).filter(|&largest| largest >= 0),
                false if best.is_some_and(|best| summary.max_timestamp <= best) => None,
                false => self.largest_in(&segment, below)?,
            };
            best = best.max(largest);
        }
        match best {
            Some(timestamp) => self.find_timestamp(timestamp, below),
            None => Ok(None),
        }
    }

    fn find_in(
        &self,
        segment: &Arc<Segment<D>>,
        from: u64,
        timestamp_ms: i64,
        below: Offset,
    ) -> Result<Option<Found>> {
        let io = |error| StorageError::io("read", segment.path(), error);
        let file = segment.file().map_err(io)?;
        let mut walk = segment.walk(&file, from);
        while let Some(placed) = walk.next().map_err(io)? {
            let header = &placed.header;
            if header.base_offset >= below.0 {
                break;
            }
            if header.max_timestamp < timestamp_ms || header.next_offset() <= self.shared.start() {
                continue;
            }
            let mut found = None;
            self.visit(segment, &file, &placed, |record| {
                let here = (self.shared.start()..below.0).contains(&record.offset);
                if here && record.timestamp >= timestamp_ms {
                    found = Some((Offset(record.offset), record.timestamp));
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            if let Some((offset, timestamp)) = found {
                return Ok(Some((offset, timestamp, LeaderEpoch(header.leader_epoch))));
            }
        }
        Ok(None)
    }

    /// The largest timestamp between the log's start and `below`, of a segment that lies across
    /// one of them.
    fn largest_in(&self, segment: &Arc<Segment<D>>, below: Offset) -> Result<Option<i64>> {
        let io = |error| StorageError::io("read", segment.path(), error);
        let file = segment.file().map_err(io)?;
        let bounds = self.shared.start()..below.0;
        let mut walk = segment.walk(&file, segment.position_before(bounds.start)?);
        let mut best: Option<i64> = None;
        while let Some(placed) = walk.next().map_err(io)? {
            let header = &placed.header;
            if header.base_offset >= below.0 {
                break;
            }
            if header.next_offset() <= bounds.start || Some(header.max_timestamp) <= best {
                continue;
            }
            self.visit(segment, &file, &placed, |record| {
                if bounds.contains(&record.offset) && record.timestamp >= 0 {
                    best = best.max(Some(record.timestamp));
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(best)
    }

    /// Decodes a batch that lies in a segment.
    fn visit(
        &self,
        segment: &Segment<D>,
        file: &D::File,
        placed: &Placed,
        visit: impl FnMut(Record) -> ControlFlow<()>,
    ) -> Result<()> {
        debug_assert!(
            placed.header.size() >= HEADER_BYTES,
            "a walk gives whole batches"
        );
        let mut bytes = vec![0; placed.header.size()];
        file.read_exact_at(&mut bytes, placed.position)
            .map_err(|error| StorageError::io("read", segment.path(), error))?;
        let decoded = RecordBatch::take(&mut Bytes::from(bytes)).and_then(|batch| match batch {
            Some(batch) => batch.for_each(visit),
            None => Ok(()),
        });
        decoded.map_err(|error| self.shared.damaged(&error.to_string()))
    }
}
