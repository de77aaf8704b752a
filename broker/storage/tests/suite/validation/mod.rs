//! What batches may look like, and that nothing sent can do harm.

mod random;
mod recode;

use crate::support::*;
use bytes::Bytes;
use recode::*;
use std::io::Write as _;
use weir_storage::{
    AppendError, BatchBuilder, BatchHeader, FaultyDisk, HEADER_BYTES, Log, LogConfig,
    for_each_batch,
};

fn open() -> (FaultyDisk, Node) {
    let disk = FaultyDisk::new(1);
    let node = start(&disk, &LogConfig::default());
    (disk, node)
}

fn append(log: &mut Log<FaultyDisk>, records: &Bytes) -> Result<(), AppendError> {
    log.append_as_leader(records, EPOCH, NOW).map(|_| ())
}

#[test]
fn every_codec_is_checked_and_read_back() {
    for (code, codec) in CODECS {
        let (_disk, mut node) = open();
        let plain = batch("a text that repeats a text that repeats", 500);
        let good = recoded(&plain, code, &codec(&plain[HEADER_BYTES..]));
        append(&mut node.log, &good).expect("sound");
        assert_eq!(values(&node.log.reader()).len(), 500);

        let liar = with_header(&good, |header| {
            header.record_count = 501;
            header.last_offset_delta = 500;
        });
        assert!(
            matches!(append(&mut node.log, &liar), Err(AppendError::Invalid(_))),
            "{code}"
        );
        let liar = with_header(&good, |header| {
            header.record_count = 499;
            header.last_offset_delta = 498;
        });
        assert!(
            matches!(append(&mut node.log, &liar), Err(AppendError::Invalid(_))),
            "{code}"
        );
        let garbage = recoded(&plain, code, b"this is no compressed stream at all");
        assert!(
            matches!(
                append(&mut node.log, &garbage),
                Err(AppendError::Invalid(_))
            ),
            "{code}"
        );
    }
}

#[test]
fn a_bomb_is_refused_without_being_held_in_memory() {
    let plain = batch("a", 1);
    // 300 MB of zeros in a few hundred KB: "records" that expand beyond the bound.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..300 {
        encoder.write_all(&zeros).expect("memory");
    }
    let bomb = recoded(&plain, 4, &encoder.finish().expect("memory"));
    let (_disk, mut node) = open();
    assert!(matches!(
        append(&mut node.log, &bomb),
        Err(AppendError::Invalid(_))
    ));
    // A raw snappy block that claims 200 MB.
    let mut claim = vec![0x80, 0x84, 0xaf, 0x5f];
    claim.extend_from_slice(&[0; 20]);
    let bomb = recoded(&plain, 2, &claim);
    assert!(matches!(
        append(&mut node.log, &bomb),
        Err(AppendError::Invalid(_))
    ));
}

/// What is sent is refused, and why.
macro_rules! is_refused {
    ($log:expr, $records:expr, $why:pat) => {
        let refused = append($log, $records);
        assert!(matches!(refused, Err($why)), "{refused:?}");
    };
}

#[test]
fn each_lie_gets_its_error() {
    use AppendError::*;
    let (_disk, mut node) = open();
    let log = &mut node.log;
    let good = batch("a", 3);
    let lie = |change: fn(&mut BatchHeader)| with_header(&good, change);
    let mut bent = good.to_vec();
    bent[HEADER_BYTES + 5] ^= 1;
    is_refused!(log, &bent.into(), Corrupt(_));
    is_refused!(log, &good.slice(..50), Corrupt(_));
    is_refused!(log, &good.slice(..good.len() - 1), Corrupt(_));
    is_refused!(log, &Bytes::new(), Invalid(_));
    is_refused!(log, &lie(|h| h.magic = 1), UnsupportedFormat(1));
    is_refused!(log, &lie(|h| h.magic = 0), UnsupportedFormat(0));
    is_refused!(log, &lie(|h| h.attributes = 5), UnsupportedCompression(5));
    is_refused!(log, &lie(|h| h.attributes = 0x20), Invalid(_));
    is_refused!(log, &lie(|h| h.attributes = 0x10), Invalid(_));
    is_refused!(log, &lie(|h| h.attributes = 0x08), InvalidTimestamp { .. });
    is_refused!(log, &lie(|h| h.base_offset = 5), Invalid(_));
    is_refused!(log, &lie(|h| h.last_offset_delta = 7), Invalid(_));
    is_refused!(log, &lie(|h| h.record_count = 0), Invalid(_));
    is_refused!(log, &lie(|h| h.batch_length = 10), Corrupt(_));
    is_refused!(log, &lie(|h| h.batch_length = i32::MAX), Corrupt(_));
    is_refused!(log, &lie(|h| h.producer_id = 5), Invalid(_));
    assert_eq!(log.end().0, 0);
    let big = batch(&"x".repeat(1 << 20), 2);
    is_refused!(log, &big, TooLarge { .. });
}

#[test]
fn timestamps_have_bounds_and_a_wrong_maximum_is_put_right() {
    let (_disk, mut node) = open();
    let hour = 60 * 60 * 1000;
    append(&mut node.log, &keyed("k", Some("v"), NOW.0 + hour)).expect("just within");
    let late = append(&mut node.log, &keyed("k", Some("v"), NOW.0 + hour + 1));
    assert!(matches!(late, Err(AppendError::InvalidTimestamp { .. })));
    append(&mut node.log, &keyed("k", Some("v"), -1)).expect("no timestamp");
    let mut builder = BatchBuilder::new();
    builder
        .push(100, None, Some(b"a"))
        .push(50, None, Some(b"b"));
    let liar = with_header(&builder.build(), |header| header.max_timestamp = 999_999);
    append(&mut node.log, &liar).expect("put right");
    let end = node.log.end();
    let bytes = node
        .log
        .reader()
        .read_bytes(end.plus(-2), end, 9999, true)
        .expect("in the log");
    let mut seen = 0;
    for_each_batch(&bytes, |batch| {
        assert_eq!(batch.header.max_timestamp, 100);
        seen += 1;
        Ok(())
    })
    .expect("the CRC was renewed");
    assert_eq!(seen, 1);
}
