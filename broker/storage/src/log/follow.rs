//! Appending as follower.

use super::Log;
use crate::{
    batch::{BatchHeader, HEADER_BYTES, split_batch},
    disk::Disk,
    error::AppendError,
};
use std::io::IoSlice;
use weir_types::{Millis, Offset};

/// What a follower's append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerAppend {
    /// The log's end now.
    pub end: Offset,
}

impl<D: Disk> Log<D> {
    /// Writes batches as a leader sent them, offsets and epochs kept; a part of a batch at the
    /// end is left out. They must continue the log (a compacted one may have gaps).
    ///
    /// # Errors
    /// `Corrupt` or `OffsetGap`: nothing was written. After a storage error other than `Full`
    /// the log is poisoned.
    pub fn append_as_follower(&mut self, records: &[u8]) -> Result<FollowerAppend, AppendError> {
        self.append_as_follower_at(records, None)
    }

    /// [`Log::append_as_follower`] with the Unix time, which closes old segments and ages
    /// producers.
    pub fn append_as_follower_at(
        &mut self,
        records: &[u8],
        now: Option<Millis>,
    ) -> Result<FollowerAppend, AppendError> {
        self.shared.check_writable()?;
        let start = self.start();
        let within = self.restart_before_start(records)?;
        let done = self.append_verbatim(records, now)?;
        if within {
            self.advance_start(start)?;
        }
        Ok(done)
    }

    /// A leader's log may start within a batch (delete-records); a follower that begins there is
    /// sent the whole batch, so its empty log begins at the batch's base instead, and its start
    /// is put back once the batch is there (as Kafka's `appendRecordsToFollowerOrFutureReplica`).
    fn restart_before_start(&mut self, records: &[u8]) -> Result<bool, AppendError> {
        let (start, end) = (self.shared.start(), self.shared.end());
        if start != end {
            return Ok(false);
        }
        let Some(first) = whole_batch(records)? else {
            return Ok(false);
        };
        let holds_start = first.base_offset < start && first.next_offset() > start;
        if holds_start {
            self.reset(Offset(first.base_offset))?;
        }
        Ok(holds_start)
    }

    fn append_verbatim(
        &mut self,
        records: &[u8],
        now: Option<Millis>,
    ) -> Result<FollowerAppend, AppendError> {
        let mut headers = Vec::new();
        let mut size = 0;
        let mut next = self.shared.end();
        while let Some(header) = whole_batch(&records[size..])? {
            let gap_is_fine = self.config.compact && header.base_offset > next;
            if header.base_offset != next && !gap_is_fine {
                let (expected, found) = (Offset(next), Offset(header.base_offset));
                return Err(AppendError::OffsetGap { expected, found });
            }
            next = header.next_offset();
            size += header.size();
            headers.push(header);
        }
        let Some(newest) = headers.iter().map(|header| header.max_timestamp).max() else {
            return Ok(FollowerAppend { end: self.end() });
        };
        let now = now.unwrap_or(Millis(newest.max(0)));
        self.take_room(size)?;
        self.roll_if_due(size as u64, next, now)?;
        for header in &headers {
            self.epochs.note(header.leader_epoch, header.base_offset)?;
        }
        self.write(&mut [IoSlice::new(&records[..size])], size as u64)?;
        self.took_in(&headers, now);
        Ok(FollowerAppend { end: self.end() })
    }
}

/// The first batch, its CRC verified; `None` if it is not all there.
fn whole_batch(bytes: &[u8]) -> Result<Option<BatchHeader>, AppendError> {
    let cut_off = match BatchHeader::parse(bytes) {
        Some(header) => header.size() > bytes.len(),
        None => bytes.len() < HEADER_BYTES,
    };
    if cut_off {
        return Ok(None);
    }
    let Some((header, size)) = split_batch(bytes)? else {
        return Ok(None);
    };
    if !header.crc_matches(&bytes[..size]) {
        return Err(AppendError::Corrupt(format!(
            "wrong CRC at {}",
            header.base_offset
        )));
    }
    Ok(Some(header))
}
