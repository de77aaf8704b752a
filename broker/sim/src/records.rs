//! Record batches (Kafka's format v2) as the clients of the simulation build and read them: code
//! of their own, so that a mistake in the broker's cannot hide itself.

use bytes::{BufMut, Bytes, BytesMut};
use weir_types::{LeaderEpoch, Offset};

const HEADER_LEN: usize = 61;
const LENGTH_AT: usize = 8;
const EPOCH_AT: usize = 12;
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;

/// Who wrote a batch, and where in its sequence it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence {
    pub producer: i64,
    pub epoch: i16,
    pub first: i32,
}

/// One batch as it stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub base: Offset,
    /// Exclusive.
    pub end: Offset,
    pub epoch: LeaderEpoch,
    pub sequence: Sequence,
    /// The first 8 bytes of each record's value.
    pub keys: Vec<u64>,
    pub bytes: Bytes,
}

/// A batch whose records carry `keys`, each followed by `filler` bytes.
pub fn build(sequence: Sequence, keys: &[u64], filler: usize, timestamp_ms: i64) -> Bytes {
    let count = i32::try_from(keys.len()).unwrap_or(i32::MAX);
    let mut body = BytesMut::new();
    for (delta, key) in (0_i64..).zip(keys) {
        put_record(&mut body, delta, *key, filler);
    }
    let mut checked = BytesMut::new();
    checked.put_i16(0);
    checked.put_i32(count - 1);
    checked.put_i64(timestamp_ms);
    checked.put_i64(timestamp_ms);
    checked.put_i64(sequence.producer);
    checked.put_i16(sequence.epoch);
    checked.put_i32(sequence.first);
    checked.put_i32(count);
    checked.put_slice(&body);
    let mut batch = BytesMut::with_capacity(CRC_FROM + checked.len());
    batch.put_i64(0);
    let length = checked.len() + CRC_FROM - EPOCH_AT;
    batch.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.put_slice(&checked);
    batch.freeze()
}

fn put_record(to: &mut BytesMut, offset_delta: i64, key: u64, filler: usize) {
    let mut record = BytesMut::new();
    record.put_i8(0);
    put_varint(&mut record, 0);
    put_varint(&mut record, offset_delta);
    put_varint(&mut record, -1);
    put_varint(&mut record, i64::try_from(8 + filler).unwrap_or(i64::MAX));
    record.put_u64(key);
    // Different in every record, so that bytes of another place are never taken for these.
    record.extend(
        (0..filler).map(|i| (key.rotate_left(u32::try_from(i % 64).unwrap_or(0)) & 0xff) as u8),
    );
    put_varint(&mut record, 0);
    put_varint(to, i64::try_from(record.len()).unwrap_or(i64::MAX));
    to.put_slice(&record);
}

fn put_varint(to: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        to.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    to.put_u8(rest as u8);
}

/// Splits bytes read from a log into batches; says what is wrong with them if something is.
pub fn parse(mut bytes: Bytes) -> Result<Vec<Batch>, String> {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let len = usize::try_from(i32::from_be_bytes(field(&bytes, LENGTH_AT)?))
            .map_err(|e| e.to_string())?
            + EPOCH_AT;
        if len < HEADER_LEN || len > bytes.len() {
            return Err(format!(
                "a batch of {len} bytes where {} are left",
                bytes.len()
            ));
        }
        batches.push(parse_batch(bytes.split_to(len))?);
    }
    Ok(batches)
}

fn parse_batch(bytes: Bytes) -> Result<Batch, String> {
    let crc = u32::from_be_bytes(field(&bytes, CRC_AT)?);
    if bytes.get(CRC_FROM..).map(crc32c::crc32c) != Some(crc) {
        return Err("a batch with a wrong CRC".to_owned());
    }
    let base = Offset(i64::from_be_bytes(field(&bytes, 0)?));
    let delta = i32::from_be_bytes(field(&bytes, 23)?);
    let count = i32::from_be_bytes(field(&bytes, 57)?);
    let mut keys = Vec::new();
    let mut at = HEADER_LEN;
    for _ in 0..count {
        let (len, body) = varint(&bytes, at)?;
        keys.push(record_key(&bytes, body)?);
        at = body + usize::try_from(len).map_err(|e| e.to_string())?;
    }
    Ok(Batch {
        base,
        end: base.plus(i64::from(delta) + 1),
        epoch: LeaderEpoch(i32::from_be_bytes(field(&bytes, EPOCH_AT)?)),
        sequence: Sequence {
            producer: i64::from_be_bytes(field(&bytes, 43)?),
            epoch: i16::from_be_bytes(field(&bytes, 51)?),
            first: i32::from_be_bytes(field(&bytes, 53)?),
        },
        keys,
        bytes,
    })
}

fn record_key(bytes: &[u8], body: usize) -> Result<u64, String> {
    let mut at = body + 1;
    // Timestamp delta, offset delta, key length (no key), value length.
    for _ in 0..4 {
        (_, at) = varint(bytes, at)?;
    }
    Ok(u64::from_be_bytes(field(bytes, at)?))
}

fn varint(bytes: &[u8], mut at: usize) -> Result<(i64, usize), String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = field::<1>(bytes, at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let signed = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            return Ok((signed, at));
        }
    }
    Err("a varint without an end".to_owned())
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], String> {
    bytes
        .get(at..at + N)
        .and_then(|b| b.try_into().ok())
        .ok_or_else(|| format!("{} bytes end before {at}", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_reads_as_it_was_built() {
        let sequence = Sequence {
            producer: 7,
            epoch: 1,
            first: 300,
        };
        let keys = [5, u64::MAX, 1 << 40];
        let built = build(sequence, &keys, 100, 1_000);
        let batches = parse(built.clone()).expect("it was just built");
        let epoch = LeaderEpoch(-1);
        let keys = keys.to_vec();
        let (base, end) = (Offset(0), Offset(3));
        assert_eq!(
            batches,
            [Batch {
                base,
                end,
                epoch,
                sequence,
                keys,
                bytes: built
            }]
        );
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let sequence = Sequence {
            producer: 7,
            epoch: 1,
            first: 0,
        };
        let mut bytes = BytesMut::from(&build(sequence, &[1], 10, 0)[..]);
        bytes[65] ^= 1;
        assert!(parse(bytes.freeze()).is_err());
    }
}
