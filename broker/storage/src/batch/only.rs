//! A client's write to one partition is one batch.

use super::header::HEADER_BYTES;
use crate::error::AppendError;
use bytes::Bytes;

/// Base offset and length.
const PREFIX_BYTES: usize = 12;
/// Up to the magic, which all formats have at the same place.
const MAGIC_AT: usize = 16;
/// The smallest record of format 0, without its prefix.
const LENGTH_MIN: i32 = 14;

/// The one batch in `records`. What follows it and is no whole batch is left out. Looks at
/// lengths and format only.
///
/// # Errors
/// As Kafka answers (`ProduceRequest.validateRecords`): `Invalid` if there is no whole batch, or
/// more than one, or one of an older format; `Corrupt` for a length or format that never was.
pub fn only_batch(records: &Bytes) -> Result<Bytes, AppendError> {
    let invalid = |what: &str| Err(AppendError::Invalid(what.to_owned()));
    let Some((magic, size)) = split_any(records)? else {
        return invalid("a partition's records must be one whole batch");
    };
    if magic != 2 || size < HEADER_BYTES {
        return invalid("only batches of message format 2 are taken");
    }
    if split_any(&records[size..])?.is_some() {
        return invalid("a partition's records must be one batch, not several");
    }
    Ok(records.slice(..size))
}

/// Format and size of the first batch of any format; `None`: it is not all there.
fn split_any(bytes: &[u8]) -> Result<Option<(u8, usize)>, AppendError> {
    let (Some(length), Some(&magic)) = (bytes.get(8..PREFIX_BYTES), bytes.get(MAGIC_AT)) else {
        return Ok(None);
    };
    let length = length
        .iter()
        .fold(0, |value: i32, byte| value << 8 | i32::from(*byte));
    if length < LENGTH_MIN {
        return Err(AppendError::Corrupt(format!("batch length {length}")));
    }
    let size = PREFIX_BYTES + length.unsigned_abs() as usize;
    if size > bytes.len() {
        return Ok(None);
    }
    if magic > 2 {
        return Err(AppendError::Corrupt(format!(
            "message format {}",
            magic as i8
        )));
    }
    Ok(Some((magic, size)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BatchBuilder;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        builder.push(1_000, None, Some(b"value"));
        builder.build().to_vec()
    }

    fn is_invalid(records: Vec<u8>) -> bool {
        matches!(
            only_batch(&Bytes::from(records)),
            Err(AppendError::Invalid(_))
        )
    }

    fn is_corrupt(records: Vec<u8>) -> bool {
        matches!(
            only_batch(&Bytes::from(records)),
            Err(AppendError::Corrupt(_))
        )
    }

    #[test]
    fn one_whole_batch_is_taken_and_a_cut_off_end_left_out() {
        let one = batch();
        assert_eq!(only_batch(&one.clone().into()).expect("one"), one);
        let and_a_part = [&one[..], &one[..one.len() - 1]].concat();
        assert_eq!(only_batch(&and_a_part.into()).expect("one"), one);
        let and_a_few = [&one[..], &[1, 2, 3]].concat();
        assert_eq!(only_batch(&and_a_few.into()).expect("one"), one);
    }

    #[test]
    fn none_and_several_are_invalid() {
        let one = batch();
        assert!(is_invalid(Vec::new()));
        assert!(is_invalid(vec![0; 16]));
        assert!(is_invalid(one[..one.len() - 1].to_vec()));
        assert!(is_invalid([&one[..], &one[..]].concat()));
    }

    #[test]
    fn other_formats_are_invalid_and_unknown_ones_corrupt() {
        let with = |at: usize, value: u8| {
            let mut bytes = batch();
            bytes[at] = value;
            bytes
        };
        assert!(is_invalid(with(MAGIC_AT, 0)));
        assert!(is_invalid(with(MAGIC_AT, 1)));
        assert!(is_corrupt(with(MAGIC_AT, 3)));
        assert!(is_corrupt(with(MAGIC_AT, 0xff)));
        assert!(is_corrupt(with(8, 0xff)));
        // Long enough for a message of format 0, too short for a batch.
        let mut short = vec![0; 40];
        (short[11], short[MAGIC_AT]) = (20, 2);
        assert!(is_invalid(short));
    }
}
