//! Reading records out of batches that were checked before.

use super::{
    codec::plain_bytes,
    header::{BatchHeader, Compression, HEADER_BYTES, split_batch},
    varint::{unzigzag_32, unzigzag_64},
};
use crate::error::AppendError;
use bytes::{Buf, Bytes};
use std::ops::ControlFlow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: Bytes,
    pub value: Option<Bytes>,
}

/// One record, its offset and timestamp made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    /// Milliseconds since the Unix epoch; -1: none.
    pub timestamp: i64,
    pub key: Option<Bytes>,
    /// `None`: a tombstone.
    pub value: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// One batch and its bytes.
#[derive(Clone, Debug)]
pub struct RecordBatch {
    pub header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// Takes the first batch off `bytes` and verifies its CRC. `Ok(None)`: no bytes are left.
    ///
    /// # Errors
    /// `Corrupt` or `UnsupportedFormat`.
    pub fn take(bytes: &mut Bytes) -> Result<Option<Self>, AppendError> {
        let Some((header, size)) = split_batch(bytes)? else {
            return Ok(None);
        };
        let batch = bytes.split_to(size);
        if !header.crc_matches(&batch) {
            return Err(AppendError::Corrupt(format!(
                "wrong CRC at {}",
                header.base_offset
            )));
        }
        Ok(Some(Self {
            header,
            bytes: batch,
        }))
    }

    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Decodes the records; without compression they share the batch's bytes.
    ///
    /// # Errors
    /// `Corrupt` if they are not what the header says.
    pub fn records(&self) -> Result<Vec<Record>, AppendError> {
        let mut out = Vec::with_capacity((self.header.record_count as usize).min(1024));
        self.for_each(|record| {
            out.push(record);
            ControlFlow::Continue(())
        })?;
        Ok(out)
    }

    /// Like [`RecordBatch::records`], one at a time, until told to stop.
    ///
    /// # Errors
    /// `Corrupt` if they are not what the header says.
    pub fn for_each(
        &self,
        mut visit: impl FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), AppendError> {
        let compression = self
            .header
            .compression()
            .map_err(AppendError::UnsupportedCompression)?;
        let stored = self.bytes.slice(HEADER_BYTES..);
        let mut rest = if compression == Compression::None {
            stored
        } else {
            let plain = plain_bytes(compression, &stored);
            plain.map_err(|bad| AppendError::Corrupt(bad.0))?.into()
        };
        for _ in 0..self.header.record_count {
            let record = take_record(&mut rest, &self.header).ok_or_else(|| {
                AppendError::Corrupt(format!("record in batch {}", self.header.base_offset))
            })?;
            if visit(record).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Visits each whole batch of `bytes`, CRC verified; a part of a batch at the end is left out.
///
/// # Errors
/// `Corrupt` or `UnsupportedFormat`.
pub fn for_each_batch(
    bytes: &Bytes,
    mut visit: impl FnMut(RecordBatch) -> Result<(), AppendError>,
) -> Result<(), AppendError> {
    let mut rest = bytes.clone();
    while BatchHeader::parse(&rest).is_none_or(|header| header.size() <= rest.len()) {
        if rest.len() < HEADER_BYTES {
            break;
        }
        match RecordBatch::take(&mut rest)? {
            Some(batch) => visit(batch)?,
            None => break,
        }
    }
    Ok(())
}

/// Visits each record of whole batches with its batch's header; control batches are left out.
///
/// # Errors
/// `Corrupt` or `UnsupportedFormat`.
pub fn for_each_record(
    bytes: &Bytes,
    mut visit: impl FnMut(&BatchHeader, Record),
) -> Result<(), AppendError> {
    for_each_batch(bytes, |batch| {
        if batch.header.is_control() {
            return Ok(());
        }
        batch.for_each(|record| {
            visit(&batch.header, record);
            ControlFlow::Continue(())
        })
    })
}

fn take_record(rest: &mut Bytes, header: &BatchHeader) -> Option<Record> {
    let len = usize::try_from(take_varint(rest)?).ok()?;
    if len > rest.len() {
        return None;
    }
    let mut body = rest.split_to(len);
    if body.is_empty() {
        return None;
    }
    body.advance(1);
    let timestamp_delta = take_varlong(&mut body)?;
    let offset_delta = take_varint(&mut body)?;
    let key = take_nullable(&mut body)?;
    let value = take_nullable(&mut body)?;
    let count = usize::try_from(take_varint(&mut body)?).ok()?;
    // A header has at least two bytes: the count cannot make us reserve more than is there.
    let mut headers = Vec::with_capacity(count.min(body.len() / 2));
    for _ in 0..count {
        headers.push(Header {
            name: take_nullable(&mut body)??,
            value: take_nullable(&mut body)?,
        });
    }
    let timestamp = if header.is_log_append_time() {
        header.max_timestamp
    } else {
        header.base_timestamp.checked_add(timestamp_delta)?
    };
    let offset = header.base_offset.checked_add(i64::from(offset_delta))?;
    Some(Record {
        offset,
        timestamp,
        key,
        value,
        headers,
    })
}

/// `None`: it does not fit; `Some(None)`: null.
fn take_nullable(body: &mut Bytes) -> Option<Option<Bytes>> {
    let len = take_varint(body)?;
    if len < 0 {
        return Some(None);
    }
    let len = len as usize;
    (len <= body.len()).then(|| Some(body.split_to(len)))
}

fn take_varint(bytes: &mut Bytes) -> Option<i32> {
    u32::try_from(take_unsigned(bytes, 5)?)
        .ok()
        .map(unzigzag_32)
}

fn take_varlong(bytes: &mut Bytes) -> Option<i64> {
    take_unsigned(bytes, 10).map(unzigzag_64)
}

fn take_unsigned(bytes: &mut Bytes, bytes_max: usize) -> Option<u64> {
    let mut raw: u64 = 0;
    for at in 0..bytes_max {
        let byte = *bytes.first()?;
        bytes.advance(1);
        raw |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte < 0x80 {
            return Some(raw);
        }
    }
    None
}
