//! Reading beside the writer.

use super::Shared;
use crate::{
    disk::{Disk, DiskFile},
    error::{ReadError, StorageError},
    segment::Segment,
};
use bytes::Bytes;
use std::{fmt, sync::Arc};
use weir_types::Offset;

/// Reads a log from any thread while its writer appends. A clone reads the same log.
pub struct LogReader<D: Disk> {
    pub(super) shared: Arc<Shared<D>>,
}

impl<D: Disk> Clone for LogReader<D> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<D: Disk> fmt::Debug for LogReader<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogReader({})", self.shared.partition)
    }
}

/// Whole batches, side by side in one file.
pub struct Slice<D: Disk> {
    pub file: Arc<D::File>,
    /// Of the first byte in the file.
    pub position: u64,
    /// Bytes; 0: nothing is there to be read.
    pub len: usize,
    /// Likely not in the page cache: read it where blocking hurts nobody.
    pub cold: bool,
    /// Offset after the last batch: where to go on.
    pub next: Offset,
}

impl<D: Disk> fmt::Debug for Slice<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("position", &self.position)
            .field("len", &self.len)
            .field("cold", &self.cold)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> LogReader<D> {
    pub(super) const fn new(shared: Arc<Shared<D>>) -> Self {
        Self { shared }
    }

    pub fn start(&self) -> Offset {
        Offset(self.shared.start())
    }

    pub fn end(&self) -> Offset {
        Offset(self.shared.end())
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        let segments = self.shared.segments();
        segments.iter().map(|segment| segment.summary().size).sum()
    }

    /// Finds whole batches from the one that holds `from` (the reader skips what comes before)
    /// up to those that end at or before `below`, at most `max_bytes`, of one segment. With
    /// `at_least_one` the first batch comes even if it is larger. An answer of no bytes has
    /// `next` = `from`.
    ///
    /// The bytes are as they were written; nobody has verified them since.
    ///
    /// # Errors
    /// `OffsetOutOfRange` for a `from` before the log's start or after its end.
    pub fn read(
        &self,
        from: Offset,
        below: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Slice<D>, ReadError> {
        self.shared.check_readable()?;
        let (start, end) = (self.start(), self.end());
        let out_of_range = ReadError::OffsetOutOfRange {
            asked: from,
            start,
            end,
        };
        if from < start || from > end {
            return Err(out_of_range);
        }
        let Some((mut at, mut segment)) = self.shared.segment_at(from.0) else {
            return Err(out_of_range);
        };
        let below = below.min(end).0;
        loop {
            match self.read_segment(&segment, from.0, below, max_bytes, at_least_one) {
                Ok(Some(slice)) => return Ok(slice),
                // A gap at the segment's end (compaction), or nothing below the bound.
                Ok(None) => {}
                // Retention was faster.
                Err(StorageError::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound
                        && from.0 < self.shared.start() =>
                {
                    return Err(out_of_range);
                }
                Err(error) => return Err(error.into()),
            }
            at += 1;
            match self.shared.segment_number(at) {
                Some(next) if next.base < below && next.base > segment.base => segment = next,
                _ => return self.nothing(&segment, from).map_err(Into::into),
            }
        }
    }

    /// [`LogReader::read`], and copies the bytes out.
    pub fn read_bytes(
        &self,
        from: Offset,
        below: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Bytes, ReadError> {
        let slice = self.read(from, below, max_bytes, at_least_one)?;
        let mut bytes = vec![0; slice.len];
        slice
            .file
            .read_exact_at(&mut bytes, slice.position)
            .map_err(|error| StorageError::io("read", &self.shared.dir, error))?;
        Ok(bytes.into())
    }

    fn nothing(&self, segment: &Segment<D>, from: Offset) -> Result<Slice<D>, StorageError> {
        let file = segment
            .file()
            .map_err(|e| StorageError::io("open", segment.path(), e))?;
        Ok(Slice {
            file,
            position: 0,
            len: 0,
            cold: false,
            next: from,
        })
    }

    /// `None`: the segment has no batch between the bounds.
    fn read_segment(
        &self,
        segment: &Segment<D>,
        from: i64,
        below: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Slice<D>>, StorageError> {
        let io = |error| StorageError::io("read", segment.path(), error);
        let summary = segment.summary();
        if summary.end <= from || from >= below || summary.size == 0 {
            return Ok(None);
        }
        let file = segment.file().map_err(io)?;
        let mut walk = segment.walk(&file, segment.position_before(from)?);
        let first = loop {
            match walk.next().map_err(io)? {
                Some(placed) if placed.header.next_offset() > from => break placed,
                Some(_) => {}
                None => return Ok(None),
            }
        };
        if first.header.next_offset() > below {
            return Ok(None);
        }
        let fits = |end: u64| end - first.position <= max_bytes as u64;
        if !fits(first.end()) && !at_least_one {
            let slice = Slice {
                file,
                position: 0,
                len: 0,
                cold: false,
                next: Offset(from),
            };
            return Ok(Some(slice));
        }
        let (end, next) = if summary.end <= below && fits(summary.size) {
            (summary.size, summary.end)
        } else {
            let (mut end, mut next) = (first.end(), first.header.next_offset());
            let limit = first.position.saturating_add(max_bytes as u64);
            let boundary = segment.boundary_before(limit, below)?;
            if boundary > walk.position {
                walk.position = boundary;
                // What lies before the boundary ends where the next batch begins, at the latest.
                end = boundary;
                next = -1;
            }
            while let Some(placed) = walk.next().map_err(io)? {
                if next < 0 {
                    next = placed.header.base_offset;
                }
                if placed.header.next_offset() > below || !fits(placed.end()) {
                    break;
                }
                (end, next) = (placed.end(), placed.header.next_offset());
            }
            (end, if next < 0 { summary.end } else { next })
        };
        let cold = segment.is_cold(first.position);
        let len = (end - first.position) as usize;
        Ok(Some(Slice {
            file,
            position: first.position,
            len,
            cold,
            next: Offset(next),
        }))
    }
}
