//! Making uncompressed batches for what the broker itself writes.

use super::{
    header::{BatchHeader, HEADER_BYTES, LOG_OVERHEAD_BYTES},
    varint::{put_varint, put_varlong, varint_len, varlong_len},
};
use bytes::Bytes;

/// Collects records into one batch; offsets begin at 0 and are assigned at append.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    /// Header's room first.
    out: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    pub fn new() -> Self {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp: -1,
            max_timestamp: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        Self {
            header,
            out: vec![0; HEADER_BYTES],
        }
    }

    /// Makes the batch an idempotent producer's.
    #[must_use]
    pub const fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Adds a record. `timestamp`: milliseconds since the Unix epoch, -1 for none.
    pub fn push(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> &mut Self {
        self.push_with_headers(timestamp, key, value, &[])
    }

    pub fn push_with_headers(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> &mut Self {
        let delta = self.header.last_offset_delta + 1;
        self.push_at(delta, timestamp, key, value, headers)
    }

    /// Adds a record at an offset delta that may leave a gap (compaction).
    pub(crate) fn push_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> &mut Self {
        let header = &mut self.header;
        if header.record_count == 0 {
            header.base_timestamp = timestamp;
        }
        header.record_count += 1;
        header.last_offset_delta = offset_delta;
        header.max_timestamp = header.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(header.base_timestamp);
        let len = 1
            + varlong_len(timestamp_delta)
            + varint_len(offset_delta)
            + nullable_len(key)
            + nullable_len(value)
            + varint_len(headers.len() as i32)
            + headers
                .iter()
                .map(|(k, v)| nullable_len(Some(k)) + nullable_len(*v))
                .sum::<usize>();
        let out = &mut self.out;
        put_varint(out, len as i32);
        out.push(0);
        put_varlong(out, timestamp_delta);
        put_varint(out, offset_delta);
        put_nullable(out, key);
        put_nullable(out, value);
        put_varint(out, headers.len() as i32);
        for (name, value) in headers {
            put_nullable(out, Some(name));
            put_nullable(out, *value);
        }
        self
    }

    /// Records so far.
    pub const fn count(&self) -> usize {
        self.header.record_count as usize
    }

    /// Bytes of the batch so far.
    pub const fn size(&self) -> usize {
        self.out.len()
    }

    /// The finished batch. One without records is not accepted by any log.
    pub fn build(self) -> Bytes {
        let header = self.header;
        self.build_as(header)
    }

    /// The batch of another one's kept records: places, producer and epoch stay its own.
    pub(crate) fn build_like(self, original: &BatchHeader) -> Bytes {
        let timestamps = if original.is_log_append_time() || self.header.record_count == 0 {
            (original.base_timestamp, original.max_timestamp)
        } else {
            (self.header.base_timestamp, self.header.max_timestamp)
        };
        let header = BatchHeader {
            attributes: original.attributes & !super::header::COMPRESSION_MASK,
            base_timestamp: timestamps.0,
            max_timestamp: timestamps.1,
            record_count: self.header.record_count,
            ..*original
        };
        self.build_as(header)
    }

    fn build_as(mut self, mut header: BatchHeader) -> Bytes {
        header.batch_length = (self.out.len() - LOG_OVERHEAD_BYTES) as i32;
        header.last_offset_delta = header.last_offset_delta.max(0);
        header.crc = header.crc_with(&self.out[HEADER_BYTES..]);
        self.out[..HEADER_BYTES].copy_from_slice(&header.encode());
        self.out.into()
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    match bytes {
        Some(bytes) => varint_len(bytes.len() as i32) + bytes.len(),
        None => 1,
    }
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
        None => put_varint(out, -1),
    }
}
