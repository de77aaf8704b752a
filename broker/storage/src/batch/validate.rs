//! What a batch from a client must be before it enters the log (Kafka's LogValidator).

use super::{
    codec::{Visit, with_plain},
    header::{ATTRIBUTES_KNOWN, BatchHeader, HEADER_BYTES, LOG_APPEND_TIME, split_batch},
    source::{Bad, Source, bad},
};
use crate::{
    config::{LogConfig, TimestampType},
    error::AppendError,
};
use weir_types::Millis;

/// No timestamp (Kafka's NO_TIMESTAMP).
const NO_TIMESTAMP: i64 = -1;
/// Smallest record: attributes, timestamp, offset, key and value length, header count.
const RECORD_BYTES_MIN: i32 = 6;

/// What the topic asks of its batches.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub batch_bytes_max: usize,
    pub timestamp_type: TimestampType,
    /// Inclusive bounds of a CreateTime.
    pub timestamp_min: i64,
    pub timestamp_max: i64,
    /// Records of compacted topics need keys.
    pub keys_required: bool,
    pub now: Millis,
}

impl Rules {
    pub fn of(config: &LogConfig, now: Millis) -> Self {
        Self {
            batch_bytes_max: config.max_batch_bytes,
            timestamp_type: config.timestamp_type,
            timestamp_min: now.0.saturating_sub(config.timestamp_before_max_ms),
            timestamp_max: now.0.saturating_add(config.timestamp_after_max_ms),
            keys_required: config.compact,
            now,
        }
    }
}

/// A batch that may be appended once base offset and leader epoch are filled in.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// With timestamps and CRC as they are to be stored.
    pub header: BatchHeader,
    /// Bytes of the batch.
    pub size: usize,
}

/// Checks the first batch of `bytes`. Reads every byte once for the CRC and walks the records;
/// a compressed batch is decompressed through a fixed buffer.
///
/// # Errors
/// As Kafka answers: `Corrupt` for bytes that are not what was sent, `Invalid` for what is not
/// allowed, and the special ones of [`AppendError`].
pub fn check_client_batch(bytes: &[u8], rules: &Rules) -> Result<Option<Checked>, AppendError> {
    let Some((mut header, size)) = split_batch(bytes)? else {
        return Ok(None);
    };
    if size > rules.batch_bytes_max {
        return Err(AppendError::TooLarge {
            size,
            max: rules.batch_bytes_max,
        });
    }
    let batch = &bytes[..size];
    if !header.crc_matches(batch) {
        return Err(AppendError::Corrupt("wrong CRC".to_owned()));
    }
    check_header(&header)?;
    let compression = header
        .compression()
        .map_err(AppendError::UnsupportedCompression)?;
    let records = &batch[HEADER_BYTES..];
    let walk = Walk {
        header: &header,
        rules,
    };
    let max_timestamp = match with_plain(compression, records, walk) {
        Ok(walked) => walked?,
        Err(Bad(what)) => return Err(AppendError::Invalid(what)),
    };
    restamp(&mut header, records, max_timestamp, rules);
    Ok(Some(Checked { header, size }))
}

fn check_header(header: &BatchHeader) -> Result<(), AppendError> {
    let invalid = |what: String| Err(AppendError::Invalid(what));
    if header.attributes & !ATTRIBUTES_KNOWN != 0 {
        return invalid(format!("unknown attributes {:#x}", header.attributes));
    }
    if header.is_control() {
        return invalid("control batches are the broker's own".to_owned());
    }
    if header.is_transactional() {
        return invalid("transactions are not supported".to_owned());
    }
    if header.is_log_append_time() {
        return Err(AppendError::InvalidTimestamp {
            timestamp: header.max_timestamp,
        });
    }
    if header.base_offset != 0 {
        return invalid(format!("base offset {} where 0 is due", header.base_offset));
    }
    if header.record_count == 0 {
        return invalid("no records".to_owned());
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.record_count) {
        let (count, delta) = (header.record_count, header.last_offset_delta);
        return invalid(format!(
            "{count} records, but a last offset delta of {delta}"
        ));
    }
    if header.producer_id >= 0 && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return invalid("a producer id without epoch and sequence".to_owned());
    }
    Ok(())
}

/// Fills in what the broker decides about timestamps; the CRC covers them.
fn restamp(header: &mut BatchHeader, records: &[u8], max_timestamp: i64, rules: &Rules) {
    match rules.timestamp_type {
        TimestampType::LogAppendTime => {
            header.attributes |= LOG_APPEND_TIME;
            header.max_timestamp = rules.now.0;
        }
        TimestampType::CreateTime if header.max_timestamp != max_timestamp => {
            header.max_timestamp = max_timestamp;
        }
        TimestampType::CreateTime => return,
    }
    header.crc = header.crc_with(records);
}

struct Walk<'a> {
    header: &'a BatchHeader,
    rules: &'a Rules,
}

impl Visit for Walk<'_> {
    /// The largest timestamp.
    type Out = Result<i64, AppendError>;

    fn visit<S: Source>(self, mut source: S) -> Result<Self::Out, Bad> {
        let mut max_timestamp = NO_TIMESTAMP;
        for due in 0..self.header.record_count {
            let delta = walk_record(&mut source, due, self.rules.keys_required)?;
            let Some(timestamp) = self.header.base_timestamp.checked_add(delta) else {
                return bad("timestamp overflows");
            };
            if self.is_out_of_range(timestamp) {
                return Ok(Err(AppendError::InvalidTimestamp { timestamp }));
            }
            max_timestamp = max_timestamp.max(timestamp);
        }
        if !source.at_end()? {
            return bad("more bytes than records");
        }
        Ok(Ok(max_timestamp))
    }
}

impl Walk<'_> {
    fn is_out_of_range(&self, timestamp: i64) -> bool {
        self.rules.timestamp_type == TimestampType::CreateTime
            && timestamp != NO_TIMESTAMP
            && !(self.rules.timestamp_min..=self.rules.timestamp_max).contains(&timestamp)
    }
}

/// Reads over one record; answers its timestamp delta.
#[inline]
fn walk_record<S: Source>(source: &mut S, due: i32, key_required: bool) -> Result<i64, Bad> {
    let len = source.varint()?;
    if len < RECORD_BYTES_MIN {
        return bad("record of an impossible length");
    }
    let end = source.consumed() + len as u64;
    source.byte()?;
    let timestamp_delta = source.varlong()?;
    if source.varint()? != due {
        return bad("record's offset delta is not its index");
    }
    let key_len = source.varint()?;
    if key_required && key_len < 0 {
        return bad("record without a key in a compacted topic");
    }
    skip_nullable(source, key_len, end)?;
    let value_len = source.varint()?;
    skip_nullable(source, value_len, end)?;
    let headers = source.varint()?;
    if headers < 0 {
        return bad("negative count of headers");
    }
    for _ in 0..headers {
        let name_len = source.varint()?;
        if name_len < 0 {
            return bad("header without a name");
        }
        skip_nullable(source, name_len, end)?;
        let value_len = source.varint()?;
        skip_nullable(source, value_len, end)?;
    }
    if source.consumed() != end {
        return bad("record's length is not that of its fields");
    }
    Ok(timestamp_delta)
}

#[inline]
fn skip_nullable<S: Source>(source: &mut S, len: i32, end: u64) -> Result<(), Bad> {
    if len < -1 {
        return bad("negative length");
    }
    let len = len.max(0) as usize;
    if source.consumed() + len as u64 > end {
        return bad("field longer than its record");
    }
    source.skip(len)
}
