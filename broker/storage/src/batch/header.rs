//! The 61 bytes before a batch's records.

use crate::error::AppendError;

/// Bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;
/// Base offset and length: what the length field does not count.
pub(crate) const LOG_OVERHEAD_BYTES: usize = 12;
/// The CRC covers everything from here.
pub(crate) const CRC_FROM: usize = 21;

pub(crate) const COMPRESSION_MASK: i16 = 0x07;
pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(crate) const CONTROL: i16 = 0x20;
/// All attributes that mean something (bit 6: KIP-534's delete horizon).
pub(crate) const ATTRIBUTES_KNOWN: i16 = 0x7f;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// A batch's header as it lies in the log; the fields are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Of everything after this field.
    pub batch_length: i32,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    /// -1: not idempotent.
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads a header and checks the fields that everything else relies on: magic, length,
    /// counts. `None` where `bytes` do not begin with a header of format 2.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = Self::parse_unchecked(bytes.first_chunk()?);
        let sound = header.magic == 2
            && header.batch_length >= (HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32
            && header.base_offset >= 0
            && header.last_offset_delta >= 0
            && header
                .base_offset
                .checked_add(i64::from(header.last_offset_delta) + 1)
                .is_some()
            && header.record_count >= 0;
        sound.then_some(header)
    }

    pub(crate) fn parse_unchecked(bytes: &[u8; HEADER_BYTES]) -> Self {
        Self {
            base_offset: i64::from_be_bytes(array(bytes, 0)),
            batch_length: i32::from_be_bytes(array(bytes, 8)),
            leader_epoch: i32::from_be_bytes(array(bytes, 12)),
            magic: bytes[16] as i8,
            crc: u32::from_be_bytes(array(bytes, 17)),
            attributes: i16::from_be_bytes(array(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)),
            producer_id: i64::from_be_bytes(array(bytes, 43)),
            producer_epoch: i16::from_be_bytes(array(bytes, 51)),
            base_sequence: i32::from_be_bytes(array(bytes, 53)),
            record_count: i32::from_be_bytes(array(bytes, 57)),
        }
    }

    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        out[16] = self.magic as u8;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        out
    }

    /// Bytes of the whole batch.
    pub const fn size(&self) -> usize {
        self.batch_length as usize + LOG_OVERHEAD_BYTES
    }

    /// Of the last record, even if compaction took it away.
    pub const fn last_offset(&self) -> i64 {
        self.base_offset + self.last_offset_delta as i64
    }

    pub const fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    pub const fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// The unknown code, if it is none of Kafka's.
    pub const fn compression(&self) -> Result<Compression, u8> {
        match self.attributes & COMPRESSION_MASK {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            code => Err(code as u8),
        }
    }

    /// Sequence number of the last record; sequences wrap from the largest `i32` to 0.
    pub const fn last_sequence(&self) -> i32 {
        if self.producer_id < 0 {
            return -1;
        }
        let last = self.base_sequence as i64 + self.last_offset_delta as i64;
        (last % (i32::MAX as i64 + 1)) as i32
    }

    /// Whether the CRC fits `batch`, the whole batch's bytes.
    pub fn crc_matches(&self, batch: &[u8]) -> bool {
        batch.len() > CRC_FROM && crc32c::crc32c(&batch[CRC_FROM..]) == self.crc
    }

    /// The CRC of a header's covered part, to be continued with the records.
    pub(crate) fn crc_with(&self, records: &[u8]) -> u32 {
        let header = self.encode();
        crc32c::crc32c_append(crc32c::crc32c(&header[CRC_FROM..]), records)
    }
}

fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// The first batch of `bytes` and its size; its CRC is not looked at. `Ok(None)`: there are no
/// more bytes.
///
/// # Errors
/// `Corrupt` if the bytes begin no whole batch; `UnsupportedFormat` for another magic.
pub fn split_batch(bytes: &[u8]) -> Result<Option<(BatchHeader, usize)>, AppendError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    // Formats 0 and 1 have their magic at the same place, but may be shorter.
    if let Some(&magic) = bytes.get(16)
        && magic != 2
    {
        return Err(AppendError::UnsupportedFormat(magic as i8));
    }
    if bytes.len() < HEADER_BYTES {
        return Err(AppendError::Corrupt(format!(
            "{} bytes are no batch",
            bytes.len()
        )));
    }
    let Some(header) = BatchHeader::parse(bytes) else {
        return Err(AppendError::Corrupt(
            "header with an impossible length or count".to_owned(),
        ));
    };
    if header.size() > bytes.len() {
        let (size, len) = (header.size(), bytes.len());
        return Err(AppendError::Corrupt(format!(
            "batch of {size} bytes in {len}"
        )));
    }
    Ok(Some((header, header.size())))
}
