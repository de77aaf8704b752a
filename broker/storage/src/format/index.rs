//! A segment's sparse index: where batches lie, and how old they are.
//!
//! The summary alone answers most questions about a sealed segment, so it has its own envelope
//! and is read without the entries.

use super::{Cursor, ENVELOPE_BYTES, Kind, seal, unseal};

/// Also the version of the segment format, which reserves last stable offset and a count of
/// aborted transactions.
const VERSION: u8 = 1;
const SUMMARY_BODY_BYTES: usize = 64;
/// Bytes of the file before its entries.
pub(crate) const SUMMARY_BYTES: usize = ENVELOPE_BYTES + SUMMARY_BODY_BYTES;
pub(crate) const ENTRY_BYTES: usize = 16;

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Bytes of the log file.
    pub size: u64,
    /// Offset after the last batch; the segment's base if it is empty.
    pub end: i64,
    /// Largest timestamp; -1: none.
    pub max_timestamp: i64,
    /// Base offset of the first batch that has it; -1: none.
    pub max_timestamp_at: i64,
    /// Timestamp of the first batch; -1: none.
    pub first_timestamp: i64,
}

/// A batch begins at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Of the batch's base offset from the segment's.
    pub offset_delta: u32,
    pub position: u32,
    /// Largest timestamp of all batches of the segment before this one; -1: none.
    pub max_timestamp_before: i64,
}

pub(crate) fn encode(summary: &Summary, entries: &[IndexEntry]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        packed.extend_from_slice(&entry.offset_delta.to_be_bytes());
        packed.extend_from_slice(&entry.position.to_be_bytes());
        packed.extend_from_slice(&entry.max_timestamp_before.to_be_bytes());
    }
    let mut body = Vec::with_capacity(SUMMARY_BODY_BYTES);
    body.extend_from_slice(&summary.size.to_be_bytes());
    body.extend_from_slice(&summary.end.to_be_bytes());
    body.extend_from_slice(&summary.max_timestamp.to_be_bytes());
    body.extend_from_slice(&summary.max_timestamp_at.to_be_bytes());
    body.extend_from_slice(&summary.first_timestamp.to_be_bytes());
    // Reserved: last stable offset, aborted transactions.
    body.extend_from_slice(&(-1i64).to_be_bytes());
    body.extend_from_slice(&0u64.to_be_bytes());
    body.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    body.extend_from_slice(&crc32c::crc32c(&packed).to_be_bytes());
    let mut out = seal(Kind::Index, VERSION, &body);
    out.extend_from_slice(&packed);
    out
}

pub(crate) fn decode_summary(bytes: &[u8]) -> Result<Summary, String> {
    let bytes = bytes.get(..SUMMARY_BYTES).ok_or("index is too short")?;
    let mut body = Cursor(unseal(Kind::Index, VERSION, bytes)?);
    let parsed = (|| {
        Some(Summary {
            size: body.u64()?,
            end: body.i64()?,
            max_timestamp: body.i64()?,
            max_timestamp_at: body.i64()?,
            first_timestamp: body.i64()?,
        })
    })();
    parsed.ok_or_else(|| "index is too short".to_owned())
}

pub(crate) fn decode(bytes: &[u8]) -> Result<(Summary, Vec<IndexEntry>), String> {
    let summary = decode_summary(bytes)?;
    let packed = &bytes[SUMMARY_BYTES..];
    let mut tail = Cursor(&bytes[SUMMARY_BYTES - 8..SUMMARY_BYTES]);
    let count = tail.u32().unwrap_or(0) as usize;
    if packed.len() != count * ENTRY_BYTES || tail.u32() != Some(crc32c::crc32c(packed)) {
        return Err("index entries of a wrong count or CRC".to_owned());
    }
    let entries = packed.chunks_exact(ENTRY_BYTES).filter_map(|bytes| {
        let mut entry = Cursor(bytes);
        Some(IndexEntry {
            offset_delta: entry.u32()?,
            position: entry.u32()?,
            max_timestamp_before: entry.i64()?,
        })
    });
    Ok((summary, entries.collect()))
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        let summary = Summary {
            size: 5000,
            end: 120,
            max_timestamp: 99,
            max_timestamp_at: 100,
            first_timestamp: 90,
        };
        let entries = [IndexEntry {
            offset_delta: 20,
            position: 4096,
            max_timestamp_before: 95,
        }];
        let bytes = encode(&summary, &entries);
        assert_eq!(
            hex(&bytes),
            "0501000000000040bbc35ce70000000000001388000000000000007800000000000000630000000000000064000000000000005affffffffffffffff00000000000000000000000100ac56d60000001400001000000000000000005f"
        );
        assert_eq!(decode_summary(&bytes), Ok(summary));
        assert_eq!(decode(&bytes), Ok((summary, entries.to_vec())));
        let mut bent = bytes;
        let last = bent.len() - 1;
        bent[last] ^= 1;
        assert!(decode_summary(&bent).is_ok() && decode(&bent).is_err());
    }
}
